"""Writes rows in their planned order: a gather from the shards, each line once."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import compress, islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.core.hashing import draw
from converters.io.jsonl import replacing, writing
from converters.mixture.plan import kept, within
from converters.mixture.shards import Converted, Part, lines, picked
from converters.schema import SPLITS, Row

# Takes rows as they stand in their part and what was decided for them, and returns what is written instead.
Finish = Callable[[Sequence[bytes], pd.DataFrame], list[bytes]]
WINDOW = 8 * 2**20  # bytes of rows in memory at a time
CHUNK = 2**16  # lines whose places are Python numbers at a time


def write_splits(
    folder: Path, rows: pd.DataFrame, converted: Sequence[Converted], seed: int, finish: Sequence[Finish | None]
) -> None:
    """Write ``<split>.jsonl`` for every split, each in the order of its rows' draws; ``finish`` has one for each entry."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        files, places = _sources(Path(work), rows, converted, seed, finish)
        for number, name in enumerate(SPLITS):
            with replacing(folder / f"{name}.jsonl") as file:
                file.writelines(_gathered(files, places[within(places, number)]))


def write_in_order(path: Path, converted: Converted, chosen: Iterable[bool]) -> None:
    """Write the ``chosen`` rows of one entry, in the order of their files."""
    with replacing(path) as file:
        file.writelines(compress((line for part in converted.parts for line in lines(part)), chosen))


def _sources(
    work: Path, rows: pd.DataFrame, converted: Sequence[Converted], seed: int, finish: Sequence[Finish | None]
) -> tuple[list[Path], pd.DataFrame]:
    """Return the files that lines are taken from, the repeated ones first, and each line's file, place, draw and split."""
    files, index, start = [work / "copies"], [], 0
    with writing(work), files[0].open("wb") as copies:
        for part, last in ((part, last) for entry, last in zip(converted, finish, strict=True) for part in entry.parts):
            here = rows.loc[start : start + part.examples - 1, ["id", "size", "split", "times"]]
            path = part.rows
            if last:
                path = work / str(len(files))
                here["size"] = _finish(path, part, rows[start : start + part.examples], last)
            index += [_index(here, len(files)), _repeat(copies, path, here, seed)]
            files.append(path)
            start += part.examples
    places = pd.concat(index, ignore_index=True)
    copied = places["file"] == 0
    places.loc[copied, "start"] = places["size"][copied].cumsum() - places["size"][copied]
    return files, places


def _index(rows: pd.DataFrame, file: int) -> pd.DataFrame:
    sizes = rows["size"].astype(np.int64)
    return rows[["id", "size", "split"]].assign(file=np.int32(file), start=sizes.cumsum() - sizes)


def _finish(path: Path, part: Part, rows: pd.DataFrame, finish: Finish) -> NDArray[np.uint32]:
    """Write a part's finished rows and return their sizes."""
    sizes: list[int] = []
    source = lines(part)
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


def _repeat(copies: BinaryIO, path: Path, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Write the rows of a file that are wanted more than once, each copy under an id of its own; return their index."""
    numbers = np.flatnonzero((rows["times"] > 1) & kept(rows))
    index = []
    wanted = rows.iloc[numbers]
    for line, times, split in zip(
        picked(path, rows["size"].to_numpy(), numbers), wanted["times"], wanted["split"], strict=True
    ):
        row = msgspec.json.decode(line, type=Row)
        for copy in range(2, times + 1):
            again = msgspec.structs.replace(row, id=f"{row.id}#{copy}")
            size = copies.write(msgspec.json.encode(again) + b"\n")
            index.append((draw(again.id, seed), size, split))
    return _index(pd.DataFrame(np.array(index, _COPY)), 0)


_COPY = np.dtype([("id", "u8"), ("size", "u4"), ("split", "i1")])


@contextmanager
def _mapped(path: Path) -> Iterator[mmap | bytes]:
    with path.open("rb") as file:
        yield mmap(file.fileno(), 0, access=ACCESS_READ) if path.stat().st_size else b""


def _gathered(files: Sequence[Path], places: pd.DataFrame) -> Iterator[bytes]:
    """Yield the lines at these places in the order of their draws; no two are equal, as rows of one draw are one id."""
    with ExitStack() as stack:
        maps = [stack.enter_context(_mapped(path)) for path in files]
        order = np.argsort(places["id"].to_numpy())
        for chunk in (order[start : start + CHUNK] for start in range(0, len(order), CHUNK)):
            part = places.iloc[chunk]
            for file, start, size in zip(
                part["file"].tolist(), part["start"].tolist(), part["size"].tolist(), strict=True
            ):
                yield maps[file][start : start + size]
