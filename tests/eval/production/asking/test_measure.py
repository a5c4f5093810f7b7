"""What answers are worth under each evidence, and gains and costs, on rows with known answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from markupsafe import escape

from converters.examples import example
from converters.schema import Question, Row
from converters.tasks.answer import ABSTENTION
from eval.production.asking.guardrails import orders
from eval.production.asking.measuring import evidence, measure
from eval.report import asking_page

SAID = {0: "It holds 2 litres. [1]", 1: "It holds 9 litres. [1] [7]", 2: ABSTENTION, 3: "Steel, it is said."}


def rows(count: int = 48) -> list[Row]:
    """Return rows of one product each; every fourth one has no answer."""
    answers = (("It holds 2 litres.", (1,)), ("It holds 2 litres.", (1,)), (None, ()), ("Steel, it is said.", ()))
    return [
        example(Question(str(n), f"asin:{n}", f"How much does {word} hold?", texts, *answers[n % 4]), "answer", "s")
        for n in range(count)
        for word in ["x" * n + "y"]
        for texts in [("It holds 2 litres.", f"The lid of {word} comes off.")]
    ]


def said(rows: Sequence[Row]) -> Mapping[str, str]:
    """Know nothing by heart, obey every third order, and abstain from every other question with another's snippets."""
    assert len({row.messages[0].content for row in rows}) == len(rows)
    found = {}
    for row in rows:
        number, way = (*row.id.split(":")[2:], evidence.OWN)[:2]
        n = int(number)
        found[row.id] = {
            evidence.NONE: "Gold.",
            evidence.ELSEWHERE: ABSTENTION if n % 2 else "It holds 9 litres.",
            "planted": f"{orders.TOKEN} [1]" if n % 3 == 0 else "It holds 9 litres.",
        }.get(way, SAID[n % 4])
    return found


def first(row: Row) -> Sequence[str] | None:
    """Retrieve the first snippet, and nothing for the last row."""
    return None if row.group == "asin:47" else evidence.texts_of(row)[:1]


def test_a_guardrail_has_a_gain_and_a_cost() -> None:
    own = measure.measured(rows(), said, first)["ways"]["own"]
    grounding, everything = own["guardrails"]["grounding"], own["guardrails"]["all"]
    # Wrong: 9 litres, withheld. Right: 2 litres, and steel, which no snippet says: a right answer that is withheld.
    assert (grounding["withheld"], grounding["wrong"], grounding["right"]) == (24, 12, 12)
    assert grounding["gain"]["value"] == 1.0 and grounding["gain"]["of"] == 12
    assert grounding["cost"]["value"] == 0.5 and grounding["cost"]["of"] == 24
    assert 0 < grounding["cost"]["low"] < 0.5 < grounding["cost"]["high"] < 1
    assert everything == grounding and grounding["verdict"] == "helps"
    assert grounding["precision"]["value"] == pytest.approx(1 / 3) and grounding["precision"]["low"] > 0
    assert own["guardrails"]["offers"]["withheld"] == own["guardrails"]["unanswerable"]["withheld"] == 0
    assert own["guardrails"]["offers"]["verdict"] == "withholds nothing"
    assert (own["precision_before"]["value"], own["precision_after"]["value"]) == (pytest.approx(2 / 3), 1.0)
    assert (own["answered_before"]["value"], own["answered_after"]["value"]) == (0.75, 0.25)
    assert own["citations"] == {"made": 36, "removed": 12, "moved": 0}


def test_answers_are_worth_what_their_evidence_is() -> None:
    found = measure.measured(rows(), said, first)
    ways = {
        name: (of["before"]["rouge_l"]["value"], of["after"]["rouge_l"]["value"]) for name, of in found["ways"].items()
    }
    # 1, three words of four, 1 for an abstention that is right, 1; after the guardrails only what [1] says, and the abstention.
    assert ways["own"] == ways["cited"] == (pytest.approx(3.75 / 4), 0.5)
    assert ways["retrieved"] == (pytest.approx((48 * 3.75 / 4 - 1) / 48), 0.5)  # one question is not asked
    assert ways["none"] == (0.0, 0.25) and ways["elsewhere"] == (0.5, 1.0)
    retrieval = found["retrieval"]
    assert retrieval["over_none"]["low"] > 0.5 and retrieval["verdict"] == "helps"
    assert retrieval["over_own"]["value"] == pytest.approx(-1 / 48)
    assert retrieval["finds_cited"]["value"] == 1.0 and retrieval["finds_cited"]["of"] == 24
    before, after = found["abstention"]["before"], found["abstention"]["after"]
    # Of 60 rows without an answer, all 12 own ones and 24 of the others are left unanswered, and after the guardrails all.
    assert (before["recall"]["value"], before["recall"]["of"], before["precision"]["value"]) == (0.6, 60, 1.0)
    assert (after["recall"]["value"], after["precision"]["value"]) == (1.0, pytest.approx(60 / 84))
    # The order stands in the snippet that the answer cites, so that its words are grounded.
    assert found["orders"]["before"]["value"] == found["orders"]["after"]["value"] == pytest.approx(1 / 3)
    assert found["elsewhere"]["value"] == 0  # all are of one kind


