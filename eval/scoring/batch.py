"""A task's rows as columns: each distinct example once, and for every row which of them it is.

A million rows of a catalogue have a few thousand categories, so what depends on an example alone (how its answer is read, its
line in a metric's table) is worked out once for each distinct one. Rows with a prompt that metrics read, or with a judge's
marks, have an example each.
"""

from array import array
from dataclasses import dataclass, field
from functools import partial

import msgspec
import numpy as np

from eval.answers import kind_of
from eval.metrics.base import Example
from eval.metrics.extraction import Ints
from eval.results.schema import Output, ScoredRow
from eval.scoring import parse


@dataclass(slots=True)
class Batch:
    """The rows of one task.

    ``distinct`` are the examples in the order of first sight; ``places`` has the number of each row's example, ``groups`` that
    of its group, and ``names`` the groups' names.
    """

    distinct: list[Example] = field(default_factory=list)
    places: "array[int]" = field(default_factory=partial(array, "i"))
    groups: "array[int]" = field(default_factory=partial(array, "i"))
    names: dict[str, int] = field(default_factory=dict)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(
        self, id_: str, group: str, task: str, target: str, prompt: str, meta: str, output: Output | ScoredRow
    ) -> int:
        """Add a row and return the number of its example; ``prompt`` is "" where no metric reads it."""
        extra = parse.meta_of(id_, meta)
        gold, answer = parse.read(task, target, extra), parse.read(task, output.prediction, extra)
        ranked = parse.ranked(task, output.candidates, extra) if output.candidates else ()
        number = len(self.distinct)
        if not prompt and not output.judged:
            # Equal texts are read as one object, which lives on in its example: an address stands for what is there.
            key = array("q", map(id, (gold, answer, extra, *ranked))).tobytes()
            if answer is None:
                key += msgspec.json.encode(output.prediction)
            number = self.known.setdefault(key, number)
        if number == len(self.distinct):
            self.distinct.append(Example("", "", gold, answer, extra, prompt, ranked, output.judged, kind_of(task)))
        self.places.append(number)
        self.groups.append(self.names.setdefault(group, len(self.names)))
        return number

    def rows(self) -> list[Example]:
        """Return every row's example."""
        return [self.distinct[place] for place in self.places]


def by_name(batch: Batch) -> Ints:
    """Return the number of each row's group in the order of the groups' names."""
    ranks: Ints = np.empty(len(batch.names), np.int64)
    ranks[[batch.names[name] for name in sorted(batch.names)]] = np.arange(len(batch.names))
    return np.asarray(ranks[np.asarray(batch.groups)])
