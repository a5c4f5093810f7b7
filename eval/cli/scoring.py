"""Scores of answers and their reports: score, compare, runs."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click
from click import IntRange

from converters.core.errors import InputError
from eval import RESAMPLES, SEED
from eval.cli.group import DATA, PATH, main

SCORERS = click.Choice(["ours", "ecellm-compat"])
BOOTSTRAP_SEED = click.option("--seed", default=SEED, type=IntRange(0), help="Seed of the bootstrap.")
RESAMPLED = click.option("--resamples", default=RESAMPLES, type=IntRange(100), help="Number of bootstrap resamples.")


@main.command()
@DATA
@click.option("--predictions", type=PATH, required=True, help='JSONL with one {"id", "prediction"} for each test row.')
@click.option("--out", type=PATH, required=True, help="Folder for scores.json, rows.jsonl, report.html and report.md.")
@click.option("--normaliser", default="strict", help="How values are compared: strict, mave or units.")
@RESAMPLED
@BOOTSTRAP_SEED
@click.option("--train", type=PATH, help="Training split, to score seen and unseen answers apart.")
@click.option("--encoder", help="Sentence encoder for semantic_f1: a folder or a name on the hub.")
@click.option("--bert-score", help="Model for bert_score_f1, such as roberta-large: a folder or a name on the hub.")
@click.option("--bert-layer", type=IntRange(1), help="Layer of that model, where bert-score knows no best one.")
@click.option("--scorer", type=SCORERS, default="ours", help="ecellm-compat adds what eCeLLM's script would give.")
def score(data: Path, predictions: Path, out: Path, normaliser: str, scorer: str, **options: Any) -> None:
    """Score predictions on rows of our format.

    Predictions may come from anywhere: one line {"id", "prediction"} for each row. A judgements.jsonl beside them
    (lines of {"id", "relevance", "grounded"}) adds a judge's scores.

    Example: ecom-eval score --data data/demo/test.jsonl --predictions runs/demo-qlora/eval/predictions.jsonl
    --out runs/demo-qlora/eval --normaliser strict
    """
    from converters import examples
    from converters.io import jsonl
    from eval.metrics import _normalise
    from eval.published import ecellm
    from eval.report import console, pages, run_page
    from eval.results import runs, schema
    from eval.scoring import models, slicing
    from eval.scoring import score as scoring

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # weights that a scoring model does not need are no news
    tell = partial(click.echo, err=True)
    normalise = _normalise.normaliser(normaliser)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out names a folder")
    settings = schema.Settings(normaliser, options["resamples"], options["seed"])
    answered = runs.read_predictions(data, predictions)
    named = models.Models(options["encoder"], options["bert_score"], options["bert_layer"])
    tools, loaded = models.load(normalise, named, tell)
    train = options["train"]
    provenance = runs.provenance(answered, settings, train) | loaded
    frequencies = slicing.count_targets(examples.stream_rows(train), normalise) if train else None
    by_task, lines = scoring.score(answered, settings, tools, frequencies, tell)
    if scorer == ecellm.SCORER:
        by_task = ecellm.beside(by_task, ecellm.scores(answered, tools))
    tally = run_page.Tally()
    scores = runs.write_run(out, schema.Scores(by_task, provenance), tally.counting(lines))
    pages.write(out, "report", run_page.of_run(runs.read_run(out), tally))
    files = ("scores.json", "rows.jsonl", "report.html", "report.md")
    jsonl.write_checksums(out / "report.sha256", [out / name for name in files])
    click.echo(console.of_scores(scores))
    if scorer == ecellm.SCORER:
        click.echo(ecellm.table(scores.tasks))
    click.echo(f"\nreport: {out / 'report.html'}")


@main.command()
@click.argument("run", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for compare.json, compare.html and compare.md.")
@RESAMPLED
@BOOTSTRAP_SEED
@click.option("--intersect", is_flag=True, help="Compare on the ids that all runs share, whatever their test files.")
@click.option("--gate", is_flag=True, help="Exit with 1 if a task's headline metric is significantly worse.")
def compare(run: tuple[Path, ...], out: Path, resamples: int, seed: int, intersect: bool, gate: bool) -> None:
    """Compare each run with the first.

    A difference is that run's value minus the first's.

    Example: ecom-eval compare runs/demo-base runs/demo-qlora --out reports/demo
    """
    from converters.io import jsonl
    from eval.comparison import compare, pairing
    from eval.report import comparison_page, console, pages
    from eval.results import runs

    scored_runs, left_out = [runs.read_run(path) for path in run], None
    if intersect:
        pairing.check_comparable(scored_runs, intersect)
        scored_runs, left_out = pairing.common(scored_runs)
    comparison = compare.compare(scored_runs, resamples, seed, left_out)
    jsonl.write_json(out / "compare.json", comparison)
    pages.write(out, "compare", comparison_page.of_comparison(comparison, scored_runs))
    files = [out / f"compare.{kind}" for kind in ("json", "html", "md")]
    jsonl.write_checksums(out / "compare.sha256", [*(runs.run_folder(path) / "scores.json" for path in run), *files])
    click.echo(console.of_comparison(comparison))
    click.echo(f"\nreport: {out / 'compare.html'}")
    if gate:
        passed, sentences = console.gate(comparison)
        click.echo("\n".join(["", *sentences]))
        click.get_current_context().exit(0 if passed else 1)


@main.command("runs")
@click.argument("folder", default="runs", type=PATH)
def list_runs(folder: Path) -> None:
    """List the runs of a folder with their scores, newest first.

    The table shows the recipe keys in which the runs differ.

    Example: ecom-eval runs runs
    """
    from eval.report import console

    click.echo(console.table(console.read(folder)))
