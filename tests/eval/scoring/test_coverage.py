"""The simulation of coverage, with few sets and wide limits; ``make coverage`` has the figures."""

import pytest

from tests.bench import coverage


@pytest.mark.parametrize("case", coverage.CASES, ids=lambda case: case.name)
def test_intervals_over_few_groups_hold_the_truth(case: coverage.Case) -> None:
    held, alarms = coverage.measure(case, 20, 400)
    assert 0.92 <= held["ours"] <= 0.99  # a share of 400 sets is right to 0.011, one standard error
    assert 0.01 <= alarms["ours"] <= 0.085


def test_what_they_took_the_place_of_does_not() -> None:
    held, alarms = coverage.measure(coverage.accuracy(0.95), 20, 400)
    assert held["percentile"] < 0.9 and alarms["percentile"] > 0.08
    alike = next(case for case in coverage.CASES if "alike" in case.name)
    assert coverage.measure(alike, 50, 400)[1]["mcnemar"] > 0.1, "rows of a product are not independent"


def test_the_truth_is_that_of_a_large_test_set() -> None:
    for case in coverage.CASES:
        random = coverage.np.random.default_rng(3)
        tables = [coverage.drawn(case, random, 400, 40).tables[0] for _ in range(3)]
        value = case.reduce(sum(table.sum(axis=(0, 1)) for table in tables))
        assert value == pytest.approx(case.truth, abs=0.02), case.name


def test_every_case_and_number_of_groups_has_its_line() -> None:
    cases = [coverage.accuracy(0.5), coverage.macro(5, 0.5)]
    text = coverage.report(20, cases, (10, 12))
    assert text.count("| accuracy 0.5 |") == text.count("| macro F1, 5 classes |") == 3
    assert "10 groups" in text and "12 groups" in text
