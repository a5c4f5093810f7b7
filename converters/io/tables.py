"""Read any table as rows of strings: CSV, TSV, JSON lines, Parquet or a hub dataset."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import chain, islice
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.files import AS_UTF8, NOT_UTF8, is_hub, need_columns, open_raw, reading
from converters.io.rows import LIMIT, Long, bounded, decoded, without_bom
from converters.schema import Outcome

AHEAD = 100  # rows whose keys are the columns: a JSON row may leave out what it has no value for


class Sparse(dict[str, str]):
    """A row whose missing columns read as empty cells."""

    def __missing__(self, column: str) -> str:
        """Return the empty cell."""
        return ""


def rows(
    path: Path, needed: Sequence[str], encoding: str | None = None, header: int | None = None
) -> Iterator[tuple[str, Mapping[str, str] | Outcome]]:
    """Yield ``(where, row)``; a cell that is no string comes as JSON, one that a JSON row leaves out is empty.

    ``encoding`` and ``header``, the line of the column names where a file begins with other lines, are of delimited text. A
    ``needed`` column that none of the first rows has is an ``InputError``.
    """
    if {".jsonl", ".ndjson", ".json", ".parquet"} & set(path.suffixes) or is_hub(path):
        pairs: Iterator[tuple[str, dict[str, Any] | Outcome]] = decoded([path], dict[str, Any])
    elif {".csv", ".tsv", ".txt"} & set(path.suffixes):
        pairs = table(path, encoding, header)
    else:
        endings = ".csv, .tsv, .txt, .jsonl (or these with .gz, .zst) or .parquet"
        raise InputError(f"{path}: found the ending {path.suffix!r}, expected {endings}")
    first = list(islice(pairs, AHEAD))
    known = dict.fromkeys(name for _, row in first if not isinstance(row, Outcome) for name in row)
    if known:
        need_columns(path, known, needed)
    for where, row in chain(first, pairs):
        yield where, row if isinstance(row, Outcome) else Sparse({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


_END = "\udc01"  # appended as a last line, which no decoding can give: a quote that is never closed swallows it
_NOT_TEXT = re.compile("[\udc80-\udcff]")
_BREAK = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def table(
    path: Path, encoding: str | None = None, header: int | None = None
) -> Iterator[tuple[str, dict[str, str] | Outcome]]:
    """Yield ``(file:line, row)`` of delimited text with a header; quoted fields may hold line breaks.

    The header decides the delimiter (tab, semicolon or comma): publishers name tab-separated files ``.csv``, too. The line is
    the row's first. The second column of one name is called ``name (2)``.
    """
    csv.field_size_limit(LIMIT)
    with open_raw(path) as file, reading(path):
        before = (header or 1) - 1
        lines = islice(_lines(path, file, encoding or "utf-8"), before, None)
        first = next(lines, "")
        delimiter = "\t" if "\t" in first else ";" if first.count(";") > first.count(",") else ","
        reader = csv.reader(chain([first], lines, [_END]), delimiter=delimiter)
        number = before + 1
        try:
            columns = _header(path, next(reader))
            number = before + reader.line_num + 1
            for cells in reader:
                if cells == [_END]:
                    return
                if cells and cells[-1].endswith(_END):
                    raise InputError(f"{path}:{number}: a quote is never closed")
                yield f"{path}:{number}", _row(columns, cells, f"{path}:{number}")
                number = before + reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{path}:{number}: not delimited text: {error}") from error


def _lines(path: Path, file: BufferedReader, encoding: str) -> Iterator[str]:
    for number, line in enumerate(bounded(file), 1):
        if isinstance(line, Long):
            raise InputError(f"{path}:{number}: the line is longer than {LIMIT >> 20} MiB")
        text = (without_bom(line) if number == 1 else line).decode(encoding, "surrogateescape")
        yield from _BREAK.findall(text) if "\r" in text[:-2] else (text,)


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    joined = "".join(cells)
    if _NOT_TEXT.search(joined):
        raise InputError(f"{path}:1: the column names are {NOT_UTF8}: {AS_UTF8}")
    if _END in joined:
        raise InputError(f"{path}:1: a quote among the column names is never closed")
    if not joined.strip():
        raise InputError(f"{path}:1: the line of column names is blank")
    counts = Counter[str]()
    return [name if not counts.update([name]) and counts[name] == 1 else f"{name} ({counts[name]})" for name in cells]


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str] | Outcome:
    joined = "".join(cells)
    if not joined.isascii() and _NOT_TEXT.search(joined):
        return Outcome(where, reason=NOT_UTF8)
    if not joined.strip():
        return Outcome(where, reason="blank line")
    if len(cells) != len(header):
        return Outcome(where, reason="number of cells differs from the header's")
    return dict(zip(header, cells, strict=True))
