"""What goes out of a run's folder: track sends it to an experiment tracker, card writes its model card."""

from pathlib import Path

import click

from converters.core.errors import InputError
from eval.cli.group import PATH, main


@main.command()
@click.argument("run", type=PATH)
@click.option("--to", "tracker", required=True, help="mlflow, trackio or wandb.")
@click.option(
    "--project", help="Project or experiment.  [default: the recipe's for this tracker, else ecom-llm-recipes]"
)
@click.option("--uri", help="MLflow's tracking URI, trackio's Space (owner/name, made private), W&B's own server.")
def track(run: Path, tracker: str, project: str | None, uri: str | None) -> None:
    """Send a run's loss curve, scores and reports to an experiment tracker.

    Every score goes with its interval and its floor. Repeat the command whenever something has changed: only that is sent. Rows,
    predictions and paths stay here.

    Example: ecom-eval track runs/demo-qlora --to mlflow --uri sqlite:///mlflow.db
    """
    from eval import trackers
    from eval.trackers import base

    trackers.get(tracker)
    sent = base.of_run(run)
    where = trackers.send(tracker, sent, project, uri)
    click.echo(
        f"{tracker}: {len(sent.curve)} steps, {len(sent.scores)} figures, {len(sent.files)} files of {run}: {where}"
    )


@main.command()
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, help="The file.  [default: README.md in the run's folder]")
@click.option("--adapter", is_flag=True, help="Write the card of the adapter, not of the merged model.")
@click.option("--licence", help="The model's licence, an id of the hub's: apache-2.0, other.")
@click.option("--language", multiple=True, help="A language that it was trained for: en. May be repeated.")
@click.option(
    "--benchmark", multiple=True, metavar="TASK=OWNER/NAME:TASK_ID", help="The hub's benchmark that was scored."
)
def card(
    run: Path,
    out: Path | None,
    adapter: bool,
    licence: str | None,
    language: tuple[str, ...],
    benchmark: tuple[str, ...],
) -> None:
    """Write a run's model card, from its record, its mixture and its scores.

    With --benchmark, .eval_results/TASK.yaml is written beside it: for rows that are those of a benchmark on the hub. The test
    split of a mixture is none. Push adds the card to the model by itself.

    Example: ecom-eval card runs/demo-qlora --licence apache-2.0 --language en
    """
    from converters.io import jsonl
    from eval.report import card, hub
    from eval.results import runs

    out = out or run / "README.md"
    if out.is_dir():
        raise InputError(f"{out}: is a folder; --out names a file, such as {out / 'README.md'}")
    if any(out.resolve().is_relative_to((run / name).resolve()) for name in ("merged", "adapter")):
        raise InputError(
            f"{out}: a file there changes the checkpoint's hash, and 'ecom-train verify' would find it broken"
        )
    told = hub.Told(licence, language, benchmark)
    files = {out.name: card.text(run, not adapter, told), **hub.eval_results(runs.read_run(run), benchmark)}
    for name, content in files.items():
        with jsonl.replacing(out.parent / name) as file:
            file.write(content.encode())
        click.echo(f"written: {out.parent / name}")
