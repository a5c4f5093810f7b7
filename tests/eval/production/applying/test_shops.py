"""What platforms export is labelled, and what they import is written so that their own presets read it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.eval.production.applying import _shop as shop
from tests.eval.production.applying._shop import ADDED, converted, made

FIXTURES = Path(__file__).parents[3] / "fixtures"


def words(file: str, out: str, platform: str) -> list[str]:
    return ["--catalog", file, "--out", out, "--as", platform, "--option", f"preset={platform}"]


def test_what_shops_import_is_read_by_their_own_presets(home: Path, label: Callable[..., Result]) -> None:
    lines = [
        "Handle,Title,Body (HTML),Tags,Published,Image Src,Vendor",
        "mug,Acme1 thing 1,<p>In Blue</p>,,true,1.jpg,Old",
        "mug,,,,,2.jpg,",
        'pot,"Acme3, thing 3",6 l,,true,,',
        "jar,A thing 6,6 l,,true,,Old",
    ]
    (home / "new.csv").write_text("\n".join(lines) + "\n")
    said = made(label(*words("new.csv", "import.csv", "shopify")))
    assert "never showed" not in said and "has not" not in said
    found = shop.table(home / "import.csv")
    assert list(found[0]) == [
        "Handle", "Title", "Product Category", "Vendor",
        "Color (product.metafields.custom.color)", "Capacity (product.metafields.custom.capacity)",
    ]  # fmt: skip
    assert [(row["Handle"], row["Vendor"]) for row in found] == [("mug", "Acme1"), ("pot", "Acme3"), ("jar", "Old")]
    again = converted(home / "import.csv", preset="shopify")
    assert again["category", "mug"] == shop.MUGS and again["category", "pot"] == shop.KETTLES
    assert json.loads(again["attributes", "mug"])["Brand"] == "Acme1"
    woo = [
        "ID,Type,SKU,Name,Published,Description",
        '5,simple,W1,"Acme1, thing 1",1,In Blue',
        "6,simple,,Acme3 thing 3,1,6 l",
    ]
    (home / "woo.csv").write_text("\n".join(woo) + "\n")
    made(label(*words("woo.csv", "woo-import.csv", "woocommerce")))
    first, second = shop.table(home / "woo-import.csv")
    assert (first["SKU"], first["Name"], second["ID"]) == ("W1", "Acme1, thing 1", "6")
    again = converted(home / "woo-import.csv", preset="woocommerce")
    assert again["category", "W1"] == shop.MUGS and again["category", "id:6"] == shop.KETTLES
    assert json.loads(again["attributes", "W1"]) == {"Brand": "Acme1"}


PRESETS = {path.name: path.name.split(".")[0] for path in sorted((FIXTURES / "presets").iterdir())}


@pytest.mark.parametrize("name", PRESETS)
def test_every_platforms_file_is_labelled_and_its_rows_are_accounted_for(
    home: Path, label: Callable[..., Result], name: str
) -> None:
    file = FIXTURES / "presets" / name
    made(label("--catalog", file, "--out", "l.jsonl", "--option", f"preset={PRESETS[name]}"))
    found, record = (
        [json.loads(line) for line in (home / "l.jsonl").open()],
        json.loads((home / "l.jsonl.json").read_text()),
    )
    rejects = [json.loads(line) for line in (home / "l.jsonl.rejects.jsonl").open()]
    assert found and record["read"] == len(found) + len(rejects) == record["labelled"] + sum(
        record["rejected"].values()
    )
    assert {row["predicted_category"] for row in found} <= {shop.KETTLES, shop.MUGS, shop.TENTS}
    if file.suffix == ".xml" or name.startswith("schema_org"):  # no list of rows
        assert all(list(row)[:3] == ["id", "title", "predicted_category"] for row in found)
        return
    added = {"predicted_category", "confidence_category", *ADDED}
    own = [[value for key, value in row.items() if key not in added] for row in found]
    if file.suffix == ".json":
        rows = [list(row.values()) for row in json.loads(file.read_text("utf-8"))]
    else:
        with file.open(encoding="utf-8-sig", newline="") as text:
            lines = text.read().splitlines(keepends=True)
        delimiter = max(",;\t|", key=lines[-1].count)
        rows = list(csv.reader(lines, delimiter=delimiter))
    assert all(row in rows for row in own)
