"""Rows that are too long lose context, never their answer nor what it rests on."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.examples import example, read_rows
from converters.mixture.build import build
from converters.mixture.convert import cutter
from converters.mixture.spec import Entry, Spec, Trim, load
from converters.schema import Attributes, Chat, Message, Question, Record, Row, Text
from converters.tasks.base import RenderError
from converters.text.lengths import ruler
from converters.transforms.trim import cut, fitted, too_long
from converters.validation.check import problems

LONG = "It is well made and very nice to have. " * 40


def row(record: Record, task: str, limit: int) -> Row | None:
    return fitted(record, lambda found: example(found, task, "mine"), lambda made: too_long(made, ruler(None), limit))


def test_the_longest_snippet_is_cut_first_and_a_cited_one_not_at_all() -> None:
    snippets = ("Red.", LONG, "It holds 3 l, " + LONG[:300], LONG)
    record = Question("1", "g", "How big?", snippets, "3 l", cited=(3,))
    whole, found = row(record, "answer", 10**6), row(record, "answer", 900)
    assert whole and found and found.target == whole.target == "3 l [3]"
    lines = found.messages[0].content.splitlines()
    assert len(lines) == 6 and lines[2] == "[1] Red." and lines[4] == f"[3] {snippets[2].strip()}"
    assert lines[3].removeprefix("[2]") == lines[5].removeprefix("[4]") and 10 < len(lines[3]) < len(LONG)
    assert 850 < sum(len(turn.content) for turn in found.messages) <= 900


def test_a_text_is_kept_up_to_the_last_value_that_is_asked_for() -> None:
    texts = (Text("Title", "Mug"), Text("Description", LONG[:600] + "Made of Clay. " + LONG), Text("More", LONG))
    record = Attributes("1", "g", texts, (("Material", ("clay",)), ("Size", ())))
    found = row(record, "attributes", 900)
    assert found and json.loads(found.target) == {"Material": "clay", "Size": None} and not list(problems(found))
    assert found.messages[0].content.splitlines()[2].endswith("Made of Clay")


def test_what_has_nothing_to_cut_is_left_out_and_counted() -> None:
    chat = Chat("1", "g", (Message("user", LONG), Message("assistant", "Yes.")))
    assert row(chat, "general", 100) is None
    with pytest.raises(RenderError, match="more than 100 characters with its context cut"):
        cutter(Entry(source="general", paths=[], trim=Trim(tokens=100)), Counter())(
            chat, lambda found: example(found, "general", "mine")
        )


@given(st.lists(st.text(), min_size=1, max_size=4), st.integers(0, 8))
def test_cutting_is_monotone_and_takes_only_ends(snippets: list[str], words: int) -> None:
    record = Question("1", "g", "Big?", tuple(snippets), None)
    less, more = cut(record, words), cut(record, words + 1)
    assert isinstance(less, Question) and isinstance(more, Question)
    for whole, longer, shorter in zip(snippets, more.snippets, less.snippets, strict=True):
        assert whole.startswith(longer) and longer.startswith(shorter)


def test_a_mix_is_cut_in_all_its_splits_and_says_so(tmp_path: Path) -> None:
    raw = tmp_path / "shop.jsonl"
    shop = [{"id": f"B0{n:08d}", "title": f"Mug {n}", "category": "Home > Mugs", "text": LONG} for n in range(60)]
    raw.write_text("".join(json.dumps(item) + "\n" for item in shop))
    entry = Entry(source="catalog", paths=[str(raw)], options={"texts": {"Text": "text"}}, trim=Trim(tokens=300))
    spec = Spec(sources=[entry], splits={"validation": 0.2, "test": 0.2}, general_share=0, near_duplicates=None)
    found = build(spec, tmp_path / "mix", 1, False, lambda rows: None)
    assert found["sources"][0]["noted"]["context cut to 300 characters"] == 60
    for name in ("train", "validation", "test"):
        made = list(read_rows(tmp_path / "mix" / f"{name}.jsonl"))
        assert made
        for one in made:
            assert 280 < sum(len(turn.content) for turn in one.messages) <= 300
            assert one.target == "Home > Mugs" and not list(problems(one))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{token: 5}", "unknown key 'token'; did you mean 'tokens'"), ("{tokens: 0}", "Expected `int` >= 1")],
)
def test_a_wrong_trim_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text(f"sources:\n  - {{source: general, paths: [a], trim: {text}}}\n")
    with pytest.raises(InputError, match=sentence):
        load(path)
