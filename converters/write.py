"""Writes the splits of a mix: the rows that were decided for each, as often as was decided, shuffled."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from converters.convert import Converted
from converters.examples import Row
from converters.jsonl import replacing
from converters.mix import within
from converters.parts import UNPINNED, Part, lines
from converters.shuffle import Shuffle, Sizes
from converters.split import SPLITS, draw

# Takes rows as they stand in their part and what was decided for them, and returns what is written instead.
Finish = Callable[[Sequence[bytes], pd.DataFrame], list[bytes]]
WINDOW = 8 * 2**20  # bytes of rows in memory at a time


def write_splits(
    folder: Path, rows: pd.DataFrame, converted: Sequence[Converted], seed: int, finish: Sequence[Finish | None]
) -> None:
    """Write ``<split>.jsonl`` for every split, each in the order of its rows' draws; ``finish`` has one for each entry."""
    sizes = (rows["size"].astype(np.int64) * rows["times"]).to_numpy()
    shuffles = [
        Shuffle(folder / f"{name}.buckets", int(sizes[within(rows, number)].sum()))
        for number, name in enumerate(SPLITS)
    ]
    start = 0
    for part, last in ((part, last) for one, last in zip(converted, finish, strict=True) for part in one.parts):
        _scatter(part, rows[start : start + part.examples], shuffles, seed, last)
        start += part.examples
    for name, shuffle in zip(SPLITS, shuffles, strict=True):
        with replacing(folder / f"{name}.jsonl") as file:
            file.writelines(shuffle.pieces())
        shutil.rmtree(folder / f"{name}.buckets")


def write_in_order(path: Path, converted: Converted, kept: Iterable[int]) -> None:
    """Write the rows of one entry that are ``kept``, in the order of their files."""
    with replacing(path) as file:
        file.writelines(compress((line for part in converted.parts for line in lines(part)), kept))


def _scatter(part: Part, rows: pd.DataFrame, shuffles: Sequence[Shuffle], seed: int, finish: Finish | None) -> None:
    with part.rows.open("rb") as file:
        for window in _windows(rows["size"].to_numpy()):
            sizes, split, times, keys = (rows[name].to_numpy()[window] for name in ("size", "split", "times", "id"))
            data = memoryview(file.read(int(sizes.sum(dtype=np.int64))))
            if finish:
                found = finish(_lines(data, sizes), rows[window])
                data, sizes = memoryview(b"".join(found)), np.fromiter(map(len, found), np.uint32)
            starts = np.cumsum(sizes, dtype=np.int64) - sizes
            for number, shuffle in enumerate(shuffles):
                here = split == number
                shuffle.add(data, starts[here], sizes[here], keys[here])
            for n in np.flatnonzero((times > 1) & (split != UNPINNED)):
                for copy in range(2, times[n] + 1):
                    _again(bytes(data[starts[n] : starts[n] + sizes[n]]), copy, shuffles[split[n]], seed)


def _lines(data: memoryview, sizes: Sizes) -> list[bytes]:
    ends = np.cumsum(sizes, dtype=np.int64)
    return [bytes(data[a:b]) for a, b in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def _windows(sizes: Sizes) -> Iterator[slice]:
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
