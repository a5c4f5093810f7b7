"""What raw rows are read from: a file, or a piece of one, which has the row numbers of the whole file."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


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


def path_of(source: Source) -> Path:
    """Return the file that rows are from."""
    return source.path if isinstance(source, Piece) else source
