"""The join of ESCI's examples with its products, against pandas: both sides in one run, each in a process of its own."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from converters.sources.esci import KEYS, NEEDED

JUDGEMENTS, PRODUCTS = 200_000, 140_000  # the large version has 2.6M of 1.8M products
WORDS = np.array(["steel", "kettle", "with", "lid", "for", "the", "kitchen", "holds", "water", "hot", "handle", "easy"])


def write(folder: Path) -> None:
    """Write both files, of the published columns."""
    draw = np.random.default_rng(0)
    number = draw.integers(0, PRODUCTS, JUDGEMENTS)
    asked = draw.integers(0, JUDGEMENTS // 20, JUDGEMENTS)
    columns = {
        "query": [f"query {n}" for n in asked],
        "product_id": [f"B{n:09d}" for n in number],
        "product_locale": "us",
        "esci_label": draw.choice(list("ESCI"), JUDGEMENTS),
        "large_version": 1,
        "split": "train",
    }
    pd.DataFrame(columns).to_parquet(folder / "examples.parquet")
    texts = {name: [" ".join(draw.choice(WORDS, length)) for _ in range(PRODUCTS)] for name, length in _LENGTHS.items()}
    ids = {"product_id": [f"B{n:09d}" for n in range(PRODUCTS)], "product_locale": "us"}
    pd.DataFrame({**ids, **texts}).to_parquet(folder / "products.parquet")


_LENGTHS = {"product_title": 15, "product_bullet_point": 60, "product_description": 80}


def ours(folder: Path) -> Iterator[tuple[object, ...]]:
    """Yield ``(query, product, label, title)`` as the source reads them."""
    from converters.io import parquet

    examples, products = [folder / "examples.parquet"], [folder / "products.parquet"]
    for row in parquet.joined(examples, products, KEYS, ("product_locale", "query"), NEEDED, ("product_title",)):
        yield row[1], row[2], row[4], row[5]


def pandas(folder: Path) -> Iterator[tuple[object, ...]]:
    """Do the same as the dataset's own page does it: merge, then walk over the rows."""
    examples, products = pd.read_parquet(folder / "examples.parquet"), pd.read_parquet(folder / "products.parquet")
    merged = examples.merge(products, how="left", on=["product_locale", "product_id"])
    for _, row in merged.iterrows():
        yield row["query"], row["product_id"], row["esci_label"], row["product_title"]


def measured(side: str, folder: Path) -> dict[str, float]:
    """Return seconds, peak MiB and a sum over the rows that both sides must share."""
    start, total = time.perf_counter(), 0
    for row in {"ours": ours, "pandas": pandas}[side](folder):
        total += hash(row) & 0xFFFFFFFF
    # The resource module's peak is that of the process before it became this one, too.
    memory = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return {"seconds": time.perf_counter() - start, "memory": memory, "total": total}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
