"""An example and its JSONL row: one JSON object a line, every column but ``messages`` a text."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.io.jsonl import stream
from converters.schema import Message, Record, Row, Turn
from converters.tasks.base import RenderError
from converters.text.sanitize import clean

NOTHING: Mapping[str, Any] = {}


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


def read_rows(path: Path) -> list[Row]:
    """Read a file of our format; a row without messages or with a repeated id is an :class:`InputError`."""
    return list(stream_rows(path))


def stream_rows(path: Path) -> Iterator[Row]:
    """Yield what :func:`read_rows` returns, a row at a time."""
    seen: set[str] = set()
    for row in stream(path, Row):
        if len(row.messages) < 2 or row.messages[-1].role != "assistant":
            raise InputError(f"{path}: row {row.id!r} does not end in an assistant message")
        if row.id in seen:
            raise InputError(f"{path}: id {row.id!r} is found twice, expected every id once")
        seen.add(row.id)
        yield row
