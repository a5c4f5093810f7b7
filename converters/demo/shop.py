"""A taxonomy in Google's format and a shop's CSV export."""

import csv
import io
import random
from collections.abc import Sequence

from converters.demo import words
from converters.demo.products import Pattern, Product, title

HEADER = ("sku", "product_name", "product_category_tree", "brand", "description")


def taxonomy() -> str:
    """Return the tree of all kinds; ids are not in sequence, and names such as "Accessories" repeat."""
    paths = sorted({path[:depth] for path, _, _ in words.KINDS for depth in range(1, len(path) + 1)})
    lines = [f"{number * 37} - {' > '.join(path)}" for number, path in enumerate(paths, 1)]
    return "\n".join([f"# Google_Product_Taxonomy_Version: {words.RELEASE}", *lines, ""])


def export(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> str:
    """Return the CSV; some brands are blank, a few lines are blank, a few categories are not in the taxonomy."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for item in items:
        left_out = draw.sample(list(item.values), draw.choice((1, 2)))
        brand = "" if "Brand" in left_out else item.values["Brand"]
        path = (*item.path[:-1], "Bargains") if draw.random() < 0.005 else item.path
        note = "Ships fast.\nGift wrap." if draw.random() < 0.02 else ""
        writer.writerow([item.asin, title(item, draw.choice(patterns), left_out), " > ".join(path), brand, note])
        if draw.random() < 0.01:
            text.write("\n")
    return text.getvalue()
