"""The confidence of each part of an answer from its tokens' log-probabilities, by numbers that are computed by hand."""

import json
from math import exp, log
from pathlib import Path
from typing import Any

import pytest

from converters.examples import example
from converters.io import jsonl
from converters.schema import Attributes, Listing, Question, Ranking, Row, Text, Verdict
from eval.answers import get
from eval.inference.backends._offsets import of_bytes
from eval.inference.backends.base import Answer
from eval.inference.confidence import confidences, of_row
from eval.results.runs import read_predictions

TEXTS = (Text("Title", "Mug"),)
Pairs = list[tuple[str, float]]


def told(pairs: Pairs) -> tuple[str, list[tuple[int, float]]]:
    """Return the text that tokens write, "" being the end token, and where each ends in it."""
    text, found = "", []
    for piece, probability in pairs:
        text += piece
        found.append((len(text), log(probability)))
    return text, found


def confidence(kind: str, *pairs: tuple[str, float]) -> dict[str, float]:
    return confidences(get(kind), *told(list(pairs)))


def about(**expected: float) -> Any:
    return pytest.approx({name.replace("_", " "): value for name, value in expected.items()}, rel=1e-5)


def test_a_level_has_the_names_down_to_it_and_the_sign_behind_it() -> None:
    tokens = [("Home", 0.9), (" >", 0.8), (" Kit", 0.5), ("chen", 0.9), (" >", 1.0), (" Mugs", 0.25), ("", 0.8)]
    found = confidence("path", *tokens)
    assert found == about(
        path=0.9 * 0.8 * 0.5 * 0.9 * 0.25 * 0.8,
        level_1=0.9 * 0.8,
        level_2=0.9 * 0.8 * 0.5 * 0.9,
        level_3=0.9 * 0.8 * 0.5 * 0.9 * 0.25 * 0.8,
    )
    assert list(found) == ["path", "level 1", "level 2", "level 3"]
    assert confidence("path", ("Home", 0.5), ("", 0.8)) == about(path=0.4, level_1=0.4)


def test_a_token_in_two_levels_counts_from_the_upper_one_on() -> None:
    found = confidence("path", ("Home", 0.9), (" > Ki", 0.5), ("tchen", 0.8), ("", 1.0))
    assert found == about(path=0.36, level_1=0.45, level_2=0.36)
    assert confidence("path", ("A>B>", 0.5), ("C", 0.5)) == about(path=0.25, level_1=0.5, level_2=0.5, level_3=0.25)


def test_an_attribute_has_its_value_with_quotes_or_its_null() -> None:
    found = confidence(
        "record",
        ('{"', 0.25), ("Brand", 0.25), ('":', 0.25), (' "', 0.9), ("Ac", 0.8), ("me", 0.5), ('",', 0.9),
        (' "', 0.25), ("Color", 0.25), ('":', 0.25), (" null", 0.8), ("}", 0.25), ("", 0.25),
    )  # fmt: skip
    assert found == about(Brand=0.9 * 0.8 * 0.5 * 0.9, Color=0.8)


def test_a_token_that_ends_one_value_and_begins_the_next_counts_in_both() -> None:
    found = confidence("record", ('{"A": "', 0.9), ("x", 0.8), ('", "B": "', 0.5), ("y", 0.25), ('"}', 0.9), ("", 0.5))
    assert found == about(A=0.9 * 0.8 * 0.5, B=0.5 * 0.25 * 0.9)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"Brand": "Acme", "Color": ["Red", "Blue"], "Size": null}', ['"Acme"', '["Red", "Blue"]', "null"]),
        ('\n{ "a" : 1.50 ,\t"b":"\\"}, {\\"c\\": 1" , "c": [ ] }\n', ["1.50", '"\\"}, {\\"c\\": 1"', "[ ]"]),
        ('{"红": "红色 🫖", "\\u00e9, {": "x"}', ['"红色 🫖"', '"x"']),
        (f'{{"n": {"7" * 5000}}}', ["7" * 5000]),
        ("{}", []),
    ],
)
def test_the_values_of_a_record_are_found_where_they_stand(text: str, values: list[str]) -> None:
    units = list(get("record").units(text))
    assert [text[start:end] for _, start, end in units] == values
    assert [name for name, _, _ in units] == list(json.loads(text, parse_int=str))


