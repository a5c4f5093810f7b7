"""Trivial predictors and the floor that the best of them sets."""

from itertools import permutations
from typing import Any

import pytest

from converters import tasks
from converters.tasks.answer import Reply
from converters.tasks.ranking import by_gain
from eval import answers
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.scoring import score
from eval.scoring.score import best_floors, unavailable

STRICT = Tools(_normalise.strict)


def of(kind: str, *fields: Any, **named: Any) -> Example:
    return Example(*fields, **named, kind=answers.get(kind))


def measurable(examples: list[Example], task: str) -> list[str]:
    """Return the metrics of a task that need no model."""
    names = tasks.get(task).metrics
    return [name for name in names if name not in unavailable(examples, names, STRICT)]


def test_paths_majority_and_its_top() -> None:
    gold = [("Home", "Mugs"), ("Home", "Mugs"), ("Home", "Pans"), ("Car", "Mats")]
    examples = [of("path", str(i), str(i), path, None) for i, path in enumerate(gold)]
    found = best_floors(examples, measurable(examples, "category"), STRICT)
    assert found["accuracy"] == (0.5, "majority path")
    # majority path: 2+2+1+0 nodes in common of 8 answered and 8 gold; depth 1 alone: 3 in common of 4 answered and 8 gold
    assert found["hierarchical_f1"] == (2 * 5 / 16, "majority path")


def test_a_shortlists_first_candidate_is_an_opponent() -> None:
    listed = [("Home > Mugs", "Home > Pans"), ("Home > Pans", "Home > Mugs"), ("Car", "Home > Mugs"), ()]
    gold = [("Home", "Mugs"), ("Home", "Pans"), ("Home", "Pots"), ("Car",)]
    examples = [
        of("path", str(i), str(i), path, None, {"candidates": list(names)})
        for i, (path, names) in enumerate(zip(gold, listed, strict=True))
    ]
    found = best_floors(examples, measurable(examples, "category_shortlist"), STRICT)
    assert found["accuracy"] == (0.5, "expert's first")
    assert [e.answer for e in dict(score.trivial_answers(examples))["expert's first"]] == [*gold[:2], ("Car",), None]


def test_depth_1_wins_where_leaves_scatter() -> None:
    examples = [of("path", str(i), str(i), ("Home", f"Leaf {i}", "x"), None) for i in range(6)]
    # the majority path has 6 + 2 nodes in common of 18 answered and 18 gold; its top node 6 of 6 and 18
    assert best_floors(examples, ("hierarchical_f1",), STRICT)["hierarchical_f1"] == (2 * 6 / 24, "depth-1 majority")


def test_records_all_null_and_commonest_value() -> None:
    gold = [{"Brand": ("Acme",), "Size": ()}, {"Brand": ("Acme",), "Size": ("XL",)}, {"Brand": (), "Size": ()}]
    examples = [of("record", str(i), str(i), record, None) for i, record in enumerate(gold)]
    found = best_floors(examples, ("micro_f1", "slot_accuracy", "exact_match"), STRICT)
    assert found["micro_f1"] == (2 * 3 / (2 * 3 + 3), "commonest value")
    assert found["slot_accuracy"] == (0.5, "all null")
    assert found["exact_match"] == (1 / 3, "all null")


def test_answers_abstention_and_first_snippet() -> None:
    prompt = "[QA] Answer\nQuestion: [2] hot?\n[1] Keeps hot 6 hours\n[2] Nice"
    examples = [
        of("reply", "1", "1", Reply("Keeps hot 6 hours"), None, prompt=prompt),
        of("reply", "2", "2", Reply("Keeps hot 6 hours"), None, prompt=prompt),
        of("reply", "3", "3", Reply(None), None, prompt="[QA] no snippets at all"),
    ]
    found = best_floors(examples, measurable(examples, "answer"), STRICT)
    assert found["exact_match"] == (2 / 3, "first snippet")
    assert found["unanswerable_f1"] == (2 * 1 / (3 + 1), "always abstain")
    assert [e.answer for e in dict(score.trivial_answers(examples))["first snippet"]] == [
        *[Reply("Keeps hot 6 hours", (1,))] * 2,
        None,
    ]


def test_general_has_the_empty_answer() -> None:
    assert best_floors([of("text", "1", "1", "Red", None)], ("rouge_l",), STRICT) == {"rouge_l": (0, "empty")}


def test_the_better_of_always_yes_and_always_no() -> None:
    examples = [of("verdict", str(i), str(i), i > 0, None) for i in range(4)]
    found = best_floors(examples, tasks.get("yes_no").metrics, STRICT)
    assert found["accuracy"] == (0.75, "always yes")
    assert found["macro_f1"] == (pytest.approx((0 + 2 * 3 / 7) / 2), "always yes")
    turned = [of("verdict", str(i), str(i), i == 0, None) for i in range(4)]
    assert best_floors(turned, ("accuracy",), STRICT)["accuracy"] == (0.75, "always no")


def test_choices_majority_option_or_the_letter_that_is_right_most_often() -> None:
    fixed = {"options": ["Exact", "Substitute"]}
    same = [of("choice", str(i), str(i), "Exact" if i else "Substitute", None, fixed) for i in range(4)]
    assert best_floors(same, ("accuracy",), STRICT)["accuracy"] == (0.75, "majority option")
    free = [of("choice", str(i), str(i), f"item {i}", None, {"options": ["other", f"item {i}"]}) for i in range(3)]
    assert best_floors(free, ("accuracy",), STRICT)["accuracy"] == (1.0, "always B")


def test_orders_shown_order_or_chance() -> None:
    from eval.metrics.ranking import dcg, random_order

    gains = (0.0, 0.1, 1.0)
    examples = [of("order", "1", "1", by_gain(gains), None, {"gains": list(gains)})]
    shown = dcg(gains) / dcg([1.0, 0.1, 0.0])
    orders = list(permutations(gains))
    chance = sum(map(dcg, orders)) / len(orders) / dcg([1.0, 0.1, 0.0])
    assert random_order(examples, STRICT)[0, 0] == pytest.approx(chance) and chance > shown
    assert best_floors(examples, ("ndcg",), STRICT)["ndcg"] == (pytest.approx(chance), "random order")
    good = [of("order", "1", "1", by_gain((1.0, 0.0)), None, {"gains": [1.0, 0.0]})]
    assert best_floors(good, ("ndcg",), STRICT)["ndcg"] == (1.0, "shown order")


def test_recall_of_yes_is_not_measured_against_always_yes() -> None:
    examples = [of("verdict", str(i), str(i), i > 2, None) for i in range(4)]
    found = best_floors(examples, ("yes_f1", "yes_precision", "yes_recall"), STRICT)
    assert found["yes_recall"] == (0.25, "guess at the gold's rate")
    assert found["yes_precision"] == (0.25, "always yes") and found["yes_f1"] == (2 / 5, "always yes")
