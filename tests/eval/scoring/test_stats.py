"""Intervals and tests against scipy and against closed forms."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as theirs
from sklearn.metrics import f1_score

from eval import metrics
from eval.metrics.base import Example, Tools, scores
from eval.scoring import stats

MEAN = metrics.get("accuracy")


def test_an_interval_lies_about_the_value_of_macro_f1_over_a_long_tail() -> None:
    random = np.random.default_rng(0)
    often = 1 / np.arange(1, 3001) ** 0.7
    gold = random.choice(3000, 20_000, p=often / often.sum()).tolist()
    other = random.integers(0, 3000, 20_000).tolist()
    right = (random.random(20_000) < 0.7).tolist()
    answers = [one if good else wrong for one, wrong, good in zip(gold, other, right, strict=True)]
    found = [Example(str(i), str(i), (str(g),), (str(s),)) for i, (g, s) in enumerate(zip(gold, answers, strict=True))]
    metric = metrics.get("macro_f1")
    table = metric.table(found, Tools(str))
    draws, value = stats.bootstrap([(table, metric)], [e.group for e in found], 200), stats.value(table, metric)
    assert draws is not None
    raw, moved = stats.interval(draws[:, 0]), stats.interval(draws[:, 0], value)
    assert raw and moved and moved[1] - moved[0] == pytest.approx(raw[1] - raw[0])
    assert moved[0] < value < moved[1]
    assert abs(sum(moved) / 2 - value) < abs(sum(raw) / 2 - value) / 3


def draw(values: list[float], groups: list[str], **options: int) -> np.ndarray:
    found = stats.bootstrap([(scores(values), MEAN)], groups, **options)
    assert found is not None
    return found[:, 0]


def test_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 80)
    found = stats.interval(draw(list(values), [str(i) for i in range(80)], resamples=4000))
    other = theirs.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2))
    assert found == pytest.approx(tuple(other.confidence_interval), abs=0.003)


def test_rows_of_one_group_do_not_narrow_the_interval() -> None:
    values, groups = [float(i % 3 == 0) for i in range(60)], [str(i) for i in range(60)]
    once, thrice = draw(values, groups), draw(values * 3, groups * 3)
    assert np.array_equal(once, thrice)
    alone = draw(values * 3, [str(i) for i in range(180)])
    assert alone.std() < 0.8 * once.std()


def test_a_single_group_has_no_interval() -> None:
    assert stats.bootstrap([(scores([0.0, 1.0]), MEAN)], ["g", "g"]) is None


def test_same_seed_same_draws_whatever_the_chunks() -> None:
    values, groups = [0.0, 1.0, 1.0, 0.5], list("abca")
    assert np.array_equal(draw(values, groups), draw(values, groups, cells=7))
    assert not np.array_equal(draw(values, groups), draw(values, groups, seed=1))


def test_sparse_and_dense_tables_agree() -> None:
    examples = [Example(str(i), f"g{i % 5}", ("AB"[i % 2],), ("A",)) for i in range(20)]
    metric = metrics.get("weighted_f1")
    table, groups = metric.table(examples, Tools(str)), [e.group for e in examples]
    found = stats.bootstrap([(table, metric), (table.toarray(), metric)], groups, resamples=50)
    assert found is not None
    assert np.allclose(found[:, 0], found[:, 1])


def test_paired_differences_of_equal_runs_are_nothing() -> None:
    table = scores([0.0, 1.0, 1.0, 0.0])
    found = stats.bootstrap([(table, MEAN), (table, MEAN)], list("abcd"))
    assert found is not None
    gap = found[:, 1] - found[:, 0]
    assert stats.interval(gap) == (0, 0)
    assert stats.bootstrap_p(gap) == 1


def test_bootstrap_p_is_never_0() -> None:
    assert stats.bootstrap_p(np.full(1000, 0.3)) == pytest.approx(2 / 1001)
    assert stats.bootstrap_p(np.array([np.nan] * 5 + [0.1] * 9)) == pytest.approx(2 / 10)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_is_the_exact_binomial(gained: int, lost: int) -> None:
    first = np.array([0.0] * gained + [1.0] * lost + [1.0, 0.0])
    second = np.array([1.0] * gained + [0.0] * lost + [1.0, 0.0])
    n, k = gained + lost, min(gained, lost)
    closed = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    assert stats.mcnemar_p(first, second) == pytest.approx(closed)
    if n:
        assert stats.mcnemar_p(first, second) == pytest.approx(theirs.binomtest(gained, n).pvalue)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p: list[float]) -> None:
    found, m = stats.holm(p), len(p)
    ordered = sorted(p)
    by_rank = [min(1.0, max((m - j) * ordered[j] for j in range(i + 1))) for i in range(m)]
    assert sorted(found) == pytest.approx(by_rank)
    assert all(adjusted >= raw for adjusted, raw in zip(found, p, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 6), st.integers(0, 9)), min_size=12, max_size=40))
def test_resampled_class_f1_is_scikit_learns_on_the_same_draws(rows: list[tuple[int, int, int]]) -> None:
    gold, answers, groups = (list(column) for column in zip(*rows, strict=True))
    names = [f"g{group}" for group in groups]
    examples = [
        Example(str(i), names[i], g, None if s < 0 else s) for i, (g, s) in enumerate(zip(gold, answers, strict=True))
    ]
    table = metrics.get("weighted_f1").table(examples, Tools(str))
    columns = [(table, metrics.get(f"{average}_f1")) for average in ("weighted", "macro")]
    found = stats.bootstrap(columns, names, resamples=8, seed=3)
    order = list(dict.fromkeys(names))
    if found is None:
        assert len(order) == 1
        return
    weights = stats.drawn(np.random.default_rng(3), len(order), 8)
    for line, times in zip(found, weights.T, strict=True):
        chosen = [i for i, name in enumerate(names) for _ in range(int(times[order.index(name)]))]
        truth, predicted = [str(gold[i]) for i in chosen], [str(answers[i]) for i in chosen]
        for value, average in zip(line, ("weighted", "macro"), strict=True):
            theirs = f1_score(truth, predicted, labels=sorted(set(truth)), average=average, zero_division=0)
            assert abs(value - theirs) < 1e-12


def test_drawn_groups_are_as_many_as_there_are_and_each_alike() -> None:
    weights = stats.drawn(np.random.default_rng(0), 50, 4000)
    assert (weights.sum(axis=0) == 50).all()
    assert weights.mean(axis=1) == pytest.approx(1, abs=0.08)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)
