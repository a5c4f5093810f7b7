"""A table's columns: those that are there, those that are asked for, and the nearest name for a wrong one."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, nearest

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
    need_columns(path, present, [name for name, optional in columns.items() if not optional])
    names = [name for name in present if name in columns]
    if not names:
        raise InputError(f"{path}: found the columns {', '.join(present)}, expected some of {', '.join(columns)}")
    return names


def need_columns(path: Path, present: Iterable[str], columns: Iterable[str]) -> None:
    """Stop with a sentence when one of ``columns`` is not in the file."""
    names = list(present)
    for column in columns:
        if column not in names:
            raise InputError(f"{path}: no column {column!r}{nearest(column, names)}")
