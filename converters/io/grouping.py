"""Group items by key, wherever in the input they stand, in bounded memory.

Items are dealt to buckets by the hash of their key and wait in one temporary file; then each bucket is grouped by itself. One of
a large input is too large for that and is dealt again, to buckets of its own. Input under ``HELD`` bytes never touches the disk.
The files have no names, so nothing is left of them however the run ends.

Several processes do the same in two rounds: each deals its share of the items to a file of its own that stays (:func:`deal`), and
then each groups some of the buckets of all files (:func:`regrouped`).
"""

import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from converters.core.errors import InputError
from converters.io.jsonl import writing
from converters.io.pieces import Source
from converters.schema import Outcome

BUCKET = 2 << 20  # bytes of items that are grouped at once
MOST_BUCKETS = 512  # with more, the pieces of a bucket in the file become too small to read efficiently
HELD = 4 << 20  # bytes of items that wait in memory before they are written to the file
HASHES = 1 << 32  # how many there are
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gathering:
    """How rows are brought together: what deals them, with their keys, and what becomes of those of one key, in input order."""

    keyed: Callable[[Sequence[Source]], Iterator[tuple[bytes, bytes] | Outcome]]
    merged: Callable[[list[bytes]], Iterable[Outcome]]


def gathered(how: Gathering, sources: Sequence[Source], size: int) -> Iterator[Outcome]:
    """Yield what becomes of all rows of ``sources``, of ``size`` bytes: what :func:`grouped` passes on first, then the groups."""
    for item in grouped(how.keyed(sources), size):
        yield from how.merged(item) if isinstance(item, list) else (item,)


@dataclass(slots=True)
class Buckets:
    """Keys and values that wait in memory, alternating, for each bucket, and where in the file those before them are.

    Each time they are written, ``offsets`` get where each bucket begins and where the last ends.
    """

    waiting: list[list[bytes]]
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))


def buckets_for(size: int) -> int:
    """Return how many buckets items of ``size`` bytes are dealt to."""
    return min(size // BUCKET, MOST_BUCKETS - 1) + 1


def grouped(items: Iterable[tuple[bytes, bytes] | T], size: int, within: int = 1) -> Iterator[list[bytes] | T]:
    """Yield the values of each key of ``(key, value)`` items as one list, in input order; what is no pair is passed on at once.

    ``size`` is roughly the input's size in bytes and decides the number of buckets alone. Groups come in the order of the hashes
    of their keys, which depends on the keys alone. ``within`` says that all hashes are in one of so many equal ranges. A
    temporary folder that is full or missing is an ``InputError``.
    """
    number = buckets_for(size)
    buckets = Buckets([[] for _ in range(number)])
    try:
        with tempfile.TemporaryFile() as file:
            yield from _dealt(items, buckets, file, within)
            offsets = np.array(buckets.offsets, np.uint64).reshape(-1, number + 1)
            for bucket in range(number):
                places = offsets[:, bucket : bucket + 2].tolist()
                found = chain(chain.from_iterable(_read(file, *place) for place in places), buckets.waiting[bucket])
                buckets.waiting[bucket] = []
                if _is_large(size, number):
                    yield from grouped(zip(found, found, strict=True), size // number, within * number)
                else:
                    yield from _groups([*found])
    except OSError as error:
        place, problem = tempfile.tempdir or "temporary folder", error.strerror or error
        raise InputError(f"{place}: {problem}; grouping rows needs room there: set TMPDIR to another folder") from error


def deal(items: Iterable[tuple[bytes, bytes] | T], number: int, path: Path) -> Iterator[T]:
    """Deal ``(key, value)`` items to ``number`` buckets in ``path`` and a file of offsets beside it; pass on what is no pair."""
    buckets = Buckets([[] for _ in range(number)])
    with writing(path), path.open("wb") as file:
        yield from _dealt(items, buckets, file, 1)
        _flush(buckets, file)
    with writing(path):
        _offsets(path).write_bytes(buckets.offsets.tobytes())


def regrouped(paths: Sequence[Path], size: int, start: int, stop: int) -> Iterator[list[bytes]]:
    """Yield the groups of buckets ``start`` to ``stop`` of what :func:`deal` dealt, in ``paths``, of input of ``size`` bytes."""
    number = buckets_for(size)
    if _is_large(size, number):
        for bucket in range(start, stop):
            dealt = (_dealt_to(path, number, bucket, bucket + 1) for path in paths)
            one = chain.from_iterable(items for [items] in chain.from_iterable(dealt))
            yield from grouped(zip(one, one, strict=True), size // number, number)
        return
    found: list[list[bytes]] = [[] for _ in range(start, stop)]
    for path in paths:
        for several in _dealt_to(path, number, start, stop):
            for items, more in zip(found, several, strict=True):
                items += more
    for items in found:
        yield from _groups(items)
        items.clear()


def _is_large(size: int, number: int) -> bool:
    """Tell whether one of so many buckets of an input is too large to be grouped at once."""
    return size > 2 * BUCKET * number


def _dealt_to(path: Path, number: int, start: int, stop: int) -> Iterator[list[list[bytes]]]:
    """Yield, each time that they were written, the keys and values of some of the buckets of a file."""
    offsets = np.fromfile(_offsets(path), np.uint64).reshape(-1, number + 1)
    with path.open("rb") as file:
        for written in offsets[:, start : stop + 1].tolist():
            yield [_read(file, begin, end) for begin, end in pairwise(written)]


def _offsets(path: Path) -> Path:
    return path.with_suffix(".offsets")


def _dealt(items: Iterable[tuple[bytes, bytes] | T], buckets: Buckets, file: BinaryIO, within: int) -> Iterator[T]:
    waiting, number = buckets.waiting, len(buckets.waiting)
    size, crc32 = 0, zlib.crc32
    for item in items:
        if not isinstance(item, tuple):
            yield item
            continue
        key, value = item
        # The buckets are equal parts of the range that the hashes are in, and so in their order.
        waiting[crc32(key) * within % HASHES * number // HASHES] += item
        size += len(key) + len(value)
        if size > HELD:
            _flush(buckets, file)
            size = 0


def _flush(buckets: Buckets, file: BinaryIO) -> None:
    """Write what waits in each bucket: how many keys and values, their sizes, and then they."""
    at = file.tell()
    for bucket, waiting in enumerate(buckets.waiting):
        buckets.offsets.append(at)
        if waiting:
            at += file.write(b"".join([array("I", (len(waiting), *map(len, waiting))), *waiting]))
            buckets.waiting[bucket] = []
    buckets.offsets.append(at)


def _read(file: BinaryIO, start: int, stop: int) -> list[bytes]:
    if start == stop:
        return []
    file.seek(start)
    sizes = array("I")
    sizes.fromfile(file, 1)
    sizes.fromfile(file, sizes.pop())
    text = file.read(sum(sizes))
    return [text[begin:end] for begin, end in pairwise(accumulate(sizes, initial=0))]


def _groups(items: list[bytes]) -> Iterable[list[bytes]]:
    groups: dict[bytes, list[bytes]] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        groups.setdefault(key, []).append(value)
    return (groups[key] for _, key in sorted(zip(map(zlib.crc32, groups), groups, strict=True)))
