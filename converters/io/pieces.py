"""What raw rows are read from: a file, or a piece of one, which has the row numbers of the whole file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from converters.core.errors import InputError


class Piece(NamedTuple):
    """Rows ``first`` to ``first + rows - 1`` of a file, counted from 1; the first begins at byte ``offset`` of the text.

    ``spooled`` is a file of these rows alone: lines, or of Parquet an Arrow stream.
    """

    path: Path
    first: int
    rows: int
    offset: int = 0
    spooled: Path | None = None


Source = Path | Piece
Spool = Callable[[], Path | None]  # gives the file to leave the next piece in; nothing: nobody asks for that piece


@contextmanager
def spooling(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` while a piece is left in a file into an ``InputError`` that names it, and not the file that is cut."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {os.strerror(error.errno) if error.errno else error}") from error


def path_of(source: Source) -> Path:
    """Return the file that rows are from."""
    return source.path if isinstance(source, Piece) else source
