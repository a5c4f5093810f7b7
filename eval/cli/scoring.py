"""Commands that use answers: score, compare, runs."""

import os
from functools import partial
from pathlib import Path

import click

from converters.core.errors import InputError
from eval import COMPARE_RESAMPLES, RESAMPLES, SEED
from eval.cli.group import RUN, hush, main


@main.command()
@click.option("--data", type=RUN, required=True, help="Test rows, JSONL in our format.")
@click.option("--predictions", type=RUN, required=True, help='JSONL, one {"id", "prediction"} a row of the test file.')
@click.option("--out", type=RUN, required=True, help="Folder for scores.json, rows.jsonl, report.html and report.md.")
@click.option(
    "--normaliser", default="strict", show_default=True, help="How values are compared: strict, mave or units."
)
@click.option(
    "--resamples", default=RESAMPLES, show_default=True, type=click.IntRange(100), help="Bootstrap resamples."
)
@click.option("--seed", default=SEED, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap.")
@click.option("--train", type=RUN, help="The training split, for scores by what training showed.")
@click.option("--encoder", help="Sentence encoder for semantic_f1: a folder or a name on the hub.")
@click.option("--bert-score", help="Model for bert_score_f1, such as roberta-large: a folder or a name on the hub.")
@click.option("--bert-layer", type=click.IntRange(1), help="Its layer, if bert-score knows no best one.")
@click.option(
    "--scorer",
    type=click.Choice(["ours", "ecellm-compat"]),
    default="ours",
    show_default=True,
    help="ecellm-compat adds the scores that eCeLLM's published script would give.",
)
def score(
    data: Path,
    predictions: Path,
    out: Path,
    normaliser: str,
    resamples: int,
    seed: int,
    train: Path | None,
    encoder: str | None,
    bert_score: str | None,
    bert_layer: int | None,
    scorer: str,
) -> None:
    """Score predictions on rows of our format.

    Predictions may come from anywhere: one line {"id", "prediction"} for each row. A judgements.jsonl beside them
    (lines of {"id", "relevance", "grounded"}) adds a judge's scores.

    Example: ecom-eval score --data data/demo/test.jsonl --predictions runs/demo-qlora/eval/predictions.jsonl
    --out runs/demo-qlora/eval --normaliser strict
    """
    from converters import examples
    from converters.io import jsonl as sums
    from eval.metrics import _normalise
    from eval.published import ecellm
    from eval.report import console, pages, run_page
    from eval.results import runs, schema
    from eval.scoring import models as loading
    from eval.scoring import score as scoring
    from eval.scoring import slicing

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # weights that a scoring model does not need are no news
    hush()
    tell = partial(click.echo, err=True)
    normalise = _normalise.normaliser(normaliser)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: found a file, expected a folder or a new name")
    settings = schema.Settings(normaliser, resamples, seed)
    answered = runs.read_predictions(data, predictions)
    tools, stated = loading.load(normalise, loading.Models(encoder, bert_score, bert_layer), tell)
    provenance = runs.provenance(data, predictions, settings, train) | stated
    frequencies = slicing.count_targets(examples.stream_rows(train), normalise) if train else None
    by_task, lines = scoring.score(answered, settings, tools, frequencies, tell)
    if scorer == ecellm.SCORER:
        by_task = ecellm.beside(by_task, ecellm.scores(answered, tools))
    scores = runs.write_run(out, schema.Scores(by_task, provenance), lines)
    pages.write(out, "report", run_page.of_run(runs.read_run(out)))
    files = ("scores.json", "rows.jsonl", "report.html", "report.md")
    sums.write(out / "report.sha256", [out / name for name in files])
    click.echo(console.of_scores(scores))
    if scorer == ecellm.SCORER:
        click.echo(ecellm.table(scores.tasks))
    click.echo(f"\nreport: {out / 'report.html'}")


@main.command()
@click.argument("run", nargs=-1, required=True, type=RUN)
@click.option("--out", type=RUN, required=True, help="Folder for compare.json, compare.html and compare.md.")
@click.option(
    "--resamples", default=COMPARE_RESAMPLES, show_default=True, type=click.IntRange(100), help="Bootstrap resamples."
)
@click.option("--seed", default=SEED, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap.")
@click.option(
    "--intersect", is_flag=True, help="Compare on the ids that all runs share, even from different test files."
)
@click.option("--gate", is_flag=True, help="Exit with 1 if a task's headline metric is significantly worse.")
def compare(run: tuple[Path, ...], out: Path, resamples: int, seed: int, intersect: bool, gate: bool) -> None:
    """Compare scored runs with the first: difference = later - first.

    Example: ecom-eval compare runs/demo-base runs/demo-qlora --out reports/demo
    """
    from converters.io import jsonl
    from converters.io import jsonl as sums
    from eval.comparison import compare as comparing
    from eval.comparison import pairing
    from eval.report import comparison_page, console, pages
    from eval.results import runs

    scored_runs, left_out = [runs.read_run(path) for path in run], None
    if intersect:
        pairing.check_comparable(scored_runs, intersect)
        scored_runs, left_out = pairing.common(scored_runs)
    comparison = comparing.compare(scored_runs, resamples, seed, left_out)
    jsonl.write_json(out / "compare.json", comparison)
    pages.write(out, "compare", comparison_page.of_comparison(comparison, scored_runs))
    files = [out / f"compare.{kind}" for kind in ("json", "html", "md")]
    sums.write(out / "compare.sha256", [*(runs.run_folder(path) / "scores.json" for path in run), *files])
    click.echo(console.of_comparison(comparison))
    click.echo(f"\nreport: {out / 'compare.html'}")
    if gate:
        passed, sentences = console.gate(comparison)
        click.echo("\n".join(["", *sentences]))
        click.get_current_context().exit(0 if passed else 1)


@main.command("runs")
@click.argument("folder", default="runs", type=RUN)
def listed(folder: Path) -> None:
    """List the runs of a folder, newest first, with their scores and the recipe keys in which they differ.

    Example: ecom-eval runs runs
    """
    from eval.report import console

    click.echo(console.table(console.read(folder)))
