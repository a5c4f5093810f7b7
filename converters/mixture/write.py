"""Writes rows in their planned order: a gather from the shards, each line once.

The order is that of the rows' draws. It is worked out for one range of draws after another: the places of some rows are in memory
at a time, not those of all.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.console import Pool, in_processes
from converters.core.hashing import BITS, draw
from converters.io.jsonl import replacing, writing
from converters.mixture.plan.table import (
    BLOCK,
    PASSES,
    Column,
    Numbers,
    Places,
    Sizes,
    Splits,
    Table,
    lines_at,
    within,
    written,
)
from converters.mixture.shards import UNPINNED
from converters.schema import SPLITS, Row

# Takes rows of one shard as they stand there, with their places in the table, and returns what is written instead.
Finish = Callable[[Sequence[bytes], slice], list[bytes]]
WINDOW = 4 * 2**20  # bytes of rows in memory at a time
BUFFER = 1 << 20  # bytes of them that are written at once
DRAWN = 1 << 16  # rows whose order is worked out at once, about
_COPY = np.dtype([("draw", "u8"), ("size", "u4"), ("split", "i1")])


class Window(NamedTuple):
    """Lines to be written at ``offset`` of a split: the number of the file that each is in, where it starts, and its size."""

    split: Path
    offset: int
    file: NDArray[np.int32]
    start: Places
    size: Sizes


class Lines(NamedTuple):
    """Lines that go on from file to file, and what yields draw, size and split of each in their order, in blocks.

    ``bounds`` are where each file begins in the bytes of all of them, and where the last ends.
    """

    paths: list[Path]
    bounds: Places
    blocks: Callable[[], Iterator[tuple[Numbers, Sizes, Splits]]]


def write_splits(
    folder: Path, rows: Table, seed: int, finish: Sequence[Finish | None], pool: Pool = in_processes
) -> None:
    """Write ``<split>.jsonl`` for every split, each in the order of its rows' draws; ``finish`` has one for each entry.

    ``folder`` is no mixture yet: what an error leaves in it is half a one.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        lines = _lines(Path(work), rows, seed, finish)
        for name in SPLITS:
            (folder / f"{name}.jsonl").touch(0o644)
        windows = (window for number in range(len(SPLITS)) for window in _ordered(folder, rows, lines, number))
        # Names, as they go to a process in a thirtieth of the time of paths.
        files = [str(path) for some in lines for path in some.paths]
        with closing(pool(partial(_write, files), windows)) as done:
            deque(done, 0)


def _lines(work: Path, rows: Table, seed: int, finish: Sequence[Finish | None]) -> list[Lines]:
    """Return all lines, each entry's by themselves, those of repeated rows last."""
    found, copies, index = list[Lines](), work / "copies", work / "copies.index"
    with writing(work), copies.open("wb") as again, index.open("wb") as numbers:
        for entry, last in enumerate(finish):
            files, sizes = [*rows.files(entry)], rows.column("size")
            if last:
                files = [(work / str(entry), rows.of(entry))]
                sizes = _finish(work / str(entry), rows, entry, last)
            for path, own in files:
                for copy in _repeated(again, path, rows, own, sizes, seed):
                    numbers.write(np.array([copy], _COPY).tobytes())
            found.append(_of_files([path for path, _ in files], partial(_blocks, rows, entry, sizes)))
    return [*found, _of_files([copies], partial(_copies, index))]


def _of_files(paths: list[Path], blocks: Callable[[], Iterator[tuple[Numbers, Sizes, Splits]]]) -> Lines:
    return Lines(paths, np.cumsum([0, *(path.stat().st_size for path in paths)]), blocks)


def _blocks(rows: Table, entry: int, sizes: Column) -> Iterator[tuple[Numbers, Sizes, Splits]]:
    return ((rows.read("id", here), sizes(here), rows.split[here]) for here in rows.blocks(rows.of(entry)))


def _copies(index: Path) -> Iterator[tuple[Numbers, Sizes, Splits]]:
    with index.open("rb") as file:
        while len(block := np.fromfile(file, _COPY, BLOCK)):
            yield block["draw"], block["size"], block["split"]


