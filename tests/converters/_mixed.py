"""Mixes of one made-up shop, built in a temporary folder, for tests to look at."""

import json
import random
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from converters.cli import main
from converters.examples import read_rows
from converters.schema import SPLITS, Row

KINDS = ("mug", "pan", "rug", "tent", "lamp", "sock", "bike", "kite")
NOISE = [f"{a}{b}" for a in ("ka", "mo", "ri", "tu", "sel", "van") for b in ("dor", "lin", "mek", "pos", "ruf", "zam")]


def shop(path: Path, count: int, seed: int = 0) -> str:
    """Write products whose title names their category and their brand."""
    draw, rows = random.Random(seed), []
    for n in range(count):
        brand, *words = draw.sample(NOISE, 6)
        kind = KINDS[n % len(KINDS)]
        title, path_of = f"{brand} {kind} {' '.join(words)}", f"Shop > {kind[0].upper()} > {kind}"
        rows.append({"id": f"B0{seed}{n:07d}", "title": title, "category": path_of, "brand": brand})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def entry(path: str, **keys: Any) -> dict[str, Any]:
    return {"source": "catalog", "paths": [path], "options": {"attributes": {"Brand": "brand"}}, **keys}


def build(folder: Path, entries: list[dict[str, Any]], *words: str, out: str = "mix", **keys: Any) -> Result:
    plan = folder / "plan.yaml"
    plan.write_text(
        json.dumps(
            {
                "sources": entries,
                "general_share": 0,
                "splits": {"validation": 0.15, "test": 0.15},
                "near_duplicates": None,
            }
            | keys
        )
    )
    return CliRunner().invoke(main, ["build", str(plan), "--out", str(folder / out), *words])


def splits(folder: Path) -> dict[str, list[Row]]:
    return {name: splits_of(folder, name) for name in SPLITS}


def splits_of(folder: Path, name: str) -> list[Row]:
    return read_rows(folder / f"{name}.jsonl")
