"""``ecom-eval``: generate predictions, score them, compare runs."""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from click import FloatRange, IntRange
from tqdm import tqdm

from converters.core.console import Group
from converters.core.errors import InputError
from eval import RESAMPLES, SEED

NOISY = ("torchao", "torch.utils._pytree", "bitsandbytes")  # they warn of every kernel that this machine cannot use
PATH = click.Path(path_type=Path)
SCORERS = click.Choice(["ours", "ecellm-compat"])

DATA = click.option("--data", type=PATH, required=True, help="Test rows: a mixture's test.jsonl.")
CONCURRENCY = click.option("--concurrency", default=8, type=IntRange(1), help="Requests in flight at a time.")
TIMEOUT = click.option("--timeout", default=120.0, type=FloatRange(0.1), help="Seconds to wait for one try.")
RETRIES = click.option("--retries", default=4, type=IntRange(0), help="Further tries after a failed request.")
BOOTSTRAP_SEED = click.option("--seed", default=SEED, type=IntRange(0), help="Seed of the bootstrap.")
RESAMPLED = click.option("--resamples", default=RESAMPLES, type=IntRange(100), help="Number of bootstrap resamples.")


@click.group(cls=Group, context_settings={"show_default": True})
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Generate predictions, score them with intervals, report and compare."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar, to be called with (done, total); what the first call counts as done took no time."""
    bar: Any = None

    def update(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or tqdm(total=total, initial=done, unit=f" {unit}", mininterval=2, dynamic_ncols=True)
        bar.update(done - bar.n)

    try:
        yield update
    finally:
        if bar is not None:
            bar.close()  # an error starts a line of its own


def _status() -> Callable[[str], None]:
    """Return a function that prints messages on stderr, at most every other second."""
    last = -math.inf

    def tell(message: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= 2:
            last = now
            click.echo(message, err=True)

    return tell


@main.command()
@click.option("--checkpoint", required=True, help="Folder of a model or an adapter, or a name on the hub.")
@DATA
@click.option("--out", type=PATH, required=True, help="Folder for predictions.jsonl and predictions.json.")
@click.option("--backend", default="transformers", help="transformers, vllm (needs an NVIDIA GPU) or openai.")
@click.option("--max-new-tokens", default=128, type=IntRange(1), help="Longest answer, in tokens.")
@click.option("--temperature", default=0.0, type=FloatRange(0, 5), help="Sampling temperature; 0 is greedy.")
@click.option("--seed", default=0, type=IntRange(0, 2**31 - 1), help="Seed of sampling and of the few-shot draw.")
@click.option("--candidates", type=IntRange(2), help="Number of ranked answers for each classification.")
@click.option("--constrain", is_flag=True, help="Constrain answers to the options, the paths or the attributes' JSON.")
@click.option("--paths", type=PATH, help="Taxonomy for --constrain: a training split (.jsonl) or one path a line.")
@click.option("--few-shot", type=IntRange(1), help="Solved rows of --train to put before every question.")
@click.option("--train", type=PATH, help="Training split for --few-shot.")
@click.option("--batch-size", default=16, type=IntRange(1), help="Prompts in a batch (transformers).")
@click.option("--base-url", help="Endpoint, such as http://127.0.0.1:8000/v1; its key comes from OPENAI_API_KEY.")
@click.option("--model", help="The model's name at the endpoint.  [default: the checkpoint as given]")
@CONCURRENCY
@TIMEOUT
@RETRIES
@click.option(
    "--choice-as", default="structured_outputs", help="How it takes allowed answers; or guided_choice, grammar."
)
@click.option("--extra", help="JSON object to add to every request.")
@click.option("--accept-unanswered", is_flag=True, help="Count prompts on which the endpoint fails as invalid.")
@click.pass_context
def predict(ctx: click.Context, /, checkpoint: str, data: Path, out: Path, backend: str, **options: Any) -> None:
    """Answer every test row with a model, greedily by default.

    Run an interrupted command again to resume it; the result is the same.

    Example: ecom-eval predict --checkpoint runs/demo-qlora/merged --data data/demo/test.jsonl --out runs/demo-qlora/eval
    """
    from converters import examples
    from converters.io import jsonl
    from eval.inference import checkpoint as checkpoints
    from eval.inference import predict

    on_command_line = click.core.ParameterSource.COMMANDLINE
    predict.check(backend, {name for name in options if ctx.get_parameter_source(name) is on_command_line})
    if backend != "openai":  # an endpoint's model may lie elsewhere
        checkpoints.require(checkpoint)
    rows = examples.read_rows(data)
    click.echo(f"loading {checkpoint}", err=True)
    plan, paths, shots = predict.plan(jsonl.sha256(data), rows, checkpoint, options)
    with _bar("prompts") as progress:
        predict.predict(backend, checkpoint, rows, plan, out, progress, time.monotonic, paths, shots)
    click.echo(f"predictions: {out / 'predictions.jsonl'}")


@main.command()
@click.argument("name")
@click.option("--train", type=PATH, required=True, help="Training split: a mixture's train.jsonl.")
@DATA
@click.option("--out", default="runs/baseline-NAME/eval", help="Folder for the predictions; NAME is replaced.")
def baseline(name: str, train: Path, data: Path, out: str) -> None:
    """Answer every test row with a baseline, without a language model.

    NAME is bm25, dictionary, first, linear, majority, nearest or all. A baseline is fitted on the training split alone. Rows
    that it cannot answer get the majority answer; predictions.json counts them.

    Example: ecom-eval baseline linear --train data/demo/train.jsonl --data data/demo/test.jsonl
    """
    from converters import examples
    from converters.io import jsonl
    from eval import baselines
    from eval.baselines import _predict

    names = baselines.names() if name == "all" else [name]
    settings = {name: dict(baselines.get(name).settings) for name in names}
    if len(names) > 1 and "NAME" not in out:
        raise InputError(f"--out {out}: needs NAME in it, for a folder for each of {', '.join(names)}")
    rows = examples.read_rows(data)
    training = _predict.training(train, rows) | {"test_sha256": jsonl.sha256(data)}
    for name in names:
        start = time.monotonic()
        answers = _predict.predict(name, train, rows, _status())
        folder = Path(out.replace("NAME", name))
        record = _predict.write(folder, rows, answers, {"baseline": name, "settings": settings[name], **training})
        for task, counts in sorted(record["answered_by"].items()):
            click.echo(f"{name}: {task}: " + ", ".join(f"{count:,} by {by}" for by, count in counts.most_common()))
        click.echo(f"predictions: {folder / 'predictions.jsonl'} ({time.monotonic() - start:.1f} s)")


@main.command()
@DATA
@click.option("--predictions", type=PATH, required=True, help="Answers to judge.")
@click.option("--endpoint", required=True, help="The judge's OpenAI-compatible URL, such as http://127.0.0.1:8000/v1.")
@click.option("--model", required=True, help="The judge's name at the endpoint.")
@click.option("--out", type=PATH, required=True, help="Folder for judgements.jsonl and .json: that of the predictions.")
@CONCURRENCY
@TIMEOUT
@RETRIES
def judge(data: Path, predictions: Path, endpoint: str, model: str, out: Path, **how: Any) -> None:
    """Let a model judge the relevance and groundedness of answers.

    Run an interrupted command again to resume it. ecom-eval score reads the judgements.jsonl beside the predictions.

    Example: ecom-eval judge --data data/demo/test.jsonl --predictions runs/demo-qlora/eval/predictions.jsonl
    --endpoint http://127.0.0.1:8000/v1 --model Qwen/Qwen3-32B --out runs/demo-qlora/eval
    """
    from converters import examples
    from converters.io import jsonl
    from eval.inference import judge
    from eval.inference.backends.base import Endpoint
    from eval.results import runs

    rows = examples.read_rows(data)
    answers = {row.id: given.prediction for row, given in runs.read_predictions(data, predictions)}
    hashes = {"test_sha256": jsonl.sha256(data), "predictions_sha256": jsonl.sha256(predictions)}
    with _bar("answers") as progress:
        record = judge.judge(Endpoint(endpoint, model, **how), rows, answers, hashes, out, progress)
    click.echo(
        f"{record['judged']:,} answers judged, {record['unreadable_verdicts']:,} verdicts unreadable, "
        f"{record['refused_requests']:,} requests refused, {record['unreadable_predictions']:,} answers unreadable"
    )
    click.echo(f"judgements: {out / 'judgements.jsonl'}")


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
    provenance = runs.provenance(data, predictions, settings, train) | loaded
    frequencies = slicing.count_targets(examples.stream_rows(train), normalise) if train else None
    by_task, lines = scoring.score(answered, settings, tools, frequencies, tell)
    if scorer == ecellm.SCORER:
        by_task = ecellm.beside(by_task, ecellm.scores(answered, tools))
    scores = runs.write_run(out, schema.Scores(by_task, provenance), lines)
    pages.write(out, "report", run_page.of_run(runs.read_run(out)))
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
