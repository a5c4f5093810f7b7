"""Read any table as rows of strings."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.outcome import Outcome
from converters.raw.columns import need_columns
from converters.raw.hub import is_hub
from converters.raw.rows import decoded
from converters.raw.tables import table

AHEAD = 100  # rows of JSON whose keys are looked at: a row may leave out what it has nothing for


class Sparse(dict[str, str]):
    """A row in which a column that it leaves out is empty."""

    def __missing__(self, column: str) -> str:
        """Return the empty cell."""
        return ""


def rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str] | Outcome]]:
    """Yield ``(where, row)``; a cell that is no text comes as JSON, one that a JSON row leaves out is empty.

    A column that is ``needed`` and missing, in JSON from all of the first rows, is an ``InputError``.
    """
    if {".jsonl", ".ndjson", ".json", ".parquet"} & set(path.suffixes) or is_hub(path):
        pairs: Iterator[tuple[str, dict[str, Any] | Outcome]] = decoded([path], dict[str, Any])
    elif {".csv", ".tsv"} & set(path.suffixes):
        pairs = table(path)
    else:
        raise InputError(
            f"{path}: found the ending {path.suffix!r}, expected .csv, .tsv, .jsonl (or these with .gz, .zst) or .parquet"
        )
    first = list(islice(pairs, AHEAD))
    known = dict.fromkeys(name for _, row in first if not isinstance(row, Outcome) for name in row)
    if known:
        need_columns(path, known, needed)
    for where, row in chain(first, pairs):
        yield where, row if isinstance(row, Outcome) else Sparse({name: _cell(cell) for name, cell in row.items()})


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
