"""A trained run at work: apply."""

import time
from pathlib import Path
from typing import Any

import click
from click import FloatRange, IntRange

from converters.core.errors import InputError
from eval.cli.answering import (
    ADDRESS,
    BACKEND,
    BATCH,
    CHOICE_AS,
    CONCURRENCY,
    ENGINE,
    LONGEST,
    MODEL_OF_RUN,
    RETRIES,
    TIMEOUT,
    URL,
)
from eval.cli.group import PATH, bar, main

LINES = 10  # most reasons that are listed


@main.command("apply")
@click.option("--run", required=True, help="The run's name, a folder of runs/.")
@click.option(
    "--catalog", type=PATH, required=True, help="A file that ecom-data convert catalog reads; labels are not needed."
)
@click.option(
    "--out", type=PATH, required=True, help="The file to write: .csv, .tsv, .jsonl (also with .gz) or .parquet."
)
@click.option("--as", "form", help="Write what a platform imports instead: shopify or woocommerce.")
@click.option(
    "--precision", type=FloatRange(0, 1), help="Require the run's calibration to have thresholds for this precision."
)
@click.option(
    "--option", multiple=True, metavar="KEY=VALUE", help="An option of the catalogue source; wins over the mixture's."
)
@click.option("--entry", type=IntRange(1), help="Number of the mixture's entry that the catalogue is like.")
@click.option(
    "--constrain/--no-constrain", default=True, help="Constrain answers to the taxonomy and the attributes' JSON."
)
@click.option("--paths", type=PATH, help="Another taxonomy for --constrain, one path a line.  [default: training's]")
@click.option("--candidates", type=IntRange(2), help="Number of ranked categories for the review.")
@BACKEND
@LONGEST
@BATCH
@URL
@MODEL_OF_RUN
@CONCURRENCY
@TIMEOUT
@RETRIES
@CHOICE_AS
@click.option("--accept-unanswered", is_flag=True, help="Label what an endpoint fails on as unanswered.")
@ENGINE
@ADDRESS
@click.pass_context
def apply_run(
    ctx: click.Context,
    /,
    run: str,
    catalog: Path,
    out: Path,
    backend: str,
    engine: str | None,
    address: str | None,
    **options: Any,
) -> None:
    """Label a shop's catalogue with a trained run.

    The file's own columns stay as they are; predicted category and attributes, confidences and a decision are added. Rows that
    cannot be used go to OUT.rejects.jsonl, products that a person has to look at to OUT.review.csv, the account to OUT.json.
    Run an interrupted command again to resume it; the result is the same.

    Example: ecom-eval apply --run shop --catalog new_products.csv --out labelled.csv
    """
    from eval.inference import cluster, predict
    from eval.production.applying import apply

    named = {name for name in options if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    if options["paths"] and not options["constrain"]:
        raise InputError("--paths needs --constrain")
    predict.check(backend, named - {"paths"})
    with cluster.on(engine, address, backend) as find:
        work = apply.prepared(run, catalog, out, backend, options)
        for line in work.told:
            click.echo(line)
        click.echo(f"loading {work.learnt.merged}", err=True)
        with bar("products") as progress:
            record = apply.apply(work, backend, progress, time.monotonic, find=find)
    _print(record, work.files)


def _print(record: dict[str, Any], files: Any) -> None:
    from eval.production.applying import review

    rejected = sum(record["rejected"].values())
    click.echo(
        f"read {record['read']:,} rows: labelled {record['labelled']:,} ({record['products']:,} products), rejected {rejected:,}"
    )
    for reason, count in list(record["rejected"].items())[:LINES]:
        click.echo(f"  rejected {count:,}: {reason}")
    for note, count in record["sitting"]["noted"].items():
        click.echo(f"  {count:,} prompts: {note}")
    if rejected:
        click.echo(f"rows that were not labelled are in {files.rejects}")
    if silent := record["confidence"]["not_available"]:
        of = f"{silent:,} of {record['products']:,} products"
        click.echo(f"confidence is not available for {of}: the backend sends no log-probabilities")
    if (decisions := record["decisions"]) is None:
        raw = "confidences are raw and " * (silent < record["products"])
        click.echo(f"no calibration: {raw}nothing is decided; make calibrate RUN={record['run']} makes one")
    else:
        taken = [
            f"{decisions['categories']:,} of {record['products']:,} categories" * ("category" in record["tasks"]),
            f"{decisions['attributes']:,} of {decisions['attributes_asked']:,} attributes"
            * ("attributes" in record["tasks"]),
        ]
        accepted = f"accepted {' and '.join(filter(None, taken))}, all of {decisions['accept']:,} products"
        click.echo(
            f"precision {record['precision']:g}: {accepted}; {decisions['review']:,} to review in {files.review}"
        )
        if decisions["review"]:
            click.echo("what a person decides there ('decided': no becomes yes) comes back as training rows by")
            click.echo(f"  {review.command(files.review)}")
    click.echo(f"labelled: {files.out}; what was done is in {files.record}")
