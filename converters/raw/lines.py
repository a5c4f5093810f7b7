"""Lines of bounded length, and byte ranges of JSON-lines files that several processes can read at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path

from converters.raw import hub
from converters.raw.files import BLOCK, open_raw, whole

LIMIT = 64 << 20  # bytes of one line, list item or cell
BOM = b"\xef\xbb\xbf"
_ALONE = re.compile(rb"\s*\{[ \t]*[\r\n]")
_LINES = {".jsonl", ".ndjson", ".json"}


class Long(bytes):
    """Stands for a line over the limit, which was passed over; it holds a quote where the line had an odd number of them."""


def bounded(file: BufferedReader, limit: int = LIMIT) -> Iterator[bytes]:
    """Yield the lines with their line breaks; one of more than ``limit`` bytes comes as a :class:`Long`."""
    for line in iter(partial(file.readline, limit + 1), b""):
        yield line if len(line) <= limit else _passed(file, line)


def _passed(file: BufferedReader, line: bytes) -> Long:
    quotes = line.count(b'"')
    while line and not line.endswith(b"\n"):
        line = file.readline(BLOCK)
        quotes += line.count(b'"')
    return Long(b'"' * (quotes % 2))


def without_bom(line: bytes) -> bytes:
    """Return a file's first line without the mark that some programs put before it."""
    return line if isinstance(line, Long) else line.removeprefix(BOM)


def is_list(file: BufferedReader) -> bool:
    """Tell whether a file that was just opened holds one JSON list instead of lines."""
    return file.peek(64).removeprefix(BOM).lstrip().startswith(b"[")


def is_spread(file: BufferedReader) -> bool:
    """Tell whether a file that was just opened holds one JSON object over several lines: its first line is the bracket."""
    return bool(_ALONE.match(file.peek(64).removeprefix(BOM)))


@dataclass(frozen=True, slots=True)
class Range:
    """The lines of a plain JSON-lines file whose first byte is at ``begin`` or later and before ``end``.

    ``line`` is the 1-based number of the first of them. It prints and ends like its file.
    """

    path: Path
    begin: int
    end: int
    line: int

    def __str__(self) -> str:
        return str(self.path)

    @property
    def suffixes(self) -> list[str]:
        """The endings of the file's name."""
        return self.path.suffixes


def ranges(path: Path, size: int = 32 << 20) -> list[Path | Range]:
    """Cut a plain JSON-lines file into ranges of ``size`` bytes; any other file is one unit and comes as it is."""
    if hub.is_hub(path) or path.suffix not in _LINES:
        return [path]
    with open_raw(path) as file, whole(path):
        total = path.stat().st_size
        return [path] if total <= size or is_list(file) or is_spread(file) else list(_cut(path, file, total, size))


def _cut(path: Path, file: BufferedReader, total: int, size: int) -> Iterator[Range]:
    breaks = 0
    for begin in range(0, total, size):
        # Counted up to the byte before ``begin``: whatever that byte is, the first line break from there on ends the line
        # before the range's first one.
        yield Range(path, begin, min(begin + size, total), breaks + 2 if begin else 1)
        breaks += _breaks(file, size if begin else size - 1)


def _breaks(file: BufferedReader, size: int) -> int:
    steps = (min(BLOCK, size - at) for at in range(0, size, BLOCK))
    return sum(file.read(step).count(b"\n") for step in steps)


def lines_of(part: Range) -> Iterator[tuple[str, bytes]]:
    """Yield ``(file:line, line)`` of a range; over all ranges of a file each line comes exactly once."""
    with open_raw(part.path) as file, whole(part.path):
        if part.begin:
            file.seek(part.begin - 1)
            _passed(file, file.readline(BLOCK))
        at = file.tell()
        for number, line in enumerate(bounded(file), part.line):
            if at >= part.end:
                break
            at = file.tell() if isinstance(line, Long) else at + len(line)
            yield f"{part.path}:{number}", without_bom(line) if number == 1 else line
