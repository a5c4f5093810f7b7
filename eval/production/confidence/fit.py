"""Calibration curves, fitted by scikit-learn and kept as plain data.

Isotonic regression (Zadrozny & Elkan 2002) assumes nothing but order and needs many units; Platt's logistic function (1999),
here of the log-odds, has two numbers and needs few. Which of them follows from the number of groups: below about 1,000 cases
isotonic regression overfits (Niculescu-Mizil & Caruana 2005).
"""

from eval.metrics.base import Floats
from eval.production.confidence.calibration import Curve, log_odds
from eval.production.confidence.outcomes import Units

ISOTONIC = 1000  # effective groups; with fewer it is Platt's
PLATT = 50  # effective groups; with fewer nothing is fitted
EACH = 5  # right units and wrong ones that a curve needs


def fit(units: Units) -> Curve:
    """Return the curve of units' raw confidences.

    Isotonic values keep 1 / (n + 2) away from 0 and 1 (Laplace's rule): units that were all right may still be wrong.
    """
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    confidence, right, worth = units.confidence, units.right, units.worth
    if why := _unfit(right, worth):
        return Curve("none", why=why)
    if worth >= ISOTONIC:
        margin = 1 / (len(right) + 2)
        isotonic = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip").fit(confidence, right)
        return Curve("isotonic", isotonic.X_thresholds_.tolist(), isotonic.y_thresholds_.tolist())
    platt = LogisticRegression().fit(log_odds(confidence)[:, None], right)
    slope, intercept = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope < 0:
        return Curve("none", why="higher confidences are less often right")
    return Curve("platt", slope=slope, intercept=intercept)


def _unfit(right: Floats, worth: float) -> str:
    """Say why nothing can be fitted, "" if it can."""
    if worth < PLATT:
        return f"needs {PLATT} groups, found the worth of {worth:.0f}"
    good = int(right.sum())
    wrong = len(right) - good
    if min(good, wrong) < EACH:
        return f"needs {EACH} right and {EACH} wrong units, found {good} and {wrong}"
    return ""
