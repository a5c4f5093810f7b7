"""Class metrics against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.scoring import stats

CLASS = st.sampled_from("ABCDE").map(lambda name: (name,))


VERDICT = st.booleans()


def value(name: str, pairs: list[tuple[tuple[str, ...], tuple[str, ...] | None]]) -> float:
    examples = [Example(str(i), str(i), gold, answer) for i, (gold, answer) in enumerate(pairs)]
    return stats.value(metrics.get(name).table(examples, Tools(_normalise.strict)), metrics.get(name))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CLASS, st.one_of(st.none(), CLASS)), min_size=1, max_size=30))
def test_equal_to_scikit_learn_with_labels_fixed_to_gold(pairs: list) -> None:
    gold = [g[0] for g, _ in pairs]
    answer = [s[0] if s and s[0] in gold else "INVALID" for _, s in pairs]
    for average in ("weighted", "macro"):
        theirs = f1_score(gold, answer, labels=sorted(set(gold)), average=average, zero_division=0)
        assert value(f"{average}_f1", pairs) == pytest.approx(theirs)
    assert value("accuracy", pairs) == pytest.approx(accuracy_score(gold, answer))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(VERDICT, st.one_of(st.none(), VERDICT)), min_size=1, max_size=20))
def test_yes_and_no_are_two_classes_and_unreadable_is_neither(pairs: list) -> None:
    gold, answer = [str(g) for g, _ in pairs], ["INVALID" if s is None else str(s) for _, s in pairs]
    for average in ("weighted", "macro"):
        theirs = f1_score(gold, answer, labels=sorted(set(gold)), average=average, zero_division=0)
        assert value(f"{average}_f1", pairs) == pytest.approx(theirs)


def test_ways_to_be_wrong_do_not_multiply() -> None:
    gold = [("A",), ("A",), ("B",)]
    same = value("macro_f1", list(zip(gold, [("A",), ("x",), ("x",)], strict=True)))
    many = value("macro_f1", list(zip(gold, [("A",), ("x",), ("y",)], strict=True)))
    none = value("macro_f1", list(zip(gold, [("A",), None, None], strict=True)))
    assert same == many == none == pytest.approx((2 / 3 + 0) / 2)


def test_hierarchical_f1_by_hand() -> None:
    pairs = [
        (("Home", "Kitchen", "Mugs"), ("Home", "Kitchen", "Kettles")),  # 2 in common of 3 and 3
        (("Home", "Accessories"), ("Car", "Accessories")),  # the same name below another parent: 0 of 2 and 2
        (("Car",), ("Car", "Accessories")),  # 1 of 2 answered and 1 gold
        (("Home", "Garden"), None),  # 0 of 0 answered and 2 gold
    ]
    assert value("hierarchical_f1", pairs) == pytest.approx(2 * 3 / (7 + 8))
    assert value("hierarchical_f1_mean", pairs) == pytest.approx((2 / 3 + 0 + 2 / 3 + 0) / 4)
    assert value("mlperf_hierarchical_f1", pairs) == pytest.approx(2 * 3 / (9 + 8)), (
        "unreadable: two wrong nodes of two"
    )


NODES = st.lists(st.sampled_from("AB"), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NODES, st.none() | NODES), min_size=1, max_size=8))
def test_mlperf_pads_an_unreadable_answer_to_the_length_of_the_gold(pairs: list) -> None:
    padded = [(gold, ("pad",) * len(gold) if answer is None else answer) for gold, answer in pairs]
    common = [
        next((n for n, (a, b) in enumerate(zip(*pair, strict=False)) if a != b), min(map(len, pair))) for pair in padded
    ]
    precision = sum(common) / sum(len(answer) for _, answer in padded)
    recall = sum(common) / sum(len(gold) for gold, _ in padded)
    theirs = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert value("mlperf_hierarchical_f1", pairs) == pytest.approx(theirs)
    assert value("mlperf_hierarchical_f1", pairs) <= value("hierarchical_f1", pairs) + 1e-12


def test_a_class_that_a_resample_lacks_is_not_counted_as_failed() -> None:
    metric = metrics.get("macro_f1")
    table = metric.table(
        [Example(str(i), str(i), (name,), (name,)) for i, name in enumerate("AB")], Tools(_normalise.strict)
    )
    assert float(metric.reduce(np.array([2.0, 0.0]) @ table)) == 1
