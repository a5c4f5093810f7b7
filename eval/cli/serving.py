"""Whether a server answers as the run that it serves: parity."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import FloatRange, IntRange

from converters.core.errors import InputError
from eval.cli.answering import BATCH, CONCURRENCY, LONGEST, RETRIES, TIMEOUT
from eval.cli.group import PATH, bar, main

if TYPE_CHECKING:
    from eval.comparison.parity import Parity
    from eval.results.schema import Run

ROWS, SHOWN = 200, 3  # asked, and shown of those that differ
AT_LEAST = 0.95  # eval.comparison.parity says why


@main.command()
@click.argument("run")
@click.option("--base-url", required=True, help="The server, such as http://127.0.0.1:8000/v1.")
@click.option("--model", help="The model's name there.  [default: the run's]")
@click.option("--data", type=PATH, help="Held-out rows.  [default: the validation split of the run's mixture]")
@click.option("--rows", "count", default=ROWS, type=IntRange(1), help="How many of them to ask, of every task alike.")
@click.option(
    "--at-least", default=AT_LEAST, type=FloatRange(0, 1), help="Share of equal answers below which it exits with 1."
)
@LONGEST
@BATCH
@CONCURRENCY
@TIMEOUT
@RETRIES
def parity(
    run: str, base_url: str, model: str | None, data: Path | None, count: int, at_least: float, **options: Any
) -> None:
    """Tell whether a server answers held-out rows as a run's merged model does.

    RUN is a merged run: its adapter may be served on a base, or the merged model itself. What the merged model answers is taken
    from the run's own predictions where it was asked the same in the same way, and else predicted here, on the GPU if there is
    one: before a server takes the GPU's memory, ask ecom-eval predict for the rows of --data.

    Example: ecom-eval parity demo-qlora --base-url http://127.0.0.1:8000/v1
    """
    from converters import examples
    from converters.io import jsonl
    from eval.comparison import compare
    from eval.comparison import parity as comparison
    from eval.inference import checkpoint as checkpoints
    from eval.inference.backends.base import Endpoint, Plan
    from eval.production import parity as sides
    from eval.report import console
    from eval.results import record

    folder = record.folder_of(run)
    checkpoints.require(str(folder / checkpoints.MERGED))
    data, out = data or sides.validation_file(folder), folder / sides.FOLDER
    rows = sides.sample(examples.read_rows(data), count)
    (out / "parity.json").unlink(missing_ok=True)  # of an earlier server
    jsonl.write_lines(out / sides.ROWS, rows)
    asked, longest = jsonl.sha256(out / sides.ROWS), options["max_new_tokens"]
    network = {key: options[key] for key in ("concurrency", "timeout", "retries")}
    endpoint = Endpoint(base_url, model or folder.name, **network)
    with bar("prompts") as progress:  # the server first: it may not be there
        served = sides.of_server(folder, rows, Plan(asked, longest, endpoint=endpoint), progress)
    with bar("prompts") as progress:
        plan = Plan(asked, longest, batch_size=options["batch_size"])
        merged = sides.of_merged(folder, data, rows, plan, progress)
    found = comparison.measure(rows, merged, served)
    differences = compare.compare([_scored(out / sides.ROWS, out / side) for side in ("merged", "served")])
    account = {"model": endpoint.model, "base_url": base_url, "at_least": at_least, "data": str(data), "answers": found}
    jsonl.write_json(out / "parity.json", account | {"metrics": differences.pairs})
    click.echo("\n".join([*_lines(found), "", console.of_comparison(differences)]))
    click.echo(f"\nparity: {out / 'parity.json'}")
    if found.share < at_least:
        raise InputError(
            f"{base_url}: {endpoint.model} gives {found.equal:,} of {found.rows:,} answers that {folder / checkpoints.MERGED} "
            f"gives ({found.share:.3f}), expected a share of at least {at_least}: it serves other weights, another base, or "
            "another precision"
        )


def _scored(data: Path, folder: Path) -> "Run":
    from eval.results import runs
    from eval.results.schema import Scores, Settings
    from eval.scoring import score

    predictions, settings = folder / "predictions.jsonl", Settings()
    answered = runs.read_predictions(data, predictions)
    by_task, rows = score.score(answered, settings)
    runs.write_run(folder, Scores(by_task, runs.provenance(answered, settings)), rows)
    return runs.read_run(folder)


def _lines(found: "Parity") -> Iterator[str]:
    interval = found.reason if found.low is None else f"95 % interval {found.low:.3f} to {found.high:.3f}"
    yield f"{found.equal:,} of {found.rows:,} answers are equal: {found.share:.3f} ({interval})"
    yield "; ".join(f"{task} {equal:,} of {rows:,}" for task, (equal, rows) in found.tasks.items())
    for row in found.differences[:SHOWN]:
        yield f"differs  {row.id!r} ({row.task}): merged {_short(row.merged)}, served {_short(row.served)}"


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 60 else f"{text[:60]}…")
