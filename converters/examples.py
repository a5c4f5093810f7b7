"""Turn a record into an example under a task's law, and read files of examples: one JSON object a line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.io.jsonl import stream
from converters.schema import Question, Record, Row, Turn
from converters.tasks.base import RenderError, Task
from converters.text.figures import unstated
from converters.text.sanitize import clean_record

INVENTED = "a number of the answer is in no snippet that it cites"


def gold(row: Row) -> Any:
    """Return the reference answer: the target as the row's task parses it."""
    return tasks.get(row.task).parse(row.target)


def prompt_turns(task: str, messages: list[Turn]) -> list[Turn]:
    """Return the turns before any answer: all but the last, or the first alone of a walk, whose later ones build on answers.

    >>> turns = [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"), Turn("assistant", "d")]
    >>> len(prompt_turns("general", turns)), len(prompt_turns("category_levels", turns))
    (3, 1)
    """
    return messages[:1] if tasks.get(task).walk else messages[:-1]


def example(record: Record, task_name: str, source: str, more: Mapping[str, Any] | None = None) -> Row:
    """Render ``record`` for a task, with ``more`` in its meta.

    An answer that cannot be read back, or that cites snippets and has a number that neither they nor the question state, is a
    :class:`RenderError`: it would teach to make numbers up.
    """
    return example_of_clean(clean_record(record), task_name, source, more)


def example_of_clean(safe: Record, task_name: str, source: str, more: Mapping[str, Any] | None = None) -> Row:
    """Return :func:`example` of a record that is as :func:`converters.text.sanitize.clean_record` returns it."""
    task = tasks.get(task_name)
    if isinstance(safe, Question) and safe.answer and _invents(safe):
        raise RenderError(INVENTED)
    answer = task.answer(safe)
    target = task.render(answer)
    meta = {**task.meta(safe), **(more or {})}
    if task.parse(target) != answer or task.settle(answer, meta) != answer:
        raise RenderError("answer cannot be written and read back")
    return Row(
        id=f"{source}:{task_name}:{safe.id}",
        group=safe.group,
        task=task_name,
        source=source,
        messages=[*_asked(safe, task), Turn("assistant", target)],
        meta=msgspec.json.encode(meta).decode(),
    )


def question(record: Record, task_name: str) -> list[Turn]:
    """Return the turns in which a task asks about a record, whose answer need not be known: those of :func:`example`."""
    return _asked(clean_record(record), tasks.get(task_name))


def _asked(safe: Record, task: Task) -> list[Turn]:
    return [*[Turn(turn.role, turn.content) for turn in task.history(safe)], Turn("user", task.prompt(safe))]


def _invents(record: Question) -> bool:
    cited = [record.snippets[number - 1] for number in record.cited if number <= len(record.snippets)]
    return bool(cited and unstated(record.answer or "", [*cited, record.question]))


def read_rows(path: Path) -> list[Row]:
    """Return all rows of a file of examples, as :func:`stream_rows` yields them."""
    return list(stream_rows(path))


def stream_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file of examples; one without an assistant's last turn or with a repeated id is an ``InputError``."""
    ids: set[str] = set()
    for row in stream(path, Row):
        if len(row.messages) < 2 or row.messages[-1].role != "assistant":
            raise InputError(f"{path}: row {row.id!r} does not end in an assistant message")
        if row.id in ids:
            raise InputError(f"{path}: id {row.id!r} is found twice, expected every id once")
        ids.add(row.id)
        yield row
