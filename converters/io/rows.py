"""Decode raw rows into structs: JSON lines, JSON lists, Python literals, Parquet and hub datasets."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from converters.core.errors import InputError, first_line
from converters.io import files
from converters.io.files import BLOCK, NOT_UTF8, PACKED, columns_of, open_raw, reading
from converters.io.pieces import Piece, Source, path_of
from converters.schema import Outcome

T = TypeVar("T")
LIMIT = 64 << 20  # bytes of one line, list item or cell
AHEAD = 1 << 12  # bytes by which the form of a file is told
PART = 1 << 20  # bytes of a JSON list that are read at once
TRIES = 16  # places at which a part of a list may end, before more of it is read
LITERAL_LIMIT = 1 << 20  # characters; Python's parser may take a hundred times its text in memory
BOM = b"\xef\xbb\xbf"
# The beginning of one JSON object over several lines: its first line ends within it, and no further object begins.
_SPREAD = re.compile(rb'\s*\{(?:[ \t]*[\r\n]|[^\r\n]*,[ \t]*[\r\n]\s*"|[^\r\n]*[\[{][ \t]*[\r\n])')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")  # two objects, maybe of a list
_LITERAL = re.compile(rb"\s*\{\s*u?'")  # a row starts as a Python dictionary does, and no JSON object can
_ADJACENT = re.compile(r"['\"]\s+['\"]")
_STRING = re.compile(r"""('(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")(\s+(?=['"]))?""", re.DOTALL)


class Long(bytes):
    """Stands for a line over the limit, which was skipped."""


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
    """Return a file's first line without its byte order mark."""
    return line if isinstance(line, Long) else line.removeprefix(BOM)


def literal(text: str) -> Any:
    """Return the value of a Python literal, tuples as lists; a text that is none, or too long, is a ``ValueError``.

    Texts in a row are several, as NumPy writes them, and not one as for Python.

    >>> literal("('Home', 'Mugs')"), literal("['Home' 'Mugs']")
    (['Home', 'Mugs'], ['Home', 'Mugs'])
    """
    if len(text) > LITERAL_LIMIT:
        raise ValueError(f"Python literal longer than {LITERAL_LIMIT >> 20} MiB")
    try:
        with warnings.catch_warnings(action="ignore"):  # about backslashes that mean nothing
            return _lists(
                ast.literal_eval(_STRING.sub(_parted, text.strip()) if _ADJACENT.search(text) else text.strip())
            )
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("not a Python literal") from error


def _parted(string: re.Match[str]) -> str:
    return f"{string[1]}, " if string[2] else string[1]


def _lists(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return {key: _lists(item) for key, item in value.items()} if isinstance(value, dict) else value


def is_numbered(path: Path) -> bool:
    """Tell by its beginning whether a file has a row in each line: no JSON list, nor maybe one object over several lines."""
    with open_raw(path) as file, reading(path):
        start = file.peek(AHEAD)[:AHEAD].removeprefix(BOM)
        return not (start.lstrip().startswith(b"[") or _SPREAD.match(start))


def json_values(source: Source) -> Iterator[tuple[str, bytes]]:
    """Yield ``(file:line, JSON text)`` of a JSON-lines file or a piece of one, or ``(file:#n, JSON text)`` of a JSON list.

    A file of one object over several lines is one row; one whose first line is broken and whose others are objects is not.
    A text over the limit comes as a :class:`Long`, which is not JSON.
    """
    if isinstance(source, Piece):
        yield from _of_piece(source)
        return
    path = source
    with open_raw(path) as file, reading(path):
        start = file.peek(AHEAD)[:AHEAD].removeprefix(BOM)
        if start.lstrip().startswith(b"["):
            yield from ((f"{path}:#{number}", item) for number, item in enumerate(_items(path, file), 1))
        elif _SPREAD.match(start):
            text = file.read(LIMIT + 1)
            if any(map(_is_object, text.splitlines()[1:])) and not _is_object(without_bom(text)):
                with open_raw(path) as again:  # what is compressed cannot be rewound
                    yield from _numbered(path, again)
            else:
                yield f"{path}:1", without_bom(text) if len(text) <= LIMIT else Long()
        else:
            yield from _numbered(path, file)


def json_texts(path: Path) -> Iterator[bytes]:
    """Yield the texts of :func:`json_values` without their places, sooner."""
    if not is_numbered(path):
        yield from (text for _, text in json_values(path))
        return
    with open_raw(path) as file, reading(path):
        lines = bounded(file)
        yield from map(without_bom, islice(lines, 1))
        yield from lines


def _of_piece(piece: Piece) -> Iterator[tuple[str, bytes]]:
    with piece.spooled.open("rb") if piece.spooled else open_raw(piece.path) as file, reading(piece.path):
        if not piece.spooled and piece.path.suffix not in PACKED:
            file.seek(piece.offset)
        elif not piece.spooled:
            for start in range(0, piece.offset, BLOCK):
                file.read(min(BLOCK, piece.offset - start))
        yield from islice(_numbered(piece.path, file, piece.first), piece.rows)


def _numbered(path: Path, file: BufferedReader, first: int = 1) -> Iterator[tuple[str, bytes]]:
    name = str(path)
    for number, line in enumerate(bounded(file), first):
        yield f"{name}:{number}", without_bom(line) if number == 1 else line


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict) if text.lstrip().startswith(b"{") else False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _items(path: Path, file: BufferedReader) -> Iterator[bytes]:
    """Yield the items of a JSON list, which is read in parts; one that is broken anywhere is an ``InputError``.

    A part ends between two objects. If it is a JSON list by itself, they are two items and not two objects within one.
    """
    text, size, is_first = file.read(PART).removeprefix(BOM).lstrip().removeprefix(b"["), PART, True
    while len(more := file.read(size)) == size:
        text += more
        ends = [match.start() + 1 for match in _BETWEEN.finditer(text, max(0, len(text) - PART))]
        for end in ends[: -TRIES - 1 : -1]:
            if items := _listed(b"[%b]" % text[:end]):
                yield from map(bytes, items)
                text, size, is_first = text[text.index(b",", end) + 1 :], PART, False
                break
        else:
            size = len(text)  # an item may be larger than a part
    items = _listed(b"[" + text + more)
    if items is None or not (items or is_first):  # a comma and nothing after it
        raise _broken(path)
    yield from map(bytes, items)


