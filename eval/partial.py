"""The file of a run that is under way: an answer a line, so that a run that was stopped goes on where it was."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from converters.io import jsonl

T = TypeVar("T")


def path(out: Path, name: str, depends_on: Any) -> Path:
    """Return the file for answers that depend on these values: a run with others has a file of its own."""
    return out / f".{name}.{hashlib.sha256(msgspec.json.encode(depends_on)).hexdigest()[:16]}.partial"


def read(file: Path, kind: type[T]) -> list[T]:
    """Return the answers in a file, if it is there; a line that was cut off, or is no answer, counts for nothing."""
    answers = []
    for line in file.read_bytes().split(b"\n")[:-1] if file.is_file() else []:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            answers.append(msgspec.json.decode(line, type=kind))
    return answers


@contextmanager
def appending(file: Path, done: Iterable[T]) -> Iterator[Callable[[Sequence[T]], None]]:
    """Write what is ``done``, and yield the function that writes more of it, at once."""
    jsonl.write_lines(file, done)
    with file.open("ab") as lines:

        def write(answers: Sequence[T]) -> None:
            lines.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
            lines.flush()

        yield write


def clear(out: Path, name: str) -> None:
    """Remove the files of runs that are over."""
    for file in out.glob(f".{name}.*.partial"):
        file.unlink()
