"""Values with their 95 % intervals over products, as plain values for a file: of a metric, of a share, of a difference."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.metrics.base import Metric, Table, lines, mean
from eval.scoring.stats import Interval, bootstrap, difference_interval, score_interval, value

SHARE = Metric(lambda examples, tools: lines([]), mean, of=(1,))
HELPS, HARMS, UNSHOWN = "helps", "harms", "not shown to help"

Column = tuple[Table, Metric]


def estimate(column: Column, groups: Sequence[str]) -> dict[str, Any]:
    """Return a metric's value with its interval, ``None`` for both where there is nothing to score."""
    point = value(*column) if groups else math.nan
    if math.isnan(point):
        return {"value": None, "low": None, "high": None}
    [sample] = bootstrap([column], groups)
    return _plain(point, score_interval(point, sample))


def difference(one: Column, other: Column, groups: Sequence[str]) -> dict[str, Any]:
    """Return by how much one metric is above another over the same rows, with its interval over paired draws.

    >>> difference(among([(True, True)]), among([(False, True)]), ["a"])["value"]
    1.0
    """
    point = value(*one) - value(*other) if groups else math.nan
    if math.isnan(point):
        return {"value": None, "low": None, "high": None}
    first, second = bootstrap([one, other], groups)
    return _plain(point, difference_interval(point, first - second))


def _plain(point: float, found: Interval) -> dict[str, Any]:
    reason = {"reason": found.reason} if found.reason else {}
    return {"value": point, "low": found.low, "high": found.high} | reason


def among(pairs: Iterable[tuple[bool, bool]]) -> Column:
    """Return the share of the first among rows that the second holds for, as a metric."""
    return lines((float(top and of), float(of)) for top, of in pairs), SHARE


def share(pairs: Sequence[tuple[bool, bool]], groups: Sequence[str]) -> dict[str, Any]:
    """Return the share of the first among rows that the second holds for, with its interval; no such row has no value.

    >>> share([(True, True), (False, True), (False, False)], ["a", "b", "c"])["value"]
    0.5
    """
    return estimate(among(pairs), groups) | {"of": sum(of for _, of in pairs)}


def verdict(gap: Mapping[str, Any]) -> str:
    """Say what a difference shows.

    >>> [verdict({"low": low, "high": high}) for low, high in ((0.5, 1), (-1, -0.5), (-1, 1), (None, None))]
    ['helps', 'harms', 'not shown to help', 'not shown to help']
    """
    if gap["low"] is None or gap["low"] <= 0 <= gap["high"]:
        return UNSHOWN
    return HELPS if gap["low"] > 0 else HARMS
