"""Commands that produce answers: predict, baseline, judge."""

import time
from pathlib import Path
from typing import Any

import click

from converters.core.errors import InputError
from eval.cli.group import RUN, bar, hush, main, status


@main.command()
@click.option("--checkpoint", required=True, help="Folder of a model, merged or an adapter, or its name on the hub.")
@click.option("--data", type=RUN, required=True, help="Test rows, JSONL in our format.")
@click.option("--out", type=RUN, required=True, help="Folder for predictions.jsonl and predictions.json.")
@click.option("--backend", default="transformers", show_default=True, help="transformers, vllm (a GPU) or openai.")
@click.option(
    "--max-new-tokens", default=128, show_default=True, type=click.IntRange(1), help="Longest answer, in tokens."
)
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0, 5), help="0 is greedy.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**31 - 1),
    help="Seed of samples and demonstrations.",
)
@click.option("--candidates", type=click.IntRange(2), help="Number of distinct answers to a classification, ranked.")
@click.option("--constrain", is_flag=True, help="Constrain answers to the options, the paths or the attributes' JSON.")
@click.option("--paths", type=RUN, help="The taxonomy for --constrain: a training split (.jsonl) or one path per line.")
@click.option("--few-shot", type=click.IntRange(1), help="Number of solved rows of --train before every question.")
@click.option("--train", type=RUN, help="The training split for --few-shot.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Prompts at a time.")
@click.option(
    "--base-url", help="The endpoint, such as http://127.0.0.1:8000/v1; the key comes from OPENAI_API_KEY alone."
)
@click.option("--model", help="The endpoint's name for the model.  [default: the checkpoint as given]")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Requests at a time.")
@click.option("--timeout", default=120.0, show_default=True, type=click.FloatRange(0.1), help="Seconds for one try.")
@click.option("--retries", default=4, show_default=True, type=click.IntRange(0), help="Further tries, with pauses.")
@click.option("--choice-as", default="structured_outputs", show_default=True, help="Or guided_choice, or grammar.")
@click.option("--extra", help="JSON object that goes into every request.")
@click.option("--accept-unanswered", is_flag=True, help="A prompt that the endpoint fails on counts as invalid.")
@click.pass_context
def predict(ctx: click.Context, /, checkpoint: str, data: Path, out: Path, backend: str, **options: Any) -> None:
    """Answer every test row with a model, greedily by default.

    An interrupted run resumes where it stopped, with the same result.

    Example: ecom-eval predict --checkpoint runs/demo-qlora/merged --data data/demo/test.jsonl --out runs/demo-qlora/eval
    """
    from converters import examples
    from converters.io import jsonl
    from eval.inference import checkpoint as checkpoints
    from eval.inference import predict as settings

    given = {name for name in options if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    settings.check(backend, given)
    if backend != "openai":  # an endpoint's model may lie elsewhere
        checkpoints.require(checkpoint)
    rows = examples.read_rows(data)
    click.echo(f"loading {checkpoint}", err=True)
    hush()
    from eval.inference import predict as predicting

    plan, paths, shots = settings.plan(jsonl.sha256(data), rows, checkpoint, options)
    predicting.predict(backend, checkpoint, rows, plan, out, bar("prompts"), time.monotonic, paths, shots)
    click.echo(f"predictions: {out / 'predictions.jsonl'}")


@main.command()
@click.argument("name")
@click.option("--train", type=RUN, required=True, help="The training split, JSONL in our format.")
@click.option("--data", type=RUN, required=True, help="Test rows, JSONL in our format.")
@click.option(
    "--out",
    default="runs/baseline-NAME/eval",
    show_default=True,
    help="Folder for predictions.jsonl and predictions.json; NAME in it becomes the baseline's name.",
)
def baseline(name: str, train: Path, data: Path, out: str) -> None:
    """Answer every test row without a language model: what a tuned one must beat. NAME is a baseline, or all.

    There are bm25, dictionary, first, linear, majority and nearest, fitted on the training split alone. What one cannot
    answer, the majority does; predictions.json counts both.

    Example: ecom-eval baseline linear --train data/demo/train.jsonl --data data/demo/test.jsonl
    """
    from converters import examples
    from converters.io import jsonl
    from eval import baselines
    from eval.baselines import _predict

    names = baselines.names() if name == "all" else [name]
    settings = {each: dict(baselines.get(each).settings) for each in names}
    if len(names) > 1 and "NAME" not in out:
        raise InputError(f"--out {out}: needs NAME in it, for a folder for each of {', '.join(names)}")
    rows = examples.read_rows(data)
    training = _predict.training(train, rows) | {"test_sha256": jsonl.sha256(data)}
    for each in names:
        start = time.monotonic()
        answers = _predict.predict(each, train, rows, status())
        origin = {"baseline": each, "settings": settings[each], **training}
        folder = Path(out.replace("NAME", each))
        record = _predict.write(folder, rows, answers, origin)
        for task, by in sorted(record["answered_by"].items()):
            click.echo(f"{each}: {task}: " + ", ".join(f"{count:,} by {who}" for who, count in by.most_common()))
        click.echo(f"predictions: {folder / 'predictions.jsonl'} ({time.monotonic() - start:.1f} s)")


@main.command()
@click.option("--data", type=RUN, required=True, help="Test rows, JSONL in our format.")
@click.option("--predictions", type=RUN, required=True, help="The answers to judge.")
@click.option(
    "--endpoint", required=True, help="The judge's OpenAI-compatible base URL, such as http://127.0.0.1:8000/v1."
)
@click.option("--model", required=True, help="The judge's name there.")
@click.option(
    "--out", type=RUN, required=True, help="Folder for judgements.jsonl and judgements.json: that of the predictions."
)
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Requests at a time.")
@click.option("--timeout", default=120.0, show_default=True, type=click.FloatRange(1), help="Seconds for each try.")
@click.option("--retries", default=4, show_default=True, type=click.IntRange(0), help="Further tries where one fails.")
def judge(
    data: Path, predictions: Path, endpoint: str, model: str, out: Path, concurrency: int, timeout: float, retries: int
) -> None:
    """Let a model judge how relevant and how well grounded answers are.

    An interrupted run resumes where it stopped. Scoring takes the verdicts from judgements.jsonl beside the predictions.

    Example: ecom-eval judge --data data/demo/test.jsonl --predictions runs/demo-qlora/eval/predictions.jsonl
    --endpoint http://127.0.0.1:8000/v1 --model Qwen/Qwen3-32B --out runs/demo-qlora/eval
    """
    from converters import examples
    from converters.io import jsonl
    from eval.inference import judge as judging
    from eval.inference.backends.base import Endpoint
    from eval.results import runs

    rows = examples.read_rows(data)
    predicted = {row.id: given.prediction for row, given in runs.read_predictions(data, predictions)}
    hashes = {"test_sha256": jsonl.sha256(data), "predictions_sha256": jsonl.sha256(predictions)}
    server = Endpoint(endpoint, model, concurrency, timeout, retries)
    record = judging.judge(server, rows, predicted, hashes, out, bar("answers"))
    click.echo(
        f"{record['judged']:,} answers judged, {record['unreadable_verdicts']:,} verdicts unreadable, "
        f"{record['refused_requests']:,} requests refused, {record['unreadable_predictions']:,} answers unreadable"
    )
    click.echo(f"judgements: {out / 'judgements.jsonl'}")
