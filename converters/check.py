"""Checks files of our format against the contract: every finding is ``file:line: found, expected``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from converters import tasks
from converters.errors import InputError
from converters.examples import Row
from converters.jsonl import decode, numbered
from converters.registry import nearest
from converters.split import SPLITS
from converters.tasks.base import Task
from converters.untrusted import spells_control

ROLES = ("system", "user", "assistant")


def files(path: Path) -> list[Path]:
    """Return the files to check: the splits of a mix folder, or the one file."""
    if not path.is_dir():
        return [path]
    found = [path / f"{name}.jsonl" for name in SPLITS if (path / f"{name}.jsonl").is_file()]
    if not found:
        raise InputError(f"{path}: found no train.jsonl, validation.jsonl or test.jsonl, expected a mix")
    return found


def findings(paths: Sequence[Path]) -> Iterator[str]:
    """Yield what is wrong, in the order of files and lines; a group or an id in two files is wrong, too."""
    ids: dict[str, str] = {}
    homes: dict[str, Path] = {}
    for path in paths:
        count = 0
        for count, (number, line) in enumerate(numbered(path), 1):  # noqa: B007 - count is the number of rows
            where = f"{path}:{number}"
            try:
                row = decode(line, Row, where)
            except InputError as error:
                yield str(error)
                continue
            yield from (f"{where}: {text}" for text in _row(row))
            if ids.setdefault(row.id, where) != where:
                yield f"{where}: found id {row.id!r} of {ids[row.id]} again, expected every id once"
            if homes.setdefault(row.group, path) != path:
                yield f"{where}: found group {row.group!r} of {homes[row.group]}, expected every group in one split"
        if not count:
            yield f"{path}: found an empty file, expected one JSON object a line"


def _row(row: Row) -> Iterator[str]:
    if row.task not in tasks.names():
        yield f"found task {row.task!r}{nearest(row.task, tasks.names())}"
        return
    if [turn.role for turn in row.messages[-2:]] != ["user", "assistant"] or any(
        t.role not in ROLES for t in row.messages
    ):
        yield f"found roles {[turn.role for turn in row.messages]}, expected to end in user, assistant"
        return
    yield from _texts(row, tasks.get(row.task))


def _texts(row: Row, task: Task) -> Iterator[str]:
    asked = row.messages[-2].content
    if not asked.startswith(task.prefix):
        yield f"found a prompt that starts {asked[:20]!r}, expected {task.prefix!r}"
    if not row.target.strip():
        yield "found an empty answer, expected one"
    elif row.gold is None:
        yield f"found the answer {row.target[:60]!r}, which task {row.task!r} cannot read"
    for turn in row.messages:
        if spells_control(turn.content.removeprefix(task.prefix)):
            yield f"found a control token in the {turn.role}'s text {turn.content[:60]!r}, expected plain text"
