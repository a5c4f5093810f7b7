"""Several values an attribute: the headline is over values, MAVE's counts stand beside it under their name."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from converters import tasks
from converters.examples import example
from converters.schema import Attributes, Text
from converters.tasks import attributes
from eval import metrics
from eval.answers import get
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.results.schema import Settings
from eval.scoring import stats
from eval.scoring.score import best_floors, score
from tests.eval._pairs import join

STRICT = Tools(_normalise.strict)
OVER_VALUES = ("micro_precision", "micro_recall", "micro_f1")
ALL = [name for name in tasks.get("attributes").metrics if name != "semantic_f1"]


def case(answer: str, gold: dict[str, tuple[str, ...]], number: int = 0) -> Example:
    return Example(str(number), f"g{number}", gold, attributes.parse(answer), kind=get("record"))


def value(name: str, found: list[Example], tools: Tools = STRICT) -> float:
    metric = metrics.get(name)
    return stats.value(metric.table(found, tools), metric)


def measured(answer: Any, *gold: str, normaliser: str = "strict") -> dict[str, float]:
    """Score one slot."""
    found = [case(json.dumps({"Material": answer}, ensure_ascii=False), {"Material": gold})]
    return {name: value(name, found, Tools(_normalise.normaliser(normaliser))) for name in ALL}


@pytest.mark.parametrize(
    ("gold", "answer", "normaliser", "expected"),
    [
        (("oak", "beech", "steel", "glass"), ["steel", "oak", "wool", "jute"], "strict", (2 / 4, 2 / 4)),
        (("oak", "beech", "steel"), "beech", "strict", (1, 1 / 3)),
        (("oak",), ["oak", "pine", "teak"], "strict", (1 / 3, 1)),
        (("oak", "beech"), ["beech", "oak"], "strict", (1, 1)),
        (("oak", "beech"), ["oak", "oak", "beech"], "strict", (1, 1)),
        (("oak",), ["oak"], "strict", (1, 1)),
        (("oak", "beech"), [], "strict", (0, 0)),
        (("oak", "beech"), None, "strict", (0, 0)),
        (("oak", "beech"), "oak, beech", "strict", (0, 0)),
        (("0.5 L", "20 cm"), ["200 mm", "500 ml", "0.5 l"], "units", (1, 1)),
        (("Oak", "Beech!"), ["the oak", "beech", "OAK"], "mave", (1, 1)),
        (("黒", "白", "赤"), ["白", "青"], "strict", (1 / 2, 1 / 3)),
        (("красный", "белый"), ["белый"], "strict", (1, 1 / 2)),
    ],
)
def test_precision_and_recall_of_one_slot(
    gold: tuple[str, ...], answer: Any, normaliser: str, expected: tuple[float, float]
) -> None:
    found = measured(answer, *gold, normaliser=normaliser)
    precision, recall = expected
    assert (found["micro_precision"], found["micro_recall"]) == pytest.approx(expected)
    assert found["micro_f1"] == found["value_f1"] == found["attribute_macro_f1"]
    assert found["micro_f1"] == pytest.approx(2 * precision * recall / (precision + recall) if recall else 0)
    assert found["slot_accuracy"] == found["slot_accuracy_stated"] == found["exact_match"] == (precision == recall == 1)


def test_maves_counts_take_the_first_value_alone() -> None:
    found = measured(["steel", "wool", "jute"], "oak", "steel", "glass")
    assert [found[f"mave_{name}"] for name in OVER_VALUES] == [1, 1, 1]
    assert [found[name] for name in OVER_VALUES] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert measured(["wool", "steel"], "steel")["mave_micro_f1"] == 0


VALUE = st.lists(st.sampled_from(["oak", "Oak", "pine", "1.5 L", "15 L", "青"]), max_size=1).map(tuple)
RECORD = st.fixed_dictionaries(dict.fromkeys(("Material", "Size", "Color"), VALUE))
SAID = st.none() | st.dictionaries(st.sampled_from(["Material", "Size", "Color", "Fit"]), VALUE)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(RECORD, SAID), min_size=1, max_size=8), st.sampled_from(list(_normalise.NORMALISERS)))
def test_with_one_value_a_slot_the_headline_is_maves_to_the_last_digit(pairs: list, normaliser: str) -> None:
    tools = Tools(_normalise.normaliser(normaliser))
    found = [Example(str(n), str(n), gold, said, kind=get("record")) for n, (gold, said) in enumerate(pairs)]
    for name in OVER_VALUES:
        ours, theirs = value(name, found, tools), value(f"mave_{name}", found, tools)
        assert ours == theirs or (ours != ours and theirs != theirs)
    counted = metrics.get("mave_micro_f1").table(found, tools).sum(axis=0)
    none, _, missed, right, wrong, _ = counted
    assert value("slot_accuracy", found, tools) == (none + right) / counted.sum()
    if stated := missed + right + wrong:
        assert value("slot_accuracy_stated", found, tools) == right / stated


def test_values_by_attribute_are_scikit_learns_over_pairs() -> None:
    """A value of a product's attribute is one sample of a multilabel problem, 1 where it is stated."""
    chance = random.Random(3)
    names, possible = ("Material", "Color", "Fit"), [f"value {n}" for n in range(6)]
    found = []
    for number in range(80):
        gold, said = ({n: tuple(chance.sample(possible, chance.randint(0, 4))) for n in names} for _ in range(2))
        found.append(Example(str(number), str(number), gold, said if number % 9 else None, kind=get("record")))
    both = {}
    for name in names:
        samples = [(one, v) for one in found for v in possible]
        truth = [v in one.gold[name] for one, v in samples]
        both[name] = truth, [v in (one.answer or {}).get(name, ()) for one, v in samples]
    every = [[one for name in names for one in both[name][side]] for side in range(2)]
    for name, theirs in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert value(f"micro_{name}", found) == pytest.approx(theirs(*every))
        of_each = [theirs(*both[attribute]) for attribute in names]
        assert value(f"attribute_macro_{name}", found) == pytest.approx(sum(of_each) / len(of_each))


def test_the_floor_of_several_values_is_the_commonest_list() -> None:
    gold = [{"Color": ("Red", "Blue")}] * 3 + [{"Color": ("Red",)}]
    found = best_floors([case("{}", one, n) for n, one in enumerate(gold)], ("micro_f1", "mave_micro_f1"), STRICT)
    assert found["micro_f1"] == (2 * 7 / (8 + 7), "commonest values")
    assert found["mave_micro_f1"] == (1, "commonest value")
    single = get("record").predictors([case("{}", {"Color": ("Red",)})])
    assert [*single] == ["all null", "commonest value"]


def test_slices_by_attribute_are_over_values() -> None:
    records = [
        Attributes(str(n), f"g{n}", (Text("Title", "Chair"),), (("Wood", ("oak", "ash")), ("Fit", ())))
        for n in range(30)
    ]
    rows = [example(record, "attributes", "shop") for record in records]
    said = {row.id: '{"Wood": ["ash", "fir", "elm"], "Fit": null}' for row in rows}
    found = score(join(rows, said), Settings(resamples=100))[0]["attributes"]
    (wood,) = [one for one in found.slices if (one.kind, one.name) == ("attribute", "Wood")]
    assert [wood.metrics[name].value for name in OVER_VALUES] == pytest.approx([1 / 3, 1 / 2, 2 / 5])
    assert found.attributes["Wood"]["right"] == 30, "MAVE's count of the first value"
