"""Files for values by a key that names all that decides them: written whole or not at all, few, and remade when broken."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from converters.io.jsonl import replacing

T = TypeVar("T")
FOLDER = Path(".cache/check")  # of the folder from which a recipe's paths count
KEPT, BYTES = 64, 2**28  # files in the folder, and their bytes together; the newest stay
SUM = 32  # bytes of SHA-256 before the value


def kept(name: str, key: str | None, kind: type[T], make: Callable[[], T]) -> T:
    """Return what was kept as ``name`` under ``key``, or what ``make`` returns, and keep that; with no key nothing is kept."""
    found = find(name, key, kind)
    return found if found is not None else keep(name, key, make())


def find(name: str, key: str | None, kind: type[T]) -> T | None:
    """Return what was kept and mark it as used; ``None`` where there is nothing, or a broken file."""
    path = FOLDER / f"{name}-{key}"
    try:
        content = path.read_bytes() if key else b""
        if hashlib.sha256(content[SUM:]).digest() != content[:SUM]:
            return None
        value = msgspec.msgpack.decode(content[SUM:], type=kind)
        os.utime(path)
    except (OSError, msgspec.MsgspecError):
        return None
    return value


def keep(name: str, key: str | None, value: T) -> T:
    """Keep a value and return it; one that is more than plain data, or a folder that cannot be written, keeps nothing."""
    if key:
        with suppress(OSError, TypeError, OverflowError):
            content = msgspec.msgpack.encode(value)
            with replacing(FOLDER / f"{name}-{key}") as file:
                file.write(hashlib.sha256(content).digest() + content)
            _bound(FOLDER)
    return value


def _bound(folder: Path) -> None:
    """Remove the files that were used longest ago, and what a process that was killed left half written among them."""
    stats = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another check is removing it
            stats.append((path.stat(), path))
    size = 0
    for number, (stat, path) in enumerate(sorted(stats, key=lambda of: -of[0].st_mtime_ns), 1):
        size += stat.st_size
        if number > 1 and (number > KEPT or size > BYTES):
            path.unlink(missing_ok=True)


def clear() -> None:
    """Remove all that is kept; what cannot be removed, and would be found again, is an ``OSError``."""
    for path in FOLDER.glob("*"):
        path.unlink(missing_ok=True)
