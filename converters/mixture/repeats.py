"""Rows that are there twice: by what they ask, with another answer, or by their id.

One product that a shop has filed twice asks the same and answers differently. The answer that most rows give stays, counted in
the strongest split, which the others leave anyway. Where several answers have as many rows, none is known to be right: labels
then all leave. Of free texts, which may differ and all be right, the one whose hash is least stays. So nothing hangs on the
order of the files.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

OUTVOTED = "same prompt with another answer than most have"
TIED = "same prompt with different answers, as many of each: none stays"
BY_ID = ["id", "prompt", "group", "target", "split", "entry", "file"]  # what rows of one id are compared by
FREE = ("text", "reply")  # kinds of answers of which several may be right


class Losers(NamedTuple):
    """The labels of rows whose answer lost the vote, and of those whose vote was tied."""

    outvoted: Any
    tied: Any


def losers(rows: pd.DataFrame) -> Losers:
    """Return which rows lose against others of their ``prompt``.

    ``rows`` have hashes as ``prompt`` and ``target``, the number of their ``split``, and ``free``: whether the answer is a text.
    Memory grows with the number of rows whose prompt is repeated.
    """
    some = rows[rows["prompt"].duplicated(keep=False)]
    some = some[some.groupby("prompt")["target"].transform("nunique") > 1]
    voters = some[some["split"] == some.groupby("prompt")["split"].transform("max")]
    votes = voters.groupby(["prompt", "target", "free"]).size().rename("votes").reset_index()
    best = votes[votes["votes"] == votes.groupby("prompt")["votes"].transform("max")]
    tied = best.loc[best["prompt"].duplicated(keep=False) & ~best["free"], "prompt"]
    winner = best.groupby("prompt")["target"].min()
    is_tied = some["prompt"].isin(tied)
    lost = ~is_tied & (some["target"] != some["prompt"].map(winner))
    return Losers(some.index[lost], some.index[is_tied])


def other_content(rows: pd.DataFrame) -> Any:
    """Return the labels of rows whose id another one of their file has that asks something else: all but the first.

    ``rows`` have hashes as ``id`` and ``prompt``, and the numbers of their ``split``, ``entry`` and ``file`` in it.
    """
    same = rows[rows["id"].duplicated(keep=False)].sort_values("split", ascending=False, kind="stable")
    return same.index[same["prompt"] != same.groupby(["entry", "file", "id"])["prompt"].transform("first")]


def replayed(rows: pd.DataFrame, replays: Sequence[int]) -> Any:
    """Return the labels of rows that an earlier mixture has already, rendered otherwise.

    ``rows`` have hashes as ``id``, ``group`` and ``target``, and the number of their ``entry``; ``replays`` are the numbers of
    earlier mixtures.
    """
    same = rows[rows["id"].duplicated(keep=False)]
    old, products = same["entry"].isin(replays), pd.MultiIndex.from_frame(same[["id", "group", "target"]])
    return same.index[~old & products.isin(products[old])]
