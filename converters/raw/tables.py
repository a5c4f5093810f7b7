"""Delimited text with a header: CSV, TSV, and what spreadsheets make of them."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import chain
from pathlib import Path

from converters.errors import InputError, nearest
from converters.outcome import Outcome
from converters.raw.files import AS_UTF8, NOT_UTF8, open_raw, whole
from converters.raw.lines import LIMIT, Long, Range, bounded, without_bom

# Lone surrogates that no decoding can give: a line over the limit, and the line after the last one.
_LONG, _END = "\udc00", "\udc01"
_NOT_TEXT = re.compile("[\udc80-\udcff]")
_BREAK = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def table(path: Path) -> Iterator[tuple[str, dict[str, str] | Outcome]]:
    """Yield ``(file:line, row)`` of delimited text with a header; quoted fields may hold line breaks.

    The header tells the delimiter (tab, semicolon or comma): publishers give tab-separated files the name ``.csv``, too. The
    line is the row's first. A column whose name stands twice is called ``name (2)``.
    """
    csv.field_size_limit(LIMIT)
    with open_raw(path) as file, whole(path):
        lines = _lines(file)
        first = next(lines, "")
        reader = csv.reader(chain([first], lines, [_END]), delimiter=_delimiter(first))
        number = 1
        try:
            columns = _header(path, next(reader))
            number = reader.line_num + 1
            for cells in reader:
                if cells and cells[-1].endswith(_END):
                    _end(path, number, cells)
                    return
                yield f"{path}:{number}", _row(columns, cells, f"{path}:{number}")
                number = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{path}:{number}: found {error}, expected text in columns") from error


def _lines(file: BufferedReader) -> Iterator[str]:
    for number, line in enumerate(bounded(file)):
        if isinstance(line, Long):
            # The quote, if there is one, opens or closes a field just as the line itself would have done.
            yield line.decode() + _LONG + "\n"
            continue
        text = (without_bom(line) if number == 0 else line).decode("utf-8", "surrogateescape")
        yield from _BREAK.findall(text) if "\r" in text[:-2] else (text,)


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ";" if header.count(";") > header.count(",") else ","


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    joined = "".join(cells)
    if _NOT_TEXT.search(joined):
        raise InputError(f"{path}:1: found a line that is {NOT_UTF8}, expected column names: {AS_UTF8}")
    if _LONG in joined or _END in joined:
        raise InputError(f"{path}:1: found a line that is too long or never ends, expected column names")
    if not joined.strip():
        raise InputError(f"{path}:1: found a blank line, expected column names")
    seen = Counter[str]()
    return [name if not seen.update([name]) and seen[name] == 1 else f"{name} ({seen[name]})" for name in cells]


def _end(path: Path, number: int, cells: Sequence[str]) -> None:
    if list(cells) != [_END]:
        raise InputError(f"{path}:{number}: found a quote that is never closed, expected one before the file ends")


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str] | Outcome:
    joined = "".join(cells)
    if not joined.isascii() and _NOT_TEXT.search(joined):
        return Outcome(where, reason=NOT_UTF8)
    if _LONG in joined:
        return Outcome(where, reason=f"line longer than {LIMIT >> 20} MiB")
    if not joined.strip():
        return Outcome(where, reason="blank line")
    if len(cells) != len(header):
        return Outcome(where, reason="number of cells differs from the header's")
    return dict(zip(header, cells, strict=True))


def need_columns(path: Path | Range, row: Iterable[str], columns: Iterable[str]) -> None:
    """Stop with a sentence when a column that the options name is not in the file."""
    present = list(row)
    for column in columns:
        if column not in present:
            shown = [name if name.isprintable() else ascii(name) for name in present]
            raise InputError(f"{path}: no column {column!r}{nearest(column, shown)}")
