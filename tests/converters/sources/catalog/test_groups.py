"""Variants of one product are in one split, whatever the seed, and the guard against near-duplicates does not eat them."""

import csv
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from converters.examples import read_rows
from converters.schema import SPLITS
from tests.converters._mixed import NOISE, build

PARENTS = 60
COLOURS, SIZES = ("Plum", "Moss", "Sand"), ("S", "M", "L")


def products(seed: int) -> list[dict[str, str]]:
    """Parents with long texts, which all their variants share."""
    draw = random.Random(seed)
    kinds = ("Tee", "Sock", "Cap", "Jacket")
    names = [f"{draw.choice(NOISE).title()} {draw.choice(NOISE)} {kinds[n % 4]}" for n in range(PARENTS)]
    return [
        {"key": f"P{n}", "name": name, "kind": kinds[n % 4], "text": f"{name}, {' '.join(draw.choices(NOISE, k=40))}."}
        for n, name in enumerate(names)
    ]


def table(path: Path, rows: Sequence[Sequence[str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def google(folder: Path, seed: int) -> Path:
    rows = [
        [
            "id",
            "item_group_id",
            "title",
            "description",
            "link",
            "price",
            "availability",
            "product_type",
            "color",
            "size",
        ]
    ]
    for p in products(seed):
        for colour in COLOURS:
            for size in SIZES:
                rows.append([f"{p['key']}-{colour}-{size}", p["key"], f"{p['name']} - {colour} - {size}", p["text"], "https://x.example",
                             "9 EUR", "in_stock", f"Clothing > {p['kind']}", colour, size])  # fmt: skip
    table(folder / "feed.tsv", rows, "\t")
    return folder / "feed.tsv"


def woocommerce(folder: Path, seed: int) -> Path:
    """Write variations anywhere in the file, every second parent without a SKU."""
    draw = random.Random(seed)
    head = [
        "ID",
        "Type",
        "SKU",
        "Name",
        "Published",
        "Short description",
        "Description",
        "Regular price",
        "Categories",
        "Images",
        "Parent",
    ]
    head += [f"Attribute {n} {name}" for n in (1, 2) for name in ("name", "value(s)", "visible", "global")]
    rows = list[list[str]]()
    for n, p in enumerate(products(seed)):
        sku = p["key"] if n % 2 else ""
        rows.append([str(1000 * n), "variable", sku, p["name"], "1", "", p["text"], "", f"Clothing, Clothing > {p['kind']}", "", "",
                     "Colour", ", ".join(COLOURS), "1", "1", "Size", ", ".join(SIZES), "1", "1"])  # fmt: skip
        for m, (colour, size) in enumerate((colour, size) for colour in COLOURS for size in SIZES):
            rows.append([str(1000 * n + m + 1), "variation", f"{p['key']}-{m}", f"{p['name']} - {colour}, {size}", "1", "", "", "9", "", "",
                         sku or f"id:{1000 * n}", "Colour", colour, "", "1", "Size", size, "", "1"])  # fmt: skip
    draw.shuffle(rows)
    table(folder / "wc-product-export.csv", [head, *rows])
    return folder / "wc-product-export.csv"


def magento(folder: Path, seed: int) -> Path:
    """Write children before and after their parents."""
    head = ["sku", "store_view_code", "attribute_set_code", "product_type", "categories", "product_websites", "name", "description",
            "product_online", "visibility", "additional_attributes", "configurable_variations"]  # fmt: skip
    rows = [head]
    for n, p in enumerate(products(seed)):
        children = [(f"{p['key']}-{c}-{s}", c, s) for c in COLOURS for s in SIZES]
        some = [[sku, "", "Default", "simple", f"Default Category/{p['kind']}", "base", f"{p['name']} {c} {s}", p["text"], "1",
                 "Not Visible Individually", f"color={c},size={s}", ""] for sku, c, s in children]  # fmt: skip
        variations = "|".join(f"sku={sku},color={c},size={s}" for sku, c, s in children)
        parent = [p["key"], "", "Default", "configurable", f"Default Category/{p['kind']}", "base", p["name"], p["text"], "1",
                  "Catalog, Search", "", variations]  # fmt: skip
        rows += [parent, *some] if n % 2 else [*some, parent]
    table(folder / "export_catalog_product.csv", rows)
    return folder / "export_catalog_product.csv"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("write", [google, woocommerce, magento])
def test_no_product_is_in_two_splits(write: Callable[[Path, int], Path], seed: int, tmp_path: Path) -> None:
    entry: dict[str, Any] = {"source": "catalog", "paths": [str(write(tmp_path, seed))], "options": {"variants": 20}}
    result = build(tmp_path, [entry], seed=seed, splits={"validation": 0.1, "test": 0.2}, near_duplicates=0.8)
    assert result.exit_code == 0, result.output
    parents, groups, rows = defaultdict(set), defaultdict(set), 0
    for split in SPLITS:
        for row in read_rows(tmp_path / "mix" / f"{split}.jsonl"):
            title = next(line for line in row.messages[0].content.splitlines() if line.startswith("Title: "))
            name = " ".join(title.removeprefix("Title: ").split()[:3])
            parents[name].add(split)
            groups[name].add(row.group)
            rows += 1
    assert len(parents) > PARENTS // 2 and rows > 6 * PARENTS
    assert all(len(splits) == 1 for splits in parents.values())
    assert {split for splits in parents.values() for split in splits} == {*SPLITS}
    manifest = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    near = manifest["dropped_examples"].get("near-duplicate of a held-out row", 0)
    assert near <= 0.02 * sum(account["examples"] for account in manifest["sources"])
