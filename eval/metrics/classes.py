"""Metrics of one answer out of many: plain classes, and paths in a tree.

An unreadable answer and one that is no gold class are the same INVALID class, which no average includes: else each distinct
wrong string would become a class of its own and macro F1 would fall with the number of ways to be wrong.
Hierarchical F1: Kiritchenko et al. 2005; Silla & Freitas 2011 (doi:10.1007/s10618-010-0175-9). The root is left out, and a node
is its path from the top, since names such as "Accessories" repeat.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from eval.metrics.base import Example, Floats, Metric, Tools, f1, lines, mean, mean_where, ratio, scores


def class_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 3C: right, said and gold of each of the C gold classes."""
    classes = {name: column for column, name in enumerate(dict.fromkeys(e.gold for e in examples))}
    width, row, column = len(classes), [], []
    for number, example in enumerate(examples):
        gold, said = classes[example.gold], classes.get(example.said)
        hits = [2 * width + gold] + ([width + said] if said is not None else []) + ([gold] if said == gold else [])
        row += [number] * len(hits)
        column += hits
    return sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(examples), 3 * width))


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
}
