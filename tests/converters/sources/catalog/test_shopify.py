"""Shopify's export: rows of a handle are one product; options and metafields have names."""

from pathlib import Path

import pytest

from tests.converters.sources.catalog._presets import chosen, converted, labels, said, stated, table

EXPORT = {
    "handle": "Handle", "title": "Title", "body": "Body (HTML)", "vendor": "Vendor", "category": "Product Category",
    "type": "Type", "tags": "Tags", "published": "Published", "name1": "Option1 Name", "value1": "Option1 Value",
    "linked1": "Option1 Linked To", "name2": "Option2 Name", "value2": "Option2 Value", "sku": "Variant SKU",
    "image": "Image Src", "google": "Google Shopping / Google Product Category",
    "fabric": "Fabric (product.metafields.shopify.fabric)", "status": "Status",
}  # fmt: skip
TEMPLATE = EXPORT | {
    "handle": "URL handle", "body": "Description", "category": "Product category", "name1": "Option1 name",
    "value1": "Option1 value", "name2": "Option2 name", "value2": "Option2 value", "sku": "SKU", "image": "Product image URL",
    "published": "Published on online store",
}  # fmt: skip
BLANKET = {"handle": "blanket", "title": "Sula Blanket", "vendor": "Sula", "category": "Home > Bedding > Blankets",
           "body": "<p>Lambswool and linen. In Deep sea or Rust; 90 cm or 140 cm.</p>", "status": "active"}  # fmt: skip
ROWS = [
    BLANKET | {"name1": "Colour", "value1": "deep-sea-2", "linked1": "product.metafields.shopify.color-pattern",
               "name2": "Width", "value2": "90 cm", "fabric": "lambswool; linen", "sku": "'01", "image": "1.jpg"},
    {"handle": "blanket", "value1": "rust", "value2": "90 cm", "sku": "'02", "image": "2.jpg"},
    {"handle": "blanket", "value1": "rust", "value2": "140 cm", "sku": "'03", "image": "3.jpg"},
    {"handle": "blanket", "image": "4.jpg"},
    {"handle": "bowl", "title": "Sula Bowl", "vendor": "Sula", "category": "Home > Tableware > Bowls, dishes & plates",
     "name1": "Title", "value1": "Default Title", "body": "Title of clay."},
]  # fmt: skip
COLOURS = {"Colour": ["Deep sea", "Rust"], "Width": ["90 cm", "140 cm"], "Fabric": ["Lambswool", "linen"]}


def export(folder: Path, rows: list[dict[str, str]], names: dict[str, str] = EXPORT, **more: str) -> Path:
    names = names | more
    renamed = [{names[key]: cell for key, cell in row.items() if key in names} for row in rows]
    return table(folder / "products_export_1.csv", [*names.values()], renamed)


def same(found: dict[str, list[str]], expected: dict[str, list[str]]) -> bool:
    """Tell whether answers are as expected, in any case and order."""
    folded = {name.casefold(): sorted(map(str.casefold, values)) for name, values in found.items()}
    return all(folded[name.casefold()] == sorted(map(str.casefold, values)) for name, values in expected.items())


@pytest.mark.parametrize(
    "names",
    [
        EXPORT,
        {key: name.upper() for key, name in EXPORT.items()},
        {key: TEMPLATE[key] for key in ("title", "handle", *TEMPLATE)},
        {key: name.lower() for key, name in reversed(TEMPLATE.items())},
        {key: name for key, name in EXPORT.items() if key not in ("type", "tags", "sku", "linked1", "google")},
    ],
    ids=["export", "upper", "template", "lower reversed", "fewer"],
)
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 2, 4, 0, 1], [4, 1, 0, 2, 3]])
def test_rows_of_a_handle_are_one_product_in_any_order(names: dict[str, str], order: list[int], tmp_path: Path) -> None:
    part = converted(export(tmp_path, [ROWS[n] for n in order], names))
    assert labels(part) == {
        "blanket": "Home > Bedding > Blankets",
        "bowl": "Home > Tableware > Bowls, dishes & plates",
    }
    assert (part.tally.read, part.tally.used, part.tally.noted["row merged into its product"]) == (5, 5, 3)
    assert same(stated(part)["blanket"], COLOURS) and stated(part)["bowl"] == {"Brand": "Sula"}


def test_options_keep_their_names_if_the_user_names_columns(tmp_path: Path) -> None:
    attributes = {"Length": "Option1 Value", "Stuff": EXPORT["fabric"]}
    part = converted(
        export(tmp_path, ROWS), id="Handle", title="Title", category="Product Category", attributes=attributes,
        texts={"Text": "Body (HTML)"},
    )  # fmt: skip
    answer = stated(part)["blanket"]
    assert "Length" not in answer and same(answer, {"Colour": COLOURS["Colour"], "Stuff": COLOURS["Fabric"]})


def test_two_products_of_one_title_are_two(tmp_path: Path) -> None:
    part = converted(export(tmp_path, [BLANKET, BLANKET | {"handle": "blanket-1"}]))
    assert len(labels(part)) == 2 and len({row.group for row in part.rows}) == 2


