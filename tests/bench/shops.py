"""Exports of invented shops, of any size, for the bench of presets: the same rows as a platform writes them and as JSON lines."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

COLOURS, SIZES = ("moss", "clay", "soot", "sand", "plum"), ("S", "M", "L", "XL")
MATERIALS = ("wool", "linen", "oak", "steel", "glass", "cork")
NODES = ("Home", "Garden", "Kitchen", "Office", "Outdoor", "Travel")
KINDS = ("Chairs", "Lamps", "Jugs", "Bags", "Coats", "Tables", "Knives", "Baskets")
WORDS = np.array(
    ["with", "a", "soft", "handle", "made", "by", "hand", "for", "every", "day", "light", "and", "strong", "use", "in"]
)
_DRAWN = 1000  # products drawn at once
_GOOGLE = (("title", "title"), ("description", "description"), ("product_type", "category"), ("brand", "brand"),
           ("color", "color"), ("size", "size"), ("material", "material"), ("item_group_id", "group"))  # fmt: skip
_FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
"""
_SHOPIFY = ("Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published", "Option1 Name",
            "Option1 Value", "Option2 Name", "Option2 Value", "Variant SKU", "Variant Price", "Image Src", "Status")  # fmt: skip


def products(count: int, seed: int = 0) -> Iterator[list[dict[str, str]]]:
    """Yield ``count`` products as lists of their variants, one to four each, of about 600 bytes a variant."""
    draw = np.random.default_rng(seed)
    for start in range(0, count, _DRAWN):
        size = min(_DRAWN, count - start)
        numbers = draw.integers(0, 1 << 30, (size, 6))
        texts = draw.choice(WORDS, (size, 50))
        for row, (own, words) in enumerate(zip(numbers.tolist(), texts, strict=True), start):
            kind, material = KINDS[own[0] % len(KINDS)], MATERIALS[own[1] % len(MATERIALS)]
            common = {"group": f"P{row}", "brand": f"Brand{own[2] % 400}", "material": material}
            common["category"] = f"{NODES[own[3] % len(NODES)]} > {NODES[own[4] % len(NODES)]} & More > {kind}"
            yield [
                common | _variant(f"{common['brand']} {kind[:-1]} {row}", material, " ".join(words), own[5] + n, n)
                for n in range(1 + own[4] % 4)
            ]


def _variant(name: str, material: str, words: str, drawn: int, number: int) -> dict[str, str]:
    colour, size = COLOURS[drawn % len(COLOURS)], SIZES[number]
    description = f"<p>{name} of {material} in {colour}, size {size}, {words}.</p>"
    price = f"{10 + drawn % 90}.90"
    return {"id": f"{name.replace(' ', '-')}-{number}", "title": f"{name}, {colour}, {size}", "description": description,
            "color": colour, "size": size, "price": price}  # fmt: skip


def write_google(path: Path, count: int, seed: int = 0) -> int:
    """Write a feed in RSS 2.0 and return how many items it has."""
    items = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_FEED)
        for variants in products(count, seed):
            for row in variants:
                own = "".join(f"<g:{name}>{escape(row[key])}</g:{name}>\n" for name, key in _GOOGLE)
                link = f"https://shop.example/{row['id']}"
                file.write(
                    f"<item>\n<g:id>{row['id']}</g:id>\n{own}<link>{link}</link>\n<g:image_link>{link}.jpg</g:image_link>\n"
                    f"<g:price>{row['price']} EUR</g:price>\n<g:availability>in_stock</g:availability>\n"
                    f"<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>\n</item>\n"
                )
                items += 1
        file.write("</channel></rss>\n")
    return items


def write_shopify(path: Path, count: int, seed: int = 0) -> int:
    """Write a product export of Shopify and return its number of rows: one a variant, the first with the product's cells."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _SHOPIFY)
        writer.writeheader()
        for variants in products(count, seed):
            for number, row in enumerate(variants):
                cells = {"Handle": row["group"].lower(), "Option1 Value": row["color"], "Option2 Value": row["size"],
                         "Variant SKU": row["id"], "Variant Price": row["price"]}  # fmt: skip
                writer.writerow(cells if number else cells | _first(row))
                rows += 1
    return rows


def _first(row: dict[str, str]) -> dict[str, str]:
    return {"Title": row["title"], "Body (HTML)": row["description"], "Vendor": row["brand"], "Published": "true",
            "Product Category": row["category"], "Option1 Name": "Color", "Option2 Name": "Size", "Status": "active"}  # fmt: skip


def write_jsonl(path: Path, count: int, seed: int = 0) -> int:
    """Write the same variants as JSON lines, for which :func:`options` names the columns, and return how many."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for variants in products(count, seed):
            file.writelines(json.dumps(row) + "\n" for row in variants)
            rows += len(variants)
    return rows


def options() -> dict[str, object]:
    """Return the options with which the JSON lines are read as the feed is."""
    names = ("brand", "color", "size", "material")
    return {
        "group": "group",
        "separator": ">",
        "pick": "first",
        "texts": {"Description": "description"},
        "attributes": {name.capitalize(): name for name in names},
    }


# Runs a command and prints its processor time in seconds and the most memory it held, in MiB.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
"""
PRODUCTS = 8_000  # some 20,000 rows and 12 MB


def measured(folder: Path, path: Path, given: dict[str, object]) -> tuple[float, int]:
    """Convert a file in a process of its own; return its processor time in seconds and its peak memory in MiB."""
    words = [word for name, value in given.items() for word in ("--option", f"{name}={json.dumps(value)}")]
    command = [
        sys.executable,
        "-m",
        "converters.cli",
        "convert",
        "catalog",
        str(path),
        "--out",
        str(folder / "shop.jsonl"),
        *words,
    ]
    result = subprocess.run([sys.executable, "-c", _MEASURE, *command], check=True, capture_output=True, text=True)
    seconds, memory = result.stdout.split()
    return float(seconds), int(memory)


def compare(folder: Path, count: int = PRODUCTS) -> None:
    """Print what presets cost against the same rows as JSON lines, and the memory at 1x and 10x their number."""
    sides: dict[str, tuple[Callable[[Path, int], int], dict[str, object]]] = {
        "plain.jsonl": (write_jsonl, options()),
        "shopify.csv": (write_shopify, {}),
        "google.xml": (write_google, {}),
    }
    found, rows = dict[str, list[tuple[float, int]]](), 0
    for name, (write, given) in sides.items():
        found[name] = []
        for times in (1, 10):
            rows = write(folder / name, count * times)
            found[name].append(measured(folder, folder / name, given))
            (folder / name).unlink()
    plain = found.pop("plain.jsonl")[1][0]
    for name, ((_, few), (seconds, many)) in found.items():
        print(
            f"convert {rows:,} rows of {name}, against the same rows as JSON lines: {seconds / plain:.2f}x the time "
            f"({rows / seconds:,.0f} rows/s); with 1x and 10x of them: {few} and {many} MiB, ratio {many / few:.2f}"
        )


if __name__ == "__main__":  # python -m tests.bench.shops FOLDER PRODUCTS
    compare(Path(sys.argv[1]), int(sys.argv[2]))
