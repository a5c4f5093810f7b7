"""The file of a run that is under way: an answer a line, so that a run that was stopped goes on where it was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from converters import jsonl
from eval.backends.base import Answer, Prompt


def finished(partial: Path, batches: Sequence[Sequence[Prompt]]) -> dict[str, Answer]:
    """Return the answers of all batches that are whole; a line that was cut off, or is no answer, counts for nothing."""
    lines = partial.read_bytes().split(b"\n")[:-1] if partial.is_file() else []
    found = {answer.id: answer for answer in map(_read, lines) if answer}
    return {p.id: found[p.id] for batch in batches if all(p.id in found for p in batch) for p in batch}


def _read(line: bytes) -> Answer | None:
    try:
        return msgspec.json.decode(line, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@contextmanager
def going_on(partial: Path, done: Mapping[str, Answer]) -> Iterator[BinaryIO]:
    """Open the file with what is ``done`` in it, to write more."""
    jsonl.write_lines(partial, done.values())
    with partial.open("ab") as file:
        yield file


def keep(file: BinaryIO, answers: Sequence[Answer]) -> None:
    """Write the answers of one batch."""
    file.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
    file.flush()
