"""Shards: the converted rows of one entry on disk, with an index, the rejects and the counts."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.garbage import seldom_collected
from converters.core.hashing import all_drawn, all_hashed, told_apart
from converters.examples import prompt_turns
from converters.io.jsonl import write_json, writing
from converters.mixture.spec import Entry
from converters.schema import SPLITS, Outcome, Row
from converters.sources import Completed

Columns = NDArray[np.void]
# Numbers in place of texts, 58 bytes a row. Each column is a file of its own, to be read without the others.
_NAMES = ("group", "product", "alias")
_HASHES = ("id", *_NAMES, "prompt", "target")
DTYPE = np.dtype(
    [*((name, "u8") for name in _HASHES), ("size", "u4"), ("file", "u4"), ("task", "u1"), ("official", "i1")]
)
COLUMNS = DTYPE.names or ()
_NOTED = tuple(name for name in COLUMNS if name != "file")
ROWS, REJECTS, RAWS, PLACES = "rows.jsonl", "rejects.jsonl", "raws.bin", "places.jsonl"
RAW = np.dtype([("examples", "<u4"), ("rows", "<u4")])
UNPINNED = -1
CHUNK = 256  # raw rows whose columns are worked out at once
BUFFER = 1 << 18  # bytes of rows that are written at once
BLOCK = 1 << 16  # raw rows whose counts are read at once
INDEX = "index.msgpack"  # of a part, all but its rows and rejects: making a file may take as long as writing hundreds of rows
TEMPORARY = ".half-"  # begins the names of what an interrupted build leaves, which the next one removes


@dataclass(slots=True)
class Tally:
    """Counts over raw rows; ``read == used + sum(rejected.values())`` holds by construction.

    ``reject`` is called with place and reason of every raw row, or part of a used one, that is not used.
    """

    read: int = 0
    used: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    reject: Callable[[str, str], object] = lambda where, reason: None


def tallied(outcomes: Iterable[Outcome], tally: Tally) -> Iterator[Outcome]:
    """Pass the used rows on and count all of them."""
    for outcome in outcomes:
        tally.read += outcome.rows
        if outcome.notes:
            tally.noted.update(outcome.notes)
        if outcome.records:
            tally.used += outcome.rows
            if outcome.detail:
                tally.reject(outcome.where, outcome.detail)
            yield outcome
        else:
            tally.rejected[outcome.reason] += outcome.rows
            tally.reject(outcome.where, f"{outcome.reason}; {outcome.detail}" if outcome.detail else outcome.reason)


def unused(outcome: Outcome, reason: str, tally: Tally) -> None:
    """Count a used row as rejected after all: none of its records could become an example."""
    tally.used -= outcome.rows
    tally.rejected[reason] += outcome.rows
    tally.reject(outcome.where, reason)


@dataclass(frozen=True, slots=True)
class Shard:
    """An entry's shard: its folder, the counts of :class:`Tally`, and the examples dropped on the way, by reason.

    ``files`` are the names of the files that its rows are from, by their numbers. ``options`` are those of the entry and those
    that its files decided, ``seen`` what was seen of the files, in words. If it was merged, its rows lie in the files of its
    ``parts``: their names, from the folder that it is in, and how many rows each has.
    """

    entry: Entry
    folder: Path
    examples: int
    read: int
    used: int
    rejected: Counter[str]
    noted: Counter[str]
    dropped: Counter[str]
    files: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    parts: list[tuple[str, int]] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[Path, int]]:
        """The files of its rows, in order, and how many rows each has."""
        parts = [(self.folder.parent / name, count) for name, count in self.parts]
        return parts or [(self.folder / ROWS, self.examples)]

    @property
    def rejects(self) -> Path:
        """The file of its rejected raw rows: ``{"where", "reason"}`` a line."""
        return self.folder / REJECTS

    def column(self, name: str, first: int = 0, count: int = -1) -> NDArray[Any]:
        """Return for rows that follow each other, or for all, one of the columns that a mixture decides by."""
        kind = DTYPE[name]
        return np.fromfile(self.folder / column_file(name), kind, count, offset=first * kind.itemsize)

    def raws(self) -> Iterator[Columns]:
        """Yield, in blocks, for each raw row with examples how many they are, and how many raw rows it stands for."""
        with (self.folder / RAWS).open("rb") as file:
            while len(block := np.fromfile(file, RAW, BLOCK)):
                yield block

    def places(self) -> Iterator[str]:
        """Yield where each raw row with examples stands."""
        with (self.folder / PLACES).open("rb") as file:
            yield from map(msgspec.json.Decoder(str).decode, file)

    def lines(self) -> Iterator[bytes]:
        """Yield its rows as they stand in its files."""
        for path, _ in self.rows:
            with path.open("rb") as file:
                yield from file


def column_file(name: str) -> str:
    """Return the name of a column's file."""
    return f"{name}.column"


def complete(folder: Path) -> bool:
    """Tell whether a folder has all of a shard."""
    return (folder / "part.json").is_file()


def load(folder: Path, entry: Entry) -> Shard | None:
    """Return a shard that is complete, or nothing."""
    if not complete(folder):
        return None
    counts: dict[str, Any] = json.loads((folder / "part.json").read_bytes())
    counts |= {name: Counter(counts[name]) for name in ("rejected", "noted", "dropped")}
    return Shard(entry, folder, **counts | {"parts": [*map(tuple, counts["parts"])]})


class Pinned(msgspec.Struct, frozen=True, gc=False):
    """A row, the split that it is pinned to or an empty text, its product's group, and the group that this has elsewhere."""

    row: Row
    split: str
    product: str
    alias: str


