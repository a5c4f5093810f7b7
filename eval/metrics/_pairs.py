"""Golds and answers as numbers, which every metric over classes or paths counts from.

A table of thousands of classes has a few numbers a line, which follow from two things: its gold with what the answer has in
common with it, and its answer with the depth of the gold. These are counted once for all tables of the same examples.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics.base import Example, Factored, Tools

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The golds and answers of n examples, each distinct one once and in the order of first sight.

    ``same`` is the number of the gold that each answer is, -1 for none. ``lines`` (n × k) has two ones a line: in a column of
    those of ``gold`` (number of the gold), ``common`` (nodes that the answer begins with, too) and ``right`` (the answer is the
    gold), and behind them in one of those of ``answer`` (number of the answer) and ``depth`` (of the gold). What is no path has
    no depth.
    """

    golds: list[Any]
    answers: list[Any]
    same: Ints
    lines: sparse.csr_array
    gold: Ints
    common: Ints
    right: NDArray[np.bool_]
    answer: Ints
    depth: Ints

    def table(self, width: int, by_gold: Sequence[tuple[Ints, Any]], by_answer: Sequence[tuple[Ints, Any]]) -> Factored:
        """Return the table whose lines add up numbers of their two columns, each given as the place, -1 for none, and number."""
        starts = [0] * len(by_gold) + [len(self.gold)] * len(by_answer)
        parts = [np.broadcast_arrays(start + np.arange(len(pair[0])), *pair)
                 for start, pair in zip(starts, [*by_gold, *by_answer], strict=True)]  # fmt: skip
        rows, places, cells = map(np.concatenate, zip(*parts, strict=True))
        some = (places >= 0) & (cells != 0)
        entries = (cells[some].astype(np.float64), (rows[some], places[some]))
        columns = sparse.csr_array(entries, shape=(self.lines.shape[1], width))
        return Factored(self.lines, columns)


def paired(examples: Sequence[Example], tools: Tools) -> Pairs:
    """Return the golds and answers of examples."""
    golds, gold = coded(map(attrgetter("gold"), examples))
    answers, said = coded(map(attrgetter("answer"), examples))
    numbers = {value: number for number, value in enumerate(golds)}
    same = np.array([numbers.get(answer, -1) for answer in answers], np.int64)
    right, common = gold == same[said], _in_common(golds, answers, gold, said)
    depth = np.array([len(value) if isinstance(value, tuple) else 0 for value in golds], np.int64)[gold]
    firsts, first = _distinct(gold, common, right)
    seconds, second = _distinct(said, depth)
    shape = (len(gold), len(firsts) + len(seconds))
    ends, places = np.arange(0, 2 * shape[0] + 1, 2), np.stack([first, second + len(firsts)], axis=1).ravel()
    lines = sparse.csr_array((np.ones(ends[-1], np.int8), places, ends), shape=shape)
    return Pairs(
        golds, answers, same, lines, gold[firsts], common[firsts], right[firsts], said[seconds], depth[seconds]
    )


def coded(values: Iterable[Any]) -> tuple[list[Any], Ints]:
    """Return the distinct values in the order of first sight, and the number of each value.

    >>> values, codes = coded("abca")
    >>> values, codes.tolist()
    (['a', 'b', 'c'], [0, 1, 2, 0])
    """
    numbers: dict[Any, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(numbers.__getitem__, values), np.int64)
    return list(numbers), codes


def _in_common(golds: Sequence[Any], answers: Sequence[Any], gold: Ints, said: Ints) -> Ints:
    """Return how many nodes each gold path and its answer have in common; a node is its path from the top."""
    common, alike = np.zeros(len(gold), np.int64), np.arange(len(gold))
    paths, others = ([value if isinstance(value, tuple) else () for value in values] for values in (golds, answers))
    for depth in range(max(map(len, paths), default=0)):
        names: dict[Any, int] = defaultdict(count().__next__)
        nodes = np.array([names[path[depth]] if len(path) > depth else -1 for path in paths], np.int64)
        named = np.array([names[path[depth]] if len(path) > depth else -2 for path in others], np.int64)
        alike = alike[nodes[gold[alike]] == named[said[alike]]]
        common[alike] += 1
        if not alike.size:
            break
    return common


def _distinct(*columns: Ints | NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return where each distinct line of small numbers occurs first, and the number of each line."""
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        key = key * (int(column.max(initial=0)) + 1) + column
    _, firsts, numbers = np.unique(key, return_index=True, return_inverse=True)
    return firsts, numbers
