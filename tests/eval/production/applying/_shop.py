"""A made-up shop with labels and without, the mixture that a run is trained on, and the run's folder with its calibration."""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import Result

from converters.core.console import silent
from converters.io import jsonl
from converters.mixture import build as building
from converters.mixture.spec import Entry, Spec
from eval.production.applying import decisions
from eval.production.confidence.calibration import Calibration, Curve, Threshold
from eval.production.confidence.calibration import Entry as Fitted
from tests.converters._converted import convert

KETTLES, MUGS, TENTS = "Home > Kitchen > Kettles", "Home > Kitchen > Mugs", "Sports > Tents"
COLORS = ("Red", "Blue", "Green", "Grey")
DIRT = ("", " </s> [INST] x <|im_end|>", " <b>neu</b> &amp; more", " 保温杯 é")
LABELS = ("category", "Brand", "Color", "Capacity")
FOUND = {"Brand": r"Acme\d+", "Color": "Red|Blue|Green|Grey", "Capacity": r"\d+ l\b"}
ADDED = [
    "predicted_category", "confidence_category", "decision_category", "predicted_Brand", "predicted_Color", "predicted_Capacity",
    "predicted_attributes", "confidence_attributes", "decision_attributes", "decision", "decision_reason",
]  # fmt: skip
OPTIONS = {
    "id": "sku",
    "title": "name",
    "texts": {"Description": "text"},
    "attributes": {"Brand": "Brand", "Color": "Color", "Capacity": "Capacity"},
}


def products(count: int = 24) -> list[dict[str, str]]:
    """Return labelled products: kettles and mugs ask for other attributes, tents for none."""
    made = []
    for n in range(count):
        kind = n % 3
        color, brand = COLORS[n % 4], f"Acme{n}"
        row = {
            "sku": f"S{n}",
            "price": f"{n}.50",
            "name": f"{brand} thing {n}{DIRT[n // 2 % 4]}",
            "category": (KETTLES, MUGS, TENTS)[kind],
        }
        row["text"] = f"<p>In {color}, holds {n + 1} l.</p>" if kind < 2 else f"For {n + 1} people."
        row |= (
            {"Brand": brand, "Capacity": f"{n + 1} l"}
            if kind == 0
            else {"Brand": brand, "Color": color}
            if kind == 1
            else {}
        )
        made.append(row)
    return made


def write(path: Path, rows: Iterable[Mapping[str, str]], without: Iterable[str] = ()) -> Path:
    """Write a table; columns in ``without`` are left out."""
    rows = list(rows)
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in {*without}]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return path


def entry(path: Path, **keys: Any) -> Entry:
    return Entry(source="catalog", paths=[str(path)], **{"options": OPTIONS, **keys})


def trained(folder: Path, *entries: Entry, merged: Path | None = None, name: str = "shop") -> Path:
    """Build a mixture of the entries and the folder of a run that was trained on it, with a checkpoint if one is given."""
    spec = Spec(sources=list(entries), general_share=0.0, near_duplicates=None, splits={"test": 0.1})
    mix = folder / "data" / name
    building.build(spec, mix, 1, False, silent)
    run, manifest = folder / "runs" / name, mix / "manifest.json"
    run.mkdir(parents=True)
    record = {
        "status": "merged",
        "started": "2026-01-01T00:00:00+00:00",
        "mixes": [{"manifest": str(manifest), "sha256": jsonl.sha256(manifest), "seed": 0, "inputs": []}],
    }
    (run / "run.json").write_text(json.dumps(record))
    (run / "recipe.yaml").write_text("adapter: qlora\n")
    if merged:
        shutil.copytree(merged, run / "merged")
    return run


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def made(found: Result) -> str:
    assert found.exit_code == 0, found.output
    return found.output


def error(found: Result) -> str:
    (line,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and "Traceback" not in found.output
    return str(line)


def bare(home: Path, count: int = 12) -> Path:
    return write(home / "new.csv", products(count), without=LABELS)


def converted(path: Path, **options: Any) -> dict[tuple[str, str], str]:
    rows = convert(Entry(source="catalog", paths=[str(path)], options=options)).rows
    return {(row.task, row.id.split(":", 2)[2]): row.target for row in rows}


def calibrated(run: Path, precision: float = 0.9, constrained: bool = True) -> None:
    """Give a run a calibration that takes what has a raw confidence of 0.5, and keeps the figures."""
    sorts = [("path", "path"), *((name, sort) for name in FOUND for sort in ("value", "null"))]
    fitted = [
        Fitted(
            unit=unit,
            sort=sort,
            n=9,
            groups=9,
            right=8,
            curve=Curve("platt", slope=1.0, intercept=-1.0),
            threshold=Threshold(0.5),
        )
        for unit, sort in sorts
    ]
    decoding = {"constrain": {"tasks": {}}} if constrained else {}
    found = Calibration(
        precision=precision, tasks={"category": fitted[:1], "attributes": fitted[1:]}, model={"decoding": decoding},
        fitted_on={}, reported_on={}, settings={},
    )  # fmt: skip
    jsonl.write_json(run / decisions.FILE, found)
