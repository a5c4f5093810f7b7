"""Products in schema.org's vocabulary: graphs, groups, languages, measures; JSON text is never an answer."""

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
from tests.converters.sources.catalog._presets import targets

CONTEXT = {"@context": "https://schema.org"}


def product(name: str, category: Any = None, **more: Any) -> dict[str, Any]:
    return {"@type": "Product", "sku": name.upper(), "name": name, "category": category, **more}


def converted(folder: Path, *rows: Any, file: str = "shop.jsonl", **options: Any) -> Converted:
    text = json.dumps(rows[0], indent=1) if file.endswith("ld") else "".join(json.dumps(row) + "\n" for row in rows)
    (folder / file).write_text(text, "utf-8")
    return convert(Entry(source="catalog", paths=[str(folder / file)], options=options))


@pytest.mark.parametrize(
    ("category", "target"),
    [
        ("Home > Rugs", "Home > Rugs"),
        (["Home > Rugs", "Sale"], "Home > Rugs"),
        ({"@type": "CategoryCode", "name": "Home > Rugs", "codeValue": "9"}, "Home > Rugs"),
        ([{"@type": "Thing", "name": "Home > Rugs"}, {"@type": "Thing", "url": "https://rug.example/"}], "Home > Rugs"),
        ({"@value": "Home > Rugs"}, "Home > Rugs"),
        ({"@type": "Thing"}, None),
        ({"@type": "PhysicalActivityCategory", "url": "https://schema.org/Yoga"}, None),
        ("https://schema.org/Yoga", None),
        ({"@type": "CategoryCode", "codeValue": "436"}, None),
        ([[], {}, 7, True], None),
    ],
)
def test_a_category_is_a_name_or_a_counted_reason(tmp_path: Path, category: Any, target: str | None) -> None:
    rows = (CONTEXT | product("Oak", "Home > Tables"), CONTEXT | product("Rug", category))
    part = converted(tmp_path, *rows)
    assert targets(part).get("RUG") == target and part.tally.read == 2
    assert all("{" not in row.target and "[" not in row.target for row in part.rows if row.task == "category")


def test_a_category_s_code_is_an_id_of_the_taxonomy(tmp_path: Path) -> None:
    (tmp_path / "taxonomy.txt").write_text(
        "# Google_Product_Taxonomy_Version: 2021-09-21\n1 - Home\n12 - Home > Rugs\n"
    )
    address = "https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt#12"
    rows = (CONTEXT | product("Rug", {"codeValue": "12"}), CONTEXT | product("Mat", address))
    part = converted(tmp_path, *rows, taxonomy=str(tmp_path / "taxonomy.txt"))
    assert targets(part) == {"RUG": "Home > Rugs", "MAT": "Home > Rugs"}


def test_attributes_are_names_and_measures(tmp_path: Path) -> None:
    text = "Rug by Ewe and Wool of jute, 200 cm, 1,5 kg, for 4 to 6 seats, size L, Moss or Sand."
    more = {
        "description": text,
        "brand": {"@type": "Brand", "name": "Ewe"},
        "manufacturer": [{"@type": "Organization", "name": "Ewe"}, "Wool"],
        "material": {"@type": "Product", "name": "jute"},
        "color": ["Moss", "Sand"],
        "size": {"@type": "SizeSpecification", "name": "L"},
        "weight": {"@type": "QuantitativeValue", "value": 1.5, "unitCode": "KGM"},
        "offers": {"@type": "Offer", "price": 200, "itemCondition": "https://schema.org/NewCondition"},
        "aggregateRating": {"ratingValue": 4},
        "additionalProperty": [
            {"@type": "PropertyValue", "name": "Length", "value": 200.0, "unitText": "cm"},
            {"@type": "PropertyValue", "propertyID": "Tones", "value": ["Moss", "Sand"]},
            {"@type": "PropertyValue", "name": "Seats", "valueReference": {"@type": "QuantitativeValue", "value": "4"}},
            {"@type": "PropertyValue", "name": "Washable", "value": True},
            {"@type": "PropertyValue", "name": "Age", "minValue": 4, "maxValue": 6},
            {"@type": "PropertyValue", "name": "Box", "valueReference": [{"name": "Fits", "value": 6}]},
            "Moss",
        ],
    }
    part = converted(tmp_path, CONTEXT | product("Rug", "Home > Rugs", **more))
    assert targets(part, "attributes")["RUG"] == {
        "Brand": "Ewe",
        "Manufacturer": ["Ewe", "Wool"],
        "Color": ["Moss", "Sand"],
        "Material": "jute",
        "Size": "L",
        "Weight": "1,5 kg",
        "Length": "200 cm",
        "Tones": ["Moss", "Sand"],
        "Seats": "4",
        "Fits": "6",
    }


