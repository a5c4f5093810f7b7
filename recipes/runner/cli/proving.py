"""After a training: merge it through the gate, walk its chain of hashes."""

from pathlib import Path

import click

from converters.core.errors import InputError
from recipes.runner.cli.group import FILE, RUN, main, progress


@main.command()
@RUN
@click.option("--held", type=FILE, help="Rows of the merge gate; by default the validation split of the run's mix.")
def merge(run: str, held: Path | None) -> None:
    """Merge a run's adapter into its base model; a merge that changes the model is thrown away.

    Example: ecom-train merge demo-qlora
    """
    from recipes.runner import provenance
    from recipes.runner.merge import merge as merging
    from recipes.runner.train import folder

    merged = merging(folder(run), progress(folder(run) / "logs" / "merge.log"), held)
    like = provenance.read(folder(run))["merge"]["gate"]["likeness"]
    click.echo(
        f"gate     {like['tokens']} answer tokens of {like['rows']} held-out rows: greedy agreement {like['agreement']:.4f}, "
        f"cosine {like['cosine']:.4f}, loss {like['loss_adapter']:.4f} before and {like['loss_merged']:.4f} after"
    )
    click.echo(f"merged: {merged}")


@main.command()
@RUN
def verify(run: str) -> None:
    """Walk a run's hashes from the raw files to its reports; the first broken link is named and ends it with 1.

    Example: ecom-train verify demo-qlora
    """
    from recipes.runner import verify as chain
    from recipes.runner.train import folder

    states, where = [], folder(run)
    for link in chain.verify(where):
        states.append(link.state)
        click.echo(f"{link.state:<17}  {link.name}: {link.what}")
        if link.state == chain.BROKEN:
            raise InputError(f"{where}: broken at '{link.name}': {link.what} is not what the run was made from")
    gone = states.count(chain.GONE)
    rest = f"; {gone} not here to check" if gone else ""
    click.echo(f"{where}: {states.count(chain.HOLDS)} of {len(states)} links hold, none is broken{rest}")