def _finish(path: Path, rows: Table, entry: int, finish: Finish) -> Column:
    """Write an entry's finished rows and return what reads their sizes."""
    source, column, first = rows.shards[entry].lines(), path.with_suffix(".sizes"), rows.of(entry).start
    with replacing(path) as file, column.open("wb") as sizes:
        for here in windows(rows, entry):
            finished = finish(list(islice(source, here.stop - here.start)), here)
            file.writelines(finished)
            sizes.write(np.fromiter(map(len, finished), np.uint32, len(finished)).tobytes())
    return lambda here: np.fromfile(column, np.uint32, here.stop - here.start, offset=4 * (here.start - first))


def windows(rows: Table, entry: int) -> Iterator[slice]:
    """Yield an entry's rows in parts of about ``WINDOW`` bytes."""
    for here in rows.blocks(rows.of(entry)):
        for window in _windows(rows.read("size", here)):
            yield slice(here.start + window.start, here.start + window.stop)


def _windows(sizes: Sizes) -> Iterator[slice]:
    """Yield slices of rows that together take about ``WINDOW`` bytes, and at least one row."""
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(sizes):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + WINDOW)))
        yield slice(start, stop)
        start = stop


def _repeated(
    copies: BinaryIO, path: Path, rows: Table, own: slice, sizes: Column, seed: int
) -> Iterator[tuple[int, int, int]]:
    """Write the rows of a file that are repeated, each copy under an id of its own; yield draw, size and split of each."""
    places = np.flatnonzero((rows.times[own] > 1) & (rows.split[own] != UNPINNED)) + own.start
    lines = lines_at(path, ((here, sizes(here)) for here in rows.blocks(own)), places)
    for line, place in zip(lines, places.tolist(), strict=True):
        row = msgspec.json.decode(line, type=Row)
        for copy in range(2, int(rows.times[place]) + 1):
            again = msgspec.structs.replace(row, id=f"{row.id}#{copy}")
            yield draw(again.id, seed), copies.write(msgspec.json.encode(again) + b"\n"), int(rows.split[place])


def _ordered(folder: Path, rows: Table, lines: Sequence[Lines], split: int) -> Iterator[Window]:
    """Yield the lines of a split in the order of their draws; no two are equal, as rows of one draw are one id."""
    passes = min(-(-written(rows, within(rows, split)) // DRAWN), PASSES)
    edges, offset = [2**BITS * number // max(1, passes) for number in range(passes + 1)], 0
    for low, high in pairwise(edges):
        draws, file, start, size = map(np.concatenate, zip(*_drawn(lines, split, low, high), strict=True))
        order = np.argsort(draws)
        for window in _windows(size[order]):
            here = order[window]
            yield Window(folder / f"{SPLITS[split]}.jsonl", offset, file[here], start[here], size[here])
            offset += int(size[here].sum(dtype=np.int64))


def _drawn(
    lines: Sequence[Lines], split: int, low: int, high: int
) -> Iterator[tuple[Numbers, NDArray[np.int32], Places, Sizes]]:
    """Yield draw, file, start and size of a split's lines whose draw is ``low`` at least and below ``high``."""
    files = 0
    for some in lines:
        offset = 0
        for draws, sizes, splits in some.blocks():
            ends = np.cumsum(sizes, dtype=np.int64) + offset
            own = np.flatnonzero((splits == split) & (draws >= low) & (draws < high))
            starts = ends[own] - sizes[own]
            file = np.searchsorted(some.bounds, starts, "right") - 1
            yield draws[own], (file + files).astype(np.int32), starts - some.bounds[file], sizes[own]
            offset = int(ends[-1])
        files += len(some.paths)


def _write(files: Sequence[str], window: Window) -> None:
    with writing(window.split), window.split.open("r+b", BUFFER) as out:
        out.seek(window.offset)
        out.writelines(_picked(files, window.file, window.start, window.size))


def _picked(files: Sequence[str], file: NDArray[np.int32], start: Places, size: Sizes) -> list[bytes]:
    """Return lines in the order asked for; files are read one by one and forwards, as there may be more than descriptors."""
    lines, forwards = [b""] * len(file), np.lexsort((start, file))
    for places in np.split(forwards, np.flatnonzero(np.diff(file[forwards])) + 1):
        with Path(files[file[places[0]]]).open("rb") as source:
            handle = source.fileno()
            for place, at, length in zip(places.tolist(), start[places].tolist(), size[places].tolist(), strict=True):
                lines[place] = os.pread(handle, length, at)
    return lines