def test_names_of_attributes_are_those_that_scoring_has() -> None:
    units = list(get("record").units('{" Gro\u0308\u00dfe ": "M"}'))
    assert [name for name, _, _ in units] == ["Gr\u00f6\u00dfe"]


@pytest.mark.parametrize("kind", ["choice", "order", "verdict"])
def test_a_short_answer_is_the_joint_probability_of_its_tokens(kind: str) -> None:
    assert confidence(kind, ("2", 0.5), (", 1", 0.5), ("", 0.8)) == about(answer=0.2)


@pytest.mark.parametrize("kind", ["text", "reply"])
def test_a_text_is_the_mean_probability_of_its_tokens(kind: str) -> None:
    found = confidence(kind, ("The snippets", 0.5), (" do not say.", 0.25), ("", 1.0))
    assert found == about(answer=(0.5 * 0.25) ** (1 / 3))


def test_parts_of_a_character_count_with_the_character() -> None:
    """红 is three bytes, here three tokens; the quote before it is the value's, the space before that nobody's."""
    tokens = [(-0.5, b'{"A":'), (-0.5, b" "), (-0.1, b'"'), (-0.2, b"\xe7"), (-0.3, b"\xba"), (-0.4, b"\xa2"),
              (-0.6, b'"'), (-0.5, b"}"), (-0.5, b"</s>")]  # fmt: skip
    text = '{"A": "红"}'
    logprobs = of_bytes(tokens, text)
    assert logprobs == [
        (5, -0.5),
        (6, -0.5),
        (7, -0.1),
        (7, -0.2),
        (7, -0.3),
        (8, -0.4),
        (9, -0.6),
        (10, -0.5),
        (10, -0.5),
    ]
    assert confidences(get("record"), text, logprobs) == about(A=exp(-1.6))


def test_a_confidence_is_above_0_and_at_most_1() -> None:
    assert confidences(get("text"), "x", [(1, 0.0), (1, 0.0)]) == {"answer": 1.0}
    tiny = confidences(get("verdict"), "yes", [(1, -900.0), (3, -9999.0)])["answer"]
    assert 0 < tiny < 1e-300 and json.loads(json.dumps(tiny)) == tiny


@pytest.mark.parametrize(
    ("tokens", "text", "ends"),
    [
        ([b"Home", b" >", b" Mugs"], "Home > Mugs", [4, 6, 11]),
        ([b" Home", b" >", b" Mugs", b"</s>"], "Home > Mugs", [4, 6, 11, 11]),  # a space before the first word
        ([b" ", b"Home", b"\n", b"</s>"], "Home", [0, 4, 4, 4]),
        ([b"<think>", b"no? yes?", b"</think>", b"\n", b"yes", b"</s>"], "yes", [3, 3]),  # a reasoning is left out
        ([b"", b"\xe4\xbf\x9d", b"", b"\xe6\xb8\xa9"], "保温", [0, 1, 1, 2]),  # as vLLM: whole characters only
        ([b"\xf0\x9f", b"\xab", b"\x96a"], "🫖a", [0, 0, 2]),
        ([b"s", b"</s>"], "s", [1, 1]),
        ([b"", b"</s>"], "", [0, 0]),
        ([b"\xef\xbf\xbd", b"\xef\xbf\xbd"], "保", []),  # tokens without bytes, each with a replacement character
        ([b"Car"], "\ud800", []),
    ],
)
def test_ends_of_a_servers_tokens(tokens: list[bytes], text: str, ends: list[int]) -> None:
    found = of_bytes([(-float(number), piece) for number, piece in enumerate(tokens)], text)
    assert [end for end, _ in found] == ends


def test_lowest_and_highest_log_probabilities() -> None:
    found = of_bytes([(float("-inf"), b"a"), (1e-9, b"b"), (-1e-9, b"c"), (-0.12345678, b"d")], "abcd")
    assert json.dumps([value for _, value in found]) == "[-9999.0, 0.0, 0.0, -0.123457]"


