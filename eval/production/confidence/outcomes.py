"""What a confidence is held against: whether each unit of each answer is right, with the group of its row.

Right is what the metrics call so: a path up to a level that equals the gold's up to there; a record's values that are the
gold's, no more and no fewer, by the normaliser; a null where the gold has none; an abstention where the gold abstains; a free
answer whose token F1 with its best reference is at least :data:`TOKEN_F1`; an order of the highest NDCG; anything else that
equals the gold.

A walk down a tree is held out as far as its first wrong turn: there its confidence is that of fewer turns than the whole walk's,
so that wrong answers look surer here than in use, and a threshold is rather too high than too low.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.schema import Row
from eval.metrics._normalise import Normalise
from eval.metrics.base import Example, Floats, Tools
from eval.metrics.extraction import common
from eval.metrics.generation import best_token_f1
from eval.metrics.ranking import ndcg
from eval.production.confidence.calibration import sort_of
from eval.results.schema import Output
from eval.scoring import parse, stats

TOKEN_F1 = 0.5  # of a free answer with its best reference: from here on it counts as right
SAME = 1e-9

Ints = NDArray[np.int64]
Right = Callable[[Example, str, Normalise], bool | None]


class Outcome(NamedTuple):
    """One unit of one answer: its raw confidence, whether it is right, and its row's group."""

    unit: str
    sort: str
    confidence: float
    right: bool
    group: str


@dataclass(frozen=True, slots=True)
class Units:
    """Units as arrays: raw confidences, whether they are right (0 or 1), and the groups of their rows."""

    confidence: Floats
    right: Floats
    groups: list[str]

    @property
    def numbers(self) -> Ints:
        """Return the number of each unit's group, from 0."""
        return np.unique(self.groups, return_inverse=True)[1]

    @property
    def worth(self) -> float:
        """Return the effective number of groups (Kish 1965)."""
        return stats.effective(np.bincount(self.numbers).astype(np.float64))[1]


def units(found: Iterable[Outcome]) -> Units:
    """Return outcomes as arrays."""
    those = list(found)
    confidence, right = (np.array([each[place] for each in those], dtype=np.float64) for place in (2, 3))
    return Units(confidence, right, [each.group for each in those])


@dataclass(slots=True)
class Task:
    """The outcomes of one task. ``counts``: its rows, and those without an outcome: unreadable, or without a confidence.

    ``unknown`` counts confidences of units that a row's answer does not have or that nobody asked for.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=lambda: Counter(rows=0, unreadable=0, without_confidence=0, unknown=0))


def _path(example: Example, unit: str, normalise: Normalise) -> bool | None:
    """Tell whether a path is right as a whole (``path``) or up to a level (``level 2``); ``None``: it does not go that deep."""
    if unit == "path":
        return bool(example.answer == example.gold)
    word, _, number = unit.partition(" ")
    depth = int(number) if word == "level" and number.isdecimal() else 0
    answer = example.answer or ()
    return bool(answer[:depth] == example.gold[:depth]) if 1 <= depth <= len(answer) else None


def _slot(example: Example, unit: str, normalise: Normalise) -> bool | None:
    counted = common(example, normalise).get(unit)
    return None if counted is None else counted[0] == counted[1] == counted[2]


def _order(example: Example, unit: str, normalise: Normalise) -> bool:
    value, applies = ndcg([example], Tools(normalise))[0].tolist()
    return value >= 1 - SAME or not applies


def _free(example: Example, unit: str, normalise: Normalise) -> bool:
    return best_token_f1(example) >= TOKEN_F1


PARTS: Mapping[str, Right] = {"path": _path, "record": _slot}
WHOLE: Mapping[str, Right] = {"order": _order, "reply": _free, "text": _free}


def right(kind: str, example: Example, unit: str, normalise: Normalise) -> bool | None:
    """Tell whether a unit of an answer that can be read is right; ``None``: the answer has no such unit, or nobody asked for it.

    >>> example = Example("1", "g", ("Home", "Mugs"), ("Home", "Pans", "Red"))
    >>> [right("path", example, unit, str) for unit in ("path", "level 1", "level 2", "level 4")]
    [False, True, False, None]
    """
    if kind in PARTS:
        return PARTS[kind](example, unit, normalise)
    if unit != "answer":
        return None
    return WHOLE[kind](example, unit, normalise) if kind in WHOLE else bool(example.answer == example.gold)


def of_pairs(pairs: Iterable[tuple[Row, Output]], normalise: Normalise) -> dict[str, Task]:
    """Return the outcomes of every task among rows and their predictions."""
    found: dict[str, Task] = {}
    for row, output in pairs:
        task = found.setdefault(row.task, Task())
        task.groups.add(row.group)
        example = parse.example(row, output, with_prompt=False)
        task.counts["rows"] += 1
        task.counts["unreadable"] += example.answer is None
        task.counts["without_confidence"] += example.answer is not None and not output.confidence
        if example.answer is not None:
            for unit, confidence in output.confidence.items():
                fits = right(tasks.get(row.task).kind, example, unit, normalise)
                task.counts["unknown"] += fits is None
                if fits is not None:
                    sort = sort_of(row.task, example.answer, unit)
                    task.outcomes.append(Outcome(unit, sort, confidence, fits, row.group))
    return found
