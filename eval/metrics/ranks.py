"""The metric of ordered candidates: NDCG (Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418).

The gain at rank r counts ``gain / log2(r + 1)``, with the gains themselves (E 1, S 0.1, C 0.01, I 0, as in the Shopping Queries
paper, arXiv:2206.06588). The ideal is over all gold candidates: a candidate that is left out gains nothing, a repeated one counts
at its first rank, and a number that is no candidate's holds its rank and gains nothing. eCeLLM's script takes the ideal over the
model's own answer, so that naming one product alone scores 1 there.
"""

import math
from collections.abc import Iterable, Sequence

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


METRICS = {"ndcg": Metric(ndcg, mean, guesses={"random order": random_order})}
