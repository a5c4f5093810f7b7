"""What a training split has in it, so that scores on what it shows and on what it does not can be told apart.

Read as a stream and kept as hashes of values (64 bits: of a million, two fall together once in 10 million times). Tasks that are
other ways to ask the same thing share what they show.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from converters import tasks
from converters.core.errors import InputError
from converters.schema import Row
from eval import reading
from eval.answers import kind_of
from eval.text import Normalise


@dataclass(frozen=True, slots=True)
class Seen:
    """How often each answer, or each value of an attribute, is the target of a training row."""

    times: Mapping[int, int]

    def of(self, task: str, answer: Any) -> int:
        """Return how often a task's training rows have this answer."""
        return self.times.get(_key(task, answer), 0)


def _key(task: str, answer: Any) -> int:
    return hash((tasks.get(task).style_of or task, answer))


def learn(rows: Iterable[Row], normalise: Normalise) -> Seen:
    """Count the targets of training rows; one that its task cannot read is an :class:`InputError`.

    >>> from converters.examples import example
    >>> from converters.records import Listing, Text
    >>> row = example(Listing("1", "g", (Text("Title", "Mug"),), ("Home", "Mugs")), "category", "shop")
    >>> found = learn([row], str)
    >>> found.of("category_levels", ("Home", "Mugs")), found.of("category", ("Home",)), found.of("answer", ("Home", "Mugs"))
    (1, 0, 0)
    """
    times: Counter[int] = Counter()
    for row in rows:
        gold = reading.read(row.task, row.target, reading.meta_of(row.id, row.meta))
        if gold is None:
            raise InputError(f"training row {row.id!r}: found {row.target[:60]!r}, expected what {row.task!r} can read")
        times.update(_key(row.task, answer) for answer in kind_of(row.task).shows(gold, normalise))
    return Seen(times)
