"""Hard inputs keep the answer true: what is asked for stands in the text, or is null because it does not."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converters import examples
from converters.examples import example
from converters.mixture.spec import Entry
from converters.schema import MANIFEST, Attributes, Listing, Question, Record, Row, Text, Verdict
from converters.tasks.base import RenderError
from converters.text.matching import occurs
from converters.text.sanitize import one_line
from converters.transforms.perturb import FITS, KINDS, harden, kind_of
from tests.converters import _mixed
from tests.converters._converted import convert

TEXTS = (
    Text("Title", "Acme Stainless Steel Kettle with Wooden Handle, Navy Blue, 1.5 L"),
    Text(
        "Description",
        "Boils water within minutes. Its wooden handle stays cool. Weighs 900 g and comes in navy blue or red.",
    ),
)
VALUES = (
    ("Brand", ("Acme",)),
    ("Color", ("Navy Blue", "red")),
    ("Weight", ("900 g",)),
    ("Style", ("Modern",)),
    ("Fit", ()),
)
PRODUCT = Attributes("1", "g", TEXTS, VALUES, implicit=("Style",))
LISTING = Listing("1", "g", TEXTS, ("Home", "Kettles"), "2020", (("Home",), ("Kettles",), ()))
QUESTION = Question(
    "1", "g", "Does it keep water warm?", ("Keeps warm for an hour.",), "Yes, an hour.", (1,), ("Yes.",)
)


def text_of(record: Attributes | Listing) -> str:
    return "\n".join(text.text for text in record.texts)


def lawful(record: Attributes) -> bool:
    told = [value for name, values in record.values if name not in record.implicit for value in values]
    return all(occurs(value, text_of(record), False) for value in told)


def hardened(record: Record, kind: str, seed: int = 0) -> Record:
    found = harden(record, kind, seed)
    assert found is not None and found != record and (found.id, found.group) == (record.id, record.group)
    assert harden(record, kind, seed) == found
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(30))
def test_attributes_keep_the_law(kind: str, seed: int) -> None:
    found = hardened(PRODUCT, kind, seed)
    assert isinstance(found, Attributes) and lawful(found)
    values = dict(found.values)
    assert values["Style"] == ("Modern",) and found.implicit == ("Style",)
    assert [name for name in values if name in dict(VALUES)] == list(dict(VALUES))
    if kind in ("abbreviated", "typos"):
        assert found.values == VALUES and [t.label for t in found.texts] == ["Title", "Description"]
    if kind == "casing":
        (upper,) = {text.text == text.text.upper() for text in found.texts}
        assert values["Color"] == (("NAVY BLUE", "RED") if upper else ("navy blue", "red"))
    if kind == "missing":
        assert found.texts == TEXTS[:1] and values["Weight"] == () and values["Color"] == ("Navy Blue",)
    if kind == "truncated":
        assert TEXTS[1].text.startswith(found.texts[1].text) and found.texts[0] == TEXTS[0]
        assert values["Weight"] == (("900 g",) if "900 g" in found.texts[1].text else ())
        assert values["Brand"] == ("Acme",) and values["Color"][0] == "Navy Blue"
        assert not found.texts[1].text.endswith(("900", "navy"))  # half a value is another value
    if kind == "absent":
        new = [name for name in values if name not in dict(VALUES)]
        assert 1 <= len(new) <= 2 and not any(values[name] for name in new) and found.texts == TEXTS


@pytest.mark.parametrize("kind", [kind for kind in KINDS if Listing in FITS[kind]])
def test_a_category_stays_what_it_was(kind: str) -> None:
    found = hardened(LISTING, kind)
    assert isinstance(found, Listing) and replace(found, texts=TEXTS) == LISTING
    assert found.texts[0].label == "Title"


def test_titles_are_shortened_as_shops_do_it() -> None:
    found = {hardened(LISTING, "abbreviated", seed).texts[0].text for seed in range(20)}  # type: ignore[union-attr]
    assert any("w/" in text for text in found) and any("Kttl" in text for text in found)
    assert all(len(text) < len(TEXTS[0].text) for text in found)


@pytest.mark.parametrize("kind", ["casing", "typos"])
def test_of_a_question_only_its_own_words_change(kind: str) -> None:
    found = hardened(QUESTION, kind)
    assert isinstance(found, Question) and found.question != QUESTION.question
    assert replace(found, question=QUESTION.question) == QUESTION


def test_what_does_not_fit_is_left_as_it_is() -> None:
    bare = Listing("1", "g", (Text("Title", "保温杯"),), ("Home",))
    assert [kind for kind in KINDS if harden(bare, kind, 0)] == []
    assert [kind for kind in KINDS if harden(replace(bare, texts=()), kind, 0)] == []
    unstated = Attributes("1", "g", TEXTS, (("Color", ("Green",)),))
    assert [kind for kind in KINDS if harden(unstated, kind, 0)] == []
    assert [kind for kind in KINDS if harden(QUESTION, kind, 0)] == ["casing", "typos"]
    assert [kind for kind in KINDS if harden(Verdict("1", "g", "Same?", TEXTS, True), kind, 0)] == []
    signs = "spf isbn thread mp hp hz abv 12v carat exp tog fuel"
    assert harden(Attributes("1", "g", (Text("Title", signs),), (("Fit", ()),)), "absent", 0) is None


def test_a_part_of_a_longer_word_is_no_value_that_was_left() -> None:
    texts = (Text("Title", "Hundred mugs"), Text("Colour", "red"))
    found = hardened(Attributes("1", "g", texts, (("Color", ("red",)),)), "missing")
    assert isinstance(found, Attributes) and found.values == (("Color", ()),)


words = st.text(st.sampled_from("abcdeRSTUß İ保.,1-<|[]/>\n"), max_size=40)


@st.composite
def products(draw: st.DrawFn) -> Attributes:
    texts = draw(st.lists(words.filter(str.strip), min_size=1, max_size=3))
    values = []
    for number in range(draw(st.integers(0, 3))):
        text = draw(st.sampled_from(texts))
        start = draw(st.integers(0, len(text) - 1))
        piece = text[start : start + draw(st.integers(1, 12))].strip()
        values.append((f"a{number}", (piece,) if piece else ()))
    implied = ("made", ("Modern",))
    return Attributes("1", "g", tuple(Text("T", text) for text in texts), (*values, implied), ("made",))


@settings(max_examples=300, deadline=None)
@given(products(), st.sampled_from([*KINDS]), st.integers(0, 9))
def test_the_law_holds_for_any_text(record: Attributes, kind: str, seed: int) -> None:
    found = harden(record, kind, seed)
    assume(found is not None)
    assert isinstance(found, Attributes) and lawful(found)
    assert dict(found.values)["made"] == ("Modern",)
    try:
        row = example(found, "attributes", "s")
    except RenderError:
        return
    told = {name: values for name, values in examples.gold(row).items() if name != "made"}
    lines = row.messages[0].content.partition("\n")[2]
    assert all(occurs(value, one_line(lines), False) for values in told.values() for value in values)
    assert len(set(examples.gold(row))) == len(found.values)


def test_each_kind_is_drawn_at_its_rate_and_by_the_id_alone() -> None:
    rates = {"typos": 0.2, "casing": 0.1}
    ids = [replace(LISTING, id=str(n)) for n in range(4000)]
    kinds = Counter(kind_of(record, rates, 0) for record in ids)
    assert set(kinds) == {"", "typos", "casing"}
    assert abs(kinds["typos"] - 800) < 80 and abs(kinds["casing"] - 400) < 60
    turned = {"casing": 0.1, "typos": 0.2}
    assert [kind_of(record, turned, 0) for record in ids] == [kind_of(record, rates, 0) for record in ids]
    assert {kind_of(record, {"missing": 1.0}, 0) for record in ids} == {"missing"}


def rows_of(folder: Path, **keys: object) -> list[Row]:
    path = _mixed.shop(folder / "shop.jsonl", 200)
    return convert(Entry(**_mixed.entry(path), **keys)).rows  # type: ignore[arg-type]


def test_hard_rows_stand_in_place_of_clean_ones_and_say_so(tmp_path: Path) -> None:
    clean_rows = {row.id: row for row in rows_of(tmp_path)}
    rates = {"casing": 0.3, "typos": 0.2, "absent": 0.3}
    rows = {row.id: row for row in rows_of(tmp_path, hard=rates)}
    assert rows.keys() == clean_rows.keys()
    for id_, row in rows.items():
        kind = row.extra.get("hard", "")
        assert (row == clean_rows[id_]) == (not kind) and row.group == clean_rows[id_].group
        assert row.task != "category" or row.target == clean_rows[id_].target
    kinds = Counter((row.task, row.extra.get("hard")) for row in rows.values())
    assert ("category", "absent") not in kinds and kinds["attributes", "absent"] > 30
    assert 30 < kinds["category", "casing"] == kinds["attributes", "casing"] < 90
    both = [(rows[id_], rows[id_.replace("category", "attributes")]) for id_ in rows if "category" in id_]
    assert all(
        one.messages[0].content.partition("\n")[2] == other.messages[0].content.partition("\n")[2]
        for one, other in both
        if one.extra.get("hard") == "casing"
    )


def test_a_mix_counts_its_hard_inputs_and_is_the_same_with_two_workers(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "shop.jsonl", 100)
    entries = [_mixed.entry(path, hard={"typos": 0.5, "missing": 0.3})]
    for number in (1, 2):
        result = _mixed.build(tmp_path, entries, "--workers", str(number), out=f"mix{number}", splits={})
        assert result.exit_code == 0, result.output
    one, two = ((tmp_path / f"mix{n}" / "train.jsonl").read_bytes() for n in (1, 2))
    assert one == two
    noted = json.loads((tmp_path / "mix1" / MANIFEST).read_text())["sources"][0]["noted"]
    found = [row.extra.get("hard") for row in _mixed.splits_of(tmp_path / "mix1", "train")]
    assert noted["hard input: typos"] == found.count("typos") > 60
    assert noted["hard input left out: missing does not fit"] > 30  # a title is all there is
