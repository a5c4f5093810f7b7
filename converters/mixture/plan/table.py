"""The table of a mixture's rows: what is decided of each is in memory, 2 bytes a row; all else stays in the shards' columns.

A column is read in blocks by the step that needs it. Rows that are compared by a hash are looked at one share of the hashes after
another, as equal ones are in the same share: so a step holds some rows' hashes, not those of all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.mixture.shards import DTYPE, UNPINNED, Shard
from converters.schema import SPLITS

Codes = NDArray[np.int8]
Mask = NDArray[np.bool_]
Splits = NDArray[np.int8]
Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]
Sizes = NDArray[np.uint32]
Column = Callable[[slice], NDArray[Any]]  # reads values for rows that follow each other, all of one shard
KEPT = -1
TRAIN, TEST = 0, len(SPLITS) - 1
BLOCK = 1 << 16  # rows of a column that are read at once
TOGETHER = 1 << 17  # rows that are compared at once, about; a power of 2
PASSES = 32  # over a column at most, a power of 2: where they are not enough, more rows are compared at once


@dataclass(slots=True)
class Table:
    """The rows of all shards in their order: ``bounds`` are where those of each shard begin, and where the last end.

    Of each row there are its ``split`` (``UNPINNED`` where it is dropped), the ``reason`` why it is dropped (``KEPT`` else), and
    how many ``times`` it is written. ``renamed`` are the places, in order, of rows that get another id, with the ``draws`` of
    these. Columns that are worked out from those of the shards lie in ``folder``.
    """

    shards: Sequence[Shard]
    folder: Path
    bounds: Places
    split: Splits
    reason: Codes
    times: NDArray[Any]
    renamed: Places
    draws: Numbers

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.split)

    def of(self, entry: int) -> slice:
        """Return the rows of an entry, by its number."""
        return slice(int(self.bounds[entry]), int(self.bounds[entry + 1]))

    def entries(self, places: Places) -> Places:
        """Return the number of the entry of each of these rows."""
        return np.searchsorted(self.bounds, places, side="right") - 1

    def files(self, entry: int | None = None) -> Iterator[tuple[Path, slice]]:
        """Yield the files of all rows, or of an entry's, and which rows each has."""
        first = 0 if entry is None else int(self.bounds[entry])
        for shard in self.shards if entry is None else [self.shards[entry]]:
            for path, count in shard.rows:
                yield path, slice(first, first := first + count)

    def blocks(self, own: slice | None = None) -> Iterator[slice]:
        """Yield all rows, or rows of one shard that follow each other, in parts of a shard."""
        for first, last in [(own.start, own.stop)] if own else pairwise(self.bounds.tolist()):
            for start in range(first, last, BLOCK):
                yield slice(start, min(start + BLOCK, last))

    def read(self, name: str, here: slice) -> NDArray[Any]:
        """Return a column of the shards for rows that follow each other in one of them; ids are those that are written."""
        entry = int(self.entries(np.array([here.start]))[0])
        first = int(self.bounds[entry])
        values = self.shards[entry].column(name, here.start - first, here.stop - here.start)
        if name == "id" and len(self.renamed):
            low, high = np.searchsorted(self.renamed, (here.start, here.stop))
            values[self.renamed[low:high] - here.start] = self.draws[low:high]
        return values

    def column(self, name: str) -> Column:
        """Return what reads a column of the shards."""
        return lambda here: self.read(name, here)

    def at(self, name: str, places: Places) -> NDArray[Any]:
        """Return a column for some rows, whose places are in order."""
        found, low = [np.empty(0, DTYPE[name])], 0
        while low < len(places):
            entry = int(self.entries(places[low : low + 1])[0])
            first, last = self.bounds[entry : entry + 2].tolist()
            start = int(places[low]) - (int(places[low]) - first) % BLOCK
            here = slice(start, min(start + BLOCK, last))
            high = int(np.searchsorted(places, here.stop))
            found.append(self.read(name, here)[places[low:high] - here.start])
            low = high
        return np.concatenate(found)


def table(shards: Sequence[Shard], folder: Path) -> Table:
    """Return the table of all rows in the order of their shards; all are in the training split, none is dropped."""
    bounds = np.cumsum([0, *(shard.examples for shard in shards)])
    count, none = int(bounds[-1]), np.empty(0, np.int64)
    split, reason = np.full(count, TRAIN, np.int8), np.full(count, KEPT, np.int8)
    once = np.broadcast_to(np.uint8(1), count)  # it takes no memory until rows are repeated
    return Table(shards, folder, bounds, split, reason, once, none, none.astype(np.uint64))


