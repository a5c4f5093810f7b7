"""Rows of a table as texts by column, whatever kind of file they are in."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.outcome import Outcome
from converters.raw import Range, decoded, table


def rows(path: Path | Range) -> Iterator[tuple[str, Mapping[str, str] | Outcome]]:
    """Yield ``(where, row)``; a cell that is no text comes as JSON."""
    if isinstance(path, Range) or {".jsonl", ".json", ".parquet"} & set(path.suffixes):
        for where, value in decoded([path], dict[str, Any]):
            yield where, value if isinstance(value, Outcome) else {k: _cell(v) for k, v in value.items()}
    elif {".csv", ".tsv"} & set(path.suffixes):
        yield from table(path)
    else:
        raise InputError(
            f"{path}: found the ending {path.suffix!r}, expected .csv, .tsv, .jsonl or .parquet (all but the last also with .gz)"
        )


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
