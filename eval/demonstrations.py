"""Demonstrations for base models: solved training rows of the same task, as earlier turns before what is asked.

They are drawn once for each task and source by a seeded hash of the id, so that all prompts of a task begin alike and serving can
cache them; only a row of one's own group is passed over for the next in the draw.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters import jsonl
from converters.errors import InputError
from converters.examples import Row

Pool = dict[tuple[str, str], dict[str, tuple[bytes, Row]]]


@dataclass(frozen=True, slots=True)
class Shots:
    """``count`` demonstrations for every row, from ``pool``: by task and source, rows of distinct groups in the draw's order."""

    count: int
    pool: Mapping[tuple[str, str], tuple[Row, ...]]

    def turns(self, row: Row) -> list[dict[str, str]]:
        """Return the turns to put before a row's own; a draw that is too small is an ``InputError``."""
        found = self.pool.get((row.task, row.source)) or self.pool.get((row.task, ""), ())
        others = [shot for shot in found if shot.group != row.group][: self.count]
        if len(others) < self.count:
            raise InputError(
                f"row {row.id!r}: found {len(others)} demonstrations of task {row.task!r} in the training split, "
                f"expected {self.count} of other groups"
            )
        told = [turn for shot in others for turn in shot.messages if turn.role != "system"]
        return [{"role": turn.role, "content": turn.content} for turn in told]

    @property
    def ids(self) -> dict[str, list[str]]:
        """Return the ids of the demonstrations that a row of another group gets, by task and source."""
        return {"/".join(filter(None, key)): [row.id for row in rows[: self.count]] for key, rows in self.pool.items()}


def draw(rows: Iterable[Row], needed: Iterable[tuple[str, str]], count: int, seed: int) -> Shots:
    """Draw demonstrations for the ``needed`` pairs of task and source; a source without enough draws from its whole task.

    Holds ``count`` + 1 rows for each pair, however many there are.
    """
    pairs = sorted(set(needed))
    pool: Pool = {key: {} for key in [*pairs, *((task, "") for task, _ in pairs)]}
    for row in rows:
        rank = hashlib.sha256(f"{seed}\0{row.id}".encode()).digest()
        for key in ((row.task, row.source), (row.task, "")):
            if key in pool:
                _offer(pool[key], rank, row, count + 1)
    made = {
        key: tuple(row for _, row in sorted(found.values(), key=lambda pair: pair[0])) for key, found in pool.items()
    }
    enough = {key for key in pairs if len(made[key]) > count}
    used = enough | {(task, "") for task, source in pairs if (task, source) not in enough}
    return Shots(count, {key: made[key] for key in sorted(used)})


def _offer(found: dict[str, tuple[bytes, Row]], rank: bytes, row: Row, most: int) -> None:
    if row.group not in found or rank < found[row.group][0]:
        found[row.group] = (rank, row)
    if len(found) > most:
        del found[max(found, key=lambda group: found[group][0])]


def read(file: Path) -> Iterable[Row]:
    """Yield the rows of a training split, one at a time."""
    return (jsonl.decode(line, Row, f"{file}:{number}") for number, line in jsonl.numbered(file))


def record(file: Path, shots: Shots, seed: int) -> dict[str, Any]:
    """Return what a comparison has to see of demonstrations."""
    return {"count": shots.count, "seed": seed, "train_sha256": jsonl.sha256(file), "ids": shots.ids}