def _listed(text: bytes) -> list[msgspec.Raw] | None:
    """Return the items of a JSON list; of another text, or a broken one, nothing."""
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _broken(path: Path) -> InputError:
    """Return what is wrong with a JSON list, and where in its file."""
    try:
        with open_raw(path) as file:
            msgspec.json.decode(file.read().removeprefix(BOM), type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InputError(f"{path}: broken JSON list: {first_line(error)}; mend it, or write one row a line")
    return InputError(f"{path}: was changed while it was read")


def decoded(sources: Sequence[Source], kind: type[T], literals: bool = False) -> Iterator[tuple[str, T | Outcome]]:
    """Yield ``(where, value)``; a row that does not decode comes as an :class:`Outcome` with its reason.

    Of a repeated key in one JSON object the last value counts, as in Python's and JavaScript's own readers. With ``literals`` a
    row may be a Python literal instead of JSON. Of Parquet and hub datasets only the columns that the struct ``kind`` names are
    read.
    """
    for source in sources:
        path = path_of(source)
        if files.is_hub(path):
            yield from _converted(files.rows(path, columns_of(kind)), kind)
        elif path.suffix == ".parquet":
            from converters.io import parquet

            yield from _converted(parquet.rows(source, columns_of(kind)), kind)
        else:
            decode = msgspec.json.Decoder(kind).decode
            for where, text in json_values(source):
                try:
                    yield where, decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    if literals and _LITERAL.match(text):
                        yield where, _literal(where, text, kind)
                    else:
                        yield where, Outcome(where, reason=_reason(text, error))


def _literal(where: str, text: bytes, kind: type[T]) -> T | Outcome:
    try:
        return msgspec.convert(literal(text.decode()), kind)
    except msgspec.ValidationError as error:
        return Outcome(where, reason=other_format(error))
    except UnicodeDecodeError:
        return Outcome(where, reason=NOT_UTF8)
    except ValueError as error:
        return Outcome(where, reason=str(error))


def _reason(text: bytes, error: Exception) -> str:
    if isinstance(text, Long):
        return f"line longer than {LIMIT >> 20} MiB"
    if isinstance(error, msgspec.ValidationError):
        return other_format(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    try:
        return "not JSON" if text.decode().strip() else "blank line"
    except UnicodeDecodeError:
        return NOT_UTF8


def other_format(error: msgspec.ValidationError) -> str:
    """Return the reason of a row that is not of a struct's form; places in lists are left out, so that it can be counted."""
    return "other format: " + re.sub(r"\[\d+\]", "[...]", str(error))


def _converted(
    rows: Iterable[tuple[str, dict[str, Any] | Outcome]], kind: type[T]
) -> Iterator[tuple[str, T | Outcome]]:
    optional = {name for name, can_be_missing in (columns_of(kind) or {}).items() if can_be_missing}
    for where, row in rows:
        if isinstance(row, Outcome):
            yield where, row
            continue
        # A column has a cell in every row: an empty cell stands for an absent key of JSON.
        present = {key: value for key, value in row.items() if value is not None or key not in optional}
        try:
            yield where, msgspec.convert(present, kind)
        except msgspec.ValidationError as error:
            yield where, Outcome(where, reason=other_format(error))
