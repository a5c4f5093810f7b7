"""Intervals and tests against scipy and against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy import stats as theirs
from sklearn.metrics import f1_score

from eval import metrics
from eval.metrics.base import Example, Tools, scores
from eval.scoring import stats

MEAN = metrics.get("accuracy")


def draw(values: list[float], groups: list[str], **options: int) -> stats.Sample:
    (found,) = stats.bootstrap([(scores(values), MEAN)], groups, **options)
    return found


def named(count: int) -> list[str]:
    return [f"g{n}" for n in range(count)]


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
    (sample,) = stats.bootstrap([(table, metric)], [e.group for e in found], 200)
    value = stats.value(table, metric)
    interval, percentiles = stats.score_interval(value, sample), np.quantile(sample.draws, (0.025, 0.975))
    assert interval.low < value < interval.high and interval.high - interval.low < 0.05
    assert abs(interval.low + interval.high - 2 * value) < abs(sum(percentiles) - 2 * value) / 3


def test_standard_error_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 80)
    sample = draw(list(values), named(80), resamples=4000)
    textbook = values.std(ddof=1) / np.sqrt(80)
    assert (79 * np.var(sample.left_out)) ** 0.5 == pytest.approx(textbook), "the jackknife's, exactly"
    assert stats.standard_error(sample) == pytest.approx(textbook, rel=0.03)
    other = theirs.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2))
    assert sample.draws.std(ddof=1) == pytest.approx(other.standard_error, rel=0.05)


def test_many_groups_are_left_out_in_parts_with_the_same_error() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.1, 4001)
    sample = draw(list(values), named(4001), resamples=300)
    assert len(sample.left_out) == stats.PARTS and sample.groups == 4001
    jackknife = ((stats.PARTS - 1) * np.var(sample.left_out)) ** 0.5
    assert jackknife == pytest.approx(values.std(ddof=1) / np.sqrt(4001), rel=0.12)
    sizes = np.bincount(stats.parted(4001, 0))
    assert sizes.sum() == 4001 and {*sizes.tolist()} == {10, 11}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    other = theirs.binomtest(right, n).proportion_ci(0.9, "wilson")
    assert stats.wilson(right / n, float(n), float(theirs.norm.ppf(0.95))) == pytest.approx((other.low, other.high))


@pytest.mark.parametrize(("count", "right"), [(10, 7), (25, 24), (60, 2), (180, 90)])
def test_interval_of_rows_that_are_groups_is_wilsons_with_students_t(count: int, right: int) -> None:
    values = [1.0] * right + [0.0] * (count - right)
    interval = stats.score_interval(right / count, draw(values, named(count), resamples=4000))
    t, share, outcomes = theirs.t.ppf(0.975, count - 1), right / count, count - 1
    # the shares at which a score test of that many outcomes stops short of t: (share - x)² · outcomes = t² · x · (1 - x)
    ends = np.sort(np.roots([outcomes + t * t, -(2 * outcomes * share + t * t), outcomes * share**2]).real)
    assert (interval.low, interval.high) == pytest.approx(tuple(ends), abs=0.012)


@pytest.mark.parametrize(("value", "count"), [(1.0, 10), (1.0, 35), (0.0, 20)])
def test_answers_that_are_all_right_or_all_wrong_have_an_interval_too(value: float, count: int) -> None:
    interval = stats.score_interval(value, draw([value] * count * 3, named(count) * 3))
    t = theirs.t.ppf(0.975, count - 1)
    assert interval == stats.Interval(*((round(count / (count + t * t), 12), 1.0) if value else (0.0, interval.high)))
    assert interval.high - interval.low == pytest.approx(t * t / (count + t * t))
    # no narrower than what is left of a share by the rule of three, one group one outcome
    assert interval.high - interval.low > 1 - 0.05 ** (1 / count)


def test_a_group_with_many_rows_is_worth_fewer() -> None:
    sizes = [30, *[1] * 19]
    groups = [name for name, size in zip(named(20), sizes, strict=True) for _ in range(size)]
    values = [float(i % 3 > 0) for i in range(len(groups))]
    sample = draw(values, groups)
    assert sample.groups == 20 and sample.effective == pytest.approx(49**2 / (900 + 19))
    interval = stats.score_interval(float(np.mean(values)), sample)
    same = stats.score_interval(float(np.mean(values)), draw(values, [f"g{i % 20}" for i in range(49)]))
    assert interval.high - interval.low > same.high - same.low


def test_rows_of_one_group_do_not_narrow_the_interval() -> None:
    values, groups = [float(i % 3 == 0) for i in range(60)], [str(i) for i in range(60)]
    once, thrice = draw(values, groups), draw(values * 3, groups * 3)
    assert np.array_equal(once.draws, thrice.draws)
    alone = draw(values * 3, [str(i) for i in range(180)])
    assert stats.standard_error(alone) < 0.8 * stats.standard_error(once)


@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_fewer_than_ten_groups_have_no_interval_and_the_reason(count: int) -> None:
    sample = draw([i % 3 / 2 for i in range(40)], [f"g{i % count}" for i in range(40)])
    for found in (stats.score_interval(0.5, sample), stats.difference_interval(0.1, sample)):
        if count < 10:
            assert found == stats.Interval(None, None, None, f"needs 10 groups, found {count}")
        else:
            assert found.low < found.high and not found.reason


def test_groups_that_have_nothing_to_score_are_not_counted() -> None:
    lines = np.array([[i % 2, 1.0] if i < 9 else [0.0, 0.0] for i in range(60)])
    for table in (lines, sparse.csr_array(lines)):
        (sample,) = stats.bootstrap([(table, MEAN)], named(60))
        assert stats.score_interval(4 / 9, sample).reason == "needs 10 groups, found 9"


def test_same_seed_same_draws_whatever_the_chunks() -> None:
    values, groups = [0.0, 1.0, 1.0, 0.5], list("abca")
    once, again = draw(values, groups), draw(values, groups, cells=7)
    assert np.array_equal(once.draws, again.draws)
    assert np.array_equal(once.left_out, again.left_out)
    assert once.left_out.tolist() == [1.0, 0.5, 0.5], "a has 0.0 and 0.5, b and c 1.0"
    assert not np.array_equal(once.draws, draw(values, groups, seed=1).draws)


def test_sparse_and_dense_tables_agree() -> None:
    examples = [Example(str(i), f"g{i % 5}", ("AB"[i % 2],), ("A",)) for i in range(20)]
    metric = metrics.get("weighted_f1")
    table, groups = metric.table(examples, Tools(str)), [e.group for e in examples]
    thin, dense = stats.bootstrap([(table, metric), (table.toarray(), metric)], groups, resamples=50)
    assert np.allclose(thin.draws, dense.draws) and np.allclose(thin.left_out, dense.left_out)
    assert (thin.groups, thin.effective) == (dense.groups, dense.effective) == (5, 5)


def paired(first: list[float], second: list[float], groups: list[str], seed: int = 0) -> tuple[float, stats.Sample]:
    a, b = stats.bootstrap([(scores(first), MEAN), (scores(second), MEAN)], groups, 300, seed)
    return float(np.mean(second) - np.mean(first)), b - a


def test_paired_differences_of_equal_runs_are_nothing() -> None:
    values = [float(i % 3 == 0) for i in range(40)]
    assert stats.difference_interval(*paired(values, values, named(40))) == stats.Interval(0, 0, 1)


def test_a_run_that_is_right_where_the_other_is_wrong_differs_by_no_more_than_groups_can_show() -> None:
    found = stats.difference_interval(*paired([0.0] * 60, [1.0] * 60, named(12) * 5))
    t = float(theirs.t.ppf(0.975, 11))
    assert (found.low, found.high) == pytest.approx((2 * 12 / (12 + t * t) - 1, 1))
    assert found.p == pytest.approx(2 * theirs.t.sf(np.sqrt(12), 11))


def test_a_difference_is_students_where_it_is_small() -> None:
    random = np.random.default_rng(5)
    first = random.random(400)
    second = first + random.normal(0.003, 0.02, 400)
    found = stats.difference_interval(*paired(first.tolist(), second.tolist(), named(400)))
    other = theirs.ttest_rel(second, first)
    ends = other.confidence_interval()
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=0.0002)
    assert theirs.t.isf(found.p / 2, 399) == pytest.approx(other.statistic, rel=0.05)


def test_p_is_never_0() -> None:
    point, sample = paired([0.1] * 3000, [0.5 + 1e-4 * (i % 7) for i in range(3000)], named(3000))
    assert 0 < stats.difference_interval(point, sample).p < 1e-300


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 40), st.floats(0.3, 0.9))
def test_p_is_below_5_percent_where_the_interval_leaves_0_out(seed: int, count: int, share: float) -> None:
    random = np.random.default_rng(seed)
    groups = [f"g{group}" for group in random.permutation(np.arange(3 * count) % count)]
    runs = [(random.random(3 * count) < level).astype(float).tolist() for level in (share, share + 0.1)]
    point, sample = paired(*runs, groups, seed)
    found = stats.difference_interval(point, sample)
    assert (found.p < 0.05) is not (found.low <= 0 <= found.high)
    assert -1 <= found.low <= point <= found.high <= 1
    turned = stats.difference_interval(-point, paired(*runs[::-1], groups, seed)[1])
    assert (turned.low, turned.high, turned.p) == pytest.approx((-found.high, -found.low, found.p))


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
    weights = stats.drawn(np.random.default_rng(3), len(order), 8)
    for *line, times in zip(*(sample.draws for sample in found), weights.T, strict=True):
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


def test_only_groups_that_a_metric_is_a_share_of_are_counted() -> None:
    stated, said = [f"m{n}" for n in range(4)], [f"m{n}" for n in range(11)]

    def records(named: list[str]) -> list[dict[str, tuple[str, ...]]]:
        return [{"Material": ("oak",) if f"m{n}" in named else ()} for n in range(30)]

    pairs = zip(records(stated), records(said), strict=True)
    found = [Example(str(n), f"m{n}", gold, answer) for n, (gold, answer) in enumerate(pairs)]
    expected = {
        "micro_precision": 11,
        "micro_recall": 4,
        "micro_f1": 11,
        "slot_accuracy_stated": 4,
        "slot_accuracy": 30,
    }
    expected |= {"mave_micro_precision": 11, "mave_micro_recall": 4, "mave_micro_f1": 11}
    columns = [(metrics.get(name).table(found, Tools(str)), metrics.get(name)) for name in expected]
    samples = stats.bootstrap(columns, [e.group for e in found], 50)
    assert [sample.groups for sample in samples] == [*expected.values()]
    asked = [Example(str(n), str(n), n < 3, n < 12) for n in range(40)]
    for name, count in {"yes_precision": 12, "yes_recall": 3, "yes_f1": 12, "accuracy": 40}.items():
        metric = metrics.get(name)
        (sample,) = stats.bootstrap([(metric.table(asked, Tools(str)), metric)], [e.group for e in asked], 50)
        assert sample.groups == count
