"""Metrics over classes: weighted and macro F1, accuracy, hierarchical F1, top-K accuracy."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics.base import Example, Floats, Metric, Tools, f1, lines, mean, mean_where, ratio, scores


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


def class_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 3C: right, said and gold of each of the C gold classes."""
    classes: dict[Any, int] = {}
    gold = [classes.setdefault(example.gold, len(classes)) for example in examples]
    said = [classes.get(example.said, -1) for example in examples]
    return counted(np.array(gold, np.int32), np.array(said, np.int32), len(classes))


def counted(gold: NDArray[np.int32], said: NDArray[np.int32], width: int) -> sparse.csr_array:
    """Return the same for gold and said as numbers of classes below ``width``; -1 is INVALID.

    >>> counted(np.array([0, 1], np.int32), np.array([0, -1], np.int32), 2).toarray().tolist()
    [[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    column = np.stack([gold, said + width, gold + 2 * width], axis=1)
    there = np.stack([said == gold, said >= 0, np.ones(len(gold), bool)], axis=1)
    ends = np.concatenate([[0], there.sum(axis=1).cumsum()])
    return sparse.csr_array((np.ones(ends[-1]), column[there], ends), shape=(len(gold), 3 * width))


def _by_class(sums: Floats) -> tuple[Floats, Floats]:
    right, said, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)
    return ratio(2 * right, said + gold, gold), gold


def weighted_f1(sums: Floats) -> Floats:
    """Average the classes' F1 by their gold share."""
    values, gold = _by_class(sums)
    return ratio(np.where(gold > 0, values * gold, 0.0).sum(-1), gold.sum(-1))


def macro_f1(sums: Floats) -> Floats:
    """Average the classes' F1, each class alike; a class that a resample lacks is not one of its gold classes."""
    return mean_where(*_by_class(sums))


def accuracy(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return whether each answer is the gold one."""
    return scores(float(e.said == e.gold) for e in examples)


def nodes(path: Sequence[str] | None) -> set[tuple[str, ...]]:
    """Return a path's nodes, each as its path from the top.

    >>> sorted(nodes(("Home", "Kitchen")))
    [('Home',), ('Home', 'Kitchen')]
    """
    return {tuple(path[:depth]) for depth in range(1, len(path) + 1)} if path else set()


def node_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: nodes in common, said, gold."""
    return lines(_common(nodes(e.said), nodes(e.gold)) for e in examples)


def _common(said: set[Any], gold: set[Any]) -> tuple[int, int, int]:
    return len(said & gold), len(said), len(gold)


def node_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each example's own hierarchical F1."""
    return scores(f1(node_counts(examples, tools)))


METRICS = {
    "weighted_f1": Metric(class_counts, weighted_f1, each=False),
    "macro_f1": Metric(class_counts, macro_f1, each=False),
    "accuracy": Metric(accuracy, mean, binary=True),
    "hierarchical_f1": Metric(node_counts, f1),
    "hierarchical_f1_mean": Metric(node_f1, mean, each=False),
    "top_3_accuracy": top(3),
    "top_5_accuracy": top(5),
}