GROUP = {
    "@type": "ProductGroup",
    "@id": "#group",
    "productGroupID": "RUGS",
    "name": "Rug",
    "category": "Home > Rugs",
    "description": "Rug of jute.",
    "material": "jute",
}


def test_variants_are_rows_of_their_group(tmp_path: Path) -> None:
    whole = CONTEXT | GROUP | {"hasVariant": [product("Rug Red", color="Red"), {"@type": "Product", "sku": "X"}]}
    other = CONTEXT | product("Rug Blue", isVariantOf=GROUP)
    named = CONTEXT | product("Rug Grey", "Home > Rugs", inProductGroupWithID="RUGS")
    part = converted(tmp_path, whole, CONTEXT | product("Oak", "Home > Tables"), other, named)
    assert targets(part) == {"RUGS": "Home > Rugs", "OAK": "Home > Tables"} and part.tally.read == 6
    assert part.tally.noted["variant merged into its product"] == 3
    part = converted(tmp_path, whole, other, named, variants=9)
    assert {*targets(part)} == {"RUGS", "RUG RED", "RUG BLUE", "RUG GREY"} and len(
        {row.group for row in part.rows}
    ) == 1
    assert targets(part, "attributes")["RUG BLUE"] == {"Material": "jute"}


def test_a_graph_is_resolved_and_what_is_no_product_is_counted(tmp_path: Path) -> None:
    graph = [
        {"@type": "WebPage", "@id": "#page", "name": "Rugs"},
        {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "name": "Home"}]},
        {"@type": "Brand", "@id": "#brand", "name": "Ewe"},
        product("Ewe Red", color="Red", brand={"@id": "#brand"}) | {"@id": "#red"},
        GROUP | {"hasVariant": [{"@id": "#red"}, {"@id": "#blue"}]},
        product("Ewe Blue", color="Blue", isVariantOf={"@id": "#group"}) | {"@id": "#blue"},
        product("Oak", "Home > Tables"),
    ]
    part = converted(tmp_path, CONTEXT | {"@graph": graph}, file="page.jsonld", variants=3)
    assert {*targets(part)} == {"EWE RED", "EWE BLUE", "OAK", "RUGS"}
    assert targets(part, "attributes")["EWE RED"] == {"Brand": "Ewe", "Color": "Red", "Material": "jute"}
    assert len({row.group for row in part.rows}) == 2
    assert part.tally.rejected == {
        f"no product: its type is {name!r}": 1 for name in ("WebPage", "BreadcrumbList", "Brand")
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"@context": "https://schema.org",\n "@graph": [ITEM]}',
        '{"@context": "https://schema.org", "@graph": [\n\n ITEM]}',
        '\n{\n"@context": "https://schema.org", "@type": "ItemList", "itemListElement": ITEM}\n',
        '{"@context": "https://schema.org", "@graph": [ITEM]}',
        '[{"@context": "https://schema.org", "@graph": [ITEM]},\n ITEM]',
    ],
)
def test_one_object_may_stand_on_several_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shop.json"
    path.write_text(text.replace("ITEM", json.dumps(product("Rug", "Home > Rugs"))))
    part = convert(Entry(source="catalog", paths=[str(path)]))
    assert targets(part) == {"RUG": "Home > Rugs"} and part.tally.rejected == {}


def test_a_first_line_that_is_cut_short_costs_no_other(tmp_path: Path) -> None:
    rows = [json.dumps(CONTEXT | product(name, "Home > Rugs")) for name in ("Rug", "Mat")]
    (tmp_path / "shop.jsonl").write_text("\n".join(['{"@type": "Product",', *rows]))
    part = convert(Entry(source="catalog", paths=[str(tmp_path / "shop.jsonl")]))
    assert {*targets(part)} == {"RUG", "MAT"} and part.tally.rejected == {"not JSON": 1}


