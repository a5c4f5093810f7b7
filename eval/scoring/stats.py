"""Intervals and tests: groups are resampled and left out (single and paired in one), score intervals, Holm.

Groups (products, queries) are drawn with replacement and left out, not rows: rows of one product are not independent. A standard
error is made of both: where classes vanish from resamples the bootstrap's variance is too small, and the jackknife's is never too
small on average (Efron & Stein 1981). The interval is Wilson's (1927) with the number of independent 0/1 outcomes that has this
standard error in place of n, as surveys of clusters take it (Korn & Graubard 1998; Franco et al. 2019), and Student's t with the
degrees of freedom of the effective number of groups (Kish 1965) in place of z. p is the level at which the interval meets 0. Why
these and no percentiles: ``python -m tests.bench.coverage``. Holm 1979.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import stdtr, stdtrit

from eval import RESAMPLES, SEED
from eval.metrics.base import Factored, Floats, Metric, Table
from eval.scoring import _sums

Ints = NDArray[np.int64]

CELLS = 250_000  # values held at a time, about as many as the processor's cache holds
LEAST = 8  # fewest resamples at a time: a cache line of each group's weights
PARTS = 400  # of more groups than this, random parts are left out in place of single groups
MINIMUM = 10  # groups; with fewer there is no interval
SAME = 1e-9  # values that differ by less are the same but for rounding
LEAST_P = sys.float_info.min


@dataclass(frozen=True, slots=True)
class Sample:
    """How a metric, or the difference of two, varies with the groups that it is taken over.

    ``draws``: its value in each resample, NaN where it does not apply; ``left_out``: without each group, or each of
    :data:`PARTS` parts. ``units`` were resampled. ``groups`` have a line to score, and by their rows they are worth as much as
    ``effective`` groups of one size.
    """

    draws: Floats
    left_out: Floats
    units: int
    groups: int
    effective: float

    def __sub__(self, other: "Sample") -> "Sample":
        least = min(self.groups, other.groups), min(self.effective, other.effective)
        return Sample(self.draws - other.draws, self.left_out - other.left_out, self.units, *least)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval and the p of "it is 0", or ``None`` for all and the ``reason`` why there is none."""

    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


def value(table: Table, metric: Metric, places: Ints | None = None) -> float:
    """Return the metric of a whole table, NaN where it does not apply; ``places`` are the lines of the rows, if not one each."""
    return float(metric.reduce(total(table, places)))


def total(table: Table, places: Ints | None = None) -> Floats:
    """Return the sum of a table's lines, each as often as ``places`` has it."""
    if isinstance(table, Factored):
        return np.asarray(total(table.lines, places) @ table.columns)
    if isinstance(table, np.ndarray):
        return np.asarray((table if places is None else table[places]).sum(axis=0))
    cells: Any = table.data
    if places is not None:
        times = np.bincount(places, minlength=table.shape[0])
        cells = cells * np.repeat(times, np.diff(table.indptr))
    sums = np.bincount(table.indices, cells, table.shape[1])
    return np.asarray(sums, dtype=np.float64)  # an empty table's sums are integers


def drawn(random: np.random.Generator, count: int, times: int) -> Floats:
    """Return count × times: how often each of ``count`` groups is drawn in each resample of ``count``, with replacement."""
    weights = np.empty((count, times))
    for column in range(times):
        weights[:, column] = np.bincount(random.integers(0, count, count), minlength=count)
    return weights


