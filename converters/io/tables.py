"""Read any table as rows of strings: delimited text, JSON lines, Parquet or a hub dataset."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from itertools import chain, islice
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, not_a_file
from converters.core.unicode import all_composed, composed
from converters.io.delimited import Names, Sparse, table
from converters.io.files import is_hub, need_columns
from converters.io.rows import decoded
from converters.schema import Outcome

__all__ = ["AHEAD", "DELIMITED", "Sparse", "rows", "table"]
AHEAD = 100  # rows whose keys are the columns: a JSON row may leave out what it has no value for
DELIMITED = {".csv", ".tsv", ".tab", ".txt"}
_SHEETS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"}


def rows(
    path: Path,
    needed: Sequence[str],
    encoding: str | None = None,
    header: Names = None,
) -> Iterator[tuple[str, Mapping[str, str] | Outcome]]:
    """Yield ``(where, row)``; a cell that is no string comes as JSON, or by :func:`plain` where JSON has no type for it.

    A cell that a JSON row leaves out is empty.

    ``encoding`` and ``header`` (see :func:`table`) are of delimited text; column names for another file are an ``InputError``.
    Names and texts come composed (NFC).
    A ``needed`` column that none of the first rows has is an ``InputError``.
    """
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if {".jsonl", ".ndjson", ".json", ".jsonld", ".parquet"} & suffixes or is_hub(path):
        if not isinstance(header, int | None):
            raise InputError(f"{path}: its rows name their columns: leave the option header out")
        pairs: Iterator[tuple[str, Mapping[str, str] | Outcome]] = _texts(path)
    elif is_delimited(path):
        pairs = table(path, encoding, header)
    else:
        raise InputError(f"{path}: {_other(path)}") if path.is_file() else not_a_file(path)
    first = list(islice(pairs, AHEAD))
    known = dict.fromkeys(name for _, row in first if not isinstance(row, Outcome) for name in row)
    if known:
        need_columns(path, known, needed)
    yield from chain(first, pairs)


def is_delimited(path: Path) -> bool:
    """Tell by a path's endings whether it is delimited text."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return bool(DELIMITED & {*suffixes}) and suffixes[-1] not in _SHEETS | {".zip"}


def _other(path: Path) -> str:
    ending = path.suffix.lower()
    if ending in _SHEETS:
        return "is a spreadsheet: save the sheet as CSV (in Excel: CSV UTF-8) and give that file"
    if ending == ".zip":
        return "is a zip file: unpack it and give the files in it"
    endings = ".csv, .tsv, .txt, .json, .jsonl, .xml (or these with .gz, .zst) or .parquet"
    return f"found the ending {path.suffix!r}, expected {endings}: rename the file by what is in it"


def _texts(path: Path) -> Iterator[tuple[str, Mapping[str, str] | Outcome]]:
    for where, row in decoded([path], dict[str, Any]):
        yield (
            where,
            row if isinstance(row, Outcome) else Sparse({composed(name): _cell(value) for name, value in row.items()}),
        )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return composed(value)
    if value is None:
        return ""
    in_json = isinstance(value, int | float | list | dict)
    return json.dumps(all_composed(value), ensure_ascii=False, default=plain) if in_json else composed(plain(value))


def plain(value: Any) -> str:
    """Return as a text a value of Parquet's that JSON has no type for: a date, a decimal, bytes, a duration.

    >>> plain(date(2026, 5, 1)), plain(b"Mug"), plain(bytes([255]))
    ('2026-05-01', 'Mug', '/w==')
    """
    if isinstance(value, bytes):  # some writers leave out that a column of bytes is text
        try:
            return value.decode()
        except UnicodeDecodeError:
            return b64encode(value).decode()
    return value.isoformat() if isinstance(value, date | time) else str(value)
