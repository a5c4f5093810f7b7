"""Read any table as rows of strings: delimited text, JSON lines, Parquet or a hub dataset."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, not_a_file
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
    """Yield ``(where, row)``; a cell that is no string comes as JSON, one that a JSON row leaves out is empty.

    ``encoding`` and ``header`` (see :func:`table`) are of delimited text; column names for another file are an ``InputError``.
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
        yield where, row if isinstance(row, Outcome) else Sparse({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
