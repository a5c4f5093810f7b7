"""Outcomes: what is right, unit by unit, for each kind of answer."""

from typing import Any

import pytest

from converters.examples import example
from converters.schema import Attributes, Choice, Listing, Question, Ranking, Row, Text, Verdict
from eval.metrics import _normalise
from eval.production.confidence import outcomes
from eval.results.schema import Output

TEXTS = (Text("Title", "Mug"),)
PATH = example(Listing("1", "g", TEXTS, ("Home", "Mugs", "Red")), "category", "s")
RECORD = example(
    Attributes("1", "g", TEXTS, (("Color", ("Red", "Blue")), ("Size", ()), ("Fit", ("slim",)))), "attributes", "s"
)
ANSWER = example(Question("1", "g", "Big?", ("1 litre.",), "It holds one litre"), "answer", "s")
NONE = example(Question("1", "g", "Big?", ("Red.",), None), "answer", "s")
CHOICE = example(Choice("1", "g", "Which?", TEXTS, ("Exact", "None"), "Exact"), "choice", "s")
NO = example(Verdict("1", "g", "Is it?", TEXTS, False), "yes_no", "s")
ORDER = example(Ranking("1", "g", "mug", ("Pan", "Mug", "Cup"), (0.1, 1.0, 0.1)), "ranking", "s")


def of(row: Row, prediction: Any, **confidence: float) -> dict[tuple[str, str], bool]:
    """Return whether each unit is right, by unit and sort; an underscore in a name stands for a blank."""
    units = {name.replace("_", " "): value for name, value in confidence.items()}
    found = outcomes.of_pairs([(row, Output(prediction, confidence=units))], _normalise.normaliser("strict"))
    return {(each.unit, each.sort): each.right for each in found[row.task].outcomes}


def test_a_path_is_right_level_by_level() -> None:
    sure = {"path": 0.5, "level_1": 0.9, "level_2": 0.7, "level_3": 0.6}
    found = of(PATH, "Home > Mugs > Blue", **sure)
    assert found == {
        ("path", "path"): False,
        ("level 1", "level 1"): True,
        ("level 2", "level 2"): True,
        ("level 3", "level 3"): False,
    }
    assert of(PATH, "Home > Mugs", path=0.5, level_2=0.5) == {("path", "path"): False, ("level 2", "level 2"): True}
    deep = of(PATH, "Home > Mugs > Red > Big", level_3=0.5, level_4=0.5)
    assert deep == {("level 3", "level 3"): True, ("level 4", "level 4"): False}


def test_a_records_values_and_nulls_are_apart() -> None:
    found = of(RECORD, '{"Color": ["Blue", "Red"], "Size": null, "Fit": null}', Color=0.5, Size=0.5, Fit=0.5)
    assert found == {("Color", "value"): True, ("Size", "null"): True, ("Fit", "null"): False}
    found = of(
        RECORD, '{"Color": "Blue", "Size": "XL", "Fit": "slim", "Sole": "hard"}', Color=0.5, Size=0.5, Fit=0.5, Sole=0.5
    )
    assert found == {
        ("Color", "value"): False,
        ("Size", "value"): False,
        ("Fit", "value"): True,
        ("Sole", "value"): False,
    }


@pytest.mark.parametrize(
    ("row", "prediction", "sort", "right"),
    [
        (ANSWER, "It holds one litre [1]", "answer", True),
        (ANSWER, "One litre", "answer", True),
        (ANSWER, "Red", "answer", False),
        (ANSWER, "The snippets do not say.", "abstention", False),
        (NONE, "The snippets do not say.", "abstention", True),
        (NONE, "It is red", "answer", False),
        (CHOICE, "Exact", "answer", True),
        (CHOICE, "None", "answer", False),
        (NO, "No", "answer", True),
        (NO, "Yes", "answer", False),
        (ORDER, ORDER.target, "answer", True),
        (ORDER, "2, 3, 1", "answer", True),
        (ORDER, "1, 2, 3", "answer", False),
    ],
)
def test_any_other_answer_is_one_unit(row: Row, prediction: str, sort: str, right: bool) -> None:
    assert of(row, prediction, answer=0.5) == {("answer", sort): right}


def test_what_has_no_outcome_is_counted() -> None:
    pairs = [
        (PATH, Output("Home > Mugs", confidence={"path": 0.5, "level 3": 0.5, "level x": 0.5, "Color": 0.5})),
        (PATH, Output("Home > ", confidence={"path": 0.5})),
        (PATH, Output("Home > Mugs")),
        (CHOICE, Output("Exact", confidence={"path": 0.5})),
    ]
    found = outcomes.of_pairs(pairs, str)
    assert found["category"].counts == {"rows": 3, "unreadable": 1, "without_confidence": 1, "unknown": 3}
    assert found["choice"].counts["unknown"] == 1 and not found["choice"].outcomes
    assert [each.unit for each in found["category"].outcomes] == ["path"]
