"""The one error that a user's input may raise, and hints that make its message useful."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

NEXT = "\n       "  # between the sentences of one error, under the first of which the command line writes the others


class InputError(Exception):
    """Input that cannot be used. The command line prints the message and exits with 1."""


def told(check: Callable[..., object], *arguments: object) -> list[str]:
    """Return the fault that a check finds, none or one, to be told with what others find."""
    try:
        check(*arguments)
    except InputError as error:
        return [str(error)]
    return []


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
    names = ", ".join(known_name if known_name.isprintable() else repr(known_name) for known_name in known)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of: {names}"


def not_a_file(path: Path) -> InputError:
    """Return the error for a path that is no file, with the nearest name beside it, or beside its folder, if neither is there."""
    if path.exists():
        return InputError(f"{path}: is {'a folder' if path.is_dir() else 'not a regular file'}, expected a file")
    missing = path if path.parent.is_dir() else path.parent
    beside = [file.name for file in missing.parent.iterdir()] if missing.parent.is_dir() else []
    close = get_close_matches(missing.name, beside)
    meant = [there for name in close if (there := missing.with_name(name) / path.relative_to(missing)).exists()]
    folder = "" if missing is path else f", nor a folder {missing}"
    return InputError(f"{path}: no such file{folder}{f'; did you mean {meant[0]}?' if meant else ''}")


def unreadable(path: Path, error: Exception, expected: str) -> InputError:
    """Return the error for a file that cannot be parsed, with PyYAML's line number at its usual place."""
    if isinstance(error, FileNotFoundError):
        return not_a_file(path)
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    problem = (mark and getattr(error, "problem", None)) or error
    words = " ".join(str(problem).split()).removeprefix("found ")  # as some of PyYAML's sentences begin
    return InputError(f"{path}{line}: found {words}, expected {expected}")