class Used(msgspec.Struct, frozen=True, gc=False):
    """A raw row with examples: where it stands, the examples, and how many raw rows were merged into it."""

    where: str
    examples: list[Pinned]
    rows: int


def write(
    folder: Path,
    entry: Entry,
    used: Iterable[Used],
    tally: Tally,
    dropped: Counter[str],
    seed: int,
    completed: Completed,
    part: bool = False,
) -> Shard:
    """Write a shard, or a ``part`` of one; ``tally`` and ``dropped`` are read when the rows are through."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=folder.parent, prefix=TEMPORARY))
    encode, files = msgspec.json.Encoder().encode, dict[str, int]()
    try:
        with writing(folder.parent), (half / REJECTS).open("wb") as rejects:
            tally.reject = lambda where, reason: rejects.write(encode({"where": where, "reason": reason}) + b"\n")
            examples = _write_rows(half, used, seed, files, part)
        return finish(half, folder, entry, examples, tally, dropped, completed, list(files))
    finally:
        shutil.rmtree(half, ignore_errors=True)


def finish(
    half: Path,
    folder: Path,
    entry: Entry,
    examples: int,
    tally: Tally,
    dropped: Counter[str],
    completed: Completed,
    files: list[str],
    parts: Sequence[tuple[str, int]] = (),
) -> Shard:
    """Give a shard that is written but for its counts these, and its name."""
    counts = {name: getattr(tally, name) for name in ("read", "used", "rejected", "noted")}
    counts |= {"dropped": dropped, "files": files, "parts": list(parts)}
    counts |= {"options": dict(completed.options), "seen": list(completed.lines)}
    write_json(half / "part.json", {"examples": examples, **counts})
    shutil.rmtree(folder, ignore_errors=True)  # what a killed command left of one that it was removing
    half.rename(folder)
    return Shard(entry, folder, examples, **counts)


@seldom_collected()
def _write_rows(folder: Path, used: Iterable[Used], seed: int, files: dict[str, int], part: bool) -> int:
    """Write rows, their columns, and where the raw rows stand, the numbers of ``files``; return how many rows there are."""
    encoder, count = msgspec.json.Encoder(), 0
    with ExitStack() as stack:
        names = (RAWS, PLACES, *map(column_file, COLUMNS))
        rows = stack.enter_context((folder / ROWS).open("wb", BUFFER))
        others = [BytesIO() if part else stack.enter_context((folder / name).open("wb")) for name in names]
        raws, places, *columns = others
        note = _noting(rows)
        # Each row is written and gone before the next is made, so that all of them are in the same memory, near the processor.
        source = ((raw.where, raw.rows, [note(example) for example in raw.examples]) for raw in used)
        while chunk := list(islice(source, CHUNK)):
            numbers = [files.setdefault(where[: where.rfind(":")], len(files)) for where, _, _ in chunk]
            counts = np.empty(len(chunk), RAW)
            counts["examples"], counts["rows"] = [len(noted) for _, _, noted in chunk], [times for _, times, _ in chunk]
            raws.write(counts.tobytes())
            places.write(encoder.encode_lines([where for where, _, _ in chunk]))
            index = _indexed([each for _, _, noted in chunk for each in noted], seed)
            index["file"] = np.repeat(numbers, counts["examples"])
            for name, column in zip(COLUMNS, columns, strict=True):
                column.write(index[name].tobytes())
            count += len(index)
        if part:
            held = {
                name: file.getvalue() for name, file in zip(names, others, strict=True) if isinstance(file, BytesIO)
            }
            (folder / INDEX).write_bytes(msgspec.msgpack.encode(held))
    return count


def _noting(rows: BinaryIO) -> Callable[[Pinned], tuple[Any, ...]]:
    """Return what writes a row as a line of ``rows`` and returns what the columns ``_NOTED`` are made of, in their order."""
    numbers = {name: number for number, name in enumerate(tasks.names())}
    splits = {name: number for number, name in enumerate(SPLITS)} | {"": UNPINNED}
    encode, write = msgspec.json.Encoder().encode, rows.write

    def note(pinned: Pinned) -> tuple[Any, ...]:
        row = pinned.row
        size, target = write(encode(row)) + write(b"\n"), row.messages[-1].content.encode()
        asked, task, official = told_apart(_asked(row)), numbers[row.task], splits[pinned.split]
        return row.id, row.group, pinned.product, pinned.alias, asked, target, size, task, official

    return note


def _indexed(noted: Sequence[tuple[Any, ...]], seed: int) -> Columns:
    """Return the columns of rows of which there is one at least; the number of their file is left at 0."""
    index, columns = np.zeros(len(noted), DTYPE), dict(zip(_NOTED, zip(*noted, strict=True), strict=True))
    index["id"] = all_drawn(columns["id"], seed)
    # Most are the name of a row's group and of its product.
    named = dict.fromkeys(chain.from_iterable(columns[name] for name in _NAMES))
    draws = dict(zip(named, all_drawn(named, seed).tolist(), strict=True))
    for name in _NAMES:
        index[name] = np.fromiter(map(draws.__getitem__, columns[name]), np.uint64, len(noted))
    index["target"] = all_hashed(columns["target"])
    for name in ("task", "official", "prompt", "size"):
        index[name] = columns[name]
    return index


def _asked(row: Row) -> bytes:
    """Return what a row asks: bytes that no row has which asks otherwise. For one question they need not be JSON."""
    turns = row.messages[:1] if len(row.messages) == 2 else prompt_turns(row.task, row.messages)
    if len(turns) == 1 and turns[0].role == "user":
        return b"%b\0%b" % (row.task.encode(), turns[0].content.encode())  # the row's line has left the text in UTF-8
    return msgspec.json.encode((row.task, turns))
