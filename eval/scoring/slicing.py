"""Divides a task's rows into slices: by what the row says, and by how often its answer occurs in training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.errors import InputError
from converters.schema import Row
from converters.tasks.answer import asked
from eval.answers import kind_of
from eval.metrics._normalise import Normalise
from eval.metrics.base import Example, Tools
from eval.metrics.extraction import COUNTS, Slots
from eval.scoring import parse

Ints = NDArray[np.int64]

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
    """Count the targets of training rows; one that its task cannot read is an :class:`InputError`.

    >>> from converters.examples import example
    >>> from converters.schema import Listing, Text
    >>> row = example(Listing("1", "g", (Text("Title", "Mug"),), ("Home", "Mugs")), "category", "shop")
    >>> counts = count_targets([row], str)
    >>> counts.of("category_levels", ("Home", "Mugs")), counts.of("category", ("Home",)), counts.of("answer", ("Home", "Mugs"))
    (1, 0, 0)
    """
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
        question = question_type(asked(row.messages[-2].content))
    return Traits(row.source, length, question, str(example.extra.get("hard") or ""))


def question_type(question: str) -> str:
    """Return what a question asks for, by its first word.

    >>> [question_type(text) for text in ("How many?", "Does it fit?", "what is it", "The lid?", "")]
    ['how', 'yes/no', 'what', 'other', 'other']
    """
    first = (question.split(maxsplit=1) or [""])[0].casefold().strip("?,.'\"")
    return first if first in _ASKS else "yes/no" if first in _VERBS else "other"


def partitions(
    task: str, examples: Sequence[Example], traits: Sequence[Traits], tools: Tools, seen: TrainingCounts | None = None
) -> Partitions:
    """Return the slices of a task's examples."""
    labels: dict[str, Sequence[str]] = {
        "source": [trait.source for trait in traits],
        "length": lengths([trait.length for trait in traits]),
        "question_type": [trait.question for trait in traits],
    }
    if any(trait.hard for trait in traits):
        labels["hard"] = [trait.hard or "as it came" for trait in traits]
    kind, times = examples[0].kind, partial(seen.of, task) if seen else None
    slots, of_slots = kind.slots(examples, tools, times) if kind.slots else (None, {})
    by_rows, by_slots = (
        [found for name, values in some.items() if (found := partition(name, values))]
        for some in (labels | kind.labels(examples, times), of_slots)
    )
    return Partitions(by_rows, by_slots, slots)


def partition(kind: str, labels: Sequence[str]) -> Partition | None:
    """Return the slices that labels make, "" for none; ``None`` where they make no difference.

    >>> found = partition("source", ["a", "b", "", "b"])
    >>> found.names, found.codes.tolist(), partition("source", ["a", "a"])
    (['b', 'a'], [1, 0, -1, 0], None)
    """
    times = Counter(label for label in labels if label)
    names = sorted(times, key=lambda name: (-times[name], name))
    if not names or (len(names) == 1 and times.total() == len(labels)):
        return None
    numbers = {name: number for number, name in enumerate(names[:LARGEST])}
    rest = len(numbers) if len(names) > LARGEST else -1
    codes = np.fromiter((numbers.get(label, rest if label else -1) for label in labels), np.int64, len(labels))
    return Partition(kind, [*numbers, *([OTHERS] if rest > 0 else [])], codes)


def lengths(characters: Sequence[int]) -> list[str]:
    """Name which third of the prompts each is in by its length in characters.

    >>> lengths([5, 10, 1000])
    ['up to 5 characters', '6 to 10 characters', 'more than 10 characters']
    """
    ranked = sorted(characters)
    low, high = (ranked[(len(ranked) * part - 1) // 3] for part in (1, 2))
    names = (f"up to {low:,} characters", f"{low + 1:,} to {high:,} characters", f"more than {high:,} characters")
    return [names[0 if length <= low else 1 if length <= high else 2] for length in characters]


def by_attribute(found: Partitions) -> dict[str, dict[str, int]]:
    """Return MAVE's counts of each attribute, those of keys that nobody asked for under one name; nothing without slots."""
    slots = found.slots
    if slots is None:
        return {}
    table = np.zeros((len(slots.keys), len(COUNTS)), dtype=np.int64)
    np.add.at(table, (slots.key, slots.outcome), 1)
    lines: Iterable[tuple[str, list[int]]] = zip(slots.keys, table.tolist(), strict=True)
    counts = {key: dict(zip(COUNTS, line, strict=True)) for key, line in lines}
    if made_up := int(slots.made_up.sum()):
        counts["(not asked for)"] = {**dict.fromkeys(COUNTS, 0), "hallucinated": made_up}
    return counts
