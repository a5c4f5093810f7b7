"""Items that belong together, from anywhere in the input, in bounded memory.

Items are dealt to buckets by a hash of their key and wait in one nameless temporary file; then each bucket is grouped by itself.
Input under ``HELD`` never touches the disk. The file has no name, so that nothing is left of it however the run ends.
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
MOST_BUCKETS = 512  # more of them make each bucket's share of the file too small to read in one go
HELD = 4 << 20  # bytes of items that wait in memory before they go to the file
T = TypeVar("T")
_SIZES = Struct("<II")


@dataclass(slots=True)
class Bucket:
    """What waits in memory, and where the rest is in the file: offset and length in turn."""

    waiting: bytearray = field(default_factory=bytearray)
    places: "array[int]" = field(default_factory=lambda: array("Q"))


def grouped(items: Iterable[tuple[bytes, bytes] | T], size: int) -> Iterator[list[bytes] | T]:
    """Yield the values of each key of ``(key, value)`` items together, in the order in which they came.

    Whatever is no pair has nothing to wait for and is passed on at once.

    ``size`` is the input's size in bytes, roughly: it sets the number of buckets and nothing else. Groups come in the order of
    their keys' hashes, which depends on the keys alone. A temporary folder that is full or missing is an ``InputError``.
    """
    buckets = [Bucket() for _ in range(min(size // BUCKET, MOST_BUCKETS - 1) + 1)]
    try:
        with tempfile.TemporaryFile() as file:
            yield from _dealt(items, buckets, file)
            for bucket in buckets:
                yield from _groups(_read(bucket, file))
    except OSError as error:
        raise InputError(
            f"{tempfile.tempdir or 'temporary folder'}: {error.strerror or error}, expected room for the rows to be merged; "
            "TMPDIR names another folder"
        ) from error


def _dealt(items: Iterable[tuple[bytes, bytes] | T], buckets: list[Bucket], file: BinaryIO) -> Iterator[T]:
    held, number, pack, crc32 = 0, len(buckets), _SIZES.pack, zlib.crc32
    for item in items:
        if not isinstance(item, tuple):
            yield item
            continue
        key, value = item
        # The hash's upper bits choose the bucket, so that buckets one after another are in the order of the hashes.
        waiting = buckets[crc32(key) * number >> 32].waiting
        waiting += pack(len(key), len(value))
        waiting += key
        waiting += value
        held += len(key) + len(value)
        if held > HELD:
            _flush(buckets, file)
            held = 0


def _flush(buckets: Iterable[Bucket], file: BinaryIO) -> None:
    for bucket in buckets:
        if bucket.waiting:
            bucket.places.extend((file.tell(), len(bucket.waiting)))
            file.write(bucket.waiting)
            bucket.waiting.clear()


def _read(bucket: Bucket, file: BinaryIO) -> bytes:
    def pieces() -> Iterator[bytes]:
        for at in range(0, len(bucket.places), 2):
            file.seek(bucket.places[at])
            yield file.read(bucket.places[at + 1])

    text = b"".join([*pieces(), bucket.waiting])
    bucket.waiting.clear()
    return text


def _groups(text: bytes) -> Iterable[list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    at = 0
    while at < len(text):
        key_size, value_size = _SIZES.unpack_from(text, at)
        middle = at + 8 + key_size
        at = middle + value_size
        found.setdefault(text[middle - key_size : middle], []).append(text[middle:at])
    return (found[key] for key in sorted(found, key=lambda key: (zlib.crc32(key), key)))
