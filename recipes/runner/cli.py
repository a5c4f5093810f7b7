"""``ecom-train``: check, train and merge recipes."""

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converters.console import Group

if TYPE_CHECKING:
    from recipes.runner.check import Checked
    from recipes.runner.recipe import Recipe

SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe.")


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Check a recipe, train it with Axolotl, merge the result."""


@main.command()
@click.argument("recipe")
@SET
def check(recipe: str, overrides: tuple[str, ...]) -> None:
    """Check keys, data, machine and prompts of a recipe without training it.

    Example: ecom-train check demo-qlora
    """
    from recipes.runner import recipe as recipes

    _checked(recipes.load(recipes.find(recipe), overrides))


@main.command()
@click.argument("recipe")
@click.option("--run", required=True, help="Name of the new run: its folder is runs/NAME.")
@SET
def train(recipe: str, run: str, overrides: tuple[str, ...]) -> None:
    """Check a recipe, then train it; all of the run lies in runs/NAME.

    Example: ecom-train train demo-qlora --run demo-qlora --set seed=1
    """
    from recipes.runner import recipe as recipes
    from recipes.runner.train import train as training

    folder = training(recipes.load(recipes.find(recipe), overrides), run, _checked, _echo)
    click.echo(f"trained: {folder} (merge it with: ecom-train merge {run})")


@main.command()
@click.argument("run")
def merge(run: str) -> None:
    """Merge a run's adapter into its base model.

    Example: ecom-train merge demo-qlora
    """
    from recipes.runner.merge import merge as merging
    from recipes.runner.train import folder

    click.echo(f"merged: {merging(folder(run), _echo)}")


@main.command("tiny-base")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="A mix; its train.jsonl makes the vocabulary."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the checkpoint.")
@click.option("--seed", type=int, default=0, show_default=True)
def tiny_base(data: Path, out: Path, seed: int) -> None:
    """Make the demo's base: a small Mistral with random weights and a vocabulary of its own.

    Example: ecom-train tiny-base --data data/demo --out runs/demo-base/merged --seed 0
    """
    from recipes.runner.tiny import build

    build(data, out, seed)
    click.echo(f"base model: {out}")


@main.command()
@click.option("--seed", type=int, default=0, show_default=True, help="Drives products, mix, base model and training.")
def demo(seed: int) -> None:
    """Run the whole path on a CPU; a second time, only what changed.

    Example: ecom-train demo --seed 0
    """
    from recipes.runner import demo as chain

    stages = chain.stages(seed)
    times: list[tuple[str, float | None]] = []
    for number, stage in enumerate(stages, 1):
        click.secho(f"[{number}/{len(stages)}] {stage.name}", bold=True)
        if chain.fresh(stage):
            times.append((stage.name, None))
            click.echo("nothing changed since it was done")
            continue
        start = time.monotonic()
        chain.run(stage)
        times.append((stage.name, time.monotonic() - start))
    click.echo("\n" + (Path(chain.REPORT) / "compare.md").read_text("utf-8") if times[-1][1] is None else "")
    for name, seconds in times:
        click.echo(f"{name:>20}  {'-' if seconds is None else f'{seconds:.0f} s':>6}")
    click.echo(f"{'all':>20}  {sum(seconds or 0 for _, seconds in times):.0f} s")
    click.echo(f"\nlook at {chain.REPORT}/compare.html")


def _checked(recipe: "Recipe") -> "Checked":
    """Check a recipe and say what was found."""
    from recipes.runner import hardware
    from recipes.runner.check import check as checking

    logging.disable(logging.WARNING)  # what Axolotl and its libraries say at their start is said again by the training
    try:
        checked = checking(recipe)
    finally:
        logging.disable(logging.NOTSET)
    needs = ", ".join(hardware.gpu_needs(recipe)) or "nothing that a CPU has not"
    click.echo(f"recipe   {recipe.path}: {len(recipe.keys)} keys, all known to Axolotl")
    click.echo(f"data     {', '.join(map(str, checked.files))}: as their manifest says; rows: {_counts(checked.rows)}")
    click.echo(
        f"prompts  the same in training and evaluation, all of the answer learnt; proven on: {_counts(checked.proven)}"
    )
    click.echo(f"machine  {', '.join(hardware.gpus()) or 'no GPU'}; the recipe needs {needs}")
    if checked.too_long:
        click.echo(
            f"warning  longer than sequence_len {checked.sequence_len}, so Axolotl will drop them: {_counts(checked.too_long)}",
            err=True,
        )
    return checked


def _counts(rows: dict[str, int]) -> str:
    return ", ".join(f"{task} {count:,}" for task, count in rows.items())


def _echo(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
