"""Few-shot prompts: solved training rows of the same task as earlier turns.

They are drawn once per task and source by a seeded hash of the id, so that all prompts of a task share a beginning that serving
can cache; a row of the same group as the question is skipped for the next in the draw.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Row

Pool = dict[tuple[str, str], dict[str, tuple[bytes, Row]]]


@dataclass(frozen=True, slots=True)
class Shots:
    """``count`` demonstrations for every row, from ``pool``: by task and source, rows of distinct groups in the draw's order."""

    count: int
    pool: Mapping[tuple[str, str], tuple[Row, ...]]

    def turns(self, row: Row) -> list[dict[str, str]]:
        """Return the turns to put before a row's own; a draw that is too small is an ``InputError``."""
        pool = self.pool.get((row.task, row.source)) or self.pool.get((row.task, ""), ())
        shots = [shot for shot in pool if shot.group != row.group][: self.count]
        if len(shots) < self.count:
            raise InputError(
                f"row {row.id!r}: found {len(shots)} demonstrations of task {row.task!r} in the training split, "
                f"expected {self.count} of other groups"
            )
        turns = [turn for shot in shots for turn in shot.messages if turn.role != "system"]
        return [{"role": turn.role, "content": turn.content} for turn in turns]

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
    drawn = {key: tuple(row for _, row in sorted(rows.values(), key=lambda p: p[0])) for key, rows in pool.items()}
    enough = {key for key in pairs if len(drawn[key]) > count}
    used = enough | {(task, "") for task, source in pairs if (task, source) not in enough}
    return Shots(count, {key: drawn[key] for key in sorted(used)})


def _offer(rows: dict[str, tuple[bytes, Row]], rank: bytes, row: Row, most: int) -> None:
    if row.group not in rows or rank < rows[row.group][0]:
        rows[row.group] = (rank, row)
    if len(rows) > most:
        del rows[max(rows, key=lambda group: rows[group][0])]


def read(file: Path) -> Iterable[Row]:
    """Yield the rows of a training split, one at a time."""
    return (jsonl.decode(line, Row, f"{file}:{number}") for number, line in jsonl.numbered(file))


def record(file: Path, shots: Shots, seed: int) -> dict[str, Any]:
    """Return what is recorded of demonstrations, for comparisons."""
    return {"count": shots.count, "seed": seed, "train_sha256": jsonl.sha256(file), "ids": shots.ids}
