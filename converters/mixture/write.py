"""Writes rows in their planned order: a gather from the shards, each line once."""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.core.console import Pool, in_processes
from converters.core.hashing import draw
from converters.io.jsonl import replacing, writing
from converters.mixture.plan import kept, within
from converters.mixture.shards import Shard, picked
from converters.schema import SPLITS, Row

# Takes rows as they stand in their shard and what was decided for them, and returns what is written instead.
Finish = Callable[[Sequence[bytes], pd.DataFrame], list[bytes]]
WINDOW = 8 * 2**20  # bytes of rows in memory at a time
_COPY = np.dtype([("id", "u8"), ("size", "u4"), ("split", "i1")])


class Window(NamedTuple):
    """Lines to be written at ``offset`` of a split: the number of the file that each is in, where it starts, and its size."""

    split: Path
    offset: int
    file: NDArray[np.int32]
    start: NDArray[np.int64]
    size: NDArray[np.uint32]


def write_splits(
    folder: Path,
    rows: pd.DataFrame,
    shards: Sequence[Shard],
    seed: int,
    finish: Sequence[Finish | None],
    pool: Pool = in_processes,
) -> None:
    """Write ``<split>.jsonl`` for every split, each in the order of its rows' draws; ``finish`` has one for each entry.

    ``folder`` is no mixture yet: what an error leaves in it is half a one.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        files, places = _sources(Path(work), rows, shards, seed, finish)
        paths = [folder / f"{name}.jsonl" for name in SPLITS]
        for path in paths:
            path.touch(0o644)
        parts = (_ordered(path, places, np.flatnonzero(within(places, n))) for n, path in enumerate(paths))
        with closing(pool(partial(_write, files), chain.from_iterable(parts))) as written:
            deque(written, 0)


def _sources(
    work: Path, rows: pd.DataFrame, shards: Sequence[Shard], seed: int, finish: Sequence[Finish | None]
) -> tuple[list[Path], pd.DataFrame]:
    """Return all files, that of repeated rows last, and the table of their lines: file, place in it, size, draw, split."""
    files, index, repeated, start = list[Path](), list[pd.DataFrame](), list[tuple[int, int, int]](), 0
    with writing(work), (work / "copies").open("wb") as copies:
        for shard, last in zip(shards, finish, strict=True):
            here = rows.iloc[start : start + shard.examples]
            path = shard.rows
            if last:
                path = work / str(len(files))
                here = here.assign(size=_finish(path, shard, here, last))
            repeated += _repeat(copies, path, here, seed)
            index.append(here[["id", "size", "split"]])
            files.append(path)
            start += shard.examples
    index.append(pd.DataFrame(np.array(repeated, _COPY)))
    files.append(work / "copies")
    placed = [table.assign(file=np.int32(file), start=_starts(table["size"])) for file, table in enumerate(index)]
    return files, pd.concat(placed, ignore_index=True)


def _starts(sizes: pd.Series) -> NDArray[np.int64]:
    lengths = sizes.to_numpy(np.int64)
    return np.asarray(np.cumsum(lengths) - lengths)


def _finish(path: Path, shard: Shard, rows: pd.DataFrame, finish: Finish) -> NDArray[np.uint32]:
    """Write a shard's finished rows and return their sizes."""
    sizes: list[int] = []
    source = shard.lines()
    with replacing(path) as file:
        for window in _windows(rows["size"].to_numpy()):
            finished = finish(list(islice(source, window.stop - window.start)), rows[window])
            file.writelines(finished)
            sizes += map(len, finished)
    return np.array(sizes, np.uint32)


def _windows(sizes: NDArray[np.uint32]) -> Iterator[slice]:
    """Yield slices of rows that together take about ``WINDOW`` bytes, and at least one row."""
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(sizes):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + WINDOW)))
        yield slice(start, stop)
        start = stop


def _repeat(copies: BinaryIO, path: Path, rows: pd.DataFrame, seed: int) -> Iterator[tuple[int, int, int]]:
    """Write the rows of a file that are repeated, each copy under an id of its own; yield draw, size and split of each."""
    numbers = np.flatnonzero((rows["times"] > 1) & kept(rows))
    repeated = rows.iloc[numbers]
    lines = picked(path, rows["size"].to_numpy(), numbers)
    for line, times, split in zip(lines, repeated["times"], repeated["split"], strict=True):
        row = msgspec.json.decode(line, type=Row)
        for copy in range(2, times + 1):
            again = msgspec.structs.replace(row, id=f"{row.id}#{copy}")
            yield draw(again.id, seed), copies.write(msgspec.json.encode(again) + b"\n"), split


def _ordered(path: Path, places: pd.DataFrame, among: NDArray[np.int64]) -> Iterator[Window]:
    """Yield these lines of the table in the order of their draws; no two are equal, as rows of one draw are one id."""
    draws, file, start, size = (places[name].to_numpy() for name in ("id", "file", "start", "size"))
    order, offset = among[np.argsort(draws[among])], 0
    for window in _windows(size[order]):
        here = order[window]
        yield Window(path, offset, file[here], start[here], size[here])
        offset += int(size[here].sum(dtype=np.int64))


def _write(files: Sequence[Path], window: Window) -> None:
    with writing(window.split), window.split.open("r+b") as out:
        out.seek(window.offset)
        out.writelines(_picked(files, window.file, window.start, window.size))


def _picked(
    files: Sequence[Path], file: NDArray[np.int32], start: NDArray[np.int64], size: NDArray[np.uint32]
) -> list[bytes]:
    """Return lines in the order asked for; files are read one by one and forwards, as there may be more than descriptors."""
    lines, forwards = [b""] * len(file), np.lexsort((start, file))
    for places in np.split(forwards, np.flatnonzero(np.diff(file[forwards])) + 1):
        with files[file[places[0]]].open("rb") as source:
            handle = source.fileno()
            for place, at, length in zip(places.tolist(), start[places].tolist(), size[places].tolist(), strict=True):
                lines[place] = os.pread(handle, length, at)
    return lines
