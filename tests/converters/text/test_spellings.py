"""A text that Unicode spells in two ways is one text: in labels, groups, values, prompts, and for a served model."""

import json
import unicodedata
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from converters.core.unicode import all_composed, composed
from converters.mixture.spec import Entry
from converters.text import clean
from converters.text.matching import query_group, title_group
from converters.validation.check import problems
from tests.converters._converted import Converted, convert

TEXTS = {
    "German": "Gläser für Öl",
    "Vietnamese": "Cốc sứ đựng nước",
    "Korean": "도자기 머그컵",
    "Japanese": "ガラスのグラス",
    "Hindi": "क़लम और कागज़",
    "Hebrew": "כּוֹס שָׁבוּר",
    "Arabic": "آلة القهوة",
    "Greek": "Ποτήρι γυάλινο",
    "singletons": "Ångström 神社 5 Ω",
}


def apart(text: str) -> str:
    found = unicodedata.normalize("NFD", text)
    assert found != composed(text) or text in found
    return found


def shop(path: Path, rows: list[dict[str, str]], **options: Any) -> Converted:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return convert(Entry(source="catalog", paths=[str(path)], options=options))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_both_spellings_are_one_class_one_group_one_value_and_one_prompt(text: str, tmp_path: Path) -> None:
    first = text.split()[0]
    forms = [composed(text), apart(text)]
    rows = [
        {"id": str(n), "title": f"{title} 1", "category": f"A > {label}", "kind": value}
        for n, (title, label, value) in enumerate(product(forms, forms, [composed(first), apart(first)]))
    ]
    part = shop(tmp_path / "shop.jsonl", rows, attributes={"Kind": "kind"})
    assert len(part.rows) == 16 and not part.tally.noted
    assert len({row.group for row in part.rows}) == 1 and len({row.messages[0].content for row in part.rows}) == 2
    answers = {row.target for row in part.rows}
    assert answers == {f"A > {composed(text)}", json.dumps({"Kind": composed(first)}, ensure_ascii=False)}
    assert clean(forms[0]) == clean(forms[1]) == composed(text)
    assert query_group(forms[0]) == query_group(forms[1]) and title_group(forms[0]) == title_group(forms[1])


@pytest.mark.parametrize(
    ("one", "other"), [("ｶﾞﾗｽ", "ガラス"), ("ﬁlter", "filter"), ("ＭＵＧ", "mug"), ("ﻛﺘﺎﺏ", "كتاب"), ("㌔", "キロ")]
)
def test_what_only_looks_alike_is_one_group_and_stays_as_it_is_written(one: str, other: str) -> None:
    assert title_group(one) == title_group(other) and query_group(one) == query_group(other)
    assert clean(one) == one


@pytest.mark.parametrize(("one", "other"), [("がま口", "かま口"), ("ガラス", "カラス"), ("कील", "कल"), ("น้ำ", "นำ")])
def test_marks_that_make_another_letter_make_another_query(one: str, other: str) -> None:
    assert query_group(one) != query_group(other)


def test_queries_that_differ_in_accents_and_blanks_between_unspaced_letters_are_one() -> None:
    assert query_group("Cà phê") == query_group("ca phe") and query_group("כּוֹס") == query_group("כוס")
    assert query_group("赤い 帽子") == query_group("赤い帽子") == "query:赤い帽子"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_columns_are_found_in_either_spelling(form: str, tmp_path: Path) -> None:
    path, name = tmp_path / f"shop.{form}", apart("Größe")
    if form == "csv":
        path.write_text(f"id,title,{apart('Kategörie')},{name}\n1,Hose in {apart('groß')},Hosen,groß\n", "utf-8")
    else:
        row = {"id": "1", "title": f"Hose in {apart('groß')}", apart("Kategörie"): "Hosen", name: ["groß"]}
        path.write_text(json.dumps(row), "utf-8")
    options = {"category": "Kategörie", "attributes": {"Größe": "Größe"}}
    part = convert(Entry(source="catalog", paths=[str(path)], options=options))
    assert [row.target for row in part.rows] == ["Hosen", '{"Größe": "groß"}']


