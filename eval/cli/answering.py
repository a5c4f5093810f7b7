"""Answers to test rows, and marks for them: predict, baseline, judge."""

import time
from pathlib import Path
from typing import Any

import click
from click import FloatRange, IntRange

from converters.core.errors import InputError
from eval.cli.group import DATA, PATH, bar, main, status
from eval.cli.scoring import score

BACKEND = click.option("--backend", default="transformers", help="transformers, vllm (see make setup-vllm) or openai.")
LONGEST = click.option("--max-new-tokens", default=128, type=IntRange(1), help="Longest answer, in tokens.")
BATCH = click.option("--batch-size", default=16, type=IntRange(1), help="Prompts in a batch (transformers).")
URL = click.option("--base-url", help="Endpoint, such as http://127.0.0.1:8000/v1; its key comes from OPENAI_API_KEY.")
MODEL_OF_RUN = click.option(
    "--model", help="The model's name at the endpoint.  [default: the merged checkpoint's folder]"
)
CHOICE_AS = click.option(
    "--choice-as", default="structured_outputs", help="How it takes allowed answers; or guided_choice, grammar."
)
CONCURRENCY = click.option("--concurrency", default=8, type=IntRange(1), help="Requests in flight at a time.")
TIMEOUT = click.option("--timeout", default=120.0, type=FloatRange(0.1), help="Seconds to wait for one try.")
RETRIES = click.option("--retries", default=4, type=IntRange(0), help="Further tries after a failed request.")
ENGINE = click.option(
    "--engine",
    type=click.Choice(["ray"]),
    help="Load the model on all machines of a Ray cluster, and share the prompts.",
)
ADDRESS = click.option(
    "--address", help="The cluster's head, host:port.  [default: the one on this machine, or a new one]"
)


@main.command()
@click.option("--checkpoint", required=True, help="Folder of a model or an adapter, or a name on the hub.")
@DATA
@click.option("--out", type=PATH, required=True, help="Folder for predictions.jsonl and predictions.json.")
@BACKEND
@LONGEST
@click.option("--temperature", default=0.0, type=FloatRange(0, 5), help="Sampling temperature; 0 is greedy.")
@click.option("--seed", default=0, type=IntRange(0, 2**31 - 1), help="Seed of sampling and of the few-shot draw.")
@click.option("--candidates", type=IntRange(2), help="Number of ranked answers for each classification.")
@click.option("--confidence", is_flag=True, help="Add to each answer and its parts how probable their tokens are.")
@click.option("--constrain", is_flag=True, help="Constrain answers to the options, the paths or the attributes' JSON.")
@click.option("--paths", type=PATH, help="Taxonomy for --constrain: a training split (.jsonl) or one path a line.")
@click.option("--few-shot", type=IntRange(1), help="Solved rows of --train to put before every question.")
@click.option("--train", type=PATH, help="Training split for --few-shot.")
@BATCH
@URL
@click.option("--model", help="The model's name at the endpoint.  [default: the checkpoint as given]")
@CONCURRENCY
@TIMEOUT
@RETRIES
@CHOICE_AS
@click.option("--extra", help="JSON object to add to every request.")
@click.option("--accept-unanswered", is_flag=True, help="Count prompts on which the endpoint fails as invalid.")
@ENGINE
@ADDRESS
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    checkpoint: str,
    data: Path,
    out: Path,
    backend: str,
    engine: str | None,
    address: str | None,
    **options: Any,
) -> None:
    """Answer every test row with a model, greedily by default.

    Run an interrupted command again to resume it; the result is the same.

    Example: ecom-eval predict --checkpoint runs/demo-qlora/merged --data data/demo/test.jsonl --out runs/demo-qlora/eval
    """
    from converters import examples
    from converters.io import jsonl
    from eval.inference import checkpoint as checkpoints
    from eval.inference import cluster, predict

    on_command_line = click.core.ParameterSource.COMMANDLINE
    predict.check(backend, {name for name in options if ctx.get_parameter_source(name) is on_command_line})
    if backend != "openai":  # an endpoint's model may lie elsewhere
        checkpoints.require(checkpoint)
    with cluster.on(engine, address, backend) as find:
        rows = examples.read_rows(data)
        click.echo(f"loading {checkpoint}", err=True)
        plan, paths, shots = predict.plan(jsonl.sha256(data), rows, checkpoint, options)
        with bar("prompts") as progress:
            record = predict.predict(backend, checkpoint, rows, plan, out, progress, time.monotonic, paths, shots, find)
    if untold := record.get("confidence", {}).get("not_available"):
        click.echo(
            f"confidence: not available for {untold:,} of {len(rows):,} rows: no log-probabilities came", err=True
        )
    click.echo(f"predictions: {out / 'predictions.jsonl'}")


@main.command()
@click.argument("name")
@click.option("--train", type=PATH, required=True, help="Training split: a mixture's train.jsonl.")
@DATA
@click.option("--out", default="runs/baseline-NAME/eval", help="Folder for the predictions; NAME is replaced.")
@click.option(
    "--score", "scored", is_flag=True, help="Score the predictions, too, as ecom-eval score --train TRAIN does."
)
@click.pass_context
def baseline(context: click.Context, name: str, train: Path, data: Path, out: str, scored: bool) -> None:
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
        answers = _predict.predict(name, train, rows, status())
        folder = Path(out.replace("NAME", name))
        record = _predict.write(folder, rows, answers, {"baseline": name, "settings": settings[name], **training})
        for task, counts in sorted(record["answered_by"].items()):
            click.echo(f"{name}: {task}: " + ", ".join(f"{count:,} by {by}" for by, count in counts.most_common()))
        click.echo(f"predictions: {folder / 'predictions.jsonl'} ({time.monotonic() - start:.1f} s)")
        if scored:
            context.invoke(score, data=data, predictions=folder / "predictions.jsonl", out=folder, train=train)


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
    with bar("answers") as progress:
        record = judge.judge(Endpoint(endpoint, model, **how), rows, answers, hashes, out, progress)
    click.echo(
        f"{record['judged']:,} answers judged, {record['unreadable_verdicts']:,} verdicts unreadable, "
        f"{record['refused_requests']:,} requests refused, {record['unreadable_predictions']:,} answers unreadable"
    )
    click.echo(f"judgements: {out / 'judgements.jsonl'}")
