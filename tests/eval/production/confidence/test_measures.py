"""Measures against closed forms and brute force, with their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.production.confidence import measures
from eval.production.confidence.calibration import Curve
from eval.production.confidence.fit import fit
from eval.production.confidence.outcomes import Units
from eval.results.schema import Settings
from tests.eval.production.confidence._synthetic import units

FEW = Settings(resamples=200)
NONE = Curve("none", why="x")


def area(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the mean, over the units, of the risk of all units that are as confident or more."""
    return float(np.mean([1 - right[confidence >= each].mean() for each in confidence]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_area_of_repeated_units_is_that_of_their_weights(drawn: list[tuple[int, bool, int]]) -> None:
    confidence, right, times = (np.array(column, dtype=np.float64) for column in zip(*drawn, strict=True))
    sums = measures.by_rank(confidence / 6, right).T @ times
    again = times.astype(int)
    if again.sum():
        known = area(np.repeat(confidence, again), np.repeat(right, again))
        assert float(measures.area(sums)) == pytest.approx(known)
    else:
        assert np.isnan(measures.area(sums))


def test_calibration_error_by_hand() -> None:
    confidence, right = np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.0, 1.0, 1.0, 1.0])
    bins = measures.binned(confidence, 2)
    error = measures.calibration_error(measures.by_bin(bins, confidence, right).sum(axis=0))
    assert bins.tolist() == [0, 0, 1, 1] and float(error) == pytest.approx((abs(0.6 - 1) + abs(1.4 - 2)) / 4)


def test_bins_hold_as_many_units_each_and_keep_equal_confidences_together() -> None:
    random = np.random.default_rng(0)
    assert set(np.bincount(measures.binned(random.random(1000)))) <= {99, 100, 101}
    tied = measures.binned(np.array([1.0] * 70 + [0.5] * 30))
    assert len({*tied[:70]}) == len({*tied[70:]}) == 1 and tied[0] != tied[-1]
    assert measures.binned(np.ones(5)).tolist() == [0] * 5


def test_chance_is_what_perfect_confidences_show() -> None:
    random = np.random.default_rng(0)
    confidence = random.beta(8, 2, 2000)
    bins = measures.binned(confidence)
    shown = [
        float(
            measures.calibration_error(measures.by_bin(bins, confidence, random.random(2000) < confidence).sum(axis=0))
        )
        for _ in range(200)
    ]
    assert measures.by_chance(bins, confidence) == pytest.approx(np.mean(shown), rel=0.05)


def test_calibration_lowers_the_error_on_other_products() -> None:
    random = np.random.default_rng(3)
    curve, there = fit(units(random, 2000, 3, 0.3)), units(random, 2000, 3, 0.3)
    found = measures.measure(there, curve, FEW)
    assert found.ece_after.value < found.ece_before.value and found.ece_change.high < 0
    assert found.brier_after.value < found.brier_before.value
    assert found.ece_after.low <= found.ece_after.value <= found.ece_after.high
    assert found.aurc.value == pytest.approx(area(there.confidence, there.right)) and found.aurc.high < found.error
    assert (found.n, found.groups, found.bins) == (len(there.right), 2000, 10)


def test_few_groups_have_no_interval_and_say_so() -> None:
    few = Units(np.array([0.5, 0.9] * 9), np.array([0.0, 1.0] * 9), ["a"] * 9 + ["b"] * 9)
    found = measures.measure(few, NONE, FEW)
    assert found.ece_before.value == pytest.approx(0.3) and found.ece_before.low is None
    assert found.ece_before.reason == "needs 10 groups, found 2"


@pytest.mark.parametrize(
    ("right", "verdict"), [(1.0, "held"), (0.94, "below, within error"), (0.5, "missed"), (None, "nothing accepted")]
)
def test_a_threshold_is_held_against_its_precision(right: float | None, verdict: str) -> None:
    n = 100
    good = np.arange(n) < n * (right or 0)
    there = Units(
        np.full(2 * n, 0.9) - np.repeat([0.0, 0.8], n),
        np.tile(good, 2).astype(np.float64),
        [str(i) for i in range(2 * n)],
    )
    found = measures.tested(there, 0.5 if right is not None else 0.99, 0.95, FEW)
    assert found.verdict == verdict
    assert (found.n, found.coverage.value) == ((n, 0.5) if right is not None else (0, 0.0))
    assert found.precision.value == right


def test_what_is_drawn_is_what_is_measured() -> None:
    there = units(np.random.default_rng(0), 500)
    drawn = measures.drawn(there, NONE, 0.9)
    assert sum(n for n, *_ in drawn.bins) == 500 and all(before == after for _, before, after, _ in drawn.bins)
    assert len(drawn.curve) == measures.POINTS and drawn.curve[-1] == pytest.approx((1, 1 - there.right.mean()))
    accepted = there.right[there.confidence >= 0.9]
    assert drawn.chosen == pytest.approx((len(accepted) / 500, 1 - accepted.mean()))
    assert measures.drawn(there, NONE, None).chosen is None
