"""Lines of bounded length, and what the first bytes of a JSON file tell of its layout."""

import re
from collections.abc import Iterator
from functools import partial
from io import BufferedReader

from converters.raw.files import BLOCK

LIMIT = 64 << 20  # bytes of one line, list item or cell
BOM = b"\xef\xbb\xbf"
_ALONE = re.compile(rb"\s*\{[ \t]*[\r\n]")


class Long(bytes):
    """Stands for a line over the limit, which was passed over."""


def bounded(file: BufferedReader, limit: int = LIMIT) -> Iterator[bytes]:
    """Yield the lines with their line breaks; one of more than ``limit`` bytes comes as a :class:`Long`."""
    for line in iter(partial(file.readline, limit + 1), b""):
        if len(line) <= limit:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(BLOCK)
        yield Long()


def without_bom(line: bytes) -> bytes:
    """Return a file's first line without the mark that some programs put before it."""
    return line if isinstance(line, Long) else line.removeprefix(BOM)


def is_list(file: BufferedReader) -> bool:
    """Tell whether a file that was just opened holds one JSON list instead of lines."""
    return file.peek(64).removeprefix(BOM).lstrip().startswith(b"[")


def is_spread(file: BufferedReader) -> bool:
    """Tell whether a file that was just opened holds one JSON object over several lines: its first line is the bracket."""
    return bool(_ALONE.match(file.peek(64).removeprefix(BOM)))
