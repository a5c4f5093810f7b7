"""Class metrics against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_score, recall_score

from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools, dense
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
    for name, of in (("macro_precision", precision_score), ("macro_recall", recall_score)):
        theirs = of(gold, answer, labels=sorted(set(gold)), average="macro", zero_division=0)
        assert value(name, pairs) == pytest.approx(theirs)
    readable = [pair for pair in pairs if pair[1]]
    if readable == pairs and {s for _, s in pairs} <= {g for g, _ in pairs}:
        assert value("macro_recall", pairs) == pytest.approx(balanced_accuracy_score(gold, answer))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CLASS, st.one_of(st.none(), CLASS)), min_size=1, max_size=30))
def test_with_said_classes_it_is_scikit_learns_macro_f1_over_all_labels(pairs: list) -> None:
    gold, answer = [g[0] for g, _ in pairs], [s[0] if s else "INVALID" for _, s in pairs]
    labels = sorted({*gold, *answer} - {"INVALID"})
    theirs = f1_score(gold, answer, labels=labels, average="macro", zero_division=0)
    assert value("macro_f1_gold_and_said", pairs) == pytest.approx(theirs)
    if "INVALID" not in answer:
        plain = f1_score(gold, answer, average="macro", zero_division=0)
        assert value("macro_f1_gold_and_said", pairs) == pytest.approx(plain), "what people get without labels"
    assert value("macro_f1_gold_and_said", pairs) <= value("macro_f1", pairs) + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.none() | st.booleans()), min_size=1, max_size=20))
def test_f1_precision_and_recall_of_yes_are_scikit_learns(pairs: list) -> None:
    gold, answer = [g for g, _ in pairs], [s is True for _, s in pairs]
    for name, of in (("yes_f1", f1_score), ("yes_precision", precision_score), ("yes_recall", recall_score)):
        found = value(name, pairs)
        assert found == pytest.approx(of(gold, answer, zero_division=0)) if any(gold) else np.isnan(found)


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


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(NODES, st.none() | NODES), min_size=1, max_size=20), st.integers(1, 4))
def test_by_level_it_is_scikit_learn_on_paths_cut_there(pairs: list, depth: int) -> None:
    cut = [(g[:depth], s[:depth] if s else ()) for g, s in pairs if len(g) >= depth]
    found = {name: value(f"level_{depth}_{name}", pairs) for name in ("accuracy", "macro_f1")}
    if not cut:
        assert all(map(np.isnan, found.values()))
        return
    gold, answer = (["/".join(pair[side]) for pair in cut] for side in range(2))
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, answer))
    assert found["macro_f1"] == pytest.approx(
        f1_score(gold, answer, labels=sorted(set(gold)), average="macro", zero_division=0)
    )


def test_levels_by_hand() -> None:
    pairs = [
        (("Home", "Kitchen", "Mugs"), ("Home", "Kitchen", "Pans")),
        (("Home", "Garden"), ("Home", "Garden", "Hoses")),  # it goes on below: right at both levels
        (("Home", "Kitchen"), ("Home",)),  # it stops above: wrong at the second
        (("Car", "Kitchen"), ("Home", "Kitchen")),  # the same name below another parent
        (("Car",), None),
    ]
    assert [value(f"level_{depth}_accuracy", pairs) for depth in (1, 2, 3)] == pytest.approx([3 / 5, 2 / 4, 0])
    # Home: 3 right of 4 said and 3; Car: none. Home/Kitchen: 1 of 2 and 2; Home/Garden: 1 of 1 and 1; Car/Kitchen: none.
    assert value("level_1_macro_f1", pairs) == pytest.approx((6 / 7 + 0) / 2)
    assert value("level_2_macro_f1", pairs) == pytest.approx((2 / 4 + 1 + 0) / 3)


def test_a_class_that_a_resample_lacks_is_not_counted_as_failed() -> None:
    metric = metrics.get("macro_f1")
    table = metric.table(
        [Example(str(i), str(i), (name,), (name,)) for i, name in enumerate("AB")], Tools(_normalise.strict)
    )
    assert float(metric.reduce(np.array([2.0, 0.0]) @ table)) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NODES, st.none() | NODES), min_size=1, max_size=12))
def test_tables_hold_what_is_counted_line_by_line(pairs: list) -> None:
    golds = list(dict.fromkeys(gold for gold, _ in pairs))
    classes = [
        [float(x) for what in (gold == answer, None, gold) for x in _line(what, gold, answer, golds)]
        for gold, answer in pairs
    ]
    begun = [[gold[:n] for n in range(1, 5) if answer and gold[:n] == answer[:n]] for gold, answer in pairs]
    nodes = [[len({*same}), len(answer or ()), len(gold)] for same, (gold, answer) in zip(begun, pairs, strict=True)]
    examples, tools = [Example(str(i), str(i), *pair) for i, pair in enumerate(pairs)], Tools(_normalise.strict)
    tables = [metrics.get(name).table(examples, tools) for name in ("weighted_f1", "hierarchical_f1", "accuracy")]
    expected = classes, nodes, [[gold == answer, 1] for gold, answer in pairs]
    for table, lines in zip(tables, expected, strict=True):
        assert dense(table).tolist() == lines and table.shape == (len(pairs), len(lines[0]))
        assert stats.with_lines(table).tolist() == [float(any(line)) for line in lines]
    assert dense(metrics.get("accuracy").table(examples[:1], tools)).shape == (1, 2), "other examples are counted anew"


def _line(what: object, gold: object, answer: object, golds: list) -> list[bool]:
    """Return right (a bool), answered (``None``) or gold of each class."""
    if isinstance(what, bool):
        return [what and gold == each for each in golds]
    return [(answer if what is None else gold) == each for each in golds]
