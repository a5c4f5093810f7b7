"""Divides a task's rows into slices: by what the row says, and by how often its answer occurs in training."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


class Column(NamedTuple):
    """A text for each item, "" for none: the number of each distinct text, and that of each item's."""

    numbers: dict[str, int]
    codes: "array[int]"


def column(texts: Iterable[str]) -> Column:
    """Return the column of texts."""
    numbers: dict[str, int] = {}
    return Column(numbers, array("i", (numbers.setdefault(text, len(numbers)) for text in texts)))


def empty() -> Column:
    """Return a column without items, to which :class:`Traits` adds."""
    return Column({}, array("i"))


@dataclass(slots=True)
class Traits:
    """What slicing needs of the rows of a task besides their examples; ``lengths`` are those of the prompts, in characters."""

    sources: Column = field(default_factory=empty)
    questions: Column = field(default_factory=empty)
    hard: Column = field(default_factory=empty)
    lengths: "array[int]" = field(default_factory=partial(array, "q"))

    def add(self, row: Row, extra: Mapping[str, Any]) -> None:
        """Add a row, with its meta."""
        question, hard = str(extra.get("question_type") or ""), str(extra.get("hard") or "")
        if not question and tasks.get(row.task).prefix == "[QA]":
            question = question_type(question_of(row.messages[-2].content))
        for (numbers, codes), text in ((self.sources, row.source), (self.questions, question), (self.hard, hard)):
            codes.append(numbers.setdefault(text, len(numbers)))
        self.lengths.append(sum(len(turn.content) for turn in row.messages[:-1]))


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

    def by_row(self, count: int) -> Iterator[dict[str, list[str]]]:
        """Yield the names under which each of ``count`` rows is counted, by kind."""
        of_rows = [(p.kind, [*([name] for name in p.names), []], p.codes.tolist()) for p in self.of_rows]
        for place in range(count):
            names = {kind: lists[codes[place]] for kind, lists, codes in of_rows}
            if self.slots is not None:
                start, end = self.slots.ends[place : place + 2]
                for p in self.of_slots:
                    found = dict.fromkeys(p.codes[start:end].tolist())
                    names[p.kind] = [p.names[code] for code in found if code >= 0]
            yield {kind: of_kind for kind, of_kind in names.items() if of_kind}


def question_type(question: str) -> str:
    """Return what a question asks for, by its first word."""
    first = (question.split(maxsplit=1) or [""])[0].casefold().strip("?,.'\"")
    return first if first in _ASKS else "yes/no" if first in _VERBS else "other"


def partitions(
    task: str,
    examples: Sequence[Example],
    traits: Traits,
    tools: Tools,
    training: TrainingCounts | None = None,
) -> Partitions:
    """Return the slices of a task's rows, given the example of each."""
    columns = {"source": traits.sources, "length": lengths(traits.lengths), "question_type": traits.questions}
    if any(traits.hard.numbers):
        names = [hard or "as it came" for hard in traits.hard.numbers]
        columns["hard"] = column(names[code] for code in traits.hard.codes)
    kind, times = examples[0].kind, partial(training.of, task) if training else None
    slots, of_slots = kind.slots(examples, tools, times) if kind.slots else (None, {})
    columns |= {name: column(labels) for name, labels in kind.labels(examples, times).items()}
    by_slots = {name: column(labels) for name, labels in of_slots.items()}
    divided, of_slot = ([p for pair in of.items() if (p := partition(*pair))] for of in (columns, by_slots))
    return Partitions(divided, of_slot, slots)


def partition(kind: str, labels: Column) -> Partition | None:
    """Return the slices that labels make, "" for none; ``None`` where they make no difference."""
    codes = np.asarray(labels.codes)
    counts = np.bincount(codes, minlength=len(labels.numbers)).tolist()
    times = {label: counts[number] for label, number in labels.numbers.items() if label and counts[number]}
    names = sorted(times, key=lambda name: (-times[name], name))
    if not names or (len(names) == 1 and times[names[0]] == len(codes)):
        return None
    numbers = {name: number for number, name in enumerate(names[:LARGEST])}
    rest = len(numbers) if len(names) > LARGEST else -1
    found = np.array([numbers.get(label, rest if label else -1) for label in labels.numbers], np.int64)
    return Partition(kind, [*numbers, *([OTHERS] if rest > 0 else [])], found[codes])


def lengths(characters: Sequence[int]) -> Column:
    """Name which third of the prompts each is in by its length in characters."""
    ranked = np.sort(characters)
    low, high = (int(ranked[(len(ranked) * part - 1) // 3]) for part in (1, 2))
    names = (f"up to {low:,} characters", f"{low + 1:,} to {high:,} characters", f"more than {high:,} characters")
    return Column(
        {name: n for n, name in enumerate(names)}, array("i", np.searchsorted((low, high), characters).tolist())
    )


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
