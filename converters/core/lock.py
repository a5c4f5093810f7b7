"""One writer at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from converters.core.errors import InputError


@contextmanager
def alone(lock: Path, written: Path) -> Iterator[None]:
    """Hold the file ``lock``; where another process holds it, an ``InputError`` says so of what is ``written`` under it."""
    try:
        with FileLock(lock, blocking=False):
            yield
    except Timeout as error:
        raise InputError(f"{written}: is being written by another process; wait for it or stop it") from error
