"""Akeneo's export: codes of several trees, locales and channels, measures, product models."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters import sources
from converters.core.errors import InputError
from converters.mixture.spec import Entry
from converters.sources.catalog.detect import detect
from converters.sources.catalog.head import head
from tests.converters._converted import Converted, convert

HEADER = (
    "sku;categories;enabled;family;parent;name-en_GB;name-nl_NL;description-en_GB-web;color;finish;width;width-unit"
)
CATEGORIES = """code;parent;label-en_GB;label-nl_NL
promo;;Promotions;Acties
promo_spring;promo;Spring;Lente
shop;;Shop catalogue;Winkel
garden;shop;Garden;Tuin
lamps_out;garden;Lamps / Lights;Lampen
chairs;garden;;Stoelen
"""


def converted(
    folder: Path, text: str, categories: str | None = CATEGORIES, models: str = "", **options: Any
) -> Converted:
    (folder / "products.csv").write_text(text, "utf-8")
    if categories:
        (folder / "categories.csv").write_text(categories, "utf-8")
    if models:
        (folder / "product_models.csv").write_text(models, "utf-8")
    paths = [str(folder / name) for name in ("products.csv", "product_models.csv")[: 1 + bool(models)]]
    return convert(Entry(source="catalog", paths=paths, options=options))


def targets(part: Converted, task: str = "category") -> dict[str, str]:
    return {row.id.rpartition(":")[2]: row.target for row in part.rows if row.task == task}


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


TEXT = '"<p>Lamp in moss green, oiled oak, 12.5 cm.</p>"'
LAMP = f"L-1;lamps_out,promo_spring;1;lamps;;Skell Lamp;Skell Lamp;{TEXT};moss_green;oak,oiled;12.5000;CENTIMETER"
CHAIR = "C-1;chairs;0;chairs;;Skell Chair;Skell Stoel;;red;;;"
SALE = "S-1;promo_spring;1;chairs;;Skell Stool;;;;;;"


def test_codes_become_paths_of_labels_in_the_fullest_tree(tmp_path: Path) -> None:
    part = converted(tmp_path, table(LAMP, CHAIR, SALE, "N-1;;1;lamps;;Skell Shade;;;;;;"))
    assert targets(part) == {"L-1": "Garden > Lamps / Lights"}
    assert json.loads(targets(part, "attributes")["L-1"]) == {
        "Color": "moss green",
        "Finish": ["oak", "oiled"],
        "Width": "12.5 cm",
    }
    assert part.tally.rejected == {"category is a code, not a name": 2, "no category": 1}
    assert part.tally.noted["not published: enabled is '0'"] == 1


def test_the_tree_and_the_locale_can_be_named(tmp_path: Path) -> None:
    rows = (LAMP, CHAIR, SALE)
    assert targets(converted(tmp_path, table(*rows), tree="promo")) == {"L-1": "Spring", "S-1": "Spring"}
    part = converted(tmp_path, table(*rows), locale="nl")
    assert targets(part) == {"L-1": "Tuin > Lampen", "C-1": "Tuin > Stoelen"}
    assert [row.messages[0].content.splitlines()[1:] for row in part.rows if row.task == "category"][1] == [
        "Title: Skell Stoel"
    ]
    assert part.tally.rejected == {"no title in nl_NL": 1}
    with pytest.raises(InputError, match=r"products.csv: no column in locale 'fr_FR': the file has en_GB, nl_NL"):
        converted(tmp_path, table(*rows), locale="fr_FR")
    with pytest.raises(InputError, match=r"categories.csv: no category 'shops'; did you mean 'shop'"):
        converted(tmp_path, table(*rows), tree="shops")


def test_what_was_chosen_is_said_and_stands_among_the_options(tmp_path: Path) -> None:
    converted(tmp_path, table(LAMP, CHAIR))
    found = sources.completed("catalog", [tmp_path / "products.csv"], {})
    assert found.options["tree"] == "shop" and found.options["locale"] == "en_GB"
    assert found.options["categories"] == str(tmp_path / "categories.csv")
    assert found.options["status"] == {"enabled": ["0", "false"]} and found.options["group"] == "parent"
    said = "\n".join(found.lines)
    assert "an Akeneo product export (5 of 5 typical columns)" in said
    assert "texts in en_GB, of en_GB, nl_NL" in said and "the tree 'shop'" in said and "promo, shop" in said


@pytest.mark.parametrize("cell", ["lamps_out", "chairs", "lamps_out,promo_spring"])
def test_codes_without_names_are_counted_and_no_label(tmp_path: Path, cell: str) -> None:
    part = converted(tmp_path, table(LAMP, f"X-1;{cell};1;lamps;;Skell Lamp red;;;red;;;"), categories=None)
    assert targets(part) == {} and targets(part, "attributes")["X-1"] == '{"Color": "red"}'
    assert part.tally.noted["no category path: category is a code, not a name"] == 2


def test_codes_in_brackets_are_no_labels_and_loops_end(tmp_path: Path) -> None:
    categories = "code,label-en_US,parent\nroot,,\nbeds,[beds],root\nsofas,Sofas,root\na,A,b\nb,B,a\n"
    header = "identifier,family,categories,groups,enabled,name"
    rows = ("1,f,beds,,1,Skell Bed", "2,f,SOFAS,,1,Skell Sofa", "3,f,a,,1,Skell Loop", '4,f,"sofas,beds",,1,Skell Day')
    part = converted(tmp_path, table(*rows, header=header), categories)
    assert targets(part) == {"2": "Sofas", "4": "Sofas"}
    assert part.tally.rejected == {"category is a code, not a name": 2}
    with pytest.raises(InputError, match=r"categories.csv: no column 'label-...'"):
        converted(tmp_path, table(*rows, header=header), "code,parent\nroot,\n")


def test_a_variant_without_title_is_told_unless_its_models_are_there(tmp_path: Path) -> None:
    rows = ("V-1;;1;lamps;lamp_oak;;;;moss_green;;;", "V-2;;1;lamps;lamp_oak;;;;red;;;", LAMP)
    for header in (HEADER, HEADER.upper()):
        part = converted(tmp_path, table(*rows, header=header))
        assert part.tally.rejected == {"no title: its product model is in another file": 2}
    models = table(
        "lamp;by_wood;;lamps_out;Skell Table Lamp;Lamp in moss green or black.",
        "lamp_oak;by_wood;lamp;lamps_out;;",
        "other;by_wood;;chairs;Skell Deckchair;",
        header="code;family_variant;parent;categories;name-en_GB;description-en_GB-web",
    )
    part = converted(tmp_path, table(*rows), models=models)
    assert targets(part)["lamp"] == "Garden > Lamps / Lights"
    assert json.loads(targets(part, "attributes")["lamp"]) == {"Color": "moss green"}
    assert part.tally.read == 6 and part.tally.noted["row merged into its product"] == 3


def test_variants_of_one_model_share_a_group(tmp_path: Path) -> None:
    rows = (
        "V-1;lamps_out;1;lamps;lamp;Skell Lamp Green;;;green;;;",
        LAMP,
        "V-2;lamps_out;1;lamps;lamp;Skell Lamp Red;;;red;;;",
    )
    part = converted(tmp_path, table(*rows), variants=9)
    groups = {row.id.rpartition(":")[2]: row.group for row in part.rows}
    assert groups["V-1"] == groups["V-2"] != groups["L-1"]
    part = converted(tmp_path, table(*rows))
    assert part.tally.noted["variant merged into its product"] == 1 and {*targets(part)} == {"V-1", "L-1"}


def test_what_no_text_states_is_no_attribute(tmp_path: Path) -> None:
    header = (
        "uuid;sku;categories;enabled;family;parent;groups;UPSELL-products;UPSELL-products-quantity;naam;weight;weight-unit;"
        "price-EUR;price-shop-USD;special_price;ean;photo;in_stock;launched;meta_description-en_GB"
    )
    row = "0a1;K-1;;1;f;;;K-2;3;Skell Kan 1 12 0,5 kg 2024-01-01;0.5000;KILOGRAM;12;12;12;12;a/b.jpg;1;2024-01-01;12"
    part = converted(tmp_path, table(row, header=header), categories=None)
    assert targets(part, "attributes") == {"K-1": '{"Weight": "0,5 kg"}'}


@pytest.mark.parametrize(
    "text",
    [
        "sku,name,category,family\n1,Pot,Garden > Pots,pots\n",
        "id;title;categories;family;brand\n1;Pot;Garden > Pots;pots;Skell\n",
        "sku;categories;family;parent;groups;name\n1;Garden > Pots;p;;;Pot\n",
    ],
)
def test_a_table_with_a_family_is_no_akeneo_export(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.csv").write_text(text)
    assert detect(head(tmp_path / "shop.csv"), {}).name == "none"


def test_a_model_whose_codes_lie_in_another_tree_takes_its_variants_category(tmp_path: Path) -> None:
    models = table("lamp;by_wood;;promo;Skell Lamp oak", header="code;family_variant;parent;categories;name-en_GB")
    rows = ("V-1;lamps_out;1;lamps;lamp;;;;green;;;", "L-2;lamps_out;1;lamps;;Skell Sconce;;;;;;")
    part = converted(tmp_path, table(*rows), models=models)
    assert targets(part) == {"lamp": "Garden > Lamps / Lights", "L-2": "Garden > Lamps / Lights"}


def test_labels_in_place_of_codes_are_a_sentence_and_a_title_is_no_attribute(tmp_path: Path) -> None:
    header = "SKU;Categories;Family;Parent;Groups;Name (English United Kingdom);Color"
    text = table("L-1;lamps_out;lamps;;;Skell Lamp green;green", header=header)
    with pytest.raises(
        InputError, match=r"no column is known as the title: its columns are labels, such as 'Name \(Eng"
    ):
        converted(tmp_path, text)
    part = converted(tmp_path, text, title="Name (English United Kingdom)")
    assert targets(part, "attributes") == {"L-1": '{"Color": "green"}'}
