"""AmazonQA and the files before it: answers a line, whole products, reviews, and what is the target of them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from converters.schema import Row
from converters.sources._qa import Answer, agreeing, best_first
from tests.converters._converted import Converted, convert

ASIN = "B0TEST0001"
REVIEWS = [
    "The lid comes off. It is red.",
    "We love it. It boils a litre in two minutes, we timed it.",
    "My cat sits on it.",
]


def lines(path: Path, rows: list[Any]) -> str:
    """Write Python literals as the older files have them."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{row!r}\n" for row in rows)
    return str(path)


def old(question: str, answer: str, kind: str = "?") -> dict[str, Any]:
    return {
        "asin": ASIN,
        "question": question,
        "answer": answer,
        "answerType": kind,
        "unixTime": 1,
        "questionType": "yes/no",
    }


def reviews(path: Path) -> str:
    return lines(path, [{"asin": ASIN, "reviewText": text, "helpful": [0, 0], "overall": 5.0} for text in REVIEWS])


def read(*paths: str, **options: Any) -> Converted:
    return convert(Entry(source="amazonqa", paths=list(paths), options=options))


def prompts(part: Converted) -> list[str]:
    return [row.messages[-2].content for row in part.rows]


def test_answers_of_one_question_are_gathered_and_answered_from_the_reviews(tmp_path: Path) -> None:
    asked = [old("How fast does it boil?", "Quick"), old("How  fast does it boil?", "Quick as a litre in two minutes"),
             old("Is it red?", "Yes", "Y")]  # fmt: skip
    part = read(lines(tmp_path / "qa_Home.json.gz", asked), reviews(tmp_path / "reviews_Home.json.gz"), snippets=2)
    assert [row.target for row in part.rows] == ["Quick", "Yes"]
    assert part.rows[0].extra["references"] == ["Quick as a litre in two minutes"]
    assert prompts(part)[0].splitlines()[2].startswith("[1] We love it. It boils a litre")
    assert (part.tally.read, part.tally.used) == (6, 6) and part.rows[0].group == f"asin:{ASIN}"
    assert part.tally.noted["answer gathered with those to the same question of the product"] == 1


def test_a_count_that_no_machine_holds_is_a_counted_row(tmp_path: Path) -> None:
    path = tmp_path / "qa.jsonl"
    huge = {"asin": ASIN, "questionText": "Is it big?", "answers": [{"answerText": "No", "helpful": [2**70, 2**70]}]}
    rows = [old("Is it red?", "Yes", "Y"), huge]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    part = read(str(path), closed_book=True)
    assert [row.target for row in part.rows] == ["Yes"] and part.tally.read == 2
    assert part.tally.rejected.total() == 1


def test_without_reviews_nothing_is_asked_but_closed_book(tmp_path: Path) -> None:
    path = lines(tmp_path / "qa_Home.json.gz", [old("Is it red?", "Yes", "Y"), old("Big?", "")])
    part = read(path, reviews(tmp_path / "r.json.gz"))
    assert part.tally.rejected == {"answerable but without an answer": 1}
    part = read(path, closed_book=True)
    assert [(row.task, row.target) for row in part.rows] == [("answer", "Yes")]
    assert "Answer from what you know" in prompts(part)[0] and "[1]" not in prompts(part)[0]


def test_a_product_with_all_its_questions_is_one_row(tmp_path: Path) -> None:
    record = {
        "asin": ASIN,
        "questions": [
            {
                "questionText": "Does the lid come off?",
                "answers": [{"answerText": "The lid comes off.", "answerType": "NA"}],
            },
            {"questionText": "Who knows?", "answers": []},
        ],
        "reviews": [{"reviewText": text} for text in REVIEWS],
    }
    (tmp_path / "one.json").write_text(json.dumps(record, indent=1))
    part = read(str(tmp_path / "one.json"), snippets=2, retrieval="bm25")
    assert (part.tally.read, part.tally.used) == (1, 1)
    (row,) = part.rows
    assert row.target == "The lid comes off. [1]" and row.extra["relevant_ranks"] == [1]
    assert part.tally.noted["question left out: answerable but without an answer"] == 1


def test_reviews_of_a_product_that_nobody_asks_about_are_counted(tmp_path: Path) -> None:
    other = {"asin": "B0TEST0002", "reviewText": "Fine."}
    part = read(
        lines(tmp_path / "q.json.gz", [old("Is it red?", "Yes", "Y")]),
        lines(
            tmp_path / "r.json.gz",
            [other, {"asin": ASIN, "reviewText": "It is red."}, {"asin": ASIN, "reviewText": "x" * 9}],
        ),
    )
    assert part.tally.rejected == {"review of a product without a question to use": 1}
    assert (part.tally.read, part.tally.used) == (4, 3)


def qar(answers: list[tuple[str, str, list[int]]], answerable: int = 1) -> dict[str, Any]:
    texts = [{"answerText": text, "answerType": kind, "helpful": votes} for text, kind, votes in answers]
    return {"asin": ASIN, "questionText": "Is it red?", "review_snippets": ["It is red.", "Nice."], "answers": texts,
            "is_answerable": answerable}  # fmt: skip


def rows(tmp_path: Path, row: dict[str, Any]) -> list[Row]:
    (tmp_path / "x-qar.jsonl").write_text(json.dumps(row))
    return read(str(tmp_path / "x-qar.jsonl")).rows


def test_votes_choose_before_the_majority_and_this_before_the_words(tmp_path: Path) -> None:
    assert rows(tmp_path, qar([("No", "N", [0, 0]), ("No.", "N", [0, 1]), ("Yes", "Y", [2, 2])]))[0].target == "Yes"
    row = rows(tmp_path, qar([("Yes", "Y", [0, 0]), ("No", "N", [0, 0]), ("Nope", "N", [0, 0])]))[0]
    assert row.target in ("No", "Nope") and "Yes" not in row.extra["references"]


def test_what_is_not_answerable_abstains_whatever_people_say(tmp_path: Path) -> None:
    answer, answerable = rows(tmp_path, qar([("Yes", "Y", [2, 2])], 0))
    assert (answer.target, answerable.target) == ("The snippets do not say.", "no")
    assert "references" not in answer.extra


def test_the_order_of_the_file_chooses_nothing() -> None:
    answers = [Answer(text, kind) for text, kind in (("A b", "?"), ("b c", "Y"), ("c", "N"), ("b", "?"))]
    assert best_first(answers) == best_first(answers[::-1])
    assert agreeing(best_first(answers)) == agreeing(best_first(answers[::-1]))


def test_real_older_files(real: Path) -> None:
    path = str(real / "amazonqa" / "qa_Appliances_first3000.json.gz")
    part = read(path, closed_book=True)
    assert (part.tally.read, part.tally.used, len(part.rows)) == (3000, 3000, 2985)
    record = str(real / "amazonqa" / "raw_asin_record_from_notebook.json")
    assert len(read(record, closed_book=True).rows) == 5
    with pytest.raises(Exception, match="no snippet"):
        read(path)
