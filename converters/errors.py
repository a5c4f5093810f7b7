"""The one exception that a user sees: a sentence with file, line, what was found and what was expected."""

from pathlib import Path


class InputError(Exception):
    """Input that cannot be used. The command line prints the sentence and exits with 1."""


def unreadable(path: Path, error: Exception, expected: str) -> InputError:
    """Return what to say of a file that cannot be parsed: PyYAML's own words span lines, and name the line in their middle."""
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    found = (mark and getattr(error, "problem", None)) or error
    return InputError(f"{path}{line}: found {' '.join(str(found).split())}, expected {expected}")