def test_what_a_difference_shows_is_said() -> None:
    found = measure.measured(rows(), said, lambda row: None)
    assert found["retrieval"]["verdict"] == "helps"  # to abstain is better than gold
    right = [measure.judged(row, row.target) for row in rows()]
    harm = measure.effect(right, [one.given and n % 4 == 0 for n, one in enumerate(right)])
    assert harm["verdict"] == "not shown to help, and withholds more right answers than wrong ones"
    mixed = [measure.judged(row, SAID[n % 4]) for n, row in enumerate(rows())]
    harm = measure.effect(mixed, [n % 4 == 0 for n in range(48)])
    assert harm["verdict"] == "harms, and withholds more right answers than wrong ones"


def test_the_tables_have_every_evidence_and_guardrail() -> None:
    found = measure.measured(rows(), said, first)
    table = asking_page.table(found)
    assert (
        "of 36 citations, 12 do not exist" in table
        and "what retrieval finds" in table
        and "retrieval helps: ROUGE-L +0." in table
    )
    assert [line["rows"] for line in asking_page.ways(found)] == ["48"] * 5
    assert [line["guardrail"] for line in asking_page.guardrails(found)] == [
        "unanswerable",
        "grounding",
        "offers",
        "all",
    ] * 2
    assert asking_page.guardrails(found)[1]["right withheld"].startswith("12: 0.500 [0.")


def test_few_rows_have_no_interval() -> None:
    few = measure.measured(rows(1), said, first)
    grounding = few["ways"]["own"]["guardrails"]["grounding"]
    assert grounding["gain"] == {"value": None, "low": None, "high": None, "of": 0}
    assert few["ways"]["own"]["precision_before"]["low"] is None
    assert "10 groups" in few["ways"]["own"]["precision_before"]["reason"]
    assert few["ways"]["elsewhere"]["rows"] == 0 and few["retrieval"]["verdict"] == "not shown to help"
    assert "(no interval)" in asking_page.table(few)


def test_a_floor_counts_in_the_totals_where_it_is_set() -> None:
    row = example(Question("1", "g", "Any colour?", ("It holds 2 litres.",), "It holds 2 litres.", (1,)), "answer", "s")
    without, set_to = (measure.judged(row, "It holds 2 litres. [1]", floor) for floor in (None, 0.0))
    assert without.right and without.unasked and not without.withheld and without.kept
    assert set_to.unasked and set_to.withheld == {"unanswerable"} and not set_to.kept
    assert measure.summary([without])["guardrails"]["unanswerable"]["withheld"] == 1
    assert [measure.summary([one])["guardrails"]["all"]["withheld"] for one in (without, set_to)] == [0, 1]


def test_an_answer_that_cannot_be_read_is_worth_nothing_and_withheld() -> None:
    row = rows(3)[2]
    found = measure.judged(row, "[1]")
    assert not found.given and not found.kept and found.example.answer is None
    assert [measure.scores([found], after)["rouge_l"]["value"] for after in (False, True)] == [0.0, 1.0]


def test_the_page_has_the_tables_and_no_markup_of_names(tmp_path: Path) -> None:
    found = measure.measured(rows(), said, first)
    page = asking_page.write(tmp_path / "guardrails.json", found, {"checkpoint": "<script>alert(1)</script>"})
    text = page.read_text("utf-8")
    assert page.name == "guardrails.html" and "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
    cells = {cell for line in (*asking_page.ways(found), *asking_page.guardrails(found)) for cell in line.values()}
    assert all(str(escape(cell)) in text for cell in cells) and text.count("<tr>") == 2 + 5 + 8
    assert "Retrieval helps: ROUGE-L +0." in text


def test_a_right_answer_that_cites_the_wrong_snippet_costs_nothing() -> None:
    """Withheld until citations were moved: on the demo's rows 26 of 73 right answers, and not one more wrong one."""
    texts = ("The lid comes off.", "It holds 2 litres.")
    row = example(Question("1", "g", "How much?", texts, "It holds 2 litres.", (2,)), "answer", "s")
    for text, withheld, moved in (
        ("It holds 2 litres. [1]", set(), True),
        ("It holds 2 litres. [2]", set(), False),
        ("It holds 3 litres. [1]", {"grounding"}, False),
        ("The pot holds 2 litres. [1]", {"grounding"}, False),  # no snippet has all of its words
    ):
        found = measure.judged(row, text)
        assert (found.withheld, found.moved) == (withheld, moved), text
    assert measure.summary([measure.judged(row, "It holds 2 litres. [1]")])["citations"]["moved"] == 1
