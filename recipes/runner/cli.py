"""``ecom-train``: check, train and merge recipes."""

import logging
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converters.console import Group
from converters.errors import InputError

if TYPE_CHECKING:
    from recipes.runner.check import Checked
    from recipes.runner.recipe import Recipe

CARD = click.option("--card", metavar="[COUNTx]CARD", help="Check for a card by name or size, such as 24gb or 4x80gb.")
LOSE = click.option(
    "--lose", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Share of too long rows."
)
SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe.")


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Check a recipe, train it with Axolotl, merge the result."""


@main.command()
@click.argument("recipe")
@SET
@CARD
@LOSE
@click.option("--price", type=float, help="What a GPU costs an hour, to estimate the cost of a training.")
def check(recipe: str, overrides: tuple[str, ...], card: str | None, lose: float, price: float | None) -> None:
    """Check keys, data, machine and prompts of a recipe without training it.

    Example: ecom-train check mistral-qlora --card 24gb --price 0.5
    """
    _checked(_loaded(recipe, overrides), card, lose, price)


@main.command()
@click.argument("recipe")
@click.option("--run", required=True, help="Name of the new run: its folder is runs/NAME.")
@SET
@LOSE
def train(recipe: str, run: str, overrides: tuple[str, ...], lose: float) -> None:
    """Check a recipe, then train it; all of the run lies in runs/NAME.

    Example: ecom-train train demo-qlora --run demo-qlora --set seed=1
    """
    from recipes.runner.train import train as training

    folder = training(_loaded(recipe, overrides), run, partial(_checked, lose=lose), _echo)
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


@main.command("recipes")
def table() -> None:
    """Print the recipes for GPUs with what is estimated of memory and time.

    Example: ecom-train recipes
    """
    from recipes.runner import said

    click.echo("\n".join(said.recipes()))


@main.command()
@click.argument("name")
@click.option(
    "--run", "start", is_flag=True, help="Train them one after the other; those that are trained are left out."
)
def sweep(name: str, start: bool) -> None:
    """Print the commands of a sweep, or train it.

    Example: ecom-train sweep rate-by-rank
    """
    from recipes.runner import sweep as sweeps
    from recipes.runner.train import folder

    found = sweeps.load(name)
    if not start:
        click.echo("\n".join(sweeps.lines(found)))
        return
    for one in sweeps.trainings(found):
        if (folder(one.run) / "adapter").exists():
            click.echo(f"{one.run}: trained already")
        elif subprocess.run([Path(sys.executable).with_name("ecom-train"), *one.command(found.recipe)[1:]]).returncode:
            raise InputError(f"the sweep stopped at {one.run}; run it again to go on")


@main.command("bench-gpu")
@click.option(
    "--steps", type=click.IntRange(1), default=20, show_default=True, help="Optimiser steps of each training."
)
@click.option("--tiny", is_flag=True, help="With a tiny base on the CPU: to see that it works.")
@click.option(
    "--only", multiple=True, metavar="NAME", help='A recipe, "axolotl\'s example", short or long; else all of them.'
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/bench-gpu"), show_default=True)
def bench(steps: int, tiny: bool, only: tuple[str, ...], out: Path) -> None:
    """Measure the Mistral recipes on this GPU with random weights: tokens a second and peak memory.

    Example: ecom-train bench-gpu --tiny --steps 2 --only mistral-qlora --only short
    """
    from recipes.runner import bench_gpu, hardware, recipe

    if not tiny:
        hardware.require(recipe.load(recipe.find("mistral-qlora")))

    def told(one: bench_gpu.Figure) -> None:
        click.echo(f"{one.name}, {one.rows} rows: {one.speed:,.0f} tokens/s, {one.memory:.1f} GiB")

    figures = bench_gpu.run(out, steps, tiny, only, told, lambda piece: None)  # each run's log lies in its folder
    text = "\n".join(bench_gpu.table(figures))
    (out / "table.md").write_text(text + "\n", "utf-8")
    click.echo("\n" + text)


def _loaded(name: str, overrides: tuple[str, ...]) -> "Recipe":
    from recipes.runner import hardware
    from recipes.runner import recipe as recipes

    return hardware.fitted(recipes.load(recipes.find(name), overrides), hardware.gpus())


def _checked(recipe: "Recipe", card: str | None = None, lose: float = 0.01, price: float | None = None) -> "Checked":
    """Check a recipe and say what was found; an estimate says no only for a card that was named."""
    from recipes.runner import check as checks
    from recipes.runner import process, said

    os.environ.update(process.QUIET)  # this process loads Axolotl, too
    logging.disable(logging.WARNING)  # what Axolotl and its libraries say at their start is said again by the training
    try:
        machine = checks.machine(card, recipe)
        wanted = checks.needs(recipe, machine)
        click.echo(said.machine(recipe))
        if wanted and machine.card:
            click.echo("\n".join(said.memory(*wanted, machine.card)))
            checks.fits(*wanted, machine)
        checked = checks.check(recipe, machine, lose)
    finally:
        logging.disable(logging.NOTSET)
    click.echo("\n".join(said.passed(recipe, checked)))
    if wanted and machine.card:
        click.echo(said.time(checked, *wanted, machine.card, price))
    if checked.too_long:
        longer = said.counts(checked.too_long)
        limit = checked.sequence_len
        click.echo(f"warning  longer than sequence_len {limit}, so Axolotl will drop them: {longer}", err=True)
    return checked


def _echo(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
