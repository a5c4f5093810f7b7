"""The forgiving parse: what it recovers, what it leaves alone, and that no text makes it slow or makes it raise."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import examples, tasks
from converters.schema import Row
from converters.tasks.answer import Reply
from converters.tasks.ranking import Order
from eval.results.schema import Settings
from eval.scoring import parse
from eval.scoring.parse import salvage
from eval.scoring.score import score
from tests.eval._pairs import join

OPTIONS = {"options": ["Exact match", "Substitute", "Irrelevant"]}
# JSON nested 10,000 deep, and about a megabyte each of what a pattern or a loop could stumble over
BOMBS = {
    "[": 10_000,
    '{"a":': 10_000,
    "{": 10**6,
    "[1]": 300_000,
    "```": 300_000,
    "answer is ": 100_000,
    "1, ": 300_000,
}
BOMBS |= {"> ": 500_000, "yes ": 250_000, "\n": 10**6, '{"': 500_000, "\x00": 10**6, "[1] x": 200_000, " [": 500_000}
GAINS = {"gains": [1.0, 0.1, 0.0]}


def meant(task: str, text: Any, meta: Any = None, gold: Any = None) -> Any:
    return salvage(task, text, parse.read(task, text, meta or {}), meta or {}, gold)


@pytest.mark.parametrize(
    ("task", "text", "meta", "found"),
    [
        ("attributes", '```json\n{"Size": "L"}\n```', {}, {"Size": ("L",)}),
        ("attributes", 'Here it is: {"Size": "L"} as asked {x', {}, {"Size": ("L",)}),
        ("attributes", "{oops} then " + '{"Size": null}', {}, {"Size": ()}),
        ("attributes", {"Size": ["L", "XL"]}, {}, {"Size": ("L", "XL")}),
        ("attributes", "Size: L", {}, None),
        ("attributes", ["Size"], {}, None),
        ("category", "```\nHome > Mugs\n```", {}, ("Home", "Mugs")),
        ("category", "Home > Mugs\n\nThis is a mug, so", {}, ("Home", "Mugs")),
        ("choice", "The answer is B: Substitute.", OPTIONS, "Substitute"),
        ("choice", '"substitute"', OPTIONS, "Substitute"),
        ("choice", "Answer: C", OPTIONS, "Irrelevant"),
        ("choice", "It is no exact match, rather something else", OPTIONS, None),
        ("yes_no", "**No**, it does not", {}, False),
        ("yes_no", "Answer: yes", {}, True),
        ("yes_no", "I do not know", {}, None),
        ("answerable", "Yes - see snippet 2", {}, True),
        ("ranking", "[2, 1, 3]", GAINS, Order((2, 1, 3))),
        ("ranking", "Best first: 2 > 1 > 3.", GAINS, Order((2, 1, 3))),
        ("ranking", "2, 1 or rather 1, 2", GAINS, None),
        ("ranking", "[9, 8]", GAINS, None),
        ("answer", "It holds [2] two litres. [1]", {}, Reply("It holds two litres.", (1, 2))),
        ("answer", "the snippets DO NOT say", {}, Reply(None)),
        ("answer", "[1]", {}, None),
        ("general", "  ", {}, None),
        ("category", None, {}, None),
    ],
)
def test_what_it_reads(task: str, text: Any, meta: Any, found: Any) -> None:
    assert meant(task, text, meta) == found


COLOUR, TWO = {"attributes": ["Colour"]}, {"Colour": ("Red", "Blue")}
POTS = {"options": ["Pots, Pans", "Lids", "C"]}


@pytest.mark.parametrize(
    ("task", "text", "meta", "gold", "found"),
    [
        ("attributes", '{"Colour": "Red, Blue"}', COLOUR, TWO, TWO),
        ("attributes", '{"Colour": "[Red; \'Blue\'; Red]"}', COLOUR, TWO, TWO),
        ("attributes", '{"Colour": "赤、青，緑"}', COLOUR, TWO, {"Colour": ("赤", "青", "緑")}),
        ("attributes", "Red, Blue", COLOUR, TWO, TWO),
        ("attributes", "[Red, Blue]", COLOUR, TWO, TWO),
        ("attributes", '["Red", "Blue"]', COLOUR, {"Colour": ("Red",)}, TWO),
        ("attributes", "- **Colour**: Red, Blue\n- Size: not set", {"attributes": ["Size", "Colour"]}, {"Size": (), **TWO},
         {"Size": (), **TWO}),
        ("attributes", "colour: Red, Blue", COLOUR, {"Colour": ("Red, Blue",)}, {"Colour": ("Red, Blue",)}),
        ("attributes", '{"Size": "1,5 l, 2 l"}', {}, {"Size": ("1,5 l", "2 l")}, {"Size": ("1,5 l", "2 l")}),
        ("attributes", '{"Size": "38,39,40"}', {}, {"Size": ("38", "39")}, {"Size": ("38", "39", "40")}),
        ("attributes", '{"Size": "1,5 l"}', {}, {"Size": ("1,5 l",)}, {"Size": ("1,5 l",)}),
        ("attributes", '{"Type": "Pots, Pans"}', {}, {"Type": ("Pots, Pans",)}, {"Type": ("Pots, Pans",)}),
        ("attributes", '{"Colour": ["Red, Blue", "Black"]}', {}, TWO, {"Colour": ("Red, Blue", "Black")}),
        ("attributes", "Colour: Red\nand it is nice", COLOUR, TWO, None),
        ("attributes", "Red, Blue", {"attributes": ["Colour", "Size"]}, TWO, None),
        ("choice", "B, Lids", POTS, "Lids", "Lids"),
        ("choice", "A, Pots, Pans", POTS, "Lids", "Pots, Pans"),
        ("choice", "pots, pans", POTS, "Lids", "Pots, Pans"),
        ("choice", "A, C", POTS, "C", None),
        ("choice", "[B]", POTS, "Lids", "Lids"),
        ("ranking", "２、１、３", GAINS, None, Order((2, 1, 3))),
        ("ranking", "#2, #1 and #3", GAINS, None, Order((2, 1, 3))),
        ("ranking", "Product 2; product 3; product 1", GAINS, None, Order((2, 3, 1))),
        ("ranking", "[2], [3], [1]", GAINS, None, Order((2, 3, 1))),
        ("ranking", "1. Product 3\n2. Product 1\n3. Product 2", GAINS, None, Order((3, 1, 2))),
        ("ranking", "- 3\n- 1\n- 2\n", GAINS, None, Order((3, 1, 2))),
        ("ranking", "1. Kettle\n2. Pan", GAINS, None, None),
        ("ranking", "B, A, C", GAINS, None, Order((2, 1, 3))),
        ("category", '["Home", "Pots, Pans"]', {}, ("Home", "Pots, Pans"), ("Home", "Pots, Pans")),
        ("category", "Home › Pots → Lids", {}, ("Home",), ("Home", "Pots", "Lids")),
        ("category", "Home, Pots, Lids", {}, ("Car", "Oil", "Old"), ("Home", "Pots", "Lids")),
        ("category", "Pots, Pans", {}, ("Pots, Pans",), ("Pots, Pans",)),
        ("category", "Home, Pots, Pans", {}, ("Home", "Pots, Pans"), ("Home, Pots, Pans",)),
        ("answer", "It holds 2 l. [1, 3]", {}, Reply("2 l", (1,)), Reply("It holds 2 l.", (1, 3))),
        ("answer", "It holds [1;2] 2, 3 or 4 l.", {}, None, Reply("It holds 2, 3 or 4 l.", (1, 2))),
    ],
)  # fmt: skip
def test_lists_that_are_written_as_one_text(task: str, text: str, meta: Any, gold: Any, found: Any) -> None:
    strict = parse.read(task, text, meta)
    assert meant(task, text, meta, gold) == found and parse.read(task, text, meta) == strict


@pytest.mark.parametrize(
    ("task", "text", "meta", "reason"),
    [
        ("attributes", '{"a": 1, "a": 2}', {}, "an attribute named twice"),
        ("attributes", "Brand: Acme", {}, "not JSON"),
        ("choice", "C", {"options": ["x"]}, "not one of the options"),
        ("category", "a > > b", {}, "an empty name in the path"),
        ("yes_no", "maybe", {}, "neither yes nor no"),
        ("yes_no", "yes", {}, ""),
    ],
)
def test_why_it_cannot_be_read(task: str, text: str, meta: Any, reason: str) -> None:
    assert parse.reason(task, text, meta) == reason


def test_what_can_be_read_is_left_as_it_is(rows: list[Row]) -> None:
    for row in rows:
        assert meant(row.task, row.target, row.extra) == examples.gold(row)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(tasks.names()), st.one_of(st.text(), st.text('{}[]"`>,: \n1yesno*', max_size=60)))
def test_no_text_makes_it_raise(task: str, text: str) -> None:
    meant(task, text, {"options": ["1", "yes"], "gains": [1.0, 0.0]})
    assert isinstance(parse.reason(task, text, {"options": ["1"], "gains": [1.0]}), str)


@pytest.mark.parametrize(
    "text",
    [unit * times for unit, times in BOMBS.items()],
    ids=lambda text: f"{len(text)} of {text[:4]!r}",
)
def test_bombs_and_a_megabyte_take_no_time(text: str) -> None:
    start = time.monotonic()
    for task in tasks.names():
        meant(task, text, {"options": ["x"], "gains": [1.0], "attributes": ["a"]})
        assert isinstance(parse.reason(task, text, {"options": ["x"], "gains": [1.0]}), str)
    assert time.monotonic() - start < 600  # it hangs, or takes a moment


def test_it_is_scored_apart(rows: list[Row]) -> None:
    chosen = [row for row in rows if row.task == "attributes"]
    wrapped = {row.id: row.target if i % 2 else f"Sure:\n```json\n{row.target}\n```" for i, row in enumerate(chosen)}
    scores, lines = score(join(chosen, wrapped), Settings(resamples=100))
    found, salvaged = scores["attributes"], scores["attributes"].salvage
    assert found.invalid == 6 and found.reasons == {"JSON in a code fence": 6}
    assert found.validity and found.validity.value == 0.5 and found.validity.low is not None
    assert salvaged and salvaged.recovered == 6
    assert found.metrics["micro_f1"].value < salvaged.metrics["micro_f1"].value == 1
    assert found.metrics["micro_f1"].floor == salvaged.metrics["micro_f1"].floor
    assert [(line.salvaged, line.valid, line.reason) for line in lines] == [
        (True, False, "JSON in a code fence"),
        (False, True, ""),
    ] * 6
