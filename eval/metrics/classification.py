"""Metrics over classes: weighted and macro scores, F1 of "yes", accuracy, by level, hierarchical, top-K. All lie in [0, 1].

Every unreadable answer and every one that is no gold class is one class INVALID, as scikit-learn's ``f1_score`` counts with
``labels`` fixed to the gold classes. ``macro_f1_gold_and_said`` alone takes the classes that are only said, too, as scikit-learn
does without ``labels``. Hierarchical F1: Kiritchenko et al. 2006; Silla & Freitas 2011.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from converters.tasks.category import LEVELS
from eval.metrics.base import (
    Example,
    Floats,
    Metric,
    Tools,
    f1,
    lines,
    mean,
    mean_where,
    precision,
    ratio,
    recall,
    scores,
)

_GOLD, _ANSWER = attrgetter("gold"), attrgetter("answer")


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
    golds, gold = coded(map(_GOLD, examples))
    answers, said = coded(map(_ANSWER, examples))
    classes = {value: number for number, value in enumerate(golds)}
    return counted(gold, np.array([classes.get(answer, -1) for answer in answers], np.int32)[said], len(classes))


def coded(values: Iterable[Any]) -> tuple[list[Any], NDArray[np.int32]]:
    """Return the distinct values in the order of first sight, and the number of each value.

    >>> values, codes = coded("abca")
    >>> values, codes.tolist()
    (['a', 'b', 'c'], [0, 1, 2, 0])
    """
    numbers: dict[Any, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(numbers.__getitem__, values), np.int32)
    return list(numbers), codes


def counted(gold: NDArray[np.int32], answers: NDArray[np.int32], width: int) -> sparse.csr_array:
    """Return the table of :func:`class_counts` for class numbers below ``width``; -1 is INVALID, or gold that does not count."""
    columns = np.stack([gold, answers + width, gold + 2 * width], axis=1)
    applies = gold >= 0
    present = np.stack([applies & (answers == gold), applies & (answers >= 0), applies], axis=1)
    ends = np.concatenate([[0], present.sum(axis=1).cumsum()])
    return sparse.csr_array((np.ones(ends[-1], np.int8), columns[present], ends), shape=(len(gold), 3 * width))


def said_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 2U: right, and answered + gold, of each of the U classes of gold and readable answers."""
    classes: dict[Any, int] = {}
    gold = np.array([classes.setdefault(e.gold, len(classes)) for e in examples], np.int32)
    readable = [e.answer is not None for e in examples]
    said = np.array(
        [classes.setdefault(e.answer, len(classes)) if e.answer is not None else -1 for e in examples], np.int32
    )
    width = len(classes)
    columns = np.stack([gold, gold + width, said + width], axis=1)
    present = np.stack([said == gold, np.ones(len(gold), bool), readable], axis=1)
    ends = np.concatenate([[0], present.sum(axis=1).cumsum()])
    return sparse.csr_array((np.ones(ends[-1], np.int8), columns[present], ends), shape=(len(gold), 2 * width))


def level_counts(depth: int) -> Callable[[Sequence[Example], Tools], sparse.csr_array]:
    """Return the table of :func:`class_counts` for paths cut to ``depth`` nodes, over the rows whose gold has as many.

    An answer that stops above is wrong there; one that goes on below is judged by its first ``depth`` nodes.

    >>> pairs = (("Home", "Mugs"), ("Home", "Mugs", "Red")), (("Home", "Pans"), ("Home",)), (("Car",), ("Car", "Mats"))
    >>> table = level_counts(2)([Example("1", "g", gold, answer) for gold, answer in pairs], Tools(str))
    >>> table.toarray().tolist()
    [[1, 0, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]]
    """

    def table(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
        golds, gold = coded(map(_GOLD, examples))
        answers, said = coded(map(_ANSWER, examples))
        classes: dict[Any, int] = {}
        cut = [classes.setdefault(path[:depth], len(classes)) if len(path) >= depth else -1 for path in golds]
        taken = [classes.get(path[:depth], -1) if path else -1 for path in answers]
        return counted(np.array(cut, np.int32)[gold], np.array(taken, np.int32)[said], len(classes))

    return table


def _by_class(sums: Floats) -> tuple[Floats, Floats]:
    right, answered, gold = _columns(sums)
    return ratio(2 * right, answered + gold, gold), gold


def _columns(sums: Floats) -> Floats:
    return np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)


def _mean_share(right: Floats, of: Floats, present: Floats) -> Floats:
    """Average ``right / of`` over the classes that are present; the others have nothing right and add nothing."""
    shares = np.divide(right, of, out=np.zeros_like(right), where=of > 0)
    return ratio(shares.sum(-1), (present > 0).sum(-1).astype(np.float64))


