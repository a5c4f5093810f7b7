"""Answers in words: how long they are against the gold's, and whether abstention comes where it should."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from eval.metrics.texts import abstains

STEPS = (1, 3, 6, 11, 21, 41, 81, 161)  # the shortest answer, in words, of each bar
ABSTENTION = ("answered", "abstained", "unreadable")


@dataclass(slots=True)
class Answers:
    """Counts over one task's rows: words of gold and said answers, and (gold has an answer, what was done)."""

    gold: Counter[int] = field(default_factory=Counter)
    said: Counter[int] = field(default_factory=Counter)
    abstention: Counter[tuple[bool, str]] = field(default_factory=Counter)

    def add(self, gold: Any, said: Any | None, may_abstain: bool) -> None:
        """Count one row; an abstention has no length.

        >>> from converters.tasks.answer import Reply
        >>> found = Answers()
        >>> found.add(Reply("Yes it does."), Reply(None), True)
        >>> found.gold, found.said, found.abstention
        (Counter({1: 1}), Counter(), Counter({(True, 'abstained'): 1}))
        """
        for answer, counter in ((gold, self.gold), (said, self.said)):
            if answer is not None and not abstains(answer):
                counter[bisect_right(STEPS, max(1, len(str(answer).split()))) - 1] += 1
        if may_abstain:
            done = "unreadable" if said is None else "abstained" if abstains(said) else "answered"
            self.abstention[not abstains(gold), done] += 1


def lengths(found: Answers) -> list[tuple[str, float, float]]:
    """Return each bar's words, and which share of the gold and of the said answers it holds, up to the last that holds any.

    >>> lengths(Answers(Counter({0: 3, 1: 1}), Counter({0: 2})))
    [('1–2', 0.75, 1.0), ('3–5', 0.25, 0.0)]
    """
    last = max((*found.gold, *found.said), default=-1)
    names = [f"{low}–{high - 1}" for low, high in pairwise(STEPS)] + [f"{STEPS[-1]}+"]
    gold, said = max(1, found.gold.total()), max(1, found.said.total())
    return [(names[bar], found.gold[bar] / gold, found.said[bar] / said) for bar in range(last + 1)]
