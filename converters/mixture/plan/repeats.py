"""Rows that are there twice: by what they ask, with another answer, or by their id.

One product that a shop has filed twice asks the same and answers differently. The answer that most rows give stays, counted in
the strongest split, which the others leave anyway. Where several answers have as many rows, none is known to be right: labels
then all leave. Of free texts, which may differ and all be right, the one whose hash is least stays. So nothing hangs on the
order of the files.

Each function takes columns of rows in the order of the table, and returns masks of them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters.mixture.plan.table import Mask, Numbers, Splits

OUTVOTED = "same prompt with another answer than most have"
TIED = "same prompt with different answers, as many of each: none stays"
FREE = ("text", "reply")  # kinds of answers of which several may be right


class Losers(NamedTuple):
    """Which rows have an answer that lost the vote, and which one whose vote was tied."""

    outvoted: Mask
    tied: Mask


class _Runs(NamedTuple):
    """Rows in the order of some keys: where each run of equal keys begins, and for each row in that order its run's number."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    number: NDArray[np.intp]


def _runs(*keys: NDArray[Any], then: NDArray[Any] | None = None) -> _Runs:
    """Return the runs of rows whose keys are all equal, within which rows are in the order of ``then``, or of the table."""
    order = np.lexsort((*([] if then is None else [then]), *keys[::-1]))
    new = np.ones(len(order), bool)
    if len(order):
        new[1:] = np.logical_or.reduce([key[order[1:]] != key[order[:-1]] for key in keys])
    return _Runs(order, np.flatnonzero(new), np.cumsum(new) - 1)


def _back(order: NDArray[np.intp], mask: Mask) -> Mask:
    """Return in the order of the table a mask of rows in another order."""
    found = np.empty_like(mask)
    found[order] = mask
    return found


def losers(prompt: Numbers, target: Numbers, split: Splits, free: Mask) -> Losers:
    """Return which rows lose against others of their ``prompt``; ``free`` tells whether the answer is a text."""
    if not len(prompt):
        return Losers(free, free)
    answers = _runs(prompt, target)  # runs of one answer follow each other for each question
    order, starts = answers.order, answers.starts
    asked = _runs(prompt[order[starts]])  # runs of answers to one question, in the order in which they are
    first, question = starts[asked.starts], asked.number[answers.number]
    strongest = np.maximum.reduceat(split[order], first)
    votes = np.add.reduceat(split[order] == strongest[question], starts, dtype=np.int64)
    best = votes == np.maximum.reduceat(votes, asked.starts)[asked.number]
    tied = (np.add.reduceat(best, asked.starts, dtype=np.int64) > 1) & ~free[order[first]]
    answer = np.where(best, np.arange(len(starts)), len(starts))
    winner = np.minimum.reduceat(answer, asked.starts)  # the one whose hash is least
    lost = ~tied[question] & (answers.number != winner[question])
    return Losers(_back(order, lost), _back(order, tied[question]))


def other_content(ids: Numbers, prompt: Numbers, split: Splits, entry: NDArray[Any], file: NDArray[Any]) -> Mask:
    """Return which rows have an id that another one of their file has, which asks something else: all but the first.

    The first is one of the strongest split.
    """
    same = _runs(ids, entry, file, then=-split)
    asked = prompt[same.order]
    return _back(same.order, asked != asked[same.starts][same.number])


def later(*keys: NDArray[Any], split: Splits | None = None) -> Mask:
    """Return which rows have the keys of an earlier one; with ``split``, those of a stronger one are earlier."""
    same = _runs(*keys, then=None if split is None else -split)
    found = np.ones(len(same.order), bool)
    found[same.starts] = False
    return _back(same.order, found)


def replayed(ids: Numbers, group: Numbers, target: Numbers, old: Mask) -> Mask:
    """Return which rows an earlier mixture, whose rows are ``old``, has already, rendered otherwise."""
    if not len(ids):
        return old
    same = _runs(ids, group, target)
    known = np.logical_or.reduceat(old[same.order], same.starts)
    return _back(same.order, known[same.number]) & ~old
