"""Which snippets an answer cites, against those that are known to hold the answer.

Over the questions whose gold cites something: where nothing is known to prove the answer, no citation can be told right or wrong.
Micro over questions. Whoever cites every snippet has recall 1, which precision shows. After ALCE (arXiv:2305.14627), with gold
citations in place of its entailment model.
"""

from collections.abc import Sequence
from typing import Any

from eval.metrics.base import Example, Floats, Metric, Tools, lines, ratio


def cited(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: citations in common, said, gold; nothing where the gold cites none.

    >>> from converters.tasks.answer import Reply
    >>> found = [Example("1", "g", Reply("x", (1, 2)), Reply("y", (2, 3, 4))), Example("2", "g", Reply("x"), Reply("y", (1,)))]
    >>> cited(found, Tools(str)).tolist()
    [[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]]
    """
    return lines(_counts(_numbers(e.said), _numbers(e.gold)) for e in examples)


def _numbers(answer: Any) -> set[int]:
    return set(getattr(answer, "cited", ()))  # what is unreadable cites nothing


def _counts(said: set[int], gold: set[int]) -> tuple[int, int, int]:
    return (len(said & gold), len(said), len(gold)) if gold else (0, 0, 0)


def precision(sums: Floats) -> Floats:
    """Return common / said; 0 where nothing was cited.

    >>> precision(lines([(1, 4, 2), (0, 0, 2)])).tolist()
    [0.25, 0.0]
    """
    return ratio(sums[..., 0], sums[..., 1], sums[..., 2])


def recall(sums: Floats) -> Floats:
    """Return common / gold.

    >>> recall(lines([(1, 4, 2), (0, 0, 0)])).tolist()
    [0.5, nan]
    """
    return ratio(sums[..., 0], sums[..., 2])


_CITATIONS = {"citation_precision": Metric(cited, precision), "citation_recall": Metric(cited, recall)}
