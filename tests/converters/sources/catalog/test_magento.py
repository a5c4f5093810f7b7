r"""Magento's export: roots, ``\/`` and commas in categories, store views, children, ``additional_attributes``."""

from pathlib import Path

import pytest

from tests.converters.sources.catalog._presets import chosen, converted, labels, prompts, said, stated, table

HEADER = ["sku", "store_view_code", "attribute_set_code", "product_type", "categories", "product_websites", "name",
          "description", "product_online", "visibility", "price", "additional_attributes", "configurable_variations",
          "associated_skus"]  # fmt: skip
JUG = {"sku": "J", "attribute_set_code": "Default", "product_type": "simple", "categories": "Shop/Kitchen/Jugs",
       "product_websites": "base", "name": "Ostra Jug", "description": "<p>Jug of clay, 1,5 l, in Rust or Ash.</p>",
       "product_online": "1", "visibility": "Catalog, Search"}  # fmt: skip
HIDDEN = "Not Visible Individually"
RUST = JUG | {
    "sku": "J-R",
    "name": "Ostra Jug-Rust",
    "visibility": HIDDEN,
    "additional_attributes": "color=Rust,size=M",
}
ASH = RUST | {"sku": "J-A", "name": "Ostra Jug-Ash", "additional_attributes": "color=Ash,size=L"}
BOTH = "sku=J-R,color=Rust,size=M|sku=J-A,color=Ash,size=L"
PARENT = JUG | {"product_type": "configurable", "configurable_variations": BOTH}


def export(folder: Path, *rows: dict[str, str], header: list[str] = HEADER) -> Path:
    kept = [{name: cell for name, cell in row.items() if name in header} for row in rows]
    return table(folder / "export_catalog_product.csv", header, kept)


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("Shop/Kitchen,Shop/Kitchen/Jugs", "Kitchen > Jugs"),
        ("Shop/Kitchen|Shop/Kitchen/Jugs|Shop/New", "Kitchen > Jugs"),
        (r"Shop/Kitchen/Salt \/ Pepper,Shop/Sale", "Kitchen > Salt / Pepper"),
        ("Shop/Pots, pans & jugs/Jugs", "Pots, pans & jugs > Jugs"),
        (r"Shop/Pots, pans,Shop/Pots, pans/Cups\/mugs, large", "Pots, pans > Cups/mugs, large"),
        ("Shop/A/B, Shop/C/D", "A > B"),
        ("Shop", ""),
        ("", ""),
    ],
)
def test_paths_begin_at_a_root(cell: str, label: str, tmp_path: Path) -> None:
    part = converted(export(tmp_path, JUG, JUG | {"sku": "K", "categories": cell}))
    assert labels(part).get("K", "") == label and labels(part)["J"] == "Kitchen > Jugs"


def test_two_equally_deep_paths_are_counted(tmp_path: Path) -> None:
    part = converted(export(tmp_path, JUG | {"categories": "Shop/Kitchen/Jugs,Shop/New,Shop/Sale/Kitchen"}))
    assert labels(part) == {"J": "Kitchen > Jugs"} and part.tally.noted["several categories"] == 1


def test_children_that_nothing_ties_are_said(tmp_path: Path) -> None:
    untied = export(
        tmp_path, PARENT, RUST, ASH, header=[name for name in HEADER if not name.endswith(("variations", "skus"))]
    )
    assert "no column 'configurable_variations'" in said(untied)
    assert "configurable_variations" not in said(untied, group="attribute_set_code")
    assert "no column" not in said(export(tmp_path, PARENT, RUST, ASH))


@pytest.mark.parametrize(("online", "count"), [("2", 1), ("2.0", 1), ("0", 1), ("1.0", 0)])
def test_disabled_products_are_counted(online: str, count: int, tmp_path: Path) -> None:
    noted = converted(export(tmp_path, JUG | {"product_online": online})).tally.noted
    assert noted["not published: product_online is 'disabled'"] == count


def test_two_roots_are_kept(tmp_path: Path) -> None:
    rows = [JUG, JUG | {"sku": "K", "categories": "Outlet/Cups, mugs,Shop/Kitchen/Cups"}]
    assert labels(converted(export(tmp_path, *rows))) == {"J": "Shop > Kitchen > Jugs", "K": "Shop > Kitchen > Cups"}


def test_paths_without_a_root_are_parted(tmp_path: Path) -> None:
    cells = ["Men/Tees,Sale", "Women/Tees,New", "Home/Jugs, Garden/Pots", "Garden/Pots", "Kids/Caps,Sale"]
    path = export(tmp_path, *(JUG | {"sku": str(n), "categories": cell} for n, cell in enumerate(cells)))
    assert [*labels(converted(path)).values()] == [
        "Men > Tees", "Women > Tees", "Home > Jugs", "Garden > Pots", "Kids > Caps"]  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_a_store_view_is_merged(order: tuple[int, int, int], tmp_path: Path) -> None:
    view = {"sku": "J", "store_view_code": "no", "name": "Ostra mugge", "additional_attributes": "color=Rustrød"}
    rows = [JUG | {"additional_attributes": "color=Rust"}, view, JUG | {"sku": "K", "name": "Ostra Cup"}]
    part = converted(export(tmp_path, *(rows[n] for n in order)))
    assert {*labels(part)} == {"J", "K"} and (part.tally.used, part.tally.read) == (3, 3)
    assert stated(part) == {"J": {"color": "Rust"}} and "mugge" not in str(prompts(part))


