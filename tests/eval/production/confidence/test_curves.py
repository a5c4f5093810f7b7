"""Curves: what scikit-learn predicts, rising and within [0, 1], and nothing where little is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from eval.production.confidence.calibration import Curve, applied, log_odds
from eval.production.confidence.fit import fit
from eval.production.confidence.outcomes import Units
from tests.eval.production.confidence._synthetic import overconfident, units

ASKED = np.concatenate([[0.0, 1e-12], np.linspace(0.001, 1, 500)])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), groups=st.sampled_from([60, 300, 1200]), digits=st.sampled_from([1, 2, 9]))
def test_a_curve_never_falls_and_stays_within_0_and_1(seed: int, groups: int, digits: int) -> None:
    drawn = units(np.random.default_rng(seed), groups, 3)
    curve = fit(Units(drawn.confidence.round(digits), drawn.right, drawn.groups))
    calibrated = applied(curve, ASKED)
    assert (np.diff(calibrated) >= 0).all() and calibrated.min() >= 0 and calibrated.max() <= 1
    assert curve.method in (("isotonic",) if groups == 1200 else ("platt", "none"))


def test_isotonic_is_scikit_learns_prediction() -> None:
    drawn = units(np.random.default_rng(0), 1500)
    margin = 1 / (len(drawn.right) + 2)
    theirs = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip").fit(drawn.confidence, drawn.right)
    curve = fit(drawn)
    assert curve.method == "isotonic"
    np.testing.assert_allclose(applied(curve, ASKED), theirs.predict(ASKED), rtol=0, atol=1e-12)


def test_platt_is_scikit_learns_prediction() -> None:
    drawn = units(np.random.default_rng(0), 300)
    theirs = LogisticRegression().fit(log_odds(drawn.confidence)[:, None], drawn.right)
    curve = fit(drawn)
    assert curve.method == "platt"
    np.testing.assert_allclose(
        applied(curve, ASKED), theirs.predict_proba(log_odds(ASKED)[:, None])[:, 1], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("groups", [400, 3000])
def test_a_curve_finds_the_truth(groups: int) -> None:
    curve = fit(units(np.random.default_rng(1), groups))
    inside = np.linspace(0.6, 0.99, 50)
    assert abs(applied(curve, inside) - overconfident(inside)).mean() < 0.04


@pytest.mark.parametrize(
    ("right", "groups", "why"),
    [
        ([1, 0] * 24, 48, "needs 50 groups, found the worth of 48"),
        ([1] * 200, 200, "needs 5 right and 5 wrong units, found 200 and 0"),
        ([0] * 200, 200, "needs 5 right and 5 wrong units, found 0 and 200"),
        ([0] * 50 + [1] * 50, 100, "higher confidences are less often right"),
        ([1, 0] * 100, 20, "needs 50 groups, found the worth of 20"),
    ],
)
def test_nothing_is_fitted_where_little_is_known(right: list[int], groups: int, why: str) -> None:
    n = len(right)
    found = Units(np.linspace(0.95, 0.05, n), np.array(right, dtype=np.float64), [str(i % groups) for i in range(n)])
    curve = fit(found)
    assert curve == Curve("none", why=why)
    assert applied(curve, ASKED).tolist() == ASKED.tolist()
