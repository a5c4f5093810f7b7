"""Rows to products: which row is the product, what is merged, and what parts and variants take from it."""

from collections.abc import Iterator

import pytest

from converters.io.tables import Sparse
from converters.schema import Outcome
from converters.sources.catalog.columns import columns
from converters.sources.catalog.products import MERGED, OVER, Product, products

OPTIONS = {"id": "id", "title": "title", "category": "category", "group": "group", "texts": {"Text": "text"},
           "pairs": {"name": "value"}}  # fmt: skip


def gathered(*rows: dict[str, str] | Outcome, scattered: bool = False, **options: object) -> list[Product | Outcome]:
    def numbered() -> Iterator[tuple[str, Sparse | Outcome]]:
        for number, row in enumerate(rows, 2):
            yield f"f:{number}", row if isinstance(row, Outcome) else Sparse(row)

    return list(products(numbered(), columns(OPTIONS | options), scattered, 1000))


def whole(*found: Product | Outcome) -> list[Product]:
    return [each for each in found if isinstance(each, Product)]


PARENT = {
    "id": "P",
    "title": "Pan",
    "category": "Pans",
    "text": "Of iron.",
    "group": "P",
    "name": "Size",
    "value": "S, L",
}
SMALL = {"id": "P-S", "title": "Pan S", "group": "P", "value": "S"}
LARGE = {"id": "P-L", "title": "Pan L", "group": "P", "name": "Width", "value": "L"}
IMAGE = {"id": "", "title": "", "group": "P"}
OTHER = {"id": "Q", "title": "Pot", "group": ""}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_row_with_the_key_as_its_id_is_the_product(order: tuple[int, ...]) -> None:
    rows = [PARENT, SMALL, LARGE, IMAGE]
    [product] = whole(*gathered(*(rows[n] for n in order), variants=1))
    assert (product.cells["id"], product.rows, product.key) == ("P", 4, "P")
    assert sorted(product.notes) == sorted((OVER, OVER, MERGED))


@pytest.mark.parametrize("variants", [1, 2, 3, None])
def test_variants_are_capped_and_none_is_lost(variants: int | None) -> None:
    found = whole(*gathered(SMALL, PARENT, LARGE, IMAGE, variants=variants))
    assert len(found) == min(variants or 3, 3) and sum(product.rows for product in found) == 4
    assert all(p.cells["category"] == "Pans" and p.cells["text"] == "Of iron." and p.key == "P" for p in found)


def test_a_part_s_value_has_the_product_s_name_unless_it_has_its_own() -> None:
    [product] = whole(*gathered(PARENT, SMALL, LARGE, variants=1))
    assert [part["name"] for part in product.parts] == ["Size", "Width"]


def test_without_the_key_s_row_one_with_a_category_is_the_product_or_else_the_first() -> None:
    [product] = whole(*gathered(SMALL, LARGE | {"category": "Pans"}, variants=1))
    assert product.cells["id"] == "P-L"
    [product] = whole(*gathered(IMAGE, SMALL, LARGE, variants=1))
    assert product.cells["id"] == "P-S"


def test_a_blank_key_is_no_group() -> None:
    for scattered in (False, True):
        found = whole(*gathered(OTHER, OTHER | {"id": "R"}, PARENT, scattered=scattered, variants=1))
        assert sorted(product.cells["id"] for product in found) == ["P", "Q", "R"]


def test_rows_of_a_group_that_are_apart_are_found() -> None:
    found = whole(*gathered(SMALL, OTHER, IMAGE, OTHER, PARENT, scattered=True, variants=1))
    assert sorted((p.cells["id"], p.rows) for p in found) == [("P", 3), ("Q", 1), ("Q", 1)]


def test_a_row_that_cannot_be_read_passes_and_parts_no_group() -> None:
    bad = Outcome("f:3", reason="blank line")
    for scattered in (False, True):
        found = gathered(PARENT, bad, SMALL, scattered=scattered, variants=1)
        assert bad in found and [product.rows for product in whole(*found)] == [2]


def test_a_group_without_a_title_is_one_product() -> None:
    [product] = whole(*gathered(IMAGE, IMAGE | {"id": "x"}))
    assert product.cells["title"] == "" and product.rows == 2


def test_codes_of_a_category_give_way_to_names_and_stay_where_there_are_none() -> None:
    codes = PARENT | {"category": '[{"code": "sale"}]'}
    [product, small] = whole(*gathered(codes, SMALL | {"category": "Pans > Small"}))
    assert product.cells["category"] == "Pans > Small" == small.cells["category"]
    [product, small] = whole(*gathered(codes, SMALL))
    assert product.cells["category"] == codes["category"] == small.cells["category"]


def test_the_columns_of_a_category_come_from_one_row() -> None:
    rows = (PARENT | {"category": ""}, SMALL | {"top": "Pans"}, LARGE | {"top": "Home", "category": "Pots"})
    [product, *_] = whole(*gathered(*rows, category=["top", "category"]))
    assert [product.cells["top"], product.cells["category"]] == ["Pans", ""]
