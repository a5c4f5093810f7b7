"""An example and its JSONL row: one JSON object a line, every column but ``messages`` a text."""

from collections.abc import Mapping
from typing import Any

import msgspec

from converters import tasks
from converters.records import Message, Record
from converters.tasks.base import RenderError
from converters.untrusted import clean

__all__ = ["RenderError", "Row", "Turn", "asked", "example", "gold"]

NOTHING: Mapping[str, Any] = {}


class Turn(msgspec.Struct, frozen=True):
    """One message of a row."""

    role: str
    content: str


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One example. The last message is the target; ``meta`` is a JSON text with what scoring needs beyond it."""

    id: str
    group: str
    task: str
    source: str
    messages: list[Turn]
    meta: str = "{}"

    @property
    def target(self) -> str:
        """The text that the model should write."""
        return self.messages[-1].content

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The messages that the model is given."""
        return [{"role": turn.role, "content": turn.content} for turn in self.messages[:-1]]

    @property
    def extra(self) -> Mapping[str, Any]:
        """``meta``, decoded."""
        return dict(msgspec.json.decode(self.meta))


def gold(row: Row) -> Any:
    """Return the target as the row's task parses it; it is stored nowhere else."""
    return tasks.get(row.task).parse(row.target)


def asked(task: str, messages: list[Turn]) -> list[Turn]:
    """Return the turns that ask: all but the last, or the first of a walk, in which every other one builds on an answer.

    >>> turns = [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"), Turn("assistant", "d")]
    >>> len(asked("general", turns)), len(asked("category_levels", turns))
    (3, 1)
    """
    return messages[:1] if tasks.get(task).walk else messages[:-1]


def example(record: Record, task_name: str, source: str, more: Mapping[str, Any] = NOTHING) -> Row:
    """Render ``record`` for a task, with ``more`` in its meta.

    Raises :class:`RenderError` when its answer would not survive render and parse.
    """
    task = tasks.get(task_name)
    safe = clean(record)
    answer = task.answer(safe)
    target = task.render(answer)
    meta = {**task.meta(safe), **more}
    if task.parse(target) != answer or task.settle(answer, meta) != answer:
        raise RenderError("answer cannot be written and read back")
    turns = (*task.history(safe), Message("user", task.prompt(safe)), Message("assistant", target))
    return Row(
        id=f"{source}:{task_name}:{safe.id}",
        group=safe.group,
        task=task_name,
        source=source,
        messages=[Turn(turn.role, turn.content) for turn in turns],
        meta=msgspec.json.encode(meta).decode(),
    )
