"""How good confidences are: calibration error, Brier score, risk and coverage, as metrics with intervals over groups.

* Expected calibration error (Guo et al. 2017): over bins of equal mass, the mean of |confidence − share right|, weighted by
  their units. The edges come from the whole sample's raw confidences, once, for before and after alike. It is biased: bins that
  are perfectly calibrated differ from their confidence by chance, so that it is never 0 (Roelofs et al. 2022).
  :func:`by_chance` is what chance alone gives.
* Risk-coverage (El-Yaniv & Wiener 2010) and its area (Geifman et al. 2019): of the units accepted at each confidence as a
  threshold, the share that is wrong, averaged over the units. Units of one confidence are accepted together.

Each is a table whose lines add up (:mod:`eval.metrics.base`): the order of the units and the bins are fixed beforehand, so that a
resample of groups only changes how often a unit counts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from eval.metrics.base import Floats, Metric, Table, mean, ratio, scores
from eval.production.confidence.calibration import Curve, Measures, Tested, Value, applied
from eval.production.confidence.outcomes import Ints, Units
from eval.results.schema import Settings
from eval.scoring import stats

BINS = 10
POINTS = 200  # of a drawn curve


def binned(confidence: Floats, bins: int = BINS) -> Ints:
    """Return the bin of each unit, numbered from 0; equal confidences share a bin, so that there may be fewer.

    >>> binned(np.array([0.1, 0.9, 0.9, 0.5]), 2).tolist()
    [0, 1, 1, 0]
    """
    inner = np.quantile(confidence, np.arange(1, bins) / bins, method="higher")
    return np.unique(np.searchsorted(np.unique(inner), confidence, side="right"), return_inverse=True)[1]


def by_bin(bins: Ints, confidence: Floats, right: Floats) -> Floats:
    """Return n × 3B: whether a unit is in each bin, its confidence there, and whether it is right there."""
    place = bins[:, None] == np.arange(bins.max() + 1)
    columns = [place, place * confidence[:, None], place * right[:, None]]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float64)


def calibration_error(sums: Floats) -> Floats:
    """Reduce a table of :func:`by_bin`: Σ |confidences − right units| / units."""
    units, confidence, right = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)
    return ratio(np.abs(confidence - right).sum(-1), units.sum(-1))


def by_chance(bins: Ints, confidence: Floats) -> float:
    """Return about what error a perfectly calibrated model of independent units has in these bins.

    Per bin, right units minus confidences are nearly normal with variance Σ p (1 − p), and E|x| = σ √(2 / π).
    """
    variances = np.bincount(bins, confidence * (1 - confidence))
    return float(np.sqrt(2 / math.pi * variances).sum()) / len(confidence)


def by_rank(confidence: Floats, right: Floats) -> sparse.csr_array:
    """Return n × 2T: whether a unit has each of the T distinct confidences, highest first, and whether it is wrong with it."""
    distinct, place = np.unique(-confidence, return_inverse=True)
    wrong = np.flatnonzero(right == 0)
    rows, columns = (
        np.concatenate([np.arange(len(right)), wrong]),
        np.concatenate([place, len(distinct) + place[wrong]]),
    )
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(right), 2 * len(distinct)))


def risks(sums: Floats) -> tuple[Floats, Floats]:
    """Return how many units have each confidence, and the risk of accepting all down to it, from sums of :func:`by_rank`."""
    units, wrong = np.moveaxis(sums.reshape(*sums.shape[:-1], 2, -1), -2, 0)
    accepted = units.cumsum(-1)
    risk = np.divide(wrong.cumsum(-1), accepted, out=np.zeros_like(accepted), where=accepted > 0)
    return units, risk


def area(sums: Floats) -> Floats:
    """Reduce a table of :func:`by_rank` to the area under the risk-coverage curve: the mean risk over the units.

    >>> table = by_rank(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 1.0, 0.0, 1.0]))
    >>> round(float(area(np.asarray(table.sum(axis=0)))), 4)  # (0 + 0 + 1/3 + 1/4) / 4
    0.1458
    """
    units, risk = risks(sums)
    return ratio((risk * units).sum(-1), units.sum(-1))


def _metric(reduce: Callable[[Floats], Floats], of: tuple[int, ...] = ()) -> Metric:
    """Return a metric of tables that are made here: it is asked for no other."""
    return Metric(lambda examples, tools: np.empty((0, 0)), reduce, of=of)


CALIBRATION_ERROR, AREA, MEAN, PRECISION = (
    _metric(calibration_error),
    _metric(area),
    _metric(mean),
    _metric(mean, of=(1,)),
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn of an entry, on the reported split.

    ``bins``: of each bin its units, their mean confidence before and after calibration, and the share that is right. ``curve``:
    (coverage, risk), the highest confidence first, at most :data:`POINTS`. ``chosen``: the point of the threshold, if any.
    """

    bins: list[tuple[int, float, float, float]]
    curve: list[tuple[float, float]]
    chosen: tuple[float, float] | None


