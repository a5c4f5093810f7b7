"""Intervals and tests: bootstrap over groups (single and paired in one), exact McNemar, Holm.

Groups (products, queries) are drawn with replacement, not rows: rows of one product are not independent.
Sources: Efron & Tibshirani 1993 (percentile interval); Davison & Hinkley 1997 (k + 1) / (B + 1); McNemar 1947; Holm 1979.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from scipy import sparse

from eval import RESAMPLES, SEED
from eval.metrics.base import Floats, Metric, Table

CELLS = 2_000_000


def group_sums(table: Table, groups: Sequence[str]) -> Table:
    """Return the G × k sums of a table's lines by group, groups in order of first appearance."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    rows = [numbers[group] for group in groups]
    member = sparse.csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(len(numbers), len(rows)))
    return cast(Table, member @ table)


def value(table: Table, metric: Metric) -> float:
    """Return the metric of a whole table, NaN where it does not apply."""
    return float(metric.reduce(np.asarray(table.sum(axis=0), dtype=np.float64).reshape(-1)))


def bootstrap(
    columns: Sequence[tuple[Table, Metric]],
    groups: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = SEED,
    cells: int = CELLS,
) -> Floats | None:
    """Return B × len(columns) resampled values; ``None`` with a single group, from which no spread can be known.

    Every column sees the same draws: the difference of two columns is the paired bootstrap. The result does not depend on
    ``cells``, the largest number of values held at a time.
    """
    sums = [group_sums(table, groups) for table, _ in columns]
    count = len(set(groups))
    if count < 2 or not columns:
        return None
    random = np.random.default_rng(seed)
    chunk = max(1, cells // max(count, *(table.shape[1] for table in sums)))
    parts = []
    for start in range(0, resamples, chunk):
        drawn = random.multinomial(count, np.full(count, 1 / count), size=min(chunk, resamples - start)).astype(
            np.float64
        )
        parts.append(np.stack([metric.reduce(drawn @ t) for t, (_, metric) in zip(sums, columns, strict=True)], axis=1))
    return np.concatenate(parts)


def interval(values: Floats, level: float = 0.95) -> tuple[float, float] | None:
    """Return the percentile interval; resamples in which the metric does not apply are passed over."""
    known = values[~np.isnan(values)]
    if known.size < 2:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_p(differences: Floats) -> float:
    """Return the two-sided p of "no difference", never 0: twice the smaller (k + 1) / (B + 1).

    >>> round(bootstrap_p(np.full(999, 0.1)), 3)
    0.002
    """
    known = differences[~np.isnan(differences)]
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return float(min(1.0, 2 * (tail + 1) / (known.size + 1)))


def mcnemar_p(first: Floats, second: Floats) -> float:
    """Return the exact two-sided McNemar p of two rows of 0/1 outcomes of the same examples.

    >>> mcnemar_p(np.array([1.0, 0, 0, 0, 1]), np.array([1.0, 1, 1, 1, 1]))
    0.25
    """
    from scipy.stats import binomtest

    gained, lost = int((second > first).sum()), int((second < first).sum())
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p, in the order given.

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted
