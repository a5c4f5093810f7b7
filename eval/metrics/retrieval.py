"""How well the snippets were found that a question came with: recall@K and mean reciprocal rank.

Ranks are those among all candidates at which retrieval put the snippets known to hold the answer (``relevant_ranks`` in the
row's meta); the average is over the questions that have one (macro). The answer does not enter: these say how much of the answer
score was lost before the model read anything. MRR: Voorhees 1999, TREC-8 question answering track.
"""

from collections.abc import Callable, Sequence

import numpy as np

from converters.tasks.answer import snippets
from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean

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


_RETRIEVAL = {"recall_at_1": recall_at(1), "recall_at_5": recall_at(5), "mrr": _metric(reciprocal)}