def test_a_file_of_one_store_view_has_its_products(tmp_path: Path) -> None:
    part = converted(export(tmp_path, JUG | {"store_view_code": "no"}, JUG | {"sku": "K", "store_view_code": "no"}))
    assert {*labels(part)} == {"J", "K"}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("visibility", [HIDDEN, "Catalog, Search"])
def test_children_are_merged_into_their_product(visibility: str, order: tuple[int, int, int], tmp_path: Path) -> None:
    rows = [PARENT, RUST | {"visibility": visibility}, ASH | {"visibility": visibility}]
    path = export(tmp_path, *(rows[n] for n in order))
    part = converted(path)
    assert labels(part) == {"J": "Kitchen > Jugs"} and part.tally.noted["row merged into its product"] == 2
    assert stated(part) == {"J": {"color": ["Rust", "Ash"]}} or sorted(stated(part)["J"]["color"]) == ["Ash", "Rust"]
    kept = converted(path, variants=3)
    assert {*labels(kept)} == {"J", "J-R", "J-A"} and len({row.group for row in kept.rows}) == 1
    assert not any("not published" in note for note in kept.tally.noted)


def test_values_of_children_that_the_file_lacks_are_known(tmp_path: Path) -> None:
    assert sorted(stated(converted(export(tmp_path, PARENT)))["J"]["color"]) == ["Ash", "Rust"]


def test_products_of_a_grouped_one_share_its_group(tmp_path: Path) -> None:
    members = {"sku": "S", "name": "Ostra Set", "product_type": "grouped", "associated_skus": "J=1.0000,K=2.0000"}
    rows = [JUG, JUG | members, JUG | {"sku": "K", "name": "Ostra Cup"}, JUG | {"sku": "L", "name": "Ostra Bowl"}]
    for header in (HEADER, [name for name in HEADER if name != "configurable_variations"]):
        part = converted(export(tmp_path, *rows, header=header))
        groups = {row.id.rsplit(":")[-1]: row.group for row in part.rows}
        assert {*groups} == {"J", "K", "L", "S"} and groups["J"] == groups["K"] == groups["S"] != groups["L"]


def test_a_file_without_ties_is_read(tmp_path: Path) -> None:
    header = [
        name for name in HEADER if name not in ("configurable_variations", "associated_skus", "additional_attributes")
    ]
    assert labels(converted(export(tmp_path, JUG, JUG | {"sku": "K"}, header=header))).keys() == {"J", "K"}


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("material=Clay,capacity=1,5 l,has_options=0", {"material": "Clay", "capacity": "1,5 l"}),
        ('material="Clay",capacity="1,5 l",required_options="1"', {"material": "Clay", "capacity": "1,5 l"}),
        ('label="Jug of clay, 1,5 l",tip=', {"label": "Jug of clay, 1,5 l"}),
        ("color=Rust|Ash,quantity_and_stock_status=In Stock", {"color": ["Rust", "Ash"]}),
        ("manual_url=https://ostra.example/jug?of=clay,material=clay", {"material": "clay"}),
        ("washable=No,material=clay,is_featured=Yes,gift_message_available=Use config", {"material": "clay"}),
    ],
)
def test_additional_attributes(cell: str, values: dict[str, object], tmp_path: Path) -> None:
    path = export(tmp_path, JUG | {"additional_attributes": cell})
    named = {"id": "sku", "title": "name", "category": "categories", "texts": {"Text": "description"}}
    for options in ({}, named | {"specs": "additional_attributes"}):
        answer = stated(converted(path, **options))["J"]
        assert {k: str(v).casefold() for k, v in answer.items()} == {k: str(v).casefold() for k, v in values.items()}


def test_a_code_of_the_system_is_asked_if_it_is_named(tmp_path: Path) -> None:
    path = export(tmp_path, JUG | {"additional_attributes": "price_view=Jug,material=clay"})
    assert stated(converted(path, asked=["price_view"])) == {"J": {"price_view": "Jug"}}


def test_columns_that_a_shop_exports_on_their_own_are_attributes(tmp_path: Path) -> None:
    more = {"color": "Rust", "size": "38", "manufacturer": "Ostra", "glaze": "clay", "cost": "4.20", "ean": "40123",
            "url_key": "jug", "created_at": "1/2/24, 9:00 AM", "base_image": "/j/u/jug.jpg", "is_new": "Yes",
            "depth": "1.5"}  # fmt: skip
    path = export(tmp_path, JUG | more, header=[*HEADER, *more])
    assert {*chosen(path)["attributes"]} == {"color", "size", "manufacturer", "glaze"}
    assert stated(converted(path))["J"] == {"color": "Rust", "manufacturer": "Ostra", "glaze": "clay"}


def test_disabled_and_hidden_products_are_counted(tmp_path: Path) -> None:
    rows = [JUG, JUG | {"sku": "K", "product_online": "2"}, JUG | {"sku": "L", "visibility": HIDDEN}]
    part = converted(export(tmp_path, *rows))
    assert sum(count for note, count in part.tally.noted.items() if "not published" in note) == 2
    assert {*labels(converted(export(tmp_path, *rows), unpublished="drop"))} == {"J"}


@pytest.mark.parametrize("header", [[name.upper() for name in HEADER], HEADER[::-1]])
def test_headers_in_any_case_and_order(header: list[str], tmp_path: Path) -> None:
    rows = [{name: row.get(name.lower(), "") for name in header} for row in (RUST, PARENT, ASH)]
    part = converted(table(tmp_path / "export.csv", header, rows, ";"))
    assert labels(part) == {"J": "Kitchen > Jugs"} and sorted(stated(part)["J"]["color"]) == ["Ash", "Rust"]