def class_accuracy(sums: Floats) -> Floats:
    """Return right / gold over all classes."""
    right, _, gold = _columns(sums).sum(-1)
    return ratio(right, gold)


def macro_precision(sums: Floats) -> Floats:
    """Average the gold classes' precision = right / answered, all alike; 0 for a class that no answer is."""
    right, answered, gold = _columns(sums)
    return _mean_share(right, answered, gold)


def macro_recall(sums: Floats) -> Floats:
    """Average the gold classes' recall = right / gold, all alike, which is also called balanced accuracy."""
    right, _, gold = _columns(sums)
    return _mean_share(right, gold, gold)


def macro_f1_said(sums: Floats) -> Floats:
    """Average F1 over all classes of :func:`said_counts`, all alike; one that is said and no gold class has 0.

    >>> pairs = ("A", "A"), ("A", "x"), ("B", None)
    >>> table = said_counts([Example("1", "g", *pair) for pair in pairs], Tools(str))
    >>> round(float(macro_f1_said(table.toarray().sum(axis=0, dtype=float))), 3)
    0.222
    """
    right, both = np.moveaxis(sums.reshape(*sums.shape[:-1], 2, -1), -2, 0)
    return _mean_share(2 * right, both, both)


def yes_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: "yes" in common, of the answer, of the gold.

    >>> yes_counts([Example("1", "g", True, answer) for answer in (True, False, None)], Tools(str)).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    return lines((e.answer is True and e.gold is True, e.answer is True, e.gold is True) for e in examples)


def yes_at_rate(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the same table for a guess that says "yes" as often as the gold: always "yes" has a recall of 1.

    >>> yes_at_rate([Example("1", "g", gold, None) for gold in (True, False)], Tools(str)).tolist()
    [[0.5, 0.5, 1.0], [0.0, 0.5, 0.0]]
    """
    share = sum(e.gold is True for e in examples) / len(examples)
    return lines((share * (e.gold is True), share, e.gold is True) for e in examples)


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


def in_common(path: Sequence[str], other: Sequence[str] | None) -> int:
    """Return how many nodes two paths have in common; a node is its path from the top, so these are where both begin.

    >>> in_common(("Home", "Mugs", "Red"), ("Home", "Pans", "Red")), in_common(("Home",), ("Home", "Pans"))
    (1, 1)
    """
    for depth, (node, another) in enumerate(zip(path, other or (), strict=False)):
        if node != another:
            return depth
    return min(len(path), len(other or ()))


def node_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: nodes in common, of the answer, of the gold."""
    return lines((in_common(e.gold, e.answer), len(e.answer or ()), len(e.gold)) for e in examples)


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
        (in_common(e.gold, e.answer), len(e.gold if e.answer is None else e.answer), len(e.gold)) for e in examples
    )


def _levels() -> dict[str, Metric]:
    """Return accuracy and macro F1 of each level, left out without a word below the deepest gold path."""
    tables = {depth: level_counts(depth) for depth in range(1, LEVELS + 1)}
    reductions = {"accuracy": class_accuracy, "macro_f1": macro_f1}
    return {
        f"level_{depth}_{name}": Metric(table, reduce, each=False, if_any=True)
        for depth, table in tables.items()
        for name, reduce in reductions.items()
    }


METRICS = {
    "weighted_f1": Metric(class_counts, weighted_f1, each=False),
    "macro_f1": Metric(class_counts, macro_f1, each=False),
    "macro_precision": Metric(class_counts, macro_precision, each=False),
    "macro_recall": Metric(class_counts, macro_recall, each=False),
    "macro_f1_gold_and_said": Metric(said_counts, macro_f1_said, each=False),
    "accuracy": Metric(accuracy, mean),
    "yes_f1": Metric(yes_counts, f1, each=False, of=(1, 2)),
    "yes_precision": Metric(yes_counts, precision, each=False, of=(1,)),
    "yes_recall": Metric(
        yes_counts, recall, each=False, guesses={"guess at the gold's rate": yes_at_rate}, trivial=False, of=(2,)
    ),
    "hierarchical_f1": Metric(node_counts, f1),
    "hierarchical_f1_mean": Metric(lambda examples, tools: scores(f1(node_counts(examples, tools))), mean, each=False),
    "mlperf_hierarchical_f1": Metric(prefix_counts, f1),
    "top_3_accuracy": top(3),
    "top_5_accuracy": top(5),
    **_levels(),
}
