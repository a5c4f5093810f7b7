"""hetPQA: evidence told in words, official splits by the file's name, and other evidence of the product beside one's own."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.examples import INVENTED
from converters.mixture.spec import Entry
from converters.sources.contextual_pqa import readable
from converters.tasks.answer import ABSTENTION
from tests.converters._converted import Converted, convert
from tests.converters.sources.test_ecinstruct import pinned

HEAD = "ASIN\tquestion\tcandidate\tanswer\tsource"
ASIN = "B0TEST0001"


def file(path: Path, *rows: tuple[str, str, str]) -> str:
    path.write_text("\n".join([HEAD, *(f"{ASIN}\t{q}\t{c}\t{a}\treview" for q, c, a in rows)]), "utf-8")
    return str(path)


def read(path: str, **options: Any) -> Converted:
    return convert(Entry(source="contextual_pqa", paths=[path], options=options))


ROWS = (
    ("is it red?", "the pot is red.", "it is red."),
    ("how big?", "it holds two litres.", "two litres."),
    ("how big?", "a big pot for a big family.", "it is for a family."),
    ("how big?", "it holds two litres.", "it holds two litres."),
)


def test_several_answers_from_one_evidence_are_references(tmp_path: Path) -> None:
    part = read(file(tmp_path / "x.csv", *ROWS))
    assert (part.tally.read, part.tally.used, len(part.rows)) == (4, 4, 3)
    (row,) = (row for row in part.rows if "references" in row.extra)
    assert {row.target.removesuffix(" [1]"), *row.extra["references"]} == {"two litres.", "it holds two litres."}


def test_its_own_evidence_is_among_the_snippets_and_cited(tmp_path: Path) -> None:
    part = read(file(tmp_path / "x.csv", *ROWS), snippets=2)
    for row in part.rows:
        number = int(row.target.rpartition("[")[2].rstrip("]"))
        snippets = dict(line.split(" ", 1) for line in row.messages[-2].content.splitlines()[2:])
        assert len(snippets) == 2
        evidence = next(c for _, c, a in ROWS if row.target.startswith(a))
        assert snippets[f"[{number}]"] == evidence
        assert 1 <= row.extra["relevant_ranks"][0] <= 3


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("hetPQA__answer_generation__train.csv", "train"),
        ("x_dev.csv", "validation"),
        ("test.csv", "test"),
        ("latest.csv", "none"),
    ],
)
def test_the_name_of_a_file_tells_its_split(tmp_path: Path, name: str, split: str) -> None:
    splits = pinned(Entry(source="contextual_pqa", paths=[file(tmp_path / name, *ROWS)]), tmp_path)
    assert splits == {split: 3}


def test_a_dev_file_may_be_the_test_split(tmp_path: Path) -> None:
    paths = [file(tmp_path / name, *ROWS) for name in ("x_dev.csv",)]
    assert pinned(Entry(source="contextual_pqa", paths=paths, options={"dev": "test"}), tmp_path) == {"test": 3}


def test_attribute_evidence_that_is_not_in_the_notation_stays_and_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    phrases = [("power:  { value:battery }", "power: battery"), ("made of { steel", "made of { steel")]
    path.write_text(
        "\n".join([HEAD, *(f"{ASIN}\tq{n}?\t{raw}\tyes.\tattribute" for n, (raw, _) in enumerate(phrases))])
    )
    part = read(str(path))
    assert {row.messages[-2].content.splitlines()[-1] for row in part.rows} == {
        f"[1] {phrase}" for _, phrase in phrases
    }
    assert part.tally.noted == {"attribute evidence left as it is: not in the usual notation": 1}


WEIGHT = "item_weight:  { unit:grams, normalized_value:{ unit:pounds, value:3.3 }, value:1497. }"


@pytest.mark.parametrize(
    ("raw", "answer", "shown"),
    [
        (WEIGHT, "3.3 lbs.", "item weight: 1497. grams (3.3 pounds)"),
        ("width:  { value:8, unit:inches, normalized_value:{ value:8.0, unit:inches } }", "8 in.", "width: 8 inches"),
        ("box:  { depth:{ unit:cm, value:20, normalized_value:{ unit:inches, value:7.87 } } }", "almost 8 inches.",
         "box: depth 20 cm (7.87 inches)"),
        ('color: { standardized_values:[ "blue" ], value:"sleepy sea" }', "blue.", "color: sleepy sea (blue)"),
    ],
)  # fmt: skip
def test_evidence_shows_what_the_value_is_in_other_units_too(raw: str, answer: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"{HEAD}\n{ASIN}\thow big?\t{raw}\t{answer}\tattribute\n", "utf-8")
    [row] = read(str(tmp_path / "x.csv")).rows
    assert row.messages[-2].content.endswith(f"\n[1] {shown}") and row.target == f"{answer} [1]"


def test_of_several_answers_the_target_has_no_number_that_its_evidence_lacks(tmp_path: Path) -> None:
    evidence = "It holds two litres of tea."
    rows = [
        ("how big?", evidence, answer) for answer in ("it holds 3 litres of tea", "it holds 5 litres of tea", "2 l")
    ]
    part = read(
        file(tmp_path / "x.csv", *rows, ("how old?", evidence, "it is from 1950"), ("5 cups?", evidence, "not 5."))
    )
    assert [row.target for row in part.rows] == ["2 l [1]", "not 5. [1]"]
    assert part.tally.rejected == {INVENTED: 1} and (part.tally.read, part.tally.used) == (5, 4)


LABELLED = """qid,question,ASIN,candidate,source,qa_pair_id,title,label,answer
1,does the lid lock?,B0TEST0007,"the lid locks, with a click.",review,10,"Pot, 2 l",2,"Yes, the lid locks."
1,does the lid lock?,B0TEST0007,"colour:  { value:""red"" }",attribute,11,"Pot, 2 l",0,
1,does the lid lock?,B0TEST0007,the lid is red.,bullet,12,"Pot, 2 l",0,
2,is it for induction?,B0TEST0007,i like the lid.,review,13,"Pot, 2 l",0,
2,is it for induction?,B0TEST0007,it works on induction.,review,14,"Pot, 2 l",1,I'm not sure but it works on induction.
3,is it oven proof?,B0TEST0007,up to 200 degrees in the oven.,review,15,"Pot, 2 l",0,Yes.
4,is it heavy?,B0TEST0007,,review,16,"Pot, 2 l",0,
5,is it heavy?,B0TEST0008,a pot.,review,17,Pot,,
"""


def test_evidence_that_does_not_answer_makes_one_abstention_a_question(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text(LABELLED, "utf-8")
    part = read(str(tmp_path / "dev.csv"), snippets=3)
    asked = {(row.messages[0].content.splitlines()[1], row.target): row.messages[0].content for row in part.rows}
    assert len(part.rows) == 4 and (part.tally.read, part.tally.used) == (8, 5)
    lid = asked["Question: does the lid lock?", ABSTENTION].splitlines()[2:]
    assert sorted(line[4:] for line in lid) == ["colour: red", "the lid is red."]
    assert asked["Question: is it for induction?", ABSTENTION].splitlines()[2:] == ["[1] i like the lid."]
    assert part.tally.noted == {"evidence gathered into one abstention of its question": 1}
    assert part.tally.rejected == {"label 0, but an answer": 1, "no question, evidence or answer": 2}
    assert "[1] the lid is red." in next(  # the likeliest taken for an answer, if one alone is shown
        row.messages[0].content for row in read(str(tmp_path / "dev.csv")).rows if row.target == ABSTENTION
    )
    off = read(str(tmp_path / "dev.csv"), abstentions=False)
    assert len(off.rows) == 2 and off.tally.rejected["evidence with label 0"] == 3


def test_evidence_that_one_row_answers_from_is_in_no_abstention(tmp_path: Path) -> None:
    head, row, *_ = LABELLED.splitlines()
    denied = row.replace(',2,"Yes, the lid locks."', ",0,")
    (tmp_path / "x.csv").write_text("\n".join([head, row, denied]), "utf-8")
    part = read(str(tmp_path / "x.csv"))
    assert [row.target for row in part.rows] == ["Yes, the lid locks. [1]"]
    assert part.tally.rejected == {"label 0, but an answer in another row": 1}


@given(st.text("{}[]:,;ab1 '\"_\\", max_size=60))
def test_no_evidence_stops_it(evidence: str) -> None:
    phrase = readable(f"name: {evidence}")
    assert phrase is None or phrase.startswith("name: ")


def test_a_missing_column_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ASIN\tqestion\tcandidate\tanswer\n1\t2\t3\t4\n")
    with pytest.raises(InputError, match="no column 'question'; did you mean 'qestion'"):
        read(str(tmp_path / "x.csv"))


def test_every_real_attribute_evidence_is_told_in_words(real: Path) -> None:
    for name, count, invented in (("train", 3693, 26), ("dev", 398, 1)):
        part = read(str(real / "product_qa" / f"hetPQA__answer_generation__{name}.csv"))
        assert part.tally.read == count and part.tally.rejected == {INVENTED: invented}
        assert not any("left as it is" in note for note in part.tally.noted)
        assert not any(" { " in row.messages[-2].content for row in part.rows)
