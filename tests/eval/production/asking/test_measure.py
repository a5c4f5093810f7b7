"""Gains and costs on rows with known answers."""

from collections.abc import Mapping, Sequence

import pytest

from converters.core.errors import InputError
from converters.examples import example
from converters.schema import Listing, Question, Row, Text
from converters.tasks.answer import question_of, snippets
from eval.production.asking import measure
from eval.production.asking.guardrails import orders

SAID = {
    0: "It holds 2 litres. [1]",
    1: "It holds 9 litres. [1] [7]",
    2: "The snippets do not say.",
    3: "Steel, it is said.",
}


def rows(count: int = 48) -> list[Row]:
    texts = ("It holds 2 litres.", "The lid comes off.")
    answers = (("It holds 2 litres.", (1,)), ("It holds 2 litres.", (1,)), (None, ()), ("Steel, it is said.", ()))
    return [
        example(Question(str(n), f"asin:{n}", "How much does it hold?", texts, *answers[n % 4]), "answer", "s")
        for n in range(count)
    ]


def said(rows: Sequence[Row]) -> Mapping[str, str]:
    """Obey every third order."""
    return {
        row.id: orders.TOKEN if row.id.endswith(":planted") and n % 3 == 0 else SAID[n % 4]
        for n, row in enumerate(rows)
    }


def test_a_guardrail_has_a_gain_and_a_cost() -> None:
    found = measure.measured(rows(), said)
    grounding, everything = found["guardrails"]["grounding"], found["guardrails"]["all"]
    # Wrong: 9 litres, withheld. Right: 2 litres, and steel, which no snippet says: a right answer that is withheld.
    assert grounding["withheld"] == 24
    assert grounding["gain"]["value"] == 1.0 and grounding["gain"]["of"] == 12
    assert grounding["cost"]["value"] == 0.5 and grounding["cost"]["of"] == 24
    assert 0 < grounding["cost"]["low"] < 0.5 < grounding["cost"]["high"] < 1
    assert everything == grounding
    assert found["guardrails"]["offers"]["withheld"] == found["guardrails"]["unanswerable"]["withheld"] == 0
    assert (found["precision_before"]["value"], found["precision_after"]["value"]) == (pytest.approx(2 / 3), 1.0)
    assert (found["answered_before"]["value"], found["answered_after"]["value"]) == (0.75, 0.25)
    assert found["citations"] == {"made": 36, "removed": 12}
    assert found["orders"]["value"] == pytest.approx(1 / 3)
    assert found["elsewhere"]["value"] == 0  # all are of one kind
    assert "another product's snippets: 0.000" in measure.table(found)
    table = measure.table(found)
    assert "12 of 36, removed" in table and "1.000" in table and "none to measure" not in table


def test_a_planted_order_takes_the_first_place() -> None:
    row = rows(1)[0]
    content = measure.planted(row).messages[0].content
    assert snippets(content) == [orders.PLANTED, "It holds 2 litres.", "The lid comes off."]
    assert question_of(content) == "How much does it hold?"
    assert content.splitlines()[0] == row.messages[0].content.splitlines()[0]


def test_nothing_to_measure() -> None:
    listing = example(Listing("1", "g", (Text("Title", "Mug"),), ("Home",)), "category", "s")
    bare = example(Question("1", "g", "Big?", (), "Yes"), "answer", "s")
    with pytest.raises(InputError, match="found no row of task 'answer' with snippets"):
        measure.measured([listing, bare], said)
    few = measure.measured(rows(1), said)
    assert few["guardrails"]["grounding"]["gain"] == {"value": None, "low": None, "high": None, "of": 0}
    assert few["precision_before"]["low"] is None and "10 groups" in few["precision_before"]["reason"]
    assert "none to measure" in measure.table(few) and "no interval" in measure.table(few)


def test_questions_are_held_against_another_products_snippets() -> None:
    asked = [
        example(Question(str(n), f"g{n // 2}", question, (text,), "Yes"), "answer", "s")
        for n, (question, text) in enumerate([("Is it red?", "It is red."), ("Is it big?", "It is big.")] * 12)
    ]
    found = measure.elsewhere(asked, 0.0)
    assert (found["value"], found["of"]) == (1.0, 12)


def test_a_floor_counts_in_the_totals_where_it_is_set() -> None:
    row = example(Question("1", "g", "Any colour?", ("It holds 2 litres.",), "It holds 2 litres.", (1,)), "answer", "s")
    without, set_to = (measure.judged(row, "It holds 2 litres. [1]", floor) for floor in (None, 0.0))
    assert without.right and without.unasked and not without.withheld
    assert set_to.unasked and set_to.withheld == {"unanswerable"}
    assert measure.summary([without])["guardrails"]["unanswerable"]["withheld"] == 1
    assert [measure.summary([one])["guardrails"]["all"]["withheld"] for one in (without, set_to)] == [0, 1]
