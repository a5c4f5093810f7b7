"""The lowest threshold at which a precision holds on the validation split, shown by a one-sided 95 % lower bound.

Each level of coverage (the 5 %, 10 %, … of highest confidence) is one hypothesis, "the precision there is below the target".
They are tested from the highest confidence down, each at the whole 5 %, until one cannot be rejected; the last that was is
taken. This is fixed-sequence testing (Maurer, Hothorn & Lehmacher 1995; for choosing a threshold: Angelopoulos et al. 2021,
"Learn then Test"): a wrong rejection needs the first true hypothesis in the order to be rejected, which happens in at most 5 of
100 cases, so that the search costs no correction. It asks for an order that the labels do not decide: levels, and where they
begin, come from the confidences and the groups alone. A search that begins at few units may end by one error of theirs: of
1,500 answers, right in 97 of 100 cases whatever their confidence, it accepts 18 % on average if it begins at the highest 118,
and 73 % if at a third. Each threshold errs in 5 of 100 validation splits; many attributes are not corrected for.

Rows of a group are not independent. The bound is that of Korn & Graubard (1998): Clopper & Pearson's with the effective number
of units in place of n, p (1 - p) / variance, where the variance is the jackknife's over groups, and with Student's t over the
effective number of groups. Units that are all right are worth no more than the effective number of groups (Kish 1965), nor are
those with wrong ones in fewer than :data:`FEW` groups, too few to tell how alike a group's units are. Wilson's, as of the
two-sided intervals elsewhere, is too high next to 1 for a bound on one side: of 52 units that are right with probability 0.95,
none is wrong in 6.9 of 100 draws, and it would call 0.95 shown.
"""

import math

import numpy as np
from scipy.special import betaincinv, stdtrit

from eval.metrics.base import Floats
from eval.production.confidence.calibration import Threshold
from eval.production.confidence.outcomes import Ints, Units
from eval.scoring.stats import SAME, effective

LEVEL = 0.05
STEPS = 20  # levels of coverage
ENOUGH = (
    10  # the search begins at a third of the groups, at most at so many times those that are needed if no unit is wrong
)
FEW = 5  # groups with a wrong unit: fewer do not tell how alike the units of a group are


def needed(precision: float) -> int:
    """Return how many independent units, all right, show a precision.

    >>> needed(0.95), needed(0.9)
    (59, 29)
    """
    return math.ceil(math.log(LEVEL) / math.log(precision))


def lower_bound(right: Floats, sizes: Floats) -> float:
    """Return the one-sided 95 % lower bound of a share, given each group's right units and its units.

    >>> round(lower_bound(np.ones(59), np.ones(59)), 4), round(lower_bound(np.full(59, 5.0), np.full(59, 5.0)), 4)
    (0.9505, 0.9505)
    """
    right, sizes = right[sizes > 0], sizes[sizes > 0]
    n, (groups, worth) = float(sizes.sum()), effective(sizes)
    share = float(right.sum()) / n if n else 0.0
    if share == 0 or groups < 2:
        return 0.0
    outcomes = worth
    error = math.sqrt(groups / (groups - 1) * float(((right - share * sizes) ** 2).sum())) / n
    if error > SAME and share < 1:
        wider = stdtrit(max(n - 1, 1), LEVEL) / stdtrit(max(worth - 1, 1), LEVEL)
        most = n if int((right < sizes).sum()) >= FEW else worth
        outcomes = min(most, share * (1 - share) / error**2) * float(wider) ** 2
    return float(betaincinv(share * outcomes, (1 - share) * outcomes + 1, LEVEL))


def choose(units: Units, precision: float) -> Threshold:
    """Return the threshold for a precision, or why there is none."""
    order = np.argsort(-units.confidence, kind="stable")
    confidence, right, group = units.confidence[order], units.right[order], units.numbers[order]
    ends = sorted({_end(confidence, math.ceil(len(confidence) * step / STEPS)) for step in range(1, STEPS + 1)})
    sizes = {end: np.bincount(group[:end]).astype(np.float64) for end in ends}
    worth = {end: effective(sizes[end])[1] for end in ends}
    least = needed(precision)
    if worth[ends[-1]] < least:
        found = f"found groups worth {worth[ends[-1]]:.0f}: a larger validation split, or a lower precision"
        return Threshold(
            None, why=f"to show {precision:g} takes {least} independent units even if all are right, {found}"
        )
    chosen = None
    begin = min(max(least, worth[ends[-1]] / 3), ENOUGH * least)
    for end in [end for end in ends if worth[end] >= begin] or ends[-1:]:
        tried = _tried(confidence, right[:end], group[:end], sizes[end])
        if tried.lower is None or tried.lower < precision:
            return chosen or _refused(tried, precision)
        chosen = tried
    assert chosen is not None
    return chosen


def _end(confidence: Floats, k: int) -> int:
    """Return how many units have at least the confidence of the ``k``-th, of units in falling order: ties stay together."""
    return int(np.searchsorted(-confidence, -confidence[k - 1], side="right"))


def _tried(confidence: Floats, right: Floats, group: Ints, sizes: Floats) -> Threshold:
    n = len(right)
    return Threshold(
        at=float(confidence[n - 1]),
        n=n,
        groups=int((sizes > 0).sum()),
        coverage=n / len(confidence),
        precision=float(right.mean()),
        lower=lower_bound(np.bincount(group, right, len(sizes)).astype(np.float64), sizes),
    )


def _refused(tried: Threshold, precision: float) -> Threshold:
    """Return what says that even the units of highest confidence do not show the precision."""
    of = f"the {tried.n} units" if tried.coverage == 1 else f"the {tried.n} units of highest confidence"
    why = f"{of} are right in {tried.precision:.3f} of cases, of which the lower bound is {tried.lower:.3f}, below {precision:g}"
    return Threshold(None, tried.n, tried.groups, tried.coverage, tried.precision, tried.lower, why)
