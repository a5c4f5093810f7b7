"""WooCommerce exports that a person or a program has changed: dropped columns, other languages, numbers with decimals."""

import csv
import json
from pathlib import Path

import pytest

from tests.converters.sources.catalog._presets import chosen, converted, labels, said, stated
from tests.converters.sources.catalog.test_woocommerce import APRON, KEYS, LANGUAGES, MILL, MOSS, PLUM, export

ATTRIBUTES = ("name1", "value1", "name2", "value2")
FILLED = {"visible1": "1", "global1": "1", "visible2": "1", "global2": "1"}
SWEDISH = (
    "ID|Typ|Artikelnummer|GTIN|Namn|Publicerad|Är utvald?|Synlighet i katalog|Kort beskrivning|"
    "Beskrivning|Från|Till|Skattestatus|Skatteklass|I lager?|Lager|Lågt|Rest?|Enskilt?|Vikt (kg)|"
    "Längd (cm)|Bredd (cm)|Höjd (cm)|Recensioner?|Köpnotering|Reapris|Ordinarie pris|Kategorier|Etiketter|"
    "Fraktklass|Bilder|Gräns|Giltighet|Överordnad|Grupperade|Merförsäljning|"
    "Korsförsäljning|Extern URL|Knapptext|Position|Varumärken|Attribut 1 namn|"
    "Attribut 1 värde(n)|Attribut 1 synligt|Attribut 1 globalt|"
    "Attribut 2 namn|Attribut 2 värde(n)|Attribut 2 synligt|Attribut 2 globalt"
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gone", ATTRIBUTES)
def test_a_flag_is_no_value_and_no_name(language: str, gone: str, tmp_path: Path) -> None:
    rows = [row | FILLED | {"text": "Set of 1, of beech, linen."} for row in (MILL, APRON)]
    part = converted(export(tmp_path, rows, language, ("gtin", gone)))
    names = {name for answers in stated(part).values() for name in answers}
    assert (names or language == "unknown") and not names & {"0", "1", "Beech", "Linen"}
    assert "1" not in [*stated(part).get("NO-1", {}).values()]


@pytest.mark.parametrize("language", ["Japanese", "unknown"])
def test_numbered_downloads_are_no_attributes(language: str, tmp_path: Path) -> None:
    path = export(tmp_path, [MILL | FILLED, APRON | FILLED], language)
    at = KEYS.split().index("name1") - 1  # the column of the GTIN is left out
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    made = [[*header[:at], "Fil 1 id", "Fil 1 rubrik", "Fil 1 adress", *header[at:]]]
    made += [[*row[:at], "abc", "Beech", "https://noor.example/a.pdf", *row[at:]] for row in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(made)
    assert stated(converted(path))["NO-1"].items() >= {"Material": "Beech", "Capacity": "1,5 dl"}.items()


def test_a_header_that_stands_twice_has_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "twice", LANGUAGES["Japanese"].replace("クロスセル", "アップセル"))
    path = export(tmp_path, [MILL | {"cross": "NO-9"}], "twice", ("gtin", "name1", "value1"))
    header = path.read_text("utf-8").partition("\n")[0].split(",")
    assert header.count("アップセル") == 2 and [*chosen(path)["pairs"].items()] == [("属性 2 の名前", "属性 2 の値")]


@pytest.mark.parametrize("language", ["Swedish", "unknown"])
@pytest.mark.parametrize("images", [True, False])
def test_variations_far_behind_the_first_rows_have_their_parent(
    language: str, images: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LANGUAGES, "Swedish", SWEDISH)
    many = [MILL | {"id": str(n), "sku": f"M-{n}", "name": f"Noor Mill {n}", "images": ""} for n in range(100, 250)]
    crossed = (
        MILL | {"id": "90", "sku": "M-90", "up": "NO-2, M-100"},
        MILL | {"id": "91", "sku": "M-91", "up": "NO-2, M-100"},
    )
    path = export(tmp_path, [*many, *crossed, APRON, PLUM, MOSS], language, () if images else ("images",))
    part = converted(path)
    assert part.tally.noted["variant merged into its product"] == 2
    assert {"M-90", "M-91", "NO-2"} <= {*labels(part)} and len({row.group for row in part.rows}) == 153


def test_only_a_variation_has_a_parent(tmp_path: Path) -> None:
    part = converted(export(tmp_path, [MILL, APRON, MILL | {"id": "50", "sku": "NO-5", "parent": "NO-2"}]))
    assert {*labels(part)} == {"NO-1", "NO-2", "NO-5"} and len({row.group for row in part.rows}) == 3


@pytest.mark.parametrize("language", ["English", "German", "unknown"])
def test_numbers_with_decimals_are_whole(language: str, tmp_path: Path) -> None:
    towel = APRON | {"id": "42.0", "sku": "", "published": "1.0", "featured": "0.0"}
    kinds = [PLUM | {"id": "43.0", "parent": "id:42"}, MOSS | {"id": "44.0", "parent": "id:42"}]
    hidden = MILL | {"id": "41.0", "sku": "1001.0", "published": "-1.0", "featured": "0.0"}
    part = converted(export(tmp_path, [towel, *kinds, hidden], language))
    assert part.tally.noted["variant merged into its product"] == 2 and len({row.group for row in part.rows}) == 2
    assert [note for note in part.tally.noted if "'draft'" in note]


def test_a_second_product_of_a_sku_is_no_variant(tmp_path: Path) -> None:
    other = MILL | {"id": "77", "name": "Noor Grinder", "text": "Of steel.", "value1": "Steel, Beech"}
    part = converted(export(tmp_path, [MILL, other, PLUM | {"parent": "NO-1", "value1": "Beech"}]))
    answers = [json.loads(row.target) for row in part.rows if row.task == "attributes"]
    assert [answer["Material"] for answer in answers] == ["Beech", "Steel"]
    assert part.tally.noted["variant merged into its product"] == 1


@pytest.mark.parametrize("language", ["English", "German", "unknown"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)])
def test_without_the_column_of_parents_names_tie_variations(
    language: str, order: tuple[int, ...], tmp_path: Path
) -> None:
    long = APRON | {"id": "60", "sku": "", "name": "Noor Apron - Long"}
    rows = [APRON, long, PLUM, MOSS | {"id": "61", "name": "Noor Apron - Long - Moss"}]
    path = export(tmp_path, [rows[n] for n in order], language, ("gtin", "parent"))
    part = converted(path)
    assert {*labels(part)} == {"NO-2", "id:60"} and part.tally.noted["variant merged into its product"] == 2
    assert "no column of parents: a variation belongs to the product" in said(path)
    lost = export(tmp_path, [MILL, PLUM, MOSS, PLUM | {"name": "Noor Apron - Sand"}], language, ("gtin", "parent"))
    assert "3 of 3 titles of rows without '(product)' look like variants" in said(lost)
