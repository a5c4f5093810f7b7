"""A trained run on a page of this machine: try."""

import time
from functools import partial
from typing import Any

import click
from click import FloatRange, IntRange

from eval.cli.answering import BACKEND, BATCH, CHOICE_AS, CONCURRENCY, LONGEST, MODEL_OF_RUN, RETRIES, TIMEOUT, URL
from eval.cli.asking import store_of
from eval.cli.group import PATH, main

PORT = 8765


@main.command("try")
@click.option("--run", "name", required=True, help="The run's name, a folder of runs/.")
@click.option("--catalog", type=PATH, help="The shop's catalogue, to ask questions: as for ecom-eval ask.")
@click.option(
    "--option", "given", multiple=True, metavar="KEY=VALUE", help="Of the catalogue, as ecom-data has it: title=name."
)
@click.option("--reviews", type=PATH, help="Reviews with product, text and, if they have one, id.")
@click.option("--index", type=PATH, help="Folder of the index.  [default: the catalogue's name with .index]")
@click.option("--rebuild", is_flag=True, help="Build the index again.")
@click.option(
    "--floor", type=FloatRange(0, 1, max_open=True), help="Ask only if snippets share more of a question's words."
)
@click.option("--encoder", help="Sentence encoder to rank by, too: a folder or a name on the hub.")
@click.option("--entry", type=IntRange(1), help="Number of the mixture's entry that pasted products are like.")
@click.option(
    "--constrain/--no-constrain", default=True, help="Constrain labels to the taxonomy and the attributes' JSON."
)
@click.option("--candidates", type=IntRange(2), help="Number of ranked categories to show.")
@click.option("--port", default=PORT, type=IntRange(0, 65535), help="Port on this machine; 0 for any that is free.")
@BACKEND
@LONGEST
@BATCH
@URL
@MODEL_OF_RUN
@CONCURRENCY
@TIMEOUT
@RETRIES
@CHOICE_AS
@click.pass_context
def try_run(ctx: click.Context, /, name: str, backend: str, port: int, **options: Any) -> None:
    """Open a page of this machine to paste a product or ask a question.

    It shows the answer, how sure the model is of it, and the snippets that it rests on. Products are labelled as ecom-eval apply
    labels them; with --catalog, questions are answered as ecom-eval ask answers them. The page is on this machine alone. Ctrl-C
    stops it.

    Example: ecom-eval try --run shop --catalog shop.csv
    """
    from eval.inference import predict
    from eval.production.trying import loading, server, site
    from eval.report import try_page

    named = {key for key in options if ctx.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE}
    predict.check(backend, named)
    with server.bound(port) as listening:
        run = loading.prepared(name, backend, options)
        for remark in run.remarks:
            click.echo(f"note: {remark}", err=True)
        store = store_of(options) if options["catalog"] else None
        click.echo(f"loading {run.checkpoint}", err=True)
        loaded = loading.load(run, store, time.monotonic)
        here = site.Site(loaded, loading.about(loaded), try_page.html)
        click.echo(f"open {listening.url} (Ctrl-C stops it)")
        server.serve(listening, partial(site.show, here), partial(site.answer, here))
    click.echo("stopped", err=True)
