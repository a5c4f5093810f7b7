"""Thresholds: the bound against scipy's, what the search takes and refuses, and how often it errs, by simulation."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from eval.production.confidence import thresholds
from eval.production.confidence.outcomes import Units
from tests.eval.production.confidence._synthetic import Truth, overconfident, units

DRAWS = 400
Z = np.linspace(-8, 14, 20_001)  # log-odds of confidences, whose density is the synthetic ones'


def true_precision(at: float, truth: Truth) -> float:
    """Return how often a unit is right whose confidence is at least ``at``."""
    confidence = 1 / (1 + np.exp(-Z))
    weights = norm.pdf(Z, 2.5, 2) * (confidence >= at)
    return float((weights * truth(confidence)).sum() / weights.sum())


def flat(confidence: Any) -> Any:
    return np.full_like(confidence, 0.9499)


def singles(right: list[int]) -> Units:
    """Return units of a group each, in falling order of confidence."""
    n = len(right)
    return Units(np.linspace(0.99, 0.01, n), np.array(right, dtype=np.float64), [str(i) for i in range(n)])


@pytest.mark.parametrize(("right", "n"), [(59, 59), (95, 100), (1, 70), (480, 500)])
def test_the_bound_of_independent_units_is_clopper_and_pearsons(right: int, n: int) -> None:
    units = np.array([1.0] * right + [0.0] * (n - right))
    known = binomtest(right, n, alternative="greater").proportion_ci(0.95, "exact").low
    # Groups of one unit have the effective number n but for n / (n - 1) in the variance, and Student's t is the same twice.
    assert thresholds.lower_bound(units, np.ones(n)) == pytest.approx(known, abs=2e-3)


def test_rows_of_a_group_that_go_alike_are_no_more_than_their_group() -> None:
    right = np.array([1.0] * 95 + [0.0] * 5)
    alike = thresholds.lower_bound(6 * right, np.full(100, 6.0))
    assert alike == pytest.approx(thresholds.lower_bound(right, np.ones(100)), abs=3e-3)
    apart = thresholds.lower_bound(np.array([5.0] * 30 + [6.0] * 70), np.full(100, 6.0))
    assert apart > alike, "wrong units spread over the groups are independent ones"


def test_units_that_are_all_right_need_59_groups_for_095() -> None:
    assert thresholds.choose(singles([1] * 59), 0.95).at == pytest.approx(0.01)
    refused = thresholds.choose(singles([1] * 58), 0.95)
    assert refused.at is None and "found groups worth 58: a larger validation split" in refused.why


def test_the_search_stops_at_the_first_level_that_does_not_hold() -> None:
    right = [1] * 400 + [0, 1] * 100 + [1] * 5000  # the last level alone would hold again
    found = thresholds.choose(singles(right), 0.95)
    assert (found.at, found.n, found.precision) == (None, 840, pytest.approx(740 / 840)), (
        "15 % of 5,600, the first above 590"
    )
    assert thresholds.lower_bound(np.array(right, dtype=np.float64), np.ones(len(right))) > 0.95


def test_units_of_one_confidence_are_accepted_together() -> None:
    confidence = np.array([0.9] * 200 + [0.5] * 200)
    right = np.array([1.0] * 200 + [0.0, 1.0] * 100)
    found = thresholds.choose(Units(confidence, right, [str(i) for i in range(400)]), 0.95)
    assert (found.at, found.n, found.coverage, found.precision) == (0.9, 200, 0.5, 1.0)


def test_the_labels_below_the_threshold_do_not_move_it() -> None:
    right = [1] * 300 + [0] * 100
    other = [1] * 300 + [0] * 60 + [1] * 40
    assert thresholds.choose(singles(right), 0.95) == thresholds.choose(singles(other), 0.95)


@pytest.mark.parametrize(
    ("truth", "groups", "most", "alike"),
    [
        (overconfident, 1000, 1, 0.0),
        (overconfident, 400, 6, 0.8),
        (flat, 400, 1, 0.0),
        (flat, 200, 6, 0.5),
        (flat, 150, 6, 0.8),
    ],
)
def test_a_threshold_is_too_low_in_at_most_5_of_100_validation_splits(
    truth: Truth, groups: int, most: int, alike: float
) -> None:
    random = np.random.default_rng(groups + most)
    found = [thresholds.choose(units(random, groups, most, alike, truth), 0.95).at for _ in range(DRAWS)]
    wrong = sum(at is not None and true_precision(at, truth) < 0.95 for at in found)
    error = 3 * (0.05 * 0.95 / DRAWS) ** 0.5
    assert wrong / DRAWS <= 0.05 + error
    if truth is overconfident:
        assert sum(at is not None for at in found) > DRAWS / 2, "it finds what is there"