def test_a_feed_in_xml(tmp_path: Path) -> None:
    items = "".join(
        f"<item><g:id>{n}</g:id><g:title>{form('Stühle aus Öl')}</g:title><g:product_type>{form('Möbel')}</g:product_type>"
        f"<g:item_group_id>{form('ü')}</g:item_group_id></item>"
        for n, form in enumerate((composed, apart))
    )
    text = f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'
    (tmp_path / "feed.xml").write_text(text, "utf-8")
    part = convert(Entry(source="catalog", paths=[str(tmp_path / "feed.xml")]))
    assert {row.target for row in part.rows if row.task == "category"} == {"Möbel"}
    assert len({row.group for row in part.rows}) == 1


@pytest.mark.parametrize("file", [composed, apart])
@pytest.mark.parametrize("cell", [composed, apart])
@pytest.mark.parametrize("kind", ["google", "shopify"])
def test_a_taxonomy_and_a_shop_that_spell_names_differently(file: Any, cell: Any, kind: str, tmp_path: Path) -> None:
    path = file("Möbel > Stühle")
    google = f"# Google_Product_Taxonomy_Version: 2021-09-21\n7 - {path}\n"
    shopify = f"# Shopify Product Taxonomy - Categories: 2025-03\ngid://shopify/TaxonomyCategory/fr-1 : {path}\n"
    (tmp_path / "tree.txt").write_text({"google": google, "shopify": shopify}[kind], "utf-8")
    rows = [{"id": "1", "title": "Hocker", "category": cell("Möbel > Stühle")}]
    part = shop(tmp_path / "shop.jsonl", rows, taxonomy=str(tmp_path / "tree.txt"))
    assert [row.target for row in part.rows] == ["Möbel > Stühle"]


def test_chats_are_one_group(tmp_path: Path) -> None:
    rows = [{"instruction": form("Was heißt Öl?"), "output": form("Größe")} for form in (composed, apart)]
    (tmp_path / "chat.json").write_text(json.dumps(rows), "utf-8")
    part = convert(Entry(source="general", paths=[str(tmp_path / "chat.json")]))
    assert len({(row.id, row.group, row.target) for row in part.rows}) == 1


def test_values_of_mave_that_differ_in_spelling_are_one(tmp_path: Path) -> None:
    text = f"Teller, {apart('grün')}, grün"
    spans = [(text.index(value), value) for value in (apart("grün"), "grün")]
    evidences = [{"value": value, "pid": 0, "begin": at, "end": at + len(value)} for at, value in spans]
    row = {"id": "B000000001", "category": "x", "paragraphs": [{"text": text, "source": "title"}]}
    row |= {"attributes": [{"key": "Color", "evidences": evidences}]}
    (tmp_path / "mave.jsonl").write_text(json.dumps(row), "utf-8")
    part = convert(Entry(source="mave", paths=[str(tmp_path / "mave.jsonl")]))
    assert [row.target for row in part.rows] == ['{"Color": "grün"}']


def test_a_row_with_letters_apart_from_their_marks_is_told(tmp_path: Path) -> None:
    [row] = shop(tmp_path / "shop.jsonl", [{"id": "1", "title": "Öl", "category": "Öle"}]).rows
    assert not [*problems(row)]
    turns = [type(turn)(turn.role, apart(turn.content)) for turn in row.messages]
    assert {
        problem.kind
        for problem in problems(type(row)(**{n: getattr(row, n) for n in row.__struct_fields__} | {"messages": turns}))
    } == {"decomposed text"}


def test_all_texts_of_a_value_are_composed() -> None:
    assert all_composed({apart("ö"): [apart("ü"), 1, None, (apart("é"),)]}) == {"ö": ["ü", 1, None, ("é",)]}
