"""The five counts and what follows from them, worked by hand."""

import json

import pytest

from converters.tasks import attributes
from eval import metrics
from eval.answers import get
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.metrics.extraction import COUNTS, counts
from eval.scoring import stats

GOLD = {"Brand": ("Acme",), "Color": ("Red", "Blue"), "Size": (), "Fit": ()}


def case(answer: str, gold: dict = GOLD) -> Example:
    return Example("1", "g", gold, attributes.parse(answer), kind=get("record"))


def totals(answer: str, normaliser: str = "strict") -> dict[str, int]:
    line = counts([case(answer)], Tools(_normalise.normaliser(normaliser)))[0]
    return {name: int(count) for name, count in zip(COUNTS, line, strict=True) if count}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"Brand": "Acme", "Color": "Blue", "Size": null, "Fit": null}', {"right": 2, "both_none": 2}),
        ('{"Brand": "Acme", "Color": ["Green", "Red"]}', {"right": 1, "wrong": 1, "both_none": 2}),
        ('{"Brand": null, "Color": "red", "Size": "XL"}', {"missed": 1, "wrong": 1, "hallucinated": 1, "both_none": 1}),
        (
            '{"Brand": "Acme", "Made up": "x", "Empty": null}',
            {"right": 1, "missed": 1, "both_none": 2, "hallucinated": 1},
        ),
        ("{}", {"missed": 2, "both_none": 2}),
        ("no JSON", {"missed": 2, "unreadable": 2}),
        ('["Acme"]', {"missed": 2, "unreadable": 2}),
        ('{"Brand": "Acme", "Brand": "Acme"}', {"missed": 2, "unreadable": 2}),
    ],
)
def test_counts(answer: str, expected: dict[str, int]) -> None:
    assert totals(answer) == expected


def test_normaliser_decides_what_is_equal() -> None:
    answer = json.dumps({"Brand": "ACME.", "Color": "the red"})
    assert totals(answer) == {"wrong": 2, "both_none": 2}
    assert totals(answer, "mave") == {"right": 2, "both_none": 2}


def test_scores_of_three_products_by_hand() -> None:
    found = [
        case('{"Brand": "Acme", "Color": "Red", "Size": "XL"}'),  # 2 right, 1 hallucinated, 1 both none
        case('{"Brand": "Umbra"}'),  # 1 wrong, 1 missed, 2 both none
        case("unreadable"),  # 2 missed, 2 unreadable
    ]
    expected = {
        "mave_micro_precision": 2 / 4,
        "mave_micro_recall": 2 / 6,
        "mave_micro_f1": 2 * 2 / (2 * 3 + 1 + 3),
        # values: common 2, answer 3 + 1, gold 3 * 3
        "micro_precision": 2 / 4,
        "micro_recall": 2 / 9,
        "micro_f1": 2 * 2 / (4 + 9),
        # Brand: 1 of 2 said and 3 of the gold; Color: 1 of 1 and 6
        "attribute_macro_precision": (1 / 2 + 1) / 2,
        "attribute_macro_recall": (1 / 3 + 1 / 6) / 2,
        "attribute_macro_f1": (2 * 1 / (2 + 3) + 2 * 1 / (1 + 6)) / 2,
        "slot_accuracy": (1 + 3) / 12,  # Brand and, twice or once, Size and Fit
        "slot_accuracy_stated": 1 / 6,
        "exact_match": 0,
        # slots with something in them: Brand 1, Color 2/3 ("red" of "red blue"), Size 0; Brand 0, Color 0; Brand 0, Color 0
        "token_f1": (1 + 2 / 3) / 7,
        "value_f1": 2 * 2 / (4 + 9),
    }
    for name, value in expected.items():
        metric = metrics.get(name)
        assert stats.value(metric.table(found, Tools(_normalise.strict)), metric) == pytest.approx(value), name


def test_an_attribute_asked_for_in_meta_is_a_slot() -> None:
    example = Example("1", "g", {"Brand": ("Acme",)}, {"Brand": ("Acme",)}, {"attributes": ["Brand", "Size"]})
    assert dict(zip(COUNTS, counts([example], Tools(_normalise.strict))[0], strict=True))["both_none"] == 1
