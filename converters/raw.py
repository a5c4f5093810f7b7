"""Raw files as their publishers ship them: JSON lines, JSON lists and delimited text, plain or gzipped."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import msgspec

from converters.errors import InputError
from converters.outcome import Outcome
from converters.registry import nearest

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"


def open_raw(path: Path) -> BinaryIO:
    """Open a plain or ``.gz`` file; a missing or empty one is an ``InputError``."""
    if not path.is_file():
        raise InputError(f"{path}: found {'a folder' if path.is_dir() else 'nothing'}, expected a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: found an empty file, expected data")
    return cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def json_values(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield ``(file:line, JSON text)`` of a JSON-lines file, or ``(file:#n, JSON text)`` of a JSON list."""
    try:
        with open_raw(path) as file:
            first = file.readline()
            if first.removeprefix(_BOM).lstrip().startswith(b"["):
                yield from _items(path, first + file.read())
            else:
                yield f"{path}:1", first.removeprefix(_BOM)
                yield from ((f"{path}:{number}", line) for number, line in enumerate(file, 2))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: found a damaged gzip file, expected a whole one: {error}") from error


def _items(path: Path, text: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        items = msgspec.json.decode(text.removeprefix(_BOM), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path}: found a broken JSON list, expected [{{...}}, ...]: {error}") from error
    yield from ((f"{path}:#{number}", bytes(item)) for number, item in enumerate(items, 1))


def decoded(paths: Sequence[Path], kind: type[T]) -> Iterator[tuple[str, T | Outcome]]:
    """Yield ``(where, value)``; a row that does not decode comes as an :class:`Outcome` with its reason."""
    decoder = msgspec.json.Decoder(kind)
    for path in paths:
        for where, text in json_values(path):
            yield where, _decode(decoder, text, where)


def _decode(decoder: Any, text: bytes, where: str) -> Any:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        return Outcome(where, reason="other format: " + re.sub(r"\[\d+\]", "[...]", str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Outcome(where, reason="not JSON" if text.strip() else "blank line")


def table(path: Path) -> Iterator[tuple[str, dict[str, str] | Outcome]]:
    """Yield ``(file:line, row)`` of delimited text with a header; quoted fields may hold line breaks.

    The header tells the delimiter: publishers give tab-separated files the name ``.csv``, too.
    """
    csv.field_size_limit(2**31 - 1)
    with TextIOWrapper(open_raw(path), encoding="utf-8-sig", newline="") as file:
        number = 1
        try:
            header = file.readline()
            delimiter = "\t" if "\t" in header else ","
            columns = next(csv.reader([header], delimiter=delimiter))
            reader = csv.reader(file, delimiter=delimiter)
            for cells in reader:
                number = reader.line_num + 1
                yield f"{path}:{number}", _row(columns, cells, f"{path}:{number}")
        except (csv.Error, UnicodeDecodeError, EOFError, zlib.error) as error:
            raise InputError(f"{path}:{number + 1}: found {error}, expected UTF-8 text in columns") from error


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str] | Outcome:
    if not any(cell.strip() for cell in cells):
        return Outcome(where, reason="blank line")
    if len(cells) != len(header):
        return Outcome(where, reason="number of cells differs from the header's")
    return dict(zip(header, cells, strict=True))


def need_columns(path: Path, row: Iterable[str], columns: Iterable[str]) -> None:
    """Stop with a sentence when a column that the options name is not in the file."""
    present = list(row)
    for column in columns:
        if column not in present:
            raise InputError(f"{path}: no column {column!r}{nearest(column, present)}")