def numbered(groups: Sequence[str]) -> Ints:
    """Return a number for each group's name, from 0 in the order of first sight.

    >>> numbered(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)


def membership(owners: Ints, lines: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """Return owners × lines: which lines each owner has, one entry for each item in their order.

    A line that an owner has twice has two entries, so that sums add up in the order of the items, to the last bit.
    """
    ends = np.concatenate([[0], np.bincount(owners, minlength=shape[0]).cumsum()])
    return sparse.csr_array((np.ones(len(owners)), lines[np.argsort(owners, kind="stable")], ends), shape=shape)


def parted(count: int, seed: int, most: int = PARTS) -> Ints:
    """Return the part of each of ``count`` groups: a part of its own, or at random one of ``most`` of nearly one size."""
    return np.arange(count) if count <= most else np.random.default_rng([seed, most]).permutation(count) % most


def bootstrap(
    columns: Sequence[tuple[Table, Metric]],
    groups: Sequence[str] | Ints,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    cells: int = CELLS,
    places: Sequence[Ints] | None = None,
) -> list[Sample]:
    """Return how each column varies with the groups, given each row's group by name or as :func:`numbered`.

    Every column sees the same draws, so the difference of two samples is the paired bootstrap. ``cells``, about the number of
    values held at a time, bounds memory and does not change the result. ``places`` are the rows' lines in each column's table,
    if a table has not one for each row.
    """
    if not columns:
        return []
    numbers = groups if isinstance(groups, np.ndarray) else numbered(groups)
    parts = parted(int(numbers.max()) + 1, seed)
    places = places or [np.arange(len(numbers))] * len(columns)
    members, by_lines, of_tables, sizes = dict[int, Any](), dict[int, _sums.Shared](), dict[int, dict[int, Any]](), {}
    for (table, metric), at in zip(columns, places, strict=True):
        if id(at) not in members:
            members[id(at)] = membership(numbers, at, (len(parts), table.shape[0]))
        lines, of_lines = (table.lines, table.columns.T) if isinstance(table, Factored) else (table, None)
        if id(lines) not in by_lines:  # metrics that share a table, or its lines, share their sums
            by_lines[id(lines)] = _sums.shared(members[id(at)] @ lines, parts)
        of_tables.setdefault(id(lines), {})[id(table)] = of_lines
        sizes[id(table), metric.of] = effective(np.asarray(members[id(at)] @ with_lines(table, metric.of)))
    _sums.keep_freed_memory()
    values, factored = list[Floats](), {key: _sums.factors(of_lines) for key, of_lines in of_tables.items()}
    chunk = max(LEAST, cells // max(len(parts), *(table.shape[1] for table, _ in columns)))
    random = np.random.default_rng(seed)
    for start in range(0, resamples, chunk):
        weights = drawn(random, len(parts), min(chunk, resamples - start))
        values.append(
            _sums.reduced(columns, factored, {key: each.by_group @ weights for key, each in by_lines.items()})
        )
    for start in range(0, int(parts.max()) + 1, chunk):
        some = slice(start, start + chunk)
        values.append(
            _sums.reduced(columns, factored, {key: _sums.without(each, some) for key, each in by_lines.items()})
        )
    draws, left_out = np.split(np.concatenate(values), [resamples])
    found = [sizes[id(table), metric.of] for table, metric in columns]
    return [Sample(draws[:, n], left_out[:, n], len(parts), *size) for n, size in enumerate(found)]


def with_lines(table: Table, of: tuple[int, ...] = ()) -> Floats:
    """Return 1 for each line of a table that holds anything in the columns ``of``, else 0: it has nothing to score."""
    if isinstance(table, Factored):
        return np.asarray(table.lines @ (np.diff(table.columns.indptr) > 0) > 0, dtype=np.float64)
    if not isinstance(table, np.ndarray):
        return np.asarray(np.diff(table.indptr) > 0, dtype=np.float64)
    holds = (table[:, of] if of else table).any(axis=1)
    return np.asarray(holds, dtype=np.float64)


def effective(sizes: Floats) -> tuple[int, float]:
    """Return how many groups there are, and how many of one size they are worth (Kish 1965): (Σ size)² / Σ size².

    >>> effective(np.array([2.0, 2.0, 0.0])), effective(np.array([4.0, 1.0, 1.0]))
    ((2, 2.0), (3, 2.0))
    """
    squares = float((sizes**2).sum())
    return int((sizes > 0).sum()), float(sizes.sum()) ** 2 / squares if squares else 0.0


def standard_error(sample: Sample) -> float:
    """Return the root of the mean of two variances, the bootstrap's and the jackknife's; 0 where too few values are known.

    >>> standard_error(Sample(np.array([0.4, 0.6]), np.array([1.0, 0.0]), 2, 2, 2.0)) ** 2  # (0.02 · 2/1 + 1/2 · 0.5) / 2
    0.145
    """
    draws, left = (values[~np.isnan(values)] for values in (sample.draws, sample.left_out))
    if draws.size < 2 or left.size < 2:
        return 0.0
    drawn_variance = float(draws.var(ddof=1)) * sample.units / max(sample.units - 1, 1)
    return math.sqrt((drawn_variance + (left.size - 1) * float(left.var())) / 2)


def wilson(share: float, outcomes: float, t: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of independent outcomes, of which there need not be a whole number.

    >>> [round(end, 4) for end in wilson(0.5, 4.0, 2.0)], wilson(1.0, 12.0, 2.0)
    ([0.1464, 0.8536], (0.75, 1.0))
    """
    spread = t * t / outcomes
    middle, half = share + spread / 2, math.sqrt(spread * (share * (1 - share) + spread / 4))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def too_few(sample: Sample) -> str:
    """Return why there is no interval, "" if there is one."""
    return "" if sample.groups >= MINIMUM else f"needs {MINIMUM} groups, found {sample.groups}"


def score_interval(point: float, sample: Sample) -> Interval:
    """Return the interval of a metric's value."""
    if reason := too_few(sample):
        return Interval(reason=reason)
    low, high = wilson(point, _outcomes(point, standard_error(sample), sample), _critical(sample))
    return Interval(round(low, 12), round(high, 12))


def difference_interval(point: float, sample: Sample) -> Interval:
    """Return the interval of a difference of two values and the p of "no difference", below 0.05 where 0 is left out.

    Where no group differs it is [0, 0].
    """
    if reason := too_few(sample):
        return Interval(reason=reason)
    error = standard_error(sample)
    if error < SAME and abs(point) < SAME:
        return Interval(0.0, 0.0, 1.0)
    outcomes = _outcomes((1 + point) / 2, error / 2, sample)  # differences lie in [-1, 1]
    low, high = wilson((1 + point) / 2, outcomes, _critical(sample))
    p = 2 * float(stdtr(_freedom(sample), -abs(point) * math.sqrt(outcomes)))
    return Interval(round(2 * low - 1, 12), round(2 * high - 1, 12), max(p, LEAST_P))


def _outcomes(share: float, error: float, sample: Sample) -> float:
    """Return how many independent 0/1 outcomes of a share have its error; of groups that are all the same, each counts as one."""
    return share * (1 - share) / error**2 if error > SAME and 0 < share < 1 else sample.effective


def _freedom(sample: Sample) -> float:
    return max(1.0, sample.effective - 1)


def _critical(sample: Sample) -> float:
    return float(stdtrit(_freedom(sample), 0.975))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p, in the order given."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted
