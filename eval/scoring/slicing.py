"""Divides a task's rows into slices: by what the row says, and by how often its answer occurs in training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from converters import tasks
from converters.core.errors import InputError
from converters.schema import Row
from converters.tasks.answer import question_of
from eval.answers import kind_of
from eval.metrics._normalise import Normalise
from eval.metrics.base import Example, Tools
from eval.metrics.extraction import COUNTS, Ints, Slots
from eval.scoring import parse

LARGEST = 200  # slices of a kind, the rest are counted under one name
OTHERS = "(all others)"
_ASKS = ("what", "which", "who", "when", "where", "why", "how")
_VERBS = frozenset(
    "am is are was were do does did can could will would has have had should may might".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class TrainingCounts:
    """How often each answer, or each value of an attribute, is the target of a training row, by hash."""

    times: Mapping[int, int]

    def of(self, task: str, answer: Any) -> int:
        """Return how often a task's training rows have this answer."""
        return self.times.get(_key(task, answer), 0)


def _key(task: str, answer: Any) -> int:
    return hash((tasks.get(task).style_of or task, answer))


def count_targets(rows: Iterable[Row], normalise: Normalise) -> TrainingCounts:
    """Count the targets of training rows; one that its task cannot read is an :class:`InputError`."""
    times: Counter[int] = Counter()
    for row in rows:
        gold = parse.read(row.task, row.target, parse.meta_of(row.id, row.meta))
        if gold is None:
            raise InputError(f"training row {row.id!r}: found {row.target[:60]!r}, expected what {row.task!r} can read")
        times.update(_key(row.task, answer) for answer in kind_of(row.task).training_keys(gold, normalise))
    return TrainingCounts(times)


class Traits(NamedTuple):
    """What slicing needs of a row that is not kept."""

    source: str
    length: int
    question: str
    hard: str


class Partition(NamedTuple):
    """One kind of slice: its names, and for each item (row or slot) the number of its name, -1 for none."""

    kind: str
    names: list[str]
    codes: Ints


@dataclass(frozen=True, slots=True)
class Partitions:
    """All slices of a task; ``slots``, for records only, are what ``of_slots`` divides."""

    of_rows: list[Partition]
    of_slots: list[Partition]
    slots: Slots | None = None

    def of(self, place: int) -> dict[str, list[str]]:
        """Return the names under which a row is counted, by kind."""
        names = {p.kind: [p.names[p.codes[place]]] for p in self.of_rows if p.codes[place] >= 0}
        if self.slots is not None:
            start, end = self.slots.ends[place : place + 2]
            for p in self.of_slots:
                codes = dict.fromkeys(p.codes[start:end].tolist())
                names[p.kind] = [p.names[code] for code in codes if code >= 0]
        return {kind: of_kind for kind, of_kind in names.items() if of_kind}


def traits(row: Row, example: Example) -> Traits:
    """Return a row's traits."""
    length = sum(len(turn.content) for turn in row.messages[:-1])
    question = str(example.extra.get("question_type") or "")
    if not question and tasks.get(row.task).prefix == "[QA]":
        question = question_type(question_of(row.messages[-2].content))
    return Traits(row.source, length, question, str(example.extra.get("hard") or ""))


def question_type(question: str) -> str:
    """Return what a question asks for, by its first word."""
    first = (question.split(maxsplit=1) or [""])[0].casefold().strip("?,.'\"")
    return first if first in _ASKS else "yes/no" if first in _VERBS else "other"


def partitions(
    task: str,
    examples: Sequence[Example],
    traits: Sequence[Traits],
    tools: Tools,
    training: TrainingCounts | None = None,
) -> Partitions:
    """Return the slices of a task's examples."""
    labels: dict[str, Sequence[str]] = {
        "source": [trait.source for trait in traits],
        "length": lengths([trait.length for trait in traits]),
        "question_type": [trait.question for trait in traits],
    }
    if any(trait.hard for trait in traits):
        labels["hard"] = [trait.hard or "as it came" for trait in traits]
    kind, times = examples[0].kind, partial(training.of, task) if training else None
    slots, of_slots = kind.slots(examples, tools, times) if kind.slots else (None, {})
    by_rows, by_slots = (
        [part for name, values in labelled.items() if (part := partition(name, values))]
        for labelled in (labels | kind.labels(examples, times), of_slots)
    )
    return Partitions(by_rows, by_slots, slots)


def partition(kind: str, labels: Sequence[str]) -> Partition | None:
    """Return the slices that labels make, "" for none; ``None`` where they make no difference."""
    times = Counter(label for label in labels if label)
    names = sorted(times, key=lambda name: (-times[name], name))
    if not names or (len(names) == 1 and times.total() == len(labels)):
        return None
    numbers = {name: number for number, name in enumerate(names[:LARGEST])}
    rest = len(numbers) if len(names) > LARGEST else -1
    codes = np.fromiter((numbers.get(label, rest if label else -1) for label in labels), np.int64, len(labels))
    return Partition(kind, [*numbers, *([OTHERS] if rest > 0 else [])], codes)


def lengths(characters: Sequence[int]) -> list[str]:
    """Name which third of the prompts each is in by its length in characters."""
    ranked = sorted(characters)
    low, high = (ranked[(len(ranked) * part - 1) // 3] for part in (1, 2))
    names = (f"up to {low:,} characters", f"{low + 1:,} to {high:,} characters", f"more than {high:,} characters")
    return [names[0 if length <= low else 1 if length <= high else 2] for length in characters]


def by_attribute(partitions: Partitions) -> dict[str, dict[str, int]]:
    """Return MAVE's counts of each attribute, those of keys that nobody asked for under one name; nothing without slots."""
    slots = partitions.slots
    if slots is None:
        return {}
    table = np.zeros((len(slots.keys), len(COUNTS)), dtype=np.int64)
    np.add.at(table, (slots.key, slots.outcome), 1)
    counts = {key: dict(zip(COUNTS, line.tolist(), strict=True)) for key, line in zip(slots.keys, table, strict=True)}
    if made_up := int(slots.made_up.sum()):
        counts["(not asked for)"] = {**dict.fromkeys(COUNTS, 0), "hallucinated": made_up}
    return counts
