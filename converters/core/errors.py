"""The one error that a user's input may raise, and the nearest right name for a wrong one."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec


class InputError(Exception):
    """Input that cannot be used. The command line prints the sentence and exits with 1."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class where it has none, for use within a sentence.

    >>> first_line(ValueError("bad\\n  at line 3")), first_line(ValueError())
    ('bad', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint for a misspelt ``name``.

    >>> nearest("mvae", ["mave", "catalog"])
    "; did you mean 'mave'?"
    >>> nearest("zzz", ["mave", "catalog"])
    '; expected one of: mave, catalog'
    """
    close = get_close_matches(name, known, n=1)
    listed = ", ".join(one if one.isprintable() else repr(one) for one in known)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of: {listed}"


def unreadable(path: Path, error: Exception, expected: str) -> InputError:
    """Return the error for a file that cannot be parsed: PyYAML's own messages span lines and name the line in their middle."""
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    problem = (mark and getattr(error, "problem", None)) or error
    return InputError(f"{path}{line}: found {' '.join(str(problem).split())}, expected {expected}")


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
