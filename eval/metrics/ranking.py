"""Metrics over orders: NDCG, recall at K, reciprocal rank."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from converters.tasks.answer import snippets
from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean


def dcg(gains: Iterable[float]) -> float:
    """Return the discounted sum of gains in the order of an answer.

    >>> dcg([1.0, 0.0, 1.0])
    1.5
    """
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ndcg(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: the NDCG and whether it applies; it does not where no candidate gains anything.

    >>> from converters.tasks.ranking import Order
    >>> gold, extra = Order((1, 2)), {"gains": [1.0, 0.1]}
    >>> said = [Order((1, 2)), Order((1,)), Order((2, 1)), Order((9, 1, 2)), None]
    >>> ndcg([Example("1", "g", gold, order, extra) for order in said], Tools(str))[:, 0].round(3).tolist()
    [1.0, 0.941, 0.688, 0.641, 0.0]
    """
    return lines(_line(e, dcg(_gains(e))) for e in examples)


def _gains(example: Example) -> list[float]:
    gains, said = example.extra["gains"], example.said.numbers if example.said else ()
    return [gains[number - 1] if 1 <= number <= len(gains) else 0.0 for number in dict.fromkeys(said)]


def random_order(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the same table for what all orders of all candidates score on average.

    >>> random_order([Example("1", "g", None, None, {"gains": [1.0, 0.0]})], Tools(str))[0].round(4).tolist()
    [0.8155, 1.0]
    """
    return lines(_line(e, _average(e.extra["gains"])) for e in examples)


def _average(gains: Sequence[float]) -> float:
    return dcg([sum(gains) / len(gains)] * len(gains))


def _line(example: Example, found: float) -> tuple[float, float]:
    ideal = dcg(sorted(example.extra["gains"], reverse=True))
    return (min(1.0, found / ideal), 1.0) if ideal else (0.0, 0.0)


Value = Callable[[Sequence[int]], float]


def found_by(depth: int, ranks: Sequence[int]) -> float:
    """Return the share of the relevant snippets that are among the first ``depth``.

    >>> found_by(3, [2, 9])
    0.5
    """
    return sum(rank <= depth for rank in set(ranks)) / len(set(ranks))


def reciprocal(ranks: Sequence[int]) -> float:
    """Return 1 / the rank of the first relevant snippet.

    >>> reciprocal([4, 2])
    0.5
    """
    return 1 / min(ranks)


def _ranks(example: Example) -> Sequence[int]:
    ranks: Sequence[int] = example.extra.get("relevant_ranks", ())
    return ranks


def _drawn(value: Value, example: Example) -> tuple[float, float]:
    """Return a random order of as few candidates as there can have been: the ranks known and the snippets shown."""
    ranks = set(_ranks(example))
    if not ranks:
        return 0.0, 0.0
    count = max(*ranks, len(snippets(example.prompt)), len(ranks))
    return _mean_of_questions(value, count, len(ranks)), 1.0


def _mean_of_questions(value: Value, count: int, relevant: int) -> float:
    """Average over where one relevant candidate, or the first of several, falls in a random order of ``count``.

    >>> round(_average(reciprocal, 2, 1), 3), round(_average(reciprocal, 3, 2), 3)
    (0.75, 0.833)
    """
    if value is not reciprocal:  # recall is linear in the relevant ones: each falls anywhere
        return sum(value([rank]) for rank in range(1, count + 1)) / count
    # P(none of the first r) = C(count - r, relevant) / C(count, relevant), as a running product.
    left = np.cumprod([1.0, *((count - relevant - r) / (count - r) for r in range(count))])
    return float(sum((left[r] - left[r + 1]) / (r + 1) for r in range(count) if left[r] > 0))


def _metric(value: Value) -> Metric:
    def table(examples: Sequence[Example], tools: Tools) -> Floats:
        return lines((value(ranks), 1.0) if ranks else (0.0, 0.0) for ranks in map(_ranks, examples))

    def chance(examples: Sequence[Example], tools: Tools) -> Floats:
        return lines(_drawn(value, e) for e in examples)

    return Metric(table, mean, guesses={"random order": chance}, trivial=False, of_rows=True)


def recall_at(depth: int) -> Metric:
    """Return recall@``depth``.

    >>> found = [Example("1", "g", None, None, {"relevant_ranks": ranks}) for ranks in ([1, 7], [2], [])]
    >>> recall_at(1).table(found, Tools(str)).tolist()
    [[0.5, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """

    return _metric(lambda ranks: found_by(depth, ranks))


METRICS = {
    "ndcg": Metric(ndcg, mean, guesses={"random order": random_order}),
    "recall_at_1": recall_at(1),
    "recall_at_5": recall_at(5),
    "mrr": _metric(reciprocal),
}
