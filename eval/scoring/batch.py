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

    ``distinct`` are the examples in the order of first sight, and ``questions`` the number of each one's question: what there is
    to it besides the answer. ``firsts`` is the first example of each question. ``places`` has the number of each row's example,
    ``groups`` that of its group, and ``names`` the groups' names.
    """

    distinct: list[Example] = field(default_factory=list)
    questions: "array[int]" = field(default_factory=partial(array, "i"))
    firsts: "array[int]" = field(default_factory=partial(array, "i"))
    places: "array[int]" = field(default_factory=partial(array, "i"))
    groups: "array[int]" = field(default_factory=partial(array, "i"))
    names: dict[str, int] = field(default_factory=dict)
    asked: dict[tuple[str, str], int] = field(default_factory=dict)
    known: dict[tuple[int, str | bytes], int] = field(default_factory=dict)

    def add(
        self, id_: str, group: str, task: str, target: str, prompt: str, meta: str, output: Output | ScoredRow
    ) -> int:
        """Add a row and return the number of its example; ``prompt`` is "" where no metric reads it."""
        question, number, said = len(self.firsts), len(self.distinct), output.prediction
        if output.candidates or not isinstance(said, str):
            said = msgspec.json.encode((said, output.candidates))
        if not prompt and len(target) < parse.SHORT and len(meta) < parse.SHORT:
            question = self.asked.setdefault((target, meta), question)
            if not output.judged and len(said) < parse.SHORT:
                number = self.known.setdefault((question, said), number)
        if number == len(self.distinct):
            self._add(id_, task, target, prompt, meta, output)
            self.questions.append(question)
            if question == len(self.firsts):
                self.firsts.append(number)
        self.places.append(number)
        self.groups.append(self.names.setdefault(group, len(self.names)))
        return number

    def _add(self, id_: str, task: str, target: str, prompt: str, meta: str, output: Output | ScoredRow) -> None:
        extra = parse.meta_of(id_, meta)
        gold, answer = parse.read(task, target, extra), parse.read(task, output.prediction, extra)
        ranked = parse.ranked(task, output.candidates, extra) if output.candidates else ()
        self.distinct.append(Example("", "", gold, answer, extra, prompt, ranked, output.judged, kind_of(task)))

    def done(self) -> None:
        """Let go of the texts by which equal rows were told: there are no more to come."""
        self.asked.clear()
        self.known.clear()

    def rows(self) -> list[Example]:
        """Return every row's example."""
        return [self.distinct[place] for place in self.places]


def by_name(batch: Batch) -> Ints:
    """Return the number of each row's group in the order of the groups' names."""
    ranks: Ints = np.empty(len(batch.names), np.int64)
    ranks[[batch.names[name] for name in sorted(batch.names)]] = np.arange(len(batch.names))
    return np.asarray(ranks[np.asarray(batch.groups)])
