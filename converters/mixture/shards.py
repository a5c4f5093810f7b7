"""Shards: the converted rows of one unit of work on disk, with an index, the rejects and the counts."""

import json
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.hashing import draw, hashed
from converters.examples import prompt_turns
from converters.io.jsonl import write_json, writing
from converters.mixture.spec import Entry
from converters.schema import SPLITS, Outcome, Row


@dataclass(slots=True)
class Tally:
    """Counts over raw rows; ``read == used + sum(rejected.values())`` holds by construction.

    ``reject`` is told place and reason of every raw row, or part of a used one, that is not used.
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


Columns = NDArray[np.void]
# Numbers in place of texts: 54 bytes a row are all that a mix holds in memory, however long the rows are.
_TEXTS = ("id", "group", "product", "alias", "prompt", "target")
DTYPE = np.dtype([*((name, "u8") for name in _TEXTS), ("size", "u4"), ("task", "u1"), ("official", "i1")])
UNPINNED = -1
RAW = np.dtype([("examples", "<u4"), ("rows", "<u4")])
COLUMNS, RAWS, PLACES = "columns.bin", "raws.bin", "places.jsonl"
CHUNK = 1024
TEMPORARY = ".half-"  # of a name: what an interrupted build leaves under it is swept away by the next


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its folder and its counts, as :class:`converters.outcome.Tally` has them."""

    folder: Path
    examples: int
    read: int
    used: int
    rejected: Counter[str]
    noted: Counter[str]
    dropped: Counter[str]

    @property
    def rows(self) -> Path:
        """The file of its rows."""
        return self.folder / "rows.jsonl"

    @property
    def rejects(self) -> Path:
        """The file of its rejected raw rows: ``{"where", "reason"}`` a line."""
        return self.folder / "rejects.jsonl"

    def columns(self) -> Columns:
        """Return what a mix decides by, one entry for each row."""
        return np.fromfile(self.folder / COLUMNS, DTYPE)

    def ids(self) -> NDArray[np.uint64]:
        """Return the draw of each row's id."""
        return np.array(np.memmap(self.folder / COLUMNS, DTYPE, "r")["id"] if self.examples else [], np.uint64)

    def raws(self) -> Columns:
        """Return for each raw row with examples how many they are, and how many raw rows it stands for."""
        return np.fromfile(self.folder / RAWS, RAW)


def load(folder: Path) -> Part | None:
    """Return a part that is whole, or nothing."""
    if not (folder / "part.json").is_file():
        return None
    counts: dict[str, Any] = json.loads((folder / "part.json").read_bytes())
    counts |= {name: Counter(counts[name]) for name in ("rejected", "noted", "dropped")}
    return Part(folder, **counts)


class Pinned(NamedTuple):
    """A row, the split that it is pinned to or an empty text, its product's group, and the group that this has elsewhere."""

    row: Row
    split: str
    product: str
    alias: str


class Used(NamedTuple):
    """A raw row with examples: where it stands, the examples, and how many raw rows were merged into it."""

    where: str
    examples: list[Pinned]
    rows: int


def write(folder: Path, used: Iterable[Used], tally: Tally, dropped: Counter[str], seed: int) -> Part:
    """Write a part; the counts are read when the rows are through."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=TEMPORARY))
    try:
        with writing(folder.parent), (made / "rejects.jsonl").open("wb") as rejects:
            tally.reject = lambda where, why: rejects.write(
                msgspec.json.encode({"where": where, "reason": why}) + b"\n"
            )
            examples = _write_rows(made, _placed(made, used), seed)
        counts = {name: getattr(tally, name) for name in ("read", "used", "rejected", "noted")}
        write_json(made / "part.json", {"examples": examples, **counts, "dropped": dropped})
        shutil.rmtree(folder, ignore_errors=True)  # what a killed command left of one that it was removing
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    found = load(folder)
    assert found is not None
    return found


def _placed(folder: Path, used: Iterable[Used]) -> Iterator[Pinned]:
    pack, encode = struct.Struct("<II").pack, msgspec.json.Encoder().encode
    with (folder / RAWS).open("wb") as raws, (folder / PLACES).open("wb") as wheres:
        for one in used:
            raws.write(pack(len(one.examples), one.rows))
            wheres.write(encode(one.where) + b"\n")
            yield from one.examples


def places(part: Part) -> Iterator[str]:
    """Yield where each raw row with examples stands."""
    with (part.folder / PLACES).open("rb") as file:
        yield from map(msgspec.json.Decoder(str).decode, file)


def _write_rows(folder: Path, rows: Iterable[Pinned], seed: int) -> int:
    numbers = {name: number for number, name in enumerate(tasks.names())}
    encode, count = msgspec.json.Encoder().encode, 0
    with (folder / "rows.jsonl").open("wb") as file, (folder / COLUMNS).open("wb") as columns:
        for chunk in _chunked(rows):
            lines = [encode(pinned.row) + b"\n" for pinned in chunk]
            file.writelines(lines)
            entries = [
                (*_keys(pinned, seed), len(line), numbers[pinned.row.task], _split(pinned.split))
                for pinned, line in zip(chunk, lines, strict=True)
            ]
            columns.write(np.array(entries, DTYPE).tobytes())
            count += len(chunk)
    return count


def _chunked(rows: Iterable[Pinned]) -> Iterator[list[Pinned]]:
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _split(name: str) -> int:
    return SPLITS.index(name) if name else UNPINNED


def _keys(pinned: Pinned, seed: int) -> tuple[int, ...]:
    row = pinned.row
    question = repr((row.task, [(turn.role, turn.content) for turn in prompt_turns(row.task, row.messages)]))
    drawn = {name: draw(name, seed) for name in {row.group, pinned.product, pinned.alias}}
    groups = (drawn[row.group], drawn[pinned.product], drawn[pinned.alias])
    return draw(row.id, seed), *groups, hashed(question), hashed(row.target)


def lines(part: Part) -> Iterator[bytes]:
    """Yield a part's rows as they stand in its file."""
    with part.rows.open("rb") as file:
        yield from file


def picked(path: Path, sizes: NDArray[np.uint32], numbers: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield some of a file's lines by their numbers; ``sizes`` are those of all its lines, in bytes."""
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    with path.open("rb") as file:
        for number in numbers.tolist():
            file.seek(starts[number])
            yield file.read(sizes[number])


@dataclass(frozen=True, slots=True)
class Converted:
    """An entry with its parts and their counts summed, and the examples that were dropped on the way, by reason."""

    entry: Entry
    parts: list[Part]
    dropped: Counter[str]

    def count(self, name: str) -> Any:
        """Return one of the counts of all parts: ``read``, ``used``, ``examples`` or the counters ``rejected``, ``noted``."""
        first, *rest = (getattr(part, name) for part in self.parts)
        return sum(rest, first)


def collected(entry: Entry, shards: Sequence[Part]) -> Converted:
    """Return an entry with its parts."""
    return Converted(entry, list(shards), sum((part.dropped for part in shards), Counter()))
