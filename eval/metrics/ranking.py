"""Metrics over orders: NDCG of the answer; recall at K and reciprocal rank of the retrieved snippets. All lie in [0, 1].

NDCG: Järvelin & Kekäläinen 2002, gains / log2(rank + 1) over those of the ideal order, as scikit-learn's ``ndcg_score``.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from converters.tasks.answer import snippets
from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean


def dcg(gains: Iterable[float]) -> float:
    """Return the discounted sum of gains in the order of an answer: the sum of gain / log2(rank + 1)."""
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ndcg(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: the NDCG and whether it applies; it does not where no candidate gains anything.

    A number counts at its first place; a made-up one gains nothing. The ideal order has all candidates, named or not.

    >>> from converters.tasks.ranking import Order
    >>> gold, extra = Order((1, 2)), {"gains": [1.0, 0.1]}
    >>> orders = [Order((1, 2)), Order((1,)), Order((2, 1)), Order((9, 1, 2)), None]
    >>> ndcg([Example("1", "g", gold, order, extra) for order in orders], Tools(str))[:, 0].round(3).tolist()
    [1.0, 0.941, 0.688, 0.641, 0.0]
    """

    def named(example: Example) -> list[float]:
        gains, numbers = example.extra["gains"], dict.fromkeys(example.answer.numbers if example.answer else ())
        return [gains[number - 1] if 1 <= number <= len(gains) else 0.0 for number in numbers]

    return lines(_of_ideal(e, named(e)) for e in examples)


def random_order(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the same table for what all orders of all candidates score on average."""
    every = ((e, e.extra["gains"]) for e in examples)
    return lines(_of_ideal(e, [sum(gains) / len(gains)] * len(gains)) for e, gains in every)


def _of_ideal(example: Example, gains: Sequence[float]) -> tuple[float, float]:
    ideal = dcg(sorted(example.extra["gains"], reverse=True))
    return (min(1.0, dcg(gains) / ideal), 1.0) if ideal else (0.0, 0.0)


def retrieval(value: Callable[[Sequence[int]], float], expected: Callable[[int, int], float]) -> Metric:
    """Return the mean over questions of the ``value`` of the ranks at which retrieval put the relevant snippets.

    ``expected`` is the value of a random order, given the numbers of candidates and of relevant ones. Of candidates there were
    at least as many as the ranks known and the snippets shown.
    """

    def table(examples: Sequence[Example], tools: Tools) -> Floats:
        every = (e.extra.get("relevant_ranks", ()) for e in examples)
        return lines((value(ranks), 1.0) if ranks else (0.0, 0.0) for ranks in every)

    def chance(examples: Sequence[Example], tools: Tools) -> Floats:
        every = ((e, set(e.extra.get("relevant_ranks", ()))) for e in examples)
        return lines(
            (expected(max(*ranks, len(snippets(e.prompt)), len(ranks)), len(ranks)), 1.0) if ranks else (0.0, 0.0)
            for e, ranks in every
        )

    return Metric(table, mean, guesses={"random order": chance}, trivial=False, of_rows=True)


def recall_at(depth: int) -> Metric:
    """Return recall@``depth``, the share of the relevant snippets that are among the first ``depth``.

    >>> examples = [Example("1", "g", None, None, {"relevant_ranks": ranks}) for ranks in ([1, 7], [2], [])]
    >>> recall_at(1).table(examples, Tools(str)).tolist()
    [[0.5, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    return retrieval(
        lambda ranks: sum(rank <= depth for rank in set(ranks)) / len(set(ranks)),
        lambda count, relevant: min(depth, count) / count,
    )


def expected_reciprocal(count: int, relevant: int) -> float:
    """Return the mean of 1 / the rank of the first relevant candidate over all orders of ``count``.

    >>> round(expected_reciprocal(2, 1), 3), round(expected_reciprocal(3, 2), 3)
    (0.75, 0.833)
    """
    # P(none of the first r) = C(count - r, relevant) / C(count, relevant), as a running product.
    none = np.cumprod([1.0, *((count - relevant - r) / (count - r) for r in range(count))])
    return float(sum((none[r] - none[r + 1]) / (r + 1) for r in range(count) if none[r] > 0))


METRICS = {
    "ndcg": Metric(ndcg, mean, guesses={"random order": random_order}),
    "recall_at_1": recall_at(1),
    "recall_at_5": recall_at(5),
    "mrr": retrieval(lambda ranks: 1 / min(ranks), expected_reciprocal),
}