def kept(rows: Table) -> Mask:
    """Return which rows are not dropped."""
    return np.not_equal(rows.split, UNPINNED)


def within(rows: Table, split: int) -> Mask:
    """Return which rows are in a split, by its number."""
    return np.equal(rows.split, split)


def of_task(rows: Table, *names: str, split: int | None = None) -> Mask:
    """Return which rows are of one of these tasks and, if a split is named by its number, in it."""
    wanted = np.isin(np.arange(256), [tasks.names().index(name) for name in names])
    found = np.empty(len(rows), bool)
    for here in rows.blocks():
        found[here] = wanted[rows.read("task", here)]
        if split is not None:
            found[here] &= rows.split[here] == split
    return found


def tasks_of(rows: Table) -> list[str]:
    """Return the tasks that rows are of, dropped ones, too."""
    there = np.zeros(256, bool)
    for here in rows.blocks():
        there[rows.read("task", here)] = True
    return [name for name, is_there in zip(tasks.names(), there.tolist(), strict=False) if is_there]


def of_entries(rows: Table, entries: Sequence[int]) -> Mask:
    """Return which rows are of one of these entries; of none, a mask that takes no memory and cannot be written."""
    if not entries:
        return np.broadcast_to(np.False_, len(rows))
    found = np.zeros(len(rows), bool)
    for entry in entries:
        found[rows.of(entry)] = True
    return found


def written(rows: Table, among: Mask) -> int:
    """Return how many rows are written for those of a mask: each as many times as it is repeated."""
    return int(np.sum(rows.times, where=among, dtype=np.int64))


class Partition(NamedTuple):
    """One of a number of shares, a power of 2, of all hashes: equal ones are in the same."""

    number: int
    of: int

    def has(self, values: Numbers) -> Mask:
        """Return which values are in it."""
        found: Mask = values & np.uint64(self.of - 1) == self.number
        return found


def partitions(rows: Table) -> list[Partition]:
    """Return the shares of hashes that are looked at one by one, so that each has about ``TOGETHER`` rows."""
    of = max(1, min(1 << max(0, len(rows) - 1).bit_length(), TOGETHER * PASSES) // TOGETHER)
    return [Partition(number, of) for number in range(of)]


def together(rows: Table, column: Column, among: Mask) -> Iterator[tuple[Places, Numbers]]:
    """Yield places, in order, and values of the rows of a mask, partition by partition: all rows of a value in one go."""
    for partition in partitions(rows):
        places, values = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        for here in rows.blocks():
            if among[here].any():
                found = column(here)
                own = np.flatnonzero(among[here] & partition.has(found))
                places.append(own + here.start)
                values.append(found[own])
        own_rows = np.concatenate(places), np.concatenate(values)
        del places, values  # which else stay for as long as these are looked at
        yield own_rows


def again(rows: Table, name: str) -> Iterator[Places]:
    """Yield the places of the kept rows whose value in a column is there more than once, all of one value in one go.

    There are few.
    """
    for places, values in together(rows, rows.column(name), kept(rows)):
        yield places[repeated(values)]


def repeated(values: Numbers) -> Mask:
    """Return which values are there more than once.

    >>> repeated(np.array([7, 5, 8, 7], np.uint64)).tolist()
    [True, False, False, True]
    """
    order, found = np.argsort(values), np.zeros(len(values), bool)
    same = np.flatnonzero(values[order[1:]] == values[order[:-1]])
    found[order[same]] = found[order[same + 1]] = True
    return found


def run_lengths(values: Numbers) -> Places:
    """Return how many there are of each value, whatever their order."""
    ordered = np.sort(values)
    return np.diff(np.flatnonzero(np.diff(ordered, append=ordered[-1:] + np.uint64(1))), prepend=-1)


def found_in(ordered: Numbers, values: Numbers) -> tuple[Places, Mask]:
    """Return where values stand among others, which are in order, and whether they do."""
    if not len(ordered):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    places = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    return places, ordered[places] == values


def lines_at(path: Path, sizes: Iterable[tuple[slice, Sizes]], places: Places) -> Iterator[bytes]:
    """Yield lines of a file by their places, which are in order; ``sizes`` of all its lines come in blocks, with their places."""
    offset = 0
    with path.open("rb") as file:
        for here, found in sizes:
            low, high = np.searchsorted(places, (here.start, here.stop))
            ends = np.cumsum(found, dtype=np.int64) + offset
            for number in (places[low:high] - here.start).tolist():
                file.seek(ends[number] - found[number])
                yield file.read(found[number])
            offset = int(ends[-1])
