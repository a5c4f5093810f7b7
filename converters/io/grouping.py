"""Group items by key, wherever in the input they stand, in bounded memory.

Items are dealt to buckets by the hash of their key and wait in one temporary file; then each bucket is grouped by itself. Input
under ``HELD`` bytes never touches the disk. The file has no name, so nothing is left of it however the run ends.
"""

import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import BinaryIO, TypeVar

from converters.core.errors import InputError

BUCKET = 2 << 20  # bytes of items that are grouped at once
MOST_BUCKETS = 512  # with more, the pieces of a bucket in the file become too small to read efficiently
HELD = 4 << 20  # bytes of items that wait in memory before they are written to the file
T = TypeVar("T")


@dataclass(slots=True)
class Bucket:
    """Keys and values that wait in memory, alternating, and the offsets in the file of those before them, with their number."""

    waiting: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)


def grouped(items: Iterable[tuple[bytes, bytes] | T], size: int) -> Iterator[list[bytes] | T]:
    """Yield the values of each key of ``(key, value)`` items as one list, in input order; what is no pair is passed on at once.

    ``size`` is roughly the input's size in bytes and decides the number of buckets alone. Groups come in the order of the hashes
    of their keys, which depends on the keys alone. A temporary folder that is full or missing is an ``InputError``.
    """
    buckets = [Bucket() for _ in range(min(size // BUCKET, MOST_BUCKETS - 1) + 1)]
    try:
        with tempfile.TemporaryFile() as file:
            yield from _dealt(items, buckets, file)
            for bucket in buckets:
                yield from _groups(_read(bucket, file))
    except OSError as error:
        place, problem = tempfile.tempdir or "temporary folder", error.strerror or error
        raise InputError(f"{place}: {problem}; grouping rows needs room there: set TMPDIR to another folder") from error


def _dealt(items: Iterable[tuple[bytes, bytes] | T], buckets: list[Bucket], file: BinaryIO) -> Iterator[T]:
    size, number, crc32 = 0, len(buckets), zlib.crc32
    for item in items:
        if not isinstance(item, tuple):
            yield item
            continue
        key, value = item
        # The upper bits of the hash choose the bucket, so that the buckets are in the order of the hashes.
        buckets[crc32(key) * number >> 32].waiting += item
        size += len(key) + len(value)
        if size > HELD:
            _flush(buckets, file)
            size = 0


def _flush(buckets: Iterable[Bucket], file: BinaryIO) -> None:
    """Write what waits in each bucket: the sizes, then the keys and values."""
    at = file.tell()
    for bucket in filter(lambda bucket: bucket.waiting, buckets):
        text = b"".join([array("I", map(len, bucket.waiting)), *bucket.waiting])
        bucket.places.append((at, len(bucket.waiting)))
        at += file.write(text)
        bucket.waiting = []


def _read(bucket: Bucket, file: BinaryIO) -> list[bytes]:
    items: list[bytes] = []
    for offset, count in bucket.places:
        file.seek(offset)
        sizes = array("I")
        sizes.fromfile(file, count)
        text = file.read(sum(sizes))
        items += [text[start:end] for start, end in pairwise(accumulate(sizes, initial=0))]
    items += bucket.waiting
    bucket.waiting = []
    return items


def _groups(items: list[bytes]) -> Iterable[list[bytes]]:
    groups: dict[bytes, list[bytes]] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        groups.setdefault(key, []).append(value)
    return (groups[key] for key in sorted(groups, key=lambda key: (zlib.crc32(key), key)))
