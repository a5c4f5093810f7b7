"""Metrics that mean the same for a record of attributes and for a text: exact match and token F1."""

from collections.abc import Sequence

from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean, ratio, scores
from eval.metrics.texts import shape


def exact_match(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return whether the whole record, or the text, is a gold one after normalising."""
    return scores(float(shape(example).same(example, tools.normalise)) for example in examples)


def token_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: the sum of SQuAD's token F1, over how many, and how many of these the gold states.

    A text is one; a record has one for each slot where something is stated or said.
    """
    return lines(shape(example).tokens(example) for example in examples)


def mean_token_f1(sums: Floats) -> Floats:
    """Average token F1; NaN if the gold states nothing.

    >>> token_f1(lines([(1.5, 2, 1), (0, 1, 0)])).tolist()
    [0.75, nan]
    """
    return ratio(sums[..., 0], sums[..., 1], sums[..., 2])


_MATCHES = {
    "exact_match": Metric(exact_match, mean, binary=True),
    "token_f1": Metric(token_counts, mean_token_f1),
}