def test_ninety_nine_rows_are_one_product(tmp_path: Path) -> None:
    rows = [ROWS[0], *({"handle": "blanket", "value1": f"shade-{n}"} for n in range(98))]
    part = converted(export(tmp_path, rows))
    assert part.tally.used == 99 and len(labels(part)) == 1


@pytest.mark.parametrize("word", ["Uncategorized", "Non classé", "Sin categoría", ""])
def test_no_category_is_none(word: str, tmp_path: Path) -> None:
    part = converted(export(tmp_path, [*ROWS[:1], BLANKET | {"handle": "other", "category": word, "type": "Throw"}]))
    assert labels(part) == {"blanket": "Home > Bedding > Blankets"}
    assert sum(count for note, count in part.tally.noted.items() if "no category" in note) == 1


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"google": "Home & Garden > Linens", "type": "Throws"}, EXPORT["google"]),
        ({"type": "Throws"}, "Type"),
        ({"google": "Uncategorized", "type": "Throws"}, "Type"),
    ],
)
def test_another_column_is_the_category_where_its_own_is_empty(
    cells: dict[str, str], column: str, tmp_path: Path
) -> None:
    rows = [BLANKET | {"handle": f"b-{n}", "category": "Uncategorized" if n else "", **cells} for n in range(150)]
    path = export(tmp_path, rows)
    assert chosen(path)["category"] == column and f"the category is from {column!r}" in said(path)
    late = export(tmp_path, [*rows, BLANKET])
    assert chosen(late)["category"] == "Product Category"  # one of the last row is enough


@pytest.mark.parametrize(("options", "column"), [({}, "Type"), ({"taxonomy": "ids.txt"}, EXPORT["google"])])
def test_ids_are_categories_only_with_their_names(options: dict[str, str], column: str, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# Google_Product_Taxonomy_Version: 2031-01-01\n569 - Throws\n")
    given = {name: str(tmp_path / file) for name, file in options.items()}
    path = export(tmp_path, [BLANKET | {"category": "", "google": "569.0", "type": "Blankets"}])
    assert chosen(path, **given)["category"] == column
    assert ("with Google's file as --option taxonomy=FILE" in said(path, **given)) is not bool(given)


def test_a_type_that_more_products_have_is_offered(tmp_path: Path) -> None:
    rows = [
        BLANKET | {"handle": f"b-{n}", "category": "" if n else "Home > Bedding", "type": "Throws"} for n in range(9)
    ]
    assert "'Type' holds categories, too: --option 'category=Type' takes them" in said(export(tmp_path, rows))
    assert "'Type'" not in said(export(tmp_path, [row | {"category": "Home > Bedding"} for row in rows]))


def test_filled_down_titles_are_one_product(tmp_path: Path) -> None:
    colours = [
        ROWS[0] | {"value1": colour, "value2": width} for colour, width in (("rust", "90 cm"), ("deep-sea", "140 cm"))
    ]
    part = converted(export(tmp_path, [*colours, ROWS[4] | {"value1": "DEFAULT TITLE"}]))
    assert len(labels(part)) == 2 and same(stated(part)["blanket"], COLOURS | {"Colour": ["rust", "deep sea"]})
    assert not any("'Title'" in note for note in part.tally.noted)


def test_googles_column_is_offered(tmp_path: Path) -> None:
    path = export(tmp_path, [BLANKET | {"google": "569"}])
    assert chosen(path)["category"] == "Product Category" and "--option 'category=Google Shopping" in said(path)


def test_what_is_not_published_is_counted_and_may_be_dropped(tmp_path: Path) -> None:
    rows = [BLANKET | {"handle": f"b-{n}", "status": word} for n, word in enumerate(("active", "draft", "Archived"))]
    path = export(tmp_path, [*rows, BLANKET | {"published": "FALSE"}, BLANKET | {"handle": "f", "published": "FALSCH"}])
    assert sum(count for note, count in converted(path).tally.noted.items() if "not published" in note) == 4
    assert len(labels(converted(path, unpublished="drop"))) == 1


def test_metafields_that_are_no_attributes_are_not_asked(tmp_path: Path) -> None:
    fields = {
        "rating": ("Rating (product.metafields.reviews.rating)", '{"value": "4.5"}'),
        "feed": ("Google: Condition (product.metafields.mm-google-shopping.condition)", "new"),
        "manual": ("Manual (product.metafields.custom.manual_url)", "https://sula.example"),
        "twins": ("Twins (product.metafields.custom.pairs_with)", "gid://shopify/Product/1"),
        "data": ("Data (product.metafields.custom.data)", '{"a": 1}'),
        "weave": ("Vävning (product.metafields.custom.weave)", "lambswool"),
        "nameless": (" (product.metafields.shopify.fabric-care)", "linen"),
        "one": ("Form (product.metafields.custom.form)", "linen"),
        "two": ("Form (product.metafields.shopify.outer-form)", "linen"),
    }
    names = {key: name for key, (name, _) in fields.items()}
    path = export(tmp_path, [BLANKET | {key: cell for key, (_, cell) in fields.items()}], **names)
    asked = {"Brand", "Fabric", "Vävning", "Fabric care", "Form", "Outer form"}
    assert {*chosen(path)["attributes"]} == asked
    assert {*stated(converted(path))["blanket"]} == asked - {"Fabric"}
