"""Which platform wrote a file: said where it is sure, asked where it is not, and none for a table of one's own."""

from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.sources.catalog import detect
from converters.sources.catalog.entry import complete
from tests.converters.sources.catalog._presets import chosen, said, table

FIXTURES = Path(__file__).parents[3] / "fixtures" / "presets"
MINE = ("shopify", "woocommerce", "magento")


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.name)
def test_every_preset_s_fixture_is_recognised(path: Path) -> None:
    assert chosen(path)["preset"] == path.name.partition(".")[0]


@pytest.mark.parametrize("name", MINE)
def test_the_evidence_is_said_and_the_options_read_the_file_again(name: str) -> None:
    [path, *_] = sorted(FIXTURES.glob(f"{name}.csv"))
    assert f"{path}: {detect.get(name).TITLE} (" in said(path)
    options = dict(chosen(path))
    assert chosen(path, **options) == options


@pytest.mark.parametrize(
    "header",
    [
        ["id", "title", "category"],
        ["sku", "name", "description", "brand", "price"],
        ["Type", "Name", "Description", "Color", "Size"],
        ["handle", "name", "text"],
    ],
)
def test_a_table_of_one_s_own_has_no_preset(header: list[str], tmp_path: Path) -> None:
    path = table(tmp_path / "shop.csv", header, [dict.fromkeys(header, "Mug")])
    assert chosen(path, id=header[0], title=header[1], category=None)["preset"] == "none"


HALF = ["Handle", "Title", "Vendor", "Tags", "Price"]  # of Shopify's nine columns


def test_where_it_is_unsure_one_sentence_asks(tmp_path: Path) -> None:
    path = table(tmp_path / "shop.csv", HALF, [dict.fromkeys(HALF, "Mug")])
    with pytest.raises(InputError) as asked:
        chosen(path)
    text = str(asked.value)
    assert "\n" not in text and "may be a Shopify product export (4 of 9 typical columns)" in text
    assert "--option preset=shopify" in text and text.endswith("the file has: Handle, Title, Vendor, Tags, Price")
    assert chosen(path, preset="shopify")["group"] == "Handle"
    assert chosen(path, id="Handle", title="Title", category="Tags")["preset"] == "none"


def test_files_of_two_platforms_are_no_entry() -> None:
    paths = [FIXTURES / "shopify.csv", FIXTURES / "magento.csv"]
    with pytest.raises(InputError, match=r"is another kind of file than .*: convert them apart"):
        complete(paths, {})


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown preset 'shopfy'.*shopify"):
        chosen(FIXTURES / "shopify.csv", preset="shopfy")
