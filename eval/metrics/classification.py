"""Metrics over classes: weighted and macro scores, F1 of "yes", accuracy, by level, hierarchical, top-K. All lie in [0, 1].

Every unreadable answer and every one that is no gold class is one class INVALID, as scikit-learn's ``f1_score`` counts with
``labels`` fixed to the gold classes. ``macro_f1_gold_and_said`` alone takes the classes that are only said, too, as scikit-learn
does without ``labels``. Hierarchical F1: Kiritchenko et al. 2006; Silla & Freitas 2011.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.tasks.category import LEVELS
from eval.metrics._pairs import Ints, Pairs, paired
from eval.metrics.base import (
    Example,
    Factored,
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


def class_counts(examples: Sequence[Example], tools: Tools) -> Factored:
    """Return n × 3C: right, answered and gold of each of the C gold classes."""
    pairs = tools.once(paired, examples)
    return counted(pairs, pairs.gold, pairs.right, pairs.same[pairs.answer], len(pairs.golds))


def counted(pairs: Pairs, gold: Ints, right: NDArray[np.bool_], answer: Ints, width: int) -> Factored:
    """Return right, answered and gold of classes below ``width``, given the class of each gold and answer, -1 for none."""
    return pairs.table(3 * width, [(gold, right), (np.where(gold < 0, -1, gold + 2 * width), 1)],
                       [(np.where(answer < 0, -1, answer + width), 1)])  # fmt: skip


def said_counts(examples: Sequence[Example], tools: Tools) -> Factored:
    """Return n × 2U: right, and answered + gold, of each of the U classes of gold and readable answers."""
    pairs = tools.once(paired, examples)
    said, width = pairs.same.copy(), len(pairs.golds)
    others = [place for place, answer in enumerate(pairs.answers) if said[place] < 0 and answer is not None]
    said[others] = np.arange(width, width + len(others))
    width, answer = width + len(others), said[pairs.answer]
    return pairs.table(2 * width, [(pairs.gold, pairs.right), (pairs.gold + width, 1)],
                       [(np.where(answer < 0, -1, answer + width), 1)])  # fmt: skip


def level_counts(depth: int) -> Callable[[Sequence[Example], Tools], Factored]:
    """Return the table of :func:`class_counts` for paths cut to ``depth`` nodes, over the rows whose gold has as many.

    An answer that stops above is wrong there; one that goes on below is judged by its first ``depth`` nodes.

    >>> pairs = (("Home", "Mugs"), ("Home", "Mugs", "Red")), (("Home", "Pans"), ("Home",)), (("Car",), ("Car", "Mats"))
    >>> table = level_counts(2)([Example("1", "g", gold, answer) for gold, answer in pairs], Tools(str))
    >>> table.toarray().tolist()
    [[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    def table(examples: Sequence[Example], tools: Tools) -> Factored:
        pairs = tools.once(paired, examples)
        classes: dict[Any, int] = {}
        cut = [classes.setdefault(path[:depth], len(classes)) if len(path) >= depth else -1 for path in pairs.golds]
        taken = [classes.get(path[:depth], -1) if path else -1 for path in pairs.answers]
        answer = np.where(pairs.depth < depth, -1, np.array(taken, np.int64)[pairs.answer])
        return counted(pairs, np.array(cut, np.int64)[pairs.gold], pairs.common >= depth, answer, len(classes))

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


def accuracy(examples: Sequence[Example], tools: Tools) -> Factored:
    """Return n × 2: whether each answer is the gold one, 0 or 1, and 1."""
    pairs = tools.once(paired, examples)
    return pairs.table(2, [(_all(pairs.gold, 0), pairs.right), (_all(pairs.gold, 1), 1)], [])


def _all(parts: Ints, column: int) -> Ints:
    return np.full_like(parts, column)


def node_counts(examples: Sequence[Example], tools: Tools) -> Factored:
    """Return n × 3: nodes in common, of the answer, of the gold.

    >>> pairs = (("Home", "Mugs", "Red"), ("Home", "Pans", "Red")), (("Home",), ("Home", "Pans")), (("Car",), None)
    >>> node_counts([Example("1", "g", gold, answer) for gold, answer in pairs], Tools(str)).toarray().tolist()
    [[1.0, 3.0, 3.0], [1.0, 2.0, 1.0], [0.0, 0.0, 1.0]]
    """
    return _nodes(tools.once(paired, examples), 0)


def prefix_counts(examples: Sequence[Example], tools: Tools) -> Factored:
    """Return n × 3: the longest common prefix of answer and gold, nodes of the answer, nodes of the gold.

    So MLPerf Inference v6 scores product classification (mlcommons/inference, ``multimodal/qwen3-vl``, ``evaluation.py``): the
    columns are summed over all rows, then F1 is taken. An unreadable answer stands for a path as long as the gold that shares
    nothing with it, whereas :func:`node_counts` takes it for no node at all, which costs recall alone. MLPerf parts nodes at
    " > ", where we need no blanks.

    >>> pairs = (("Home", "Pans"), ("Home", "Mugs", "Red")), (("Car",), None)
    >>> prefix_counts([Example("1", "g", gold, answer) for gold, answer in pairs], Tools(str)).toarray().tolist()
    [[1.0, 3.0, 2.0], [0.0, 1.0, 1.0]]
    """
    pairs = tools.once(paired, examples)
    return _nodes(pairs, pairs.depth)


def _nodes(pairs: Pairs, unreadable: Ints | int) -> Factored:
    golds, answers = (np.array([len(path or ()) for path in paths], np.int64) for paths in (pairs.golds, pairs.answers))
    none = np.array([path is None for path in pairs.answers])[pairs.answer]
    said = np.where(none, unreadable, answers[pairs.answer])
    in_common = (_all(pairs.gold, 0), pairs.common)
    return pairs.table(3, [in_common, (_all(pairs.gold, 2), golds[pairs.gold])], [(_all(pairs.answer, 1), said)])


def mean_nodes(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the table of the average of each example's own F1 of nodes."""
    return scores(f1(node_counts(examples, tools).toarray()))


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
    "hierarchical_f1_mean": Metric(mean_nodes, mean, each=False),
    "mlperf_hierarchical_f1": Metric(prefix_counts, f1),
    "top_3_accuracy": top(3),
    "top_5_accuracy": top(5),
    **_levels(),
}
