"""BigCommerce's exports, older and newer: rows of a product, paths, options and custom fields."""

from pathlib import Path

import pytest

from converters.mixture.spec import Entry
from converters.sources.catalog.entry import complete
from tests.converters._converted import Converted, convert
from tests.converters.sources.catalog._presets import targets

FIXTURE = Path(__file__).parents[3] / "fixtures" / "presets" / "bigcommerce.csv"
NEWER = """Options,Item,ID,Name,Type,SKU,Brand ID,Categories,Description,Custom Fields,Is Visible,Image URL (Import)
,Product,71,Varde Coat,physical,VC,4,Wear/Coats;Wear/Rain\\/Wind/Long,"Coat in Fern or Clay, M",Collar=wool;Cut=long,TRUE,
Type=Swatch|Name=Tone|Value=Fern[#335511]Type=Rectangle|Name=Fit|Value=M,Variant,,,,VC-1,,,,,,
Type=Swatch|Name=Tone|Value=Clay[#884422]Type=Rectangle|Name=Fit|Value=M,Variant,,,,VC-2,,,,,,
,Image,,,,,,,,,,https://shop.test/coat.jpg
,PRODUCT,72,Varde Hat,physical,VH,4,12;31,Hat of wool,,false,
"""


def read(*paths: Path, **options: object) -> Converted:
    return convert(Entry(source="catalog", paths=[str(path) for path in paths], options=options))


def test_rows_of_a_product_are_merged_and_options_and_fields_read() -> None:
    part = read(FIXTURE)
    assert targets(part, "category") == {
        "301": "Outdoor > Camping > Lamps",
        "302": "Outdoor > Camping > Stoves / Burners",
        "304": "Outdoor > Sacks",
    }
    assert targets(part, "attributes") == {
        "301": {"Shade": ["Amber", "Slate"], "Brand": "Tarn", "Material": "Brass", "Burns": "8 h"},
        "302": {"Brand": "Tarn", "Pots": "two"},
        "303": {"Brand": "Tarn", "Color": "Red"},
        "304": {"Brand": "Tarn", "Volume": "40 l"},
    }
    assert part.tally.read == part.tally.used == 7 and not part.tally.rejected
    assert part.tally.noted["row merged into its product"] == 3
    assert part.tally.noted["not published: Product Visible? is 'N'"] == 1
    assert sum(count for reason, count in part.tally.noted.items() if reason.endswith("no category")) == 1


def test_the_users_columns_win_and_rows_and_lists_stay_the_platforms() -> None:
    options = {"id": "Product Code/SKU", "title": "Product Name", "attributes": {"Maker": "Brand Name"}}
    part = read(FIXTURE, **options, specs="Product Custom Fields")
    assert targets(part, "category")["TL"] == "Outdoor > Camping > Lamps"
    assert targets(part, "attributes")["TL"] == {
        "Shade": ["Amber", "Slate"], "Maker": "Tarn", "Material": "Brass", "Burns": "8 h"
    }  # fmt: skip


@pytest.mark.parametrize("change", [str, str.upper], ids=["as written", "names in capitals"])
def test_the_newer_layout_is_read(tmp_path: Path, change: object) -> None:
    header, _, rows = NEWER.partition("\n")
    path = tmp_path / "products.csv"
    path.write_text(f"{header.upper() if change is str.upper else header}\n{rows}", "utf-8")
    part = read(path)
    assert targets(part, "category") == {"71": "Wear > Rain/Wind > Long"}
    assert targets(part, "attributes") == {"71": {"Tone": ["Fern", "Clay"], "Fit": "M"}}
    assert part.tally.rejected.total() == 1 and part.tally.noted["row merged into its product"] == 3


def test_rows_after_one_that_cannot_be_read_are_not_the_product_befores(tmp_path: Path) -> None:
    lines = FIXTURE.read_text("utf-8").splitlines()
    path = tmp_path / "products.csv"
    path.write_text("\n".join([lines[0], lines[6], "Product,301,Tarn Lantern", *lines[2:5], ""]), "utf-8")
    part = read(path)
    assert part.tally.rejected == {"number of cells differs from the header's": 1, "no title": 3}
    assert targets(part, "attributes") == {"303": {"Brand": "Tarn", "Color": "Red"}}


def test_a_table_with_a_column_item_is_no_bigcommerce_export(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("Item,Name,Type,SKU,Categories,Description\n7,Mug,Cup,M7,Kitchen,Red mug\n", "utf-8")
    entry = complete([path], {"id": "Item", "title": "Name", "category": "Categories"})
    assert entry.options["preset"] == "none"
