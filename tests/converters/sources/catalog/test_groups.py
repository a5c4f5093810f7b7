"""Variants of one product are in one split, whatever the seed, and the guard against near-duplicates does not eat them."""

import csv
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from converters.examples import read_rows
from converters.schema import SPLITS
from tests.converters._mixed import NOISE, build

PARENTS = 100
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


def table(path: Path, head: str, rows: Iterable[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, head.split("|"), restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


VARIANTS = [(colour, size) for colour in COLOURS for size in SIZES]


def google(folder: Path, seed: int) -> Path:
    head = "id|item_group_id|title|description|link|price|availability|product_type|color|size"
    rows = (
        {
            "id": f"{p['key']}-{c}-{s}",
            "item_group_id": p["key"],
            "title": f"{p['name']} - {c} - {s}",
            "description": p["text"],
        }
        | {"link": "https://shop.example", "price": "9 EUR", "availability": "in_stock"}
        | {"product_type": f"Clothing > {p['kind']}", "color": c, "size": s}
        for p in products(seed)
        for c, s in VARIANTS
    )
    return table(folder / "feed.tsv", head, rows, "\t")


def woocommerce(folder: Path, seed: int) -> Path:
    """Write variations anywhere in the file, every second parent without a SKU."""
    head = "ID|Type|SKU|Name|Published|Short description|Description|Regular price|Categories|Images|Parent"
    head += "".join(f"|Attribute {n} {name}" for n in (1, 2) for name in ("name", "value(s)", "visible", "global"))
    rows, names = list[dict[str, str]](), {"Attribute 1 name": "Colour", "Attribute 2 name": "Size", "Published": "1"}
    for n, p in enumerate(products(seed)):
        parent, sku = str(1000 * n), p["key"] if n % 2 else ""
        values = {"Attribute 1 value(s)": ", ".join(COLOURS), "Attribute 2 value(s)": ", ".join(SIZES)}
        texts = {"Name": p["name"], "Description": p["text"], "Categories": f"Clothing, Clothing > {p['kind']}"}
        rows.append({"ID": parent, "Type": "variable", "SKU": sku, **texts, **names, **values})
        for m, (c, s) in enumerate(VARIANTS, 1):
            own = {
                "ID": str(1000 * n + m),
                "SKU": f"{p['key']}-{m}",
                "Name": f"{p['name']} - {c}, {s}",
                "Parent": sku or f"id:{parent}",
            }
            values = {"Attribute 1 value(s)": c, "Attribute 2 value(s)": s}
            rows.append({"Type": "variation", **own, **names, **values})
    random.Random(seed).shuffle(rows)
    return table(folder / "wc-product-export.csv", head, rows)


def magento(folder: Path, seed: int) -> Path:
    """Write children before and after their parents."""
    head = "sku|store_view_code|attribute_set_code|product_type|categories|product_websites|name|description|product_online"
    head += "|visibility|additional_attributes|configurable_variations"
    rows = list[dict[str, str]]()
    for n, p in enumerate(products(seed)):
        same = {"categories": f"Default Category/{p['kind']}", "description": p["text"], "product_online": "1"}
        same |= {"attribute_set_code": "Default", "product_websites": "base"}
        children = [
            {"sku": f"{p['key']}-{c}-{s}", "product_type": "simple", "name": f"{p['name']} {c} {s}", **same}
            | {"visibility": "Not Visible Individually", "additional_attributes": f"color={c},size={s}"}
            for c, s in VARIANTS
        ]
        variations = "|".join(f"sku={p['key']}-{c}-{s},color={c},size={s}" for c, s in VARIANTS)
        parent = {
            "sku": p["key"],
            "product_type": "configurable",
            "name": p["name"],
            "visibility": "Catalog, Search",
            **same,
        }
        parent["configurable_variations"] = variations
        rows += [parent, *children] if n % 2 else [*children, parent]
    return table(folder / "export_catalog_product.csv", head, rows)


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