def test_lists_hold_products(tmp_path: Path) -> None:
    listed = {
        "@type": "ItemList",
        "itemListElement": [
            {"@type": "ListItem", "position": 1, "item": product("Rug", "Home > Rugs")},
            product("Oak", "Home > Tables"),
            {"@type": "ListItem", "url": "https://rug.example/"},
        ],
    }
    page = {"@type": "ItemPage", "mainEntity": product("Mat", "Home > Mats")}
    part = converted(tmp_path, CONTEXT | listed, CONTEXT | page, CONTEXT | {"@graph": []})
    assert {*targets(part)} == {"RUG", "OAK", "MAT"}
    assert part.tally.rejected == {"no product: its type is 'ListItem'": 1, "no product: an empty list": 1}


@pytest.mark.parametrize(
    ("locale", "title"), [(None, "Teppich"), ("de_AT", "Teppich"), ("en", "Rug"), ("fr-FR", "Tapis")]
)
def test_texts_come_in_one_language(tmp_path: Path, locale: str | None, title: str) -> None:
    names = {"de": "Teppich", "en": "Rug", "fr": "Tapis"}
    tagged = [{"@value": name, "@language": language} for language, name in names.items()]
    row = {
        "@type": ["schema:Product", "http://schema.org/IndividualProduct"],
        "schema:sku": "R-1",
        "schema:name": tagged,
        "https://schema.org/description": names,
        "schema:category": {"@type": "schema:Thing", "schema:name": tagged},
        "schema:color": {"@list": tagged},
    }
    german = {"@type": "schema:Product", "schema:name": {"@value": "Nur deutsch", "@language": "de"}}
    part = converted(tmp_path, CONTEXT | row, CONTEXT | german, **{"locale": locale} if locale else {})
    [asked] = [row.messages[0].content.splitlines()[1:] for row in part.rows if row.task == "attributes"]
    assert asked == [f"Title: {title}", f"Description: {title}"]
    assert targets(part, "attributes") == {"R-1": {"Color": title}}
    said = sources.completed("catalog", [tmp_path / "shop.jsonl"], {}).lines
    assert any(line == "texts in de, of de, en, fr: --option locale=..." for line in said)


def test_a_property_that_no_product_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shop.jsonl: no column 'nam'; did you mean 'name'"):
        converted(tmp_path, CONTEXT | product("Rug", "Home > Rugs"), title="nam")


def test_other_json_is_not_recognised(tmp_path: Path) -> None:
    rows = (
        {"@type": "Recipe", "name": "Stew"},
        {"type": "Product", "name": "Rug"},
        {"name": "Rug", "brand": {"name": "Ewe"}},
    )
    (tmp_path / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert detect(head(tmp_path / "shop.jsonl"), {}).name == "none"


@pytest.mark.parametrize("key", ["#rug", "https://rug.example/all#group"])
def test_variants_in_other_rows_may_name_their_group_by_its_address(tmp_path: Path, key: str) -> None:
    group = CONTEXT | GROUP | {"@id": key, "hasVariant": [{"@id": "#grey"}]}
    rows = [
        CONTEXT | product("Rug Red", "Home > Rugs", isVariantOf={"@id": key}),
        CONTEXT | product("Oak", "Home > Tables"),
        CONTEXT | product("Rug Blue", "Home > Rugs", isVariantOf=[{"@type": "ProductGroup", "@id": key}]),
        CONTEXT | product("Rug Teal", "Home > Rugs", isVariantOf=key),
        CONTEXT | product("Rug Grey", "Home > Rugs") | {"@id": "#grey"},
    ]
    for whole, most in ([*rows, group], 6), ([group, *rows], 6), (rows, 4):
        part = converted(tmp_path, *whole, variants=9)
        named = {row.id.rpartition(":")[2]: row.group for row in part.rows}
        assert len(part.rows) >= most - 1 and named["RUG RED"] == named["RUG BLUE"] == named["RUG TEAL"] != named["OAK"]
        assert group not in whole or named["RUGS"] == named["RUG RED"] == named["RUG GREY"]
