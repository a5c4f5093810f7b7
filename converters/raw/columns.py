"""Which columns of a Parquet file or hub dataset a struct reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from converters.errors import InputError, nearest

# Column name to whether the struct can do without it; ``None`` stands for all columns.
Wanted = Mapping[str, bool] | None


def wanted(kind: Any) -> Wanted:
    """Return the columns that a msgspec struct names; any other type takes all columns."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return None
    return {field.encode_name: not field.required for field in msgspec.structs.fields(kind)}


def chosen(path: Path, present: Sequence[str], columns: Wanted) -> list[str]:
    """Return those of ``present`` to read; one that cannot be missing, or all of them missing, is an ``InputError``."""
    if columns is None:
        return list(present)
    for name, spare in columns.items():
        if not spare and name not in present:
            raise InputError(f"{path}: no column {name!r}{nearest(name, list(present))}")
    found = [name for name in present if name in columns]
    if not found:
        raise InputError(f"{path}: found the columns {', '.join(present)}, expected some of {', '.join(columns)}")
    return found
