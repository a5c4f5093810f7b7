"""A small model first, a large one for what it is unsure of: cascade."""

from pathlib import Path
from typing import Any

import click

from eval.cli.group import DATA, PATH, main
from eval.cli.scoring import BOOTSTRAP_SEED, RESAMPLED

PRICE: dict[str, Any] = {"nargs": 2, "type": click.FloatRange(0), "metavar": "PROMPT ANSWER"}


@main.command()
@click.argument("small", type=PATH)
@click.argument("large", type=PATH)
@DATA
@click.option("--out", type=PATH, required=True, help="Folder for cascade.json, cascade.html and cascade.md.")
@click.option("--normaliser", default="strict", help="How values are compared: strict, mave or units.")
@click.option("--small-price", help="What a million tokens of SMALL's prompts and of its answers cost.", **PRICE)
@click.option("--large-price", help="The same of LARGE, in the same currency.", **PRICE)
@RESAMPLED
@BOOTSTRAP_SEED
def cascade(small: Path, large: Path, data: Path, out: Path, normaliser: str, **options: Any) -> None:
    """Draw what it gains to ask LARGE where SMALL is unsure.

    SMALL and LARGE are runs, or folders with a predictions.jsonl; SMALL's were predicted with --confidence. Quality is drawn
    against the share of rows that are sent upward, and against its cost if both prices are given. Random routing is the floor.

    Example: ecom-eval cascade runs/shop runs/shop-large --data data/shop/test.jsonl --out reports/cascade
    """
    from converters.io import jsonl
    from eval.comparison import cascade, effort
    from eval.metrics import _normalise
    from eval.metrics.base import Tools
    from eval.report import cascade_page, console, pages
    from eval.results import runs

    files = [runs.predictions_file(folder) for folder in (small, large)]
    records = [runs.read_origin(file, jsonl.sha256(data)) or {} for file in files]
    prices = [options[f"{name}_price"] for name in ("small", "large")]
    efforts = effort.efforts(records, prices)
    tools = Tools(_normalise.normaliser(normaliser))
    one, other = (runs.read_predictions(data, file) for file in files)
    curves = cascade.cascade(one, other, tools, efforts, options["resamples"], options["seed"])
    names = [str(folder) for folder in (small, large)]
    facts = [("test file", f"{data} ({jsonl.sha256(data)[:12]})"), ("normaliser", normaliser)]
    facts += [(f"{name}: predictions", jsonl.sha256(file)) for name, file in zip(names, files, strict=True)]
    for name, found in zip(names, efforts or (), strict=False):
        facts += cascade_page.effort_facts(name, found)
    jsonl.write_json(
        out / "cascade.json", {"small": names[0], "large": names[1], "facts": dict(facts), "curves": curves}
    )
    pages.write(out, "cascade", cascade_page.of_cascade(curves, (names[0], names[1]), facts))
    click.echo(console.of_cascade(curves))
    click.echo(f"\nreport: {out / 'cascade.html'}")
