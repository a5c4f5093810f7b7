"""NDCG by hand, against scikit-learn, and against the ways to cheat it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from converters import tasks
from converters.tasks.ranking import Order, by_gain
from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.scoring import stats

GAINS = st.lists(st.sampled_from([1.0, 0.1, 0.01, 0.0]), min_size=2, max_size=8).filter(any)


def ndcg(gains: list[float], *answer: int) -> float:
    metric, found = metrics.get("ndcg"), Example("1", "g", by_gain(tuple(gains)), Order(answer), {"gains": gains})
    return stats.value(metric.table([found], Tools(_normalise.strict)), metric)


def test_by_hand() -> None:
    ideal = 1 + 0.1 / math.log2(3) + 0.01 / 2
    assert ndcg([0.1, 1.0, 0.01, 0.0], 2, 1, 3, 4) == 1
    assert ndcg([0.1, 1.0, 0.01, 0.0], 1, 2, 3, 4) == pytest.approx((0.1 + 1 / math.log2(3) + 0.01 / 2) / ideal)
    # the ideal is over all candidates, named or not
    assert ndcg([0.1, 1.0, 0.01, 0.0], 1) == pytest.approx(0.1 / ideal)


@settings(max_examples=60, deadline=None)
@given(GAINS, st.randoms())
def test_equal_to_scikit_learn_for_whole_orders(gains: list[float], chance) -> None:
    answer = chance.sample(range(1, len(gains) + 1), len(gains))
    ranks = [[-answer.index(number) for number in range(1, len(gains) + 1)]]
    assert ndcg(gains, *answer) == pytest.approx(ndcg_score(np.array([gains]), np.array(ranks)))


@settings(max_examples=60, deadline=None)
@given(GAINS, st.lists(st.integers(0, 12), min_size=1, max_size=9))
def test_nothing_said_twice_left_out_or_made_up_helps(gains: list[float], answer: list[int]) -> None:
    parse = tasks.get("ranking").parse
    order = parse(", ".join(map(str, answer)))
    assert order is not None
    score = ndcg(gains, *order.numbers)
    assert ndcg(gains, *answer) == score, "a repeated number counts at its first place"
    known = [number for number in order.numbers if 1 <= number <= len(gains)]
    assert score <= ndcg(gains, *known) + 1e-12
    rest = [number for number in range(1, len(gains) + 1) if number not in known]
    assert ndcg(gains, *known) <= ndcg(gains, *known, *rest) + 1e-12 <= 1 + 1e-9


def test_a_list_that_gains_nothing_is_not_scored() -> None:
    assert math.isnan(ndcg([0.0, 0.0], 1, 2))
