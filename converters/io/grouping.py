"""Group items by key, wherever in the input they stand, in bounded memory.

Items are dealt to buckets by the hash of their key and wait in one temporary file; then each bucket is grouped by itself. Input
under ``HELD`` bytes never touches the disk. The file has no name, so nothing is left of it however the run ends.

Several processes do the same in two rounds: each deals its share of the items to a file of its own that stays (:func:`deal`), and
then each groups some of the buckets of all files (:func:`regrouped`).
"""

import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import BinaryIO, TypeVar

import numpy as np

from converters.core.errors import InputError
from converters.io.jsonl import writing
from converters.io.pieces import Source
from converters.schema import Outcome

BUCKET = 2 << 20  # bytes of items that are grouped at once
MOST_BUCKETS = 512  # with more, the pieces of a bucket in the file become too small to read efficiently
HELD = 4 << 20  # bytes of items that wait in memory before they are written to the file
T = TypeVar("T")
_SIZES = Struct("<II")


@dataclass(frozen=True, slots=True)
class Gathering:
    """How rows are brought together: what deals them, with their keys, and what becomes of those of one key, in input order."""

    keyed: Callable[[Sequence[Source]], Iterator[tuple[bytes, bytes] | Outcome]]
    merged: Callable[[list[bytes]], Iterator[Outcome]]


def gathered(how: Gathering, sources: Sequence[Source], size: int) -> Iterator[Outcome]:
    """Yield what becomes of all rows of ``sources``, of ``size`` bytes: what :func:`grouped` passes on first, then the groups."""
    for item in grouped(how.keyed(sources), size):
        yield from how.merged(item) if isinstance(item, list) else (item,)


@dataclass(slots=True)
class Buckets:
    """What waits in memory of each bucket, and for each time it was written to the file, where each begins and the last ends."""

    waiting: list[bytearray]
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))


def buckets_for(size: int) -> int:
    """Return how many buckets items of ``size`` bytes are dealt to."""
    return min(size // BUCKET, MOST_BUCKETS - 1) + 1


def grouped(items: Iterable[tuple[bytes, bytes] | T], size: int) -> Iterator[list[bytes] | T]:
    """Yield the values of each key of ``(key, value)`` items as one list, in input order; what is no pair is passed on at once.

    ``size`` is roughly the input's size in bytes and decides the number of buckets alone. Groups come in the order of the hashes
    of their keys, which depends on the keys alone. A temporary folder that is full or missing is an ``InputError``.
    """
    number = buckets_for(size)
    buckets = Buckets([bytearray() for _ in range(number)])
    try:
        with tempfile.TemporaryFile() as file:
            yield from _dealt(items, buckets, file)
            offsets = np.array(buckets.offsets, np.uint64).reshape(-1, number + 1)
            for bucket in range(number):
                text = _read(file, offsets[:, bucket : bucket + 2].tolist()) + buckets.waiting[bucket]
                buckets.waiting[bucket].clear()
                yield from _groups(bytes(text))
    except OSError as error:
        place, problem = tempfile.tempdir or "temporary folder", error.strerror or error
        raise InputError(f"{place}: {problem}; grouping rows needs room there: set TMPDIR to another folder") from error


def deal(items: Iterable[tuple[bytes, bytes] | T], number: int, path: Path) -> Iterator[T]:
    """Deal ``(key, value)`` items to ``number`` buckets in ``path`` and a file of offsets beside it; pass on what is no pair."""
    buckets = Buckets([bytearray() for _ in range(number)])
    with writing(path), path.open("wb") as file:
        yield from _dealt(items, buckets, file)
        _flush(buckets, file)
    with writing(path):
        _offsets(path).write_bytes(buckets.offsets.tobytes())


def regrouped(paths: Iterable[Path], number: int, start: int, stop: int) -> Iterator[list[bytes]]:
    """Yield the groups of buckets ``start`` to ``stop`` of items that :func:`deal` dealt to ``number`` buckets in ``paths``."""
    texts = [bytearray() for _ in range(start, stop)]
    for path in paths:
        offsets = np.memmap(_offsets(path), np.uint64, "r").reshape(-1, number + 1)
        with path.open("rb") as file:
            for flush in offsets[:, start : stop + 1].tolist():
                for text, place in zip(texts, zip(flush, flush[1:], strict=False), strict=True):
                    text += _read(file, [place])
    for text in texts:
        yield from _groups(bytes(text))


def _offsets(path: Path) -> Path:
    return path.with_suffix(".offsets")


def _dealt(items: Iterable[tuple[bytes, bytes] | T], buckets: Buckets, file: BinaryIO) -> Iterator[T]:
    waiting, number = buckets.waiting, len(buckets.waiting)
    size, pack, crc32 = 0, _SIZES.pack, zlib.crc32
    for item in items:
        if not isinstance(item, tuple):
            yield item
            continue
        key, value = item
        # The upper bits of the hash choose the bucket, so that the buckets are in the order of the hashes.
        bucket = waiting[crc32(key) * number >> 32]
        bucket += pack(len(key), len(value))
        bucket += key
        bucket += value
        size += len(key) + len(value)
        if size > HELD:
            _flush(buckets, file)
            size = 0


def _flush(buckets: Buckets, file: BinaryIO) -> None:
    for waiting in buckets.waiting:
        buckets.offsets.append(file.tell())
        file.write(waiting)
        waiting.clear()
    buckets.offsets.append(file.tell())


def _read(file: BinaryIO, places: Iterable[Sequence[int]]) -> bytearray:
    text = bytearray()
    for start, stop in places:
        file.seek(start)
        text += file.read(stop - start)
    return text


def _groups(text: bytes) -> Iterable[list[bytes]]:
    groups: dict[bytes, list[bytes]] = {}
    at = 0
    while at < len(text):
        key_size, value_size = _SIZES.unpack_from(text, at)
        middle = at + 8 + key_size
        at = middle + value_size
        groups.setdefault(text[middle - key_size : middle], []).append(text[middle:at])
    return (groups[key] for key in sorted(groups, key=lambda key: (zlib.crc32(key), key)))
