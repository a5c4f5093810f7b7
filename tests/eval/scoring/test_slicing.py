"""Slices: who is in which, what they score, and that the work and the intervals are sound."""

from typing import Any

import numpy as np
import pytest

from converters.examples import example
from converters.schema import Attributes, Listing, Question, Row, Text
from eval import metrics
from eval.metrics.base import Example
from eval.metrics.base import scores as averaged
from eval.results.schema import Output, Settings, TaskScores
from eval.scoring import parse, slices, stats
from eval.scoring.score import score
from eval.scoring.slices import blocked
from eval.scoring.slicing import count_targets
from tests.eval._pairs import join

PATHS = (("Home", "Mugs"), ("Home", "Mugs"), ("Home", "Mugs"), ("Home", "Garden", "Tents"), ("Car",))
TEXTS = (Text("Title", "Mug"),)
SETTINGS = Settings(resamples=100)


def listings(count: int = 60) -> list[Row]:
    found = []
    for i in range(count):
        texts = (Text("Title", "Mug " * (1 + i % 3)),)
        more = {"hard": "typos"} if i % 4 == 0 else {}
        source = "shop" if i % 2 else "mall"
        found.append(example(Listing(str(i), f"g{i // 2}", texts, PATHS[i % 5]), "category", source, more))
    return found


def of(scores: TaskScores, kind: str) -> dict[str, Any]:
    return {one.name: one for one in scores.slices if one.kind == kind}


def test_rows_are_divided_by_what_they_have_in_common() -> None:
    rows = listings()
    predictions = {row.id: row.target if row.source == "shop" else "Car" if i % 3 else "" for i, row in enumerate(rows)}
    found, lines = score(join(rows, predictions), SETTINGS)
    scores = found["category"]
    assert {(one.kind, one.name, one.n) for one in scores.slices} == {
        ("source", "mall", 30),
        ("source", "shop", 30),
        ("length", "up to 52 characters", 20),
        ("length", "53 to 56 characters", 20),
        ("length", "more than 56 characters", 20),
        ("depth", "2", 36),
        ("depth", "3", 12),
        ("depth", "1", 12),
        ("frequency", "head, by test gold", 36),
        ("frequency", "torso, by test gold", 24),
        ("hard", "as it came", 45),
        ("hard", "typos", 15),
    }
    shop, mall = of(scores, "source")["shop"], of(scores, "source")["mall"]
    assert (shop.groups, shop.invalid, mall.invalid) == (30, 0, 10)
    assert shop.metrics["accuracy"].value == 1 and mall.metrics["accuracy"].value < 0.2
    alone, _ = score(join([r for r in rows if r.source == "mall"], predictions), SETTINGS)
    for name, value in mall.metrics.items():
        assert value.value == pytest.approx(alone["category"].metrics[name].value), name
        assert value.low <= value.value <= value.high
    # the floor is the whole task's majority path, judged within the slice
    assert of(scores, "depth")["2"].metrics["accuracy"].floor == 1
    assert of(scores, "depth")["3"].metrics == {}  # too few: how many is still shown
    first = next(lines)
    assert first.slices == {
        "source": ["mall"],
        "length": ["up to 52 characters"],
        "depth": ["2"],
        "frequency": ["head, by test gold"],
        "hard": ["typos"],
    }


def test_seen_and_frequent_in_training() -> None:
    train = [example(Listing(f"t{i}", "t", TEXTS, PATHS[i]), "category_shortlist", "shop") for i in (0, 1, 3)]
    rows = listings()
    scores, _ = score(join(rows, {row.id: row.target for row in rows}), SETTINGS, training=count_targets(train, str))
    assert {name: one.n for name, one in of(scores["category"], "seen").items()} == {
        "seen in training": 48,
        "unseen in training": 12,
    }
    assert {name: one.n for name, one in of(scores["category"], "frequency").items()} == {
        "head, by training": 36,
        "torso, by training": 12,
        "tail, by training": 12,
    }


def products(count: int = 40) -> list[Row]:
    found = []
    for i in range(count):
        values = (("Brand", ("Acme",)), ("Color", (("Red",), ())[i % 2]), ("Size", ("XL",) if i % 4 else ()))
        record = Attributes(str(i), f"g{i}", TEXTS, values, implicit=("Size",))
        found.append(example(record, "attributes", "shop"))
    return found


