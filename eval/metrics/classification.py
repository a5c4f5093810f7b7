"""Metrics over classes: weighted and macro F1, accuracy, hierarchical F1, top-K accuracy. All lie in [0, 1].

Every unreadable answer and every one that is no gold class is one class INVALID, as scikit-learn's ``f1_score`` counts with
``labels`` fixed to the gold classes. Hierarchical F1: Kiritchenko et al. 2006; Silla & Freitas 2011.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics.base import Example, Floats, Metric, Tools, f1, lines, mean, mean_where, ratio, scores


def top(depth: int) -> Metric:
    """Return top-``depth`` accuracy, the share of examples whose gold is among the first ``depth`` distinct candidates.

    Its opponent gives the ``depth`` commonest gold answers every time.

    >>> ranks = ("y", "x", "z"), ("y", None, "z")
    >>> examples = [Example("1", "g", "x", "y", ranked=ranked) for ranked in ranks]
    >>> top(3).table(examples, Tools(str))[:, 0].tolist(), top(5).missing(examples, Tools(str))
    ([1.0, 0.0], 'needs 5 distinct candidates a row, found a row with 3')
    """

    def hits(examples: Sequence[Example], tools: Tools) -> Floats:
        return scores(float(e.gold in e.ranked[:depth]) for e in examples)

    def missing(examples: Sequence[Example], tools: Tools) -> str:
        least = min(len(e.ranked) for e in examples)
        return f"needs {depth} distinct candidates a row, found a row with {least}" if least < depth else ""

    def commonest(examples: Sequence[Example], tools: Tools) -> Floats:
        usual = {answer for answer, _ in Counter(e.gold for e in examples).most_common(depth)}
        return scores(float(e.gold in usual) for e in examples)

    guesses = {f"{depth} commonest": commonest}
    return Metric(hits, mean, missing=missing, guesses=guesses, trivial=False)


def class_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 3C: right, answered and gold of each of the C gold classes."""
    classes: dict[Any, int] = {}
    gold = [classes.setdefault(example.gold, len(classes)) for example in examples]
    answers = [classes.get(example.answer, -1) for example in examples]
    return counted(np.array(gold, np.int32), np.array(answers, np.int32), len(classes))


def counted(gold: NDArray[np.int32], answers: NDArray[np.int32], width: int) -> sparse.csr_array:
    """Return the table of :func:`class_counts` for class numbers below ``width``; -1 is INVALID."""
    columns = np.stack([gold, answers + width, gold + 2 * width], axis=1)
    present = np.stack([answers == gold, answers >= 0, np.ones(len(gold), bool)], axis=1)
    ends = np.concatenate([[0], present.sum(axis=1).cumsum()])
    return sparse.csr_array((np.ones(ends[-1]), columns[present], ends), shape=(len(gold), 3 * width))


def _by_class(sums: Floats) -> tuple[Floats, Floats]:
    right, answered, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)
    return ratio(2 * right, answered + gold, gold), gold


def weighted_f1(sums: Floats) -> Floats:
    """Average the classes' F1 = 2 · right / (answered + gold), each weighted by its share of the gold."""
    values, gold = _by_class(sums)
    return ratio(np.where(gold > 0, values * gold, 0.0).sum(-1), gold.sum(-1))


def macro_f1(sums: Floats) -> Floats:
    """Average the classes' F1, all alike; a class that a resample lacks does not count as a gold class of it."""
    return mean_where(*_by_class(sums))


def accuracy(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return whether each answer is the gold one, 0 or 1."""
    return scores(float(e.answer == e.gold) for e in examples)


def nodes(path: Sequence[str] | None) -> set[tuple[str, ...]]:
    """Return a path's nodes, each as its path from the top, the root left out.

    >>> sorted(nodes(("Home", "Kitchen")))
    [('Home',), ('Home', 'Kitchen')]
    """
    return {tuple(path[:depth]) for depth in range(1, len(path) + 1)} if path else set()


def node_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: nodes in common, of the answer, of the gold."""
    pairs = ((nodes(e.answer), nodes(e.gold)) for e in examples)
    return lines((len(answer & gold), len(answer), len(gold)) for answer, gold in pairs)


def prefix_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: the longest common prefix of answer and gold, nodes of the answer, nodes of the gold.

    So MLPerf Inference v6 scores product classification (mlcommons/inference, ``multimodal/qwen3-vl``, ``evaluation.py``): the
    columns are summed over all rows, then F1 is taken. An unreadable answer stands for a path as long as the gold that shares
    nothing with it, whereas :func:`node_counts` takes it for no node at all, which costs recall alone. MLPerf parts nodes at
    " > ", where we need no blanks.

    >>> pairs = (("Home", "Pans"), ("Home", "Mugs", "Red")), (("Car",), None)
    >>> prefix_counts([Example("1", "g", gold, answer) for gold, answer in pairs], Tools(str)).tolist()
    [[1.0, 3.0, 2.0], [0.0, 1.0, 1.0]]
    """
    return lines(
        (len(nodes(e.answer) & nodes(e.gold)), len(e.gold if e.answer is None else e.answer), len(e.gold))
        for e in examples
    )


METRICS = {
    "weighted_f1": Metric(class_counts, weighted_f1, each=False),
    "macro_f1": Metric(class_counts, macro_f1, each=False),
    "accuracy": Metric(accuracy, mean),
    "hierarchical_f1": Metric(node_counts, f1),
    "hierarchical_f1_mean": Metric(lambda examples, tools: scores(f1(node_counts(examples, tools))), mean, each=False),
    "mlperf_hierarchical_f1": Metric(prefix_counts, f1),
    "top_3_accuracy": top(3),
    "top_5_accuracy": top(5),
}
