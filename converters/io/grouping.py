"""Group items by key, wherever in the input they stand, in bounded memory.

Items are dealt to buckets by the hash of their key and wait in one temporary file; then each bucket is grouped by itself. Input
under ``HELD`` bytes never touches the disk. The file has no name, so nothing is left of it however the run ends.
"""

import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import BinaryIO, TypeVar

from converters.core.errors import InputError

BUCKET = 2 << 20  # bytes of items that are grouped at once
MOST_BUCKETS = 512  # with more, the pieces of a bucket in the file become too small to read efficiently
HELD = 4 << 20  # bytes of items that wait in memory before they are written to the file
T = TypeVar("T")
_SIZES = Struct("<II")


@dataclass(slots=True)
class Bucket:
    """What waits in memory, and where the rest is in the file: offsets and lengths, alternating."""

    waiting: bytearray = field(default_factory=bytearray)
    places: "array[int]" = field(default_factory=lambda: array("Q"))


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
    size, number, pack, crc32 = 0, len(buckets), _SIZES.pack, zlib.crc32
    for item in items:
        if not isinstance(item, tuple):
            yield item
            continue
        key, value = item
        # The upper bits of the hash choose the bucket, so that the buckets are in the order of the hashes.
        waiting = buckets[crc32(key) * number >> 32].waiting
        waiting += pack(len(key), len(value))
        waiting += key
        waiting += value
        size += len(key) + len(value)
        if size > HELD:
            _flush(buckets, file)
            size = 0


def _flush(buckets: Iterable[Bucket], file: BinaryIO) -> None:
    for bucket in buckets:
        if bucket.waiting:
            bucket.places.extend((file.tell(), len(bucket.waiting)))
            file.write(bucket.waiting)
            bucket.waiting.clear()


def _read(bucket: Bucket, file: BinaryIO) -> bytes:
    text = bytearray()
    for offset, length in zip(bucket.places[::2], bucket.places[1::2], strict=True):
        file.seek(offset)
        text += file.read(length)
    text += bucket.waiting
    bucket.waiting.clear()
    return bytes(text)


def _groups(text: bytes) -> Iterable[list[bytes]]:
    groups: dict[bytes, list[bytes]] = {}
    at = 0
    while at < len(text):
        key_size, value_size = _SIZES.unpack_from(text, at)
        middle = at + 8 + key_size
        at = middle + value_size
        groups.setdefault(text[middle - key_size : middle], []).append(text[middle:at])
    return (groups[key] for key in sorted(groups, key=lambda key: (zlib.crc32(key), key)))