def drawn(units: Units, curve: Curve, at: float | None) -> Drawn:
    """Return what is drawn of units, a curve and a threshold."""
    confidence, right = units.confidence, units.right
    bins = binned(confidence)
    sizes = np.bincount(bins)
    means = [np.bincount(bins, values) / sizes for values in (confidence, applied(curve, confidence), right)]
    each, risk = risks(np.asarray(by_rank(confidence, right).sum(axis=0)))
    coverage = each.cumsum() / len(right)
    shown = np.unique(np.linspace(0, len(risk) - 1, min(POINTS, len(risk))).round().astype(int))
    taken = right[confidence >= at] if at is not None else right[:0]
    return Drawn(
        list(zip(sizes.tolist(), *(values.tolist() for values in means), strict=True)),
        list(zip(coverage[shown].tolist(), risk[shown].tolist(), strict=True)),
        (len(taken) / len(right), float(1 - taken.mean())) if len(taken) else None,
    )


def measure(units: Units, curve: Curve, settings: Settings) -> Measures:
    """Return how good units' raw confidences are before and after a curve; all figures share their resamples."""
    confidence, right = units.confidence, units.right
    after, bins = applied(curve, confidence), binned(confidence)
    columns: list[tuple[Table, Metric]] = [
        (by_bin(bins, confidence, right), CALIBRATION_ERROR),
        (by_bin(bins, after, right), CALIBRATION_ERROR),
        (scores((confidence - right) ** 2), MEAN),
        (scores((after - right) ** 2), MEAN),
        (by_rank(confidence, right), AREA),
    ]
    samples = stats.bootstrap(columns, units.groups, settings.resamples, settings.seed)
    found = [stats.value(*column) for column in columns]
    values = [_value(point, sample) for point, sample in zip(found, samples, strict=True)]
    change = stats.difference_interval(found[1] - found[0], samples[1] - samples[0])
    return Measures(
        n=len(right),
        groups=len({*units.groups}),
        bins=int(bins.max()) + 1,
        error=float(1 - right.mean()),
        ece_before=values[0],
        ece_after=values[1],
        ece_change=Value(found[1] - found[0], change.low, change.high, change.reason),
        ece_expected=by_chance(bins, after),
        brier_before=values[2],
        brier_after=values[3],
        aurc=values[4],
    )


def tested(units: Units, at: float, precision: float, settings: Settings) -> Tested:
    """Return what a threshold ``at`` a raw confidence does to units, against the ``precision`` that it was chosen for."""
    accepted = (units.confidence >= at).astype(np.float64)
    columns = [(np.stack([accepted * units.right, accepted], axis=1), PRECISION), (scores(accepted), MEAN)]
    samples = stats.bootstrap(columns, units.groups, settings.resamples, settings.seed)
    n, taken = int(accepted.sum()), {group for group, is_in in zip(units.groups, accepted, strict=True) if is_in}
    coverage = _value(stats.value(*columns[1]), samples[1])
    if not n:
        return Tested(0, 0, Value(None, reason="nothing accepted"), coverage, "nothing accepted")
    found = _value(stats.value(*columns[0]), samples[0])
    missed = "missed" if found.high is not None and found.high < precision else "below, within error"
    return Tested(n, len(taken), found, coverage, "held" if (found.value or 0) >= precision else missed)


def _value(point: float, sample: stats.Sample) -> Value:
    interval = stats.score_interval(point, sample)
    return Value(point, interval.low, interval.high, interval.reason)
