"""Intervals and tests: bootstrap over groups (single and paired in one), exact McNemar, Holm.

Groups (products, queries) are drawn with replacement, not rows: rows of one product are not independent.
Sources: Efron & Tibshirani 1993 (percentile interval); Davison & Hinkley 1997 (k + 1) / (B + 1); McNemar 1947; Holm 1979.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from eval import RESAMPLES, SEED
from eval.metrics.base import Floats, Metric, Table

CELLS = 250_000  # values held at a time, about as many as the processor's cache holds
LEAST = 8  # fewest resamples at a time: a cache line of each group's weights


def value(table: Table, metric: Metric) -> float:
    """Return the metric of a whole table, NaN where it does not apply."""
    if isinstance(table, np.ndarray):
        return float(metric.reduce(table.sum(axis=0)))
    sums = np.bincount(table.indices, table.data, table.shape[1])
    return float(metric.reduce(sums.astype(np.float64)))  # an empty table's sums are integers


def drawn(random: np.random.Generator, count: int, times: int) -> Floats:
    """Return count × times: how often each of ``count`` groups is drawn in each resample of ``count``, with replacement."""
    weights = np.empty((count, times))
    for column in range(times):
        weights[:, column] = np.bincount(random.integers(0, count, count), minlength=count)
    return weights


def bootstrap(
    columns: Sequence[tuple[Table, Metric]],
    groups: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = SEED,
    cells: int = CELLS,
) -> Floats | None:
    """Return B × len(columns) resampled values; ``None`` with a single group, from which no spread can be known.

    Every column sees the same draws, so the difference of two columns is the paired bootstrap. ``cells``, about the number of
    values held at a time, bounds memory and does not change the result.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    count, rows = len(numbers), len(groups)
    if count < 2 or not columns:
        return None
    places = np.fromiter(map(numbers.__getitem__, groups), np.int32, rows), np.arange(rows, dtype=np.int32)
    member = sparse.csr_array((np.ones(rows), places), shape=(count, rows))
    # Metrics that share a table share its sums; with a column a group, a sparse product reads each group's weights in a row.
    sums = {}
    for table, _ in columns:
        turned = (member @ table).T
        sums[id(table)] = sparse.csr_array(turned) if sparse.issparse(turned) else np.ascontiguousarray(turned)
    random, chunk = np.random.default_rng(seed), max(LEAST, cells // max(count, *(t.shape[0] for t in sums.values())))
    parts = []
    for start in range(0, resamples, chunk):
        weights = drawn(random, count, min(chunk, resamples - start))
        totals = {key: np.ascontiguousarray((table @ weights).T) for key, table in sums.items()}
        parts.append(np.stack([metric.reduce(totals[id(table)]) for table, metric in columns], axis=1))
    return np.concatenate(parts)


def interval(
    values: Floats | None, point: float | None = None, level: float = 0.95
) -> tuple[float | None, float | None]:
    """Return the percentile interval of the resamples in which the metric applies; two ``None`` without at least two of these.

    With ``point``, the value of the whole table, the interval is moved by the resamples' bias, their mean less the value
    (Efron & Tibshirani 1993, chapter 10). For a sum or a ratio the bias is next to nothing. For macro F1 over a long tail of
    classes it is not, since a resample lacks many of the rare ones: its percentile interval can leave the value itself out.

    >>> interval(np.array([0.1, 0.2, 0.3]), 0.4, 1.0)
    (0.3, 0.5)
    """
    known = np.empty(0) if values is None else values[~np.isnan(values)]
    if known.size < 2:
        return None, None
    bias = 0.0 if point is None else float(known.mean()) - point
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return round(float(low) - bias, 12), round(float(high) - bias, 12)


def score_interval(values: Floats | None, point: float) -> tuple[float | None, float | None]:
    """Return the interval of a metric's value, cut off at 0 and 1."""
    low, high = (end if end is None else min(max(end, 0.0), 1.0) for end in interval(values, point))
    return low, high


def bootstrap_p(differences: Floats) -> float:
    """Return the two-sided p of "no difference", 2 · (k + 1) / (B + 1) for the smaller tail k, at most 1 and never 0."""
    known = differences[~np.isnan(differences)]
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return float(min(1.0, 2 * (tail + 1) / (known.size + 1)))


def mcnemar_p(first: Floats, second: Floats) -> float:
    """Return the exact two-sided McNemar p of two rows of 0/1 outcomes of the same examples."""
    from scipy.stats import binomtest

    gained, lost = int((second > first).sum()), int((second < first).sum())
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p, in the order given."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted
