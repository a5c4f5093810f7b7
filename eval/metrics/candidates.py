"""Top-K accuracy: whether the gold answer is among the first K of a run's ranked candidates.

It wants K distinct candidates of every row, or it is not available: a run that gives fewer cannot be compared with one that
gives K. A candidate that is unreadable, or means what an earlier one does, holds its rank and gains nothing.
"""

from collections import Counter
from collections.abc import Sequence

from eval.metrics.base import Example, Floats, Metric, Tools, mean, scores


def top(depth: int) -> Metric:
    """Return top-``depth`` accuracy; its opponent says the ``depth`` commonest gold answers every time.

    >>> found = [Example("1", "g", "x", "y", {}, "", ("y", "x", "z")), Example("2", "g", "x", "y", {}, "", ("y", None, "z"))]
    >>> top(3).table(found, Tools(str))[:, 0].tolist(), top(5).missing(found, Tools(str))
    ([1.0, 0.0], 'needs 5 distinct candidates a row, found a row with 3')
    """

    def among(examples: Sequence[Example], tools: Tools) -> Floats:
        return scores(float(e.gold in e.ranked[:depth]) for e in examples)

    def fewer(examples: Sequence[Example], tools: Tools) -> str:
        least = min(len(e.ranked) for e in examples)
        return f"needs {depth} distinct candidates a row, found a row with {least}" if least < depth else ""

    def commonest(examples: Sequence[Example], tools: Tools) -> Floats:
        usual = {answer for answer, _ in Counter(e.gold for e in examples).most_common(depth)}
        return scores(float(e.gold in usual) for e in examples)

    guesses = {f"{depth} commonest": commonest}
    return Metric(among, mean, binary=True, missing=fewer, guesses=guesses, trivial=False)


_TOP_K = {"top_3_accuracy": top(3), "top_5_accuracy": top(5)}
