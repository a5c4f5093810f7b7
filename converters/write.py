"""Writes a split of a mix: the rows that were decided for it, as often as was decided, shuffled."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.convert import Converted
from converters.examples import Row
from converters.jsonl import replacing
from converters.mix import Table
from converters.parts import Columns, Part, lines
from converters.shuffle import Shuffle
from converters.split import draw

WINDOW = 8 * 2**20  # bytes of rows in memory at a time

Times = NDArray[np.int32]


def write_split(path: Path, rows: Table, converted: Sequence[Converted], split: int, seed: int) -> None:
    """Write the rows of one split in the order of their draws."""
    times = np.where(rows.within(split), rows.times, 0)
    size = int((rows.columns["size"].astype(np.int64) * times).sum())
    buckets = path.with_suffix(".buckets")
    shuffle = Shuffle(buckets, size)
    start = 0
    for part in (part for one in converted for part in one.parts):
        _scatter(part, rows.columns[start : start + part.examples], times[start : start + part.examples], shuffle, seed)
        start += part.examples
    with replacing(path) as file:
        for piece in shuffle.pieces():
            file.write(piece)
    shutil.rmtree(buckets)


def write_in_order(path: Path, converted: Converted, kept: Iterable[int]) -> None:
    """Write the rows of one entry that are ``kept``, in the order of their files."""
    with replacing(path) as file:
        file.writelines(compress((line for part in converted.parts for line in lines(part)), kept))


def _scatter(part: Part, columns: Columns, times: Times, shuffle: Shuffle, seed: int) -> None:
    with part.rows.open("rb") as file:
        for window in _windows(columns["size"]):
            sizes = columns["size"][window]
            data = memoryview(file.read(int(sizes.sum(dtype=np.int64))))
            starts = np.cumsum(sizes, dtype=np.int64) - sizes
            once = times[window] > 0
            shuffle.add(data, starts[once], sizes[once], columns["id"][window][once])
            for n in np.flatnonzero(times[window] > 1):
                for copy in range(2, times[window][n] + 1):
                    _again(bytes(data[starts[n] : starts[n] + sizes[n]]), copy, shuffle, seed)


def _windows(sizes: NDArray[np.uint32]) -> Iterator[slice]:
    """Yield slices of rows that together take about ``WINDOW`` bytes, and at least one row."""
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(sizes):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + WINDOW)))
        yield slice(start, stop)
        start = stop


def _again(line: bytes, copy: int, shuffle: Shuffle, seed: int) -> None:
    """Add a row once more, under an id of its own."""
    row = msgspec.json.decode(line, type=Row)
    named = msgspec.structs.replace(row, id=f"{row.id}#{copy}")
    data = msgspec.json.encode(named) + b"\n"
    key = np.array([draw(named.id, seed)], np.uint64)
    shuffle.add(memoryview(data), np.zeros(1, np.int64), np.array([len(data)], np.uint32), key)
