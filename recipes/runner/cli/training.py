"""Before and during a training: check, train, join, resume, sweep, recipes."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.core.errors import NEXT, InputError, told
from recipes.runner.cli.group import RUN, main, progress

if TYPE_CHECKING:
    from recipes.runner.preflight.check import Checked
    from recipes.runner.recipe import Recipe
    from recipes.runner.training.sweep import Training


def _option(name: str, old: str, **settings: Any) -> Callable[[Any], Any]:
    """Return an option that answers to its ``old`` name for one release, and says the new one."""

    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            click.echo(f"warning  {old} is now {name}", err=True)
            context.meta[old] = value

    hidden = click.option(old, type=settings.get("type"), hidden=True, is_eager=True, expose_value=False, callback=keep)
    option = click.option(name, callback=lambda context, _, value: context.meta.get(old, value), **settings)
    return lambda command: option(hidden(command))


GPU = _option("--gpu", "--card", metavar="[COUNTx]GPU", help="Check that it fits this GPU, such as 24gb or 4x80gb.")
MAX_DROPPED = _option(
    "--max-dropped",
    "--lose",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Largest share of a task's rows that may be dropped for being too long.",
)
SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe.")
# A key of the recipe is an option, too: --learning-rate 1e-4. One that Axolotl does not know is an error of the check.
KEYS = click.argument("keys", nargs=-1, type=click.UNPROCESSED, metavar="[--KEY VALUE]...")
ANY_KEY = {"ignore_unknown_options": True}
DATA = click.option("--mix", metavar="MIX", help="Take the rows from another mixture: a name in data/, or a folder.")


@main.command(context_settings=ANY_KEY)
@click.argument("recipe")
@SET
@GPU
@MAX_DROPPED
@click.option("--price", type=click.FloatRange(0), help="Price of one GPU-hour, to estimate the cost of training.")
@DATA
@click.option("--fresh", is_flag=True, help="Use nothing that earlier checks have kept in .cache/check.")
@KEYS
def check(
    recipe: str,
    overrides: tuple[str, ...],
    gpu: str | None,
    max_dropped: float,
    price: float | None,
    mix: str | None,
    fresh: bool,
    keys: tuple[str, ...],
) -> None:
    """Check a recipe's keys, data, machine and prompts without training it.

    What passed is kept, and found again only where something that decides it has changed.

    Example: ecom-train check mistral-qlora --gpu 24gb --price 0.5 --learning-rate 1e-4
    """
    if fresh:
        from recipes.runner.preflight.kept import store

        store.clear()
    _checked(_loaded(recipe, overrides, mix, keys), gpu, max_dropped, price)


@main.command(context_settings=ANY_KEY)
@click.argument("recipe")
@click.option("--run", required=True, help="Name of the new run: its folder is runs/NAME.")
@SET
@MAX_DROPPED
@DATA
@click.option("--gpus", type=click.IntRange(1), help="GPUs on every node; a recipe that shards the model takes all.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Number of machines.")
@click.option("--head", metavar="HOST:PORT", help="Address of the first node, where all meet; not needed under SLURM.")
@KEYS
def train(
    recipe: str,
    run: str,
    overrides: tuple[str, ...],
    max_dropped: float,
    mix: str | None,
    gpus: int | None,
    nodes: int,
    head: str | None,
    keys: tuple[str, ...],
) -> None:
    """Check a recipe, then train it; everything is written to runs/NAME.

    Example: ecom-train train demo-qlora --run demo-qlora --seed 1
    """
    from recipes.runner.capacity import hardware
    from recipes.runner.records.layout import CHECKED, folder
    from recipes.runner.training import launch
    from recipes.runner.training.train import train as training
    from recipes.runner.training.train import vacant

    where, loaded = folder(run), _loaded(recipe, overrides, mix, keys)
    try:
        vacant(run)
        launched = launch.plan(loaded.keys, gpus, nodes, head, len(hardware.gpus()))
    except InputError as error:  # of the command: the recipe's own faults come first
        raise InputError(NEXT.join([*_faults(loaded), str(error)])) from error
    if nodes > 1 and not launched.slurm:
        click.echo(f"on every other node, once it trains here: ecom-train join {run}")
    checked = partial(_checked, max_dropped=max_dropped, gpus=launched.gpus * launched.nodes)
    training(loaded, run, checked, progress(where / "logs" / "train.log"), launched)
    click.echo(f"trained: {where} (what was checked: {where / CHECKED}; merge it with: make merge-{run})")


@main.command()
@RUN
def join(run: str) -> None:
    """Join a multi-node run from this node; the run's folder must be on a disk that all nodes share.

    Example: ecom-train join mistral-full-zero3
    """
    from recipes.runner.records.layout import folder
    from recipes.runner.training.train import join as joining

    joining(folder(run), progress(folder(run) / "logs"))


@main.command()
@RUN
def resume(run: str) -> None:
    """Continue an interrupted run from its last checkpoint, with the same rows in the same order.

    Example: ecom-train resume demo-qlora
    """
    from recipes.runner.records.layout import folder
    from recipes.runner.training.train import resume as resuming

    done = resuming(folder(run), progress(folder(run) / "logs" / "train.log"))
    click.echo(f"trained: {done} (merge it with: make merge-{run})")


@main.command(hidden=True)
@RUN
def mix(run: str) -> None:
    """Print the folder of the mixture that a run was trained on, whose test split it is scored on.

    Example: ecom-train mix demo-qlora
    """
    from recipes.runner.records.layout import folder
    from recipes.runner.records.provenance import test_rows

    click.echo(test_rows(folder(run)).parent)


@main.command("recipes")
def table() -> None:
    """Print the recipes for GPUs with their estimated memory and time.

    Example: ecom-train recipes
    """
    from recipes.runner.preflight import report

    click.echo("\n".join(report.recipes()))


@main.command()
@click.argument("name")
@click.option("--run", "start", is_flag=True, help="Train the runs one after another, skipping those already trained.")
def sweep(name: str, start: bool) -> None:
    """Print the commands of a sweep, or train it; it first makes those of its mixtures and base models that are not there.

    Example: ecom-train sweep rate-by-rank
    """
    from recipes.runner.records.layout import folder
    from recipes.runner.training import sweep as sweeps

    plan = sweeps.load(name)
    if not start:
        click.echo("\n".join(sweeps.lines(plan)))
        return
    for mix, words in sweeps.builds(plan).items():
        if not (Path("data") / mix).exists():
            _must(words, f"its mixture {mix}")
    trainings = list(sweeps.trainings(plan))
    # a key that is misspelt in the last of them would stop the sweep after all the others were trained
    new = [training for training in trainings if not folder(training.run).exists()]
    loaded = (_loaded(plan.recipe, training.overrides, training.mix, ()) for training in new)
    if faults := dict.fromkeys(fault for recipe in loaded for fault in _faults(recipe)):
        raise InputError(NEXT.join(faults))
    for base, words in sweeps.bases(plan).items():
        if not Path(base).exists():
            _must(words, f"its base model {base}")
    for training in trainings:
        _train(plan.recipe, training)


def _train(recipe: str, training: "Training") -> None:
    """Train one run of a sweep, or go on with it; one that is trained and would be the same now is left as it is."""
    from recipes.runner.records import provenance
    from recipes.runner.records.layout import folder
    from recipes.runner.training import sweep

    run = folder(training.run)
    if not run.exists():
        _must(training.command(recipe), training.run)
        return
    record = provenance.read(run)
    for fault in sweep.differences(record, _loaded(recipe, training.overrides, training.mix, ())):
        raise InputError(f"{run}: is there from an earlier sweep, and {fault}: move it away: mv {run} {run}.old")
    if record["status"] in ("trained", "merged"):
        click.echo(f"{training.run}: trained already")
    else:
        _must(["ecom-train", "resume", training.run], training.run)


def _must(words: Sequence[str], what: str) -> None:
    """Run one of our commands; where it fails, the sweep ends."""
    from recipes.runner.training import process

    if process.ours(words):
        raise InputError(f"the sweep stopped at {what}; run it again to continue")


def _loaded(name: str, overrides: tuple[str, ...], mix: str | None, keys: tuple[str, ...]) -> "Recipe":
    from recipes.runner import recipe as recipes
    from recipes.runner.capacity import hardware
    from recipes.runner.preflight import machine

    folder = str(Path("data") / mix) if mix and Path(mix).name == mix and not Path(mix).is_dir() else mix
    loaded = recipes.load(recipes.find(name), [*overrides, *recipes.joined(keys)], folder)
    return machine.fitted(loaded, hardware.gpus())


def _faults(recipe: "Recipe") -> list[str]:
    """Return the faults of a recipe's keys, none of them printed."""
    from recipes.runner.preflight import lint

    with _quiet():
        faults = told(lint.lint, recipe)
    return [line for fault in faults for line in fault.split(NEXT)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of what Axolotl and its libraries log while a check asks them: the training says it again."""
    from recipes.runner.training import process

    os.environ.update(process.QUIET)  # this process loads Axolotl, too
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _checked(
    recipe: "Recipe",
    gpu: str | None = None,
    max_dropped: float = 0.01,
    price: float | None = None,
    gpus: int | None = None,
) -> "Checked":
    """Check a recipe and print the result; an estimate refuses only a GPU that was named."""
    from recipes.runner.preflight import check as checks
    from recipes.runner.preflight import report

    machine = checks.machine(gpu, recipe, gpus)
    with _quiet():
        valid = checks.validate(recipe, machine)
        click.echo(report.machine(recipe))
        click.echo(report.batch(recipe, machine.gpus))
        if valid.model and machine.card:
            click.echo("\n".join(report.memory(*valid.model, machine.card)))
        checked = checks.check(recipe, machine, max_dropped, valid)
    click.echo("\n".join(report.passed(recipe, checked)))
    if valid.model and machine.card:
        click.echo(report.time(checked, *valid.model, machine.card, price))
    for warning in report.warnings(recipe, checked):
        click.echo(warning, err=True)
    return checked