def answer(text: str | None, *logprobs: tuple[int, float]) -> Answer:
    return Answer("1", text, len(logprobs), True, logprobs=list(logprobs))


def test_what_cannot_be_read_has_no_confidence_and_what_was_not_told_is_not_available() -> None:
    path = example(Listing("1", "g", TEXTS, ("Home", "Mugs")), "category", "s")
    verdict = example(Verdict("1", "g", "Is it?", TEXTS, True), "yes_no", "s")
    ranking = example(Ranking("1", "g", "mug", ("Mug", "Pan"), (1.0, 0.0)), "ranking", "s")
    record = example(Attributes("1", "g", TEXTS, (("Brand", ("Acme",)),)), "attributes", "s")
    assert of_row(path, [answer("Home >", (6, -0.1))]) == of_row(path, [answer("")]) == {}
    assert of_row(verdict, [answer("perhaps", (7, -0.1))]) == of_row(verdict, [answer(None)]) == {}
    assert of_row(record, [answer('{"Brand": "Acme', (15, -0.1))]) == {}
    assert of_row(ranking, [answer("7", (1, -0.1))]) == {}  # readable, but no candidate's number
    assert of_row(ranking, [answer("2", (1, -0.1))]) == about(answer=exp(-0.1))
    assert of_row(path, [answer("Home")]) is of_row(verdict, [answer("yes")]) is None
    empty = example(Attributes("1", "g", TEXTS, ()), "attributes", "s")
    assert of_row(empty, [answer("{}", (2, -0.1))]) == {}


def test_an_abstention_has_the_confidence_of_its_text() -> None:
    row = example(Question("1", "g", "Hot?", ("Blue.",), None), "answer", "s")
    assert of_row(row, [answer(row.target, (10, -0.2), (24, -0.4))]) == about(answer=exp(-0.3))


def walk() -> Row:
    below = (("Home", "Car"), ("Mugs", "Pans"), ("Red mugs",))
    return example(Listing("1", "g", TEXTS, ("Home", "Mugs"), "", below), "category_levels", "s")


def test_the_turns_of_a_walk_are_multiplied() -> None:
    first = answer("Home", (4, -0.1), (4, -0.2))
    second = answer("Home > Mugs", (4, -0.01), (6, -0.02), (11, -0.4), (11, -0.03))
    stop = answer("Home > Mugs", (4, -0.01), (11, -0.02), (11, -0.5))
    whole = exp(-0.3 - 0.46 - 0.53)
    assert of_row(walk(), [first, second, stop]) == about(path=whole, level_1=exp(-0.3), level_2=whole)
    assert of_row(walk(), [first, second]) == about(path=exp(-0.76), level_1=exp(-0.3), level_2=exp(-0.76))
    assert of_row(walk(), [first]) == about(path=exp(-0.3), level_1=exp(-0.3))
    deeper = answer("Home > Mugs > Red", (6, -0.1), (13, -0.2), (17, -0.3))  # two levels in one turn
    assert of_row(walk(), [first, deeper]) == about(
        path=exp(-0.9), level_1=exp(-0.3), level_2=exp(-0.3 - 0.3), level_3=exp(-0.9)
    )
    assert of_row(walk(), [first, answer("Home")]) is None


def test_a_file_of_predictions_is_read_with_its_confidences_and_without(tmp_path: Path) -> None:
    rows = [example(Listing(str(n), "g", TEXTS, ("Home",)), "category", "s") for n in range(5)]
    jsonl.write_lines(tmp_path / "test.jsonl", rows)
    stated: list[Any] = [{"path": 0.5, "level 1": 1}, None, {}, 0.93, {"path": 7}]
    lines = [{"id": row.id, "prediction": "Home"} for row in rows]
    lines = [
        {**line, "confidence": each} if each is not None else line for line, each in zip(lines, stated, strict=True)
    ]
    jsonl.write_lines(tmp_path / "predictions.jsonl", lines)
    found = [
        output.confidence for _, output in read_predictions(tmp_path / "test.jsonl", tmp_path / "predictions.jsonl")
    ]
    assert found == [{"path": 0.5, "level 1": 1.0}, {}, {}, {}, {}]  # a number alone, or above 1, is another's field
