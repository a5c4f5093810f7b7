"""The numbers of an answer stand in its evidence by their value, in any script and form; those that do not are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import examples
from converters.schema import Question
from converters.tasks.base import RenderError
from converters.text.figures import digits, unstated


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        ("1.5 l", "1,5 l"), ("1,50 Liter", "１．５リットル"), ("容量は２３個", "二十三個入り"), ("10個", "十個"),
        ("约3米", "三米"),
        ("٣ أكواب", "3 cups"), ("ขนาด ๕ นิ้ว", "5 inches"), ("६ कप", "six cups"), ("高さ10cm", "10 cm tall"),
        ("1200 W", "1,200 W"), ("1.200 W", "1200 W"), ("1 200 W", "1.200 W"), ("1200 W", "1\u202f200 W"), ("1200", "1'200"),
        ("1,200.50", "1200.5"), ("1.200,50", "1200.5"), ("12 1/2 in", "12½"), ("3/4 in", "0.75 in"), ("3.5", "3-1/2"),
        (".85 ft", "0,85 ft"), ("ages 2-4", "two-four"), ("21", "twenty-one"), ("300", "three hundred"), ("0.5", "half a cup"),
        ("6 Stück", "sechs Stück"), ("4 tasses", "quatre tasses"), ("33", "33.00"), ("14", "14.0"), ("20 in", "19.69 in"),
        ("7.5", "7.52"), ("3, 5 or 7", "3,5,7"), ("in 12.05.2020", "2020-05-12: 12.05.2020"), ("the x4 and fa-100", "a drone"),
        ("a 5 m² rug", "5 m2"), ("5 m2", "5 sqm"), ("9" * 5000, "is " + "9" * 5000), ("none", "no number"), ("5", "⑤ cups"),
    ],
)  # fmt: skip
def test_what_evidence_states_in_another_form(answer: str, evidence: str) -> None:
    assert unstated(answer, [evidence]) == []


@pytest.mark.parametrize(
    ("answer", "evidence", "found"),
    [
        ("1.5 l", "15 l, 1 or 5", ["1.5"]), ("200", "2000", ["200"]), ("4.98 lbs", "2.26 kg", ["4.98"]), ("1", "1.4", ["1"]),
        ("17.6", "17.7", ["17.6"]), ("9 and 10", "nine", ["10"]), ("9円", "十円", ["9"]), ("٣", "٤", ["3"]),
        ("13", "十二", ["13"]),
        ("4-1/5", "4-1/2", ["4-1/5"]), ("22", "twenty, two", []), ("9" * 40, "9" * 41, ["9" * 40]), ("1/3", "0.33", ["1/3"]),
        ("22", "twenty", ["22"]), ("12", "x", ["12"]),
    ],
)  # fmt: skip
def test_what_evidence_does_not_state(answer: str, evidence: str, found: list[str]) -> None:
    assert unstated(answer, [evidence]) == found


@given(st.text() | st.text(".,0123456789/ -½٣二十ab'\u202f", max_size=40))
def test_a_text_states_its_own_numbers(text: str) -> None:
    assert unstated(text, [text]) == [] and isinstance(digits(text), str)


@pytest.mark.parametrize("piece", ["1 ", "1/", "1.", "1,", "123 ", "1-1/", "½", "二十", "twenty "])
def test_a_long_text_is_read_through(piece: str) -> None:
    assert len(unstated(piece * 20_000, ["7"])) <= 20_000


def test_every_cited_answer_is_checked_whatever_its_source() -> None:
    said = Question("1", "g", "How big?", ("It holds 2 l.", "It is 30 cm high."), "It holds 30 cm.", cited=(1,))
    with pytest.raises(RenderError, match=examples.INVENTED):
        examples.example(said, "answer", "mine")
    for cited in ((2,), (1, 2), ()):  # an answer that cites nothing stands for itself
        row = examples.example(Question("1", "g", said.question, said.snippets, said.answer, cited), "answer", "mine")
        assert row.target.startswith("It holds 30 cm.")
