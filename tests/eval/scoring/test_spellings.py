"""An answer that Unicode spells otherwise than the gold, or the gold than the answer, is right."""

import json
import unicodedata
from typing import Any

import msgspec
import pytest

from converters.examples import example
from converters.schema import Attributes, Chat, Choice, Listing, Message, Record, Row, Text, Turn
from eval.results.schema import Output, Settings
from eval.scoring.parse import example as read
from eval.scoring.parse import salvage
from eval.scoring.score import score
from tests.eval._pairs import join

TEXTS = (Text("Title", "Stühle, geölt, 도자기"),)
RECORDS: dict[str, Record] = {
    "category": Listing("1", "g", TEXTS, ("Möbel", "Stühle")),
    "attributes": Attributes("1", "g", TEXTS, (("Oberfläche", ("geölt",)), ("재질", ("도자기",)))),
    "choice": Choice("1", "g", "Wie?", TEXTS, ("geölt", "roh"), "geölt"),
    "general": Chat("1", "g", (Message("user", "Wie?"), Message("assistant", "geölt, größer"))),
}


def apart(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def foreign(row: Row) -> Row:
    """Return a row as another program may have written it."""
    turns = [Turn(turn.role, apart(turn.content)) for turn in row.messages]
    return msgspec.structs.replace(row, messages=turns, meta=apart(row.meta))


@pytest.mark.parametrize("task", RECORDS)
@pytest.mark.parametrize("shape", [str, foreign])
def test_either_spelling_is_right(task: str, shape: Any) -> None:
    row = example(RECORDS[task], task, "s")
    row, answer = (row, apart(row.target)) if shape is str else (foreign(row), row.target)
    assert answer != row.target
    scores, _ = score(join([row], {row.id: answer}), Settings(resamples=10))
    metrics = scores[task].metrics
    headline = {"category": "accuracy", "attributes": "exact_match", "choice": "accuracy", "general": "exact_match"}[
        task
    ]
    assert metrics[headline].value == 1.0


def test_escapes_of_json_are_read_alike() -> None:
    row = example(RECORDS["attributes"], "attributes", "s")
    said = json.dumps({apart("Oberfläche"): apart("geölt"), "재질": apart("도자기")})
    assert said.isascii() and read(row, Output(said)).answer == read(row, Output(row.target)).answer
    assert salvage("attributes", f"Sure: {said}", None, row.extra) == read(row, Output(row.target)).answer


def test_letters_that_differ_stay_wrong() -> None:
    row = example(RECORDS["choice"], "choice", "s")
    assert read(row, Output("geolt")).answer is None