def test_slots_are_divided_by_attribute_value_and_how_it_is_stated() -> None:
    rows = products()
    train = [example(Attributes("t", "t", TEXTS, (("Brand", ("Acme",)), ("Color", ("Blue",)))), "attributes", "shop")]
    predictions = {row.id: '{"Brand": "Acme", "Color": "Red", "Size": null, "Fit": "slim"}' for row in rows[:-1]}
    found, lines = score(join(rows, predictions | {rows[-1].id: "?"}), SETTINGS, training=count_targets(train, str))
    scores = found["attributes"]
    brand, color, size = (of(scores, "attribute")[name] for name in ("Brand", "Color", "Size"))
    assert (brand.n, brand.invalid, brand.metrics["micro_recall"].value) == (40, 1, 39 / 40)
    assert color.metrics["micro_precision"].value == 20 / 39 and color.metrics["micro_recall"].value == 1
    assert size.metrics["micro_f1"].value == 0
    assert brand.metrics["micro_f1"].floor == 1 and brand.metrics["micro_f1"].floor_by == "commonest value"
    assert scores.attributes["Color"] == {
        "both_none": 0,
        "hallucinated": 19,
        "missed": 0,
        "right": 20,
        "wrong": 0,
        "unreadable": 1,
    }
    assert scores.attributes["(not asked for)"]["hallucinated"] == 39
    assert scores.counts
    for name, total in scores.counts.items():
        assert total == sum(counted[name] for counted in scores.attributes.values())
    kinds = {name: one.metrics["micro_recall"].value for name, one in of(scores, "implicit").items()}
    assert kinds == {"explicit": 59 / 60, "implicit": 0}
    seen = {name: one.metrics["micro_recall"].value for name, one in of(scores, "seen").items()}
    assert seen == {"seen in training": 39 / 40, "unseen in training": 20 / 50}
    assert next(lines).slices["attribute"] == ["Brand", "Color", "Size"]


def test_questions_by_type() -> None:
    asked = ("What is it?", "Does it fit?", "How big?", "is it red", "Lid?")
    rows = [
        example(Question(str(i), f"g{i}", asked[i % 5], ("x",), "x" if i % 2 else None), "answer", "qa")
        for i in range(100)
    ]
    scores, _ = score(join(rows, {row.id: row.target for row in rows}), SETTINGS)
    found = of(scores["answer"], "question_type")
    assert {name: one.n for name, one in found.items()} == {"what": 20, "yes/no": 40, "how": 20, "other": 20}
    assert set(found["what"].metrics) == {"rouge_l", "exact_match", "unanswerable_f1"}


def test_intervals_from_blocks_are_those_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    right = random.random(9000) < 0.7
    rows = [example(Listing(str(i), f"g{i // 2}", TEXTS, PATHS[i % 5]), "category", "ab"[i % 2]) for i in range(9000)]
    predictions = {row.id: row.target if good else "Nowhere" for row, good in zip(rows, right, strict=True)}
    assert blocked(np.arange(4500), SETTINGS)[1].shape == (100 + slices.PARTS, slices.BLOCKS)
    scores, _ = score(join(rows, predictions), Settings(resamples=400))
    (sample,) = stats.bootstrap([(averaged(right[::2].astype(float)), PLAIN)], [str(i) for i in range(4500)])
    whole = stats.score_interval(right[::2].mean(), sample)
    found = of(scores["category"], "source")["a"].metrics["accuracy"]
    assert found.value == pytest.approx(right[::2].mean())
    assert (found.high - found.low) == pytest.approx(whole.high - whole.low, rel=0.15)


def test_a_slice_of_fewer_than_ten_groups_has_a_value_and_the_reason_for_no_interval() -> None:
    rows = [example(Listing(str(i), f"g{i // 5}", TEXTS, PATHS[i % 5]), "category", "ab"[i < 45]) for i in range(200)]
    scores, _ = score(join(rows, {row.id: row.target for row in rows}), SETTINGS)
    few, many = (of(scores["category"], "source")[name].metrics["accuracy"] for name in "ba")
    assert (few.value, few.low, few.high, few.reason) == (1, None, None, "needs 10 groups, found 9")
    assert many.low < many.value == many.high == 1 and not many.reason


PLAIN = metrics.get("accuracy")


def test_a_million_names_make_no_million_slices() -> None:
    rows = [example(Listing(str(i), f"g{i}", TEXTS, ("x",)), "category", f"shop {i}") for i in range(300)]
    scores, _ = score(join(rows, {row.id: "x" for row in rows}), SETTINGS)
    found = of(scores["category"], "source")
    assert len(found) == 201 and found["(all others)"].n == 100


def test_outputs_reach_metrics() -> None:
    row = listings(1)[0]
    found = parse.example(row, Output("Home > Mugs", ["Car", "Car", "x\ny", "Home > Mugs", 5], {"relevance": 0.5}))
    assert isinstance(found, Example)
    assert found.ranked == (("Car",), None, ("Home", "Mugs"))
    assert found.judged == {"relevance": 0.5}
