"""Generates the demo's raw files in the public formats, the same bytes for the same seed.

Products of validation and test are new brands, title patterns and question forms, not reshuffled copies of training's. The files
are made up here, word for word; no row of a public dataset is in them.
"""

import json
import random
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from converters.demo import alpaca, amazonqa, mave, products, shop
from converters.demo.products import SPLITS, Product
from converters.io.jsonl import replacing

# Products with attributes, products that lack one, products with questions, products of the shop, general instructions.
COUNTS = {
    "train": (9000, 3000, 9500, 4600, 4200),
    "validation": (150, 40, 150, 150, 70),
    "test": (300, 80, 300, 300, 130),
}


def write(out: Path, seed: int) -> None:
    """Write the raw files of all splits into the folder ``out``."""
    numbers = count(1)
    files = [("taxonomy.txt", shop.taxonomy()), *(file for split in SPLITS for file in _files(split, seed, numbers))]
    for name, text in files:
        with replacing(out / name) as file:
            file.write(text.encode())


def _files(split: str, seed: int, numbers: Iterator[int]) -> Iterator[tuple[str, str]]:
    draw = random.Random(f"{seed}:{split}")
    names, patterns = products.brands(seed)[split], products.patterns(seed)[split]
    wording = amazonqa.wordings(seed)[split]
    stated, unstated, asked, sold, general = COUNTS[split]

    def items(number: int) -> list[Product]:
        return [products.product(draw, next(numbers), names) for _ in range(number)]

    described = items(stated)
    # As in MAVE itself, a product may be in both files: some attributes stated, another one not.
    lacking = described[: unstated // 4] + items(unstated - unstated // 4)
    yield f"mave_{split}_positives.jsonl", _lines(mave.positives(draw, described, patterns))
    yield f"mave_{split}_negatives.jsonl", _lines(mave.negatives(draw, lacking, patterns))
    yield f"{split}-qar.jsonl", _lines(amazonqa.questions(draw, items(asked), wording))
    yield f"shop_{split}.csv", shop.export(draw, items(sold), patterns)
    yield f"alpaca_{split}.json", json.dumps(list(alpaca.instructions(draw, general)), indent=1)


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
