"""``ecom-train``: check, train and merge recipes."""

import logging
import os
import shlex
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
# A key of the recipe is an option, too: --learning-rate 1e-4. One that Axolotl does not know is an error of the check.
KEYS = click.argument("keys", nargs=-1, type=click.UNPROCESSED, metavar="[--KEY VALUE]...")
ANY_KEY = {"ignore_unknown_options": True}
DATA = click.option("--mix", metavar="FOLDER", help="Take the recipe's files from another mix.")
RUN = click.argument("run")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Check a recipe, train it with Axolotl, merge the result."""


@main.command(context_settings=ANY_KEY)
@click.argument("recipe")
@SET
@CARD
@LOSE
@click.option("--price", type=float, help="What a GPU costs an hour, to estimate the cost of a training.")
@DATA
@KEYS
def check(
    recipe: str,
    overrides: tuple[str, ...],
    card: str | None,
    lose: float,
    price: float | None,
    mix: str | None,
    keys: tuple[str, ...],
) -> None:
    """Check keys, data, machine and prompts of a recipe without training it.

    Example: ecom-train check mistral-qlora --card 24gb --price 0.5 --learning-rate 1e-4
    """
    _checked(_loaded(recipe, overrides, mix, keys), card, lose, price)


@main.command(context_settings=ANY_KEY)
@click.argument("recipe")
@click.option("--run", required=True, help="Name of the new run: its folder is runs/NAME.")
@SET
@LOSE
@DATA
@click.option("--gpus", type=click.IntRange(1), help="GPUs on every node; a recipe that divides the model takes all.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines that train together.")
@click.option("--head", metavar="HOST:PORT", help="Where the nodes meet, on the first one; SLURM needs none.")
@KEYS
def train(
    recipe: str,
    run: str,
    overrides: tuple[str, ...],
    lose: float,
    mix: str | None,
    gpus: int | None,
    nodes: int,
    head: str | None,
    keys: tuple[str, ...],
) -> None:
    """Check a recipe, then train it; all of the run lies in runs/NAME.

    Example: ecom-train train demo-qlora --run demo-qlora --seed 1
    """
    from recipes.runner import hardware, launch
    from recipes.runner.train import train as training

    loaded = _loaded(recipe, overrides, mix, keys)
    hardware.require(loaded)
    launched = launch.plan(loaded.keys, gpus, nodes, head, len(hardware.gpus()))
    if nodes > 1 and not launched.slurm:
        click.echo(f"on every other node, once it trains here: ecom-train join {run}")
    folder = training(loaded, run, partial(_checked, lose=lose), _echo, launched)
    click.echo(f"trained: {folder} (merge it with: ecom-train merge {run})")


@main.command()
@RUN
def join(run: str) -> None:
    """Train a run of several nodes on this one, too; runs/NAME lies on a disk that the nodes share.

    Example: ecom-train join mistral-full-zero3
    """
    from recipes.runner.train import folder
    from recipes.runner.train import join as joining

    joining(folder(run), _echo)


@main.command()
@RUN
def resume(run: str) -> None:
    """Go on with an interrupted run from its last checkpoint, with the same rows in the same order.

    Example: ecom-train resume demo-qlora
    """
    from recipes.runner.resume import resume as resuming
    from recipes.runner.train import folder

    click.echo(f"trained: {resuming(folder(run), _echo)} (merge it with: ecom-train merge {run})")


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

    merged = merging(folder(run), _echo, held)
    found = provenance.read(folder(run))["merge"]["gate"]["likeness"]
    click.echo(
        f"gate     {found['tokens']} answer tokens of {found['rows']} held rows: greedy agreement {found['agreement']:.4f}, "
        f"cosine {found['cosine']:.4f}, loss {found['loss_adapter']:.4f} before and {found['loss_merged']:.4f} after"
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
            raise InputError(
                f"{where}: the chain is broken at '{link.name}': {link.what} is not what the run was made from"
            )
    gone = states.count(chain.GONE)
    rest = f"; {gone} not here to check" if gone else ""
    click.echo(f"{where}: {states.count(chain.HOLDS)} of {len(states)} links hold, none is broken{rest}")


@main.command()
@RUN
@click.option("--format", "form", required=True, help="fp8, int8, awq or gguf.")
@click.option("--data", type=FILE, help="Test rows; by default the test split of the run's mix.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Prompts at a time.")
@click.option("--max-new-tokens", default=128, show_default=True, type=click.IntRange(1), help="Longest answer.")
@click.option("--converter", type=FILE, help="llama.cpp's convert_hf_to_gguf.py, for gguf.")
def export(
    run: str, form: str, data: Path | None, batch_size: int, max_new_tokens: int, converter: Path | None
) -> None:
    """Quantise a merged run and score the result beside it; all of it lies in runs/NAME/exports.

    Example: ecom-train export demo-qlora --format fp8
    """
    from converters import jsonl
    from recipes.runner import export as exporting
    from recipes.runner import parity
    from recipes.runner.train import MERGED, folder

    where = folder(run)
    made = exporting.export(where, form, converter, _echo)
    click.echo(f"exported: {made}")
    names = exporting.scorable(where)
    rows = data or exporting.test_rows(where)
    exporting.evaluate(where, (MERGED, *names), rows, batch_size, max_new_tokens, _echo)
    lines = parity.table(where, names, exporting.compare(where, names, _echo))
    text = parity.markdown(lines)
    jsonl.write_json(where / exporting.EXPORTS / "parity.json", lines)
    with jsonl.replacing(where / exporting.EXPORTS / "parity.md") as file:
        file.write(text.encode())
    click.echo(f"\n{text}\nparity table: {where / exporting.EXPORTS / 'parity.md'}")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "form", required=True, type=click.Choice(["fp8", "int8", "awq"]))
@click.option("--data", required=True, type=FILE, help="Rows that calibrate: the training split.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the quantised checkpoint.")
def quantise(checkpoint: Path, form: str, data: Path, out: Path) -> None:
    """Quantise a checkpoint with llm-compressor; 'export' does it in an environment that has it.

    Example: ecom-train quantise runs/demo-qlora/merged --format int8 --data data/demo/train.jsonl --out /tmp/int8
    """
    from importlib.util import find_spec

    from converters import jsonl
    from recipes.runner.quantise import quantise as quantising

    if not find_spec("llmcompressor"):
        raise InputError("found no llmcompressor here, expected the environment that 'ecom-train export' makes")
    quantising(checkpoint, form, jsonl.read_rows(data), out)


@main.command()
@click.argument("file", type=FILE)
@click.option("--tokenizer", required=True, type=click.Path(path_type=Path, exists=True), help="The merged checkpoint.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the checkpoint.")
def unpack(file: Path, tokenizer: Path, out: Path) -> None:
    """Write a GGUF file's weights as a checkpoint that can be evaluated; 'export' does it in an environment that can.

    Example: ecom-train unpack runs/mine/exports/gguf/model/mine.gguf --tokenizer runs/mine/merged --out /tmp/unpacked
    """
    from recipes.runner.quantise import unpack as unpacking

    unpacking(file, tokenizer, out)


@main.command()
@RUN
@click.option("--format", "form", help="An export instead of the merged checkpoint: fp8, int8 or awq.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--print", "only_print", is_flag=True, help="Print the command and do not run it.")
def serve(run: str, form: str | None, host: str, port: int, only_print: bool) -> None:
    """Serve a merged run with vLLM, with prefix caching and the template it was trained on.

    Example: ecom-train serve demo-qlora --print
    """
    from recipes.runner import serve as serving
    from recipes.runner.export import test_rows
    from recipes.runner.train import folder

    words = serving.command(folder(run), form, host, port)
    click.echo(shlex.join(words))
    ask = serving.smoke(folder(run), test_rows(folder(run)), host, port)
    click.echo(f"a first request, once it serves: {shlex.join(ask)}", err=True)
    if only_print:
        return
    program = serving.program()
    if not program:
        raise InputError(
            "vLLM is not installed here: install it on the machine that serves (pip install vllm, an environment of "
            "its own) and run the command above there"
        )
    os.execv(program, words)


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
    from recipes.runner import provenance
    from recipes.runner import sweep as sweeps
    from recipes.runner.train import folder

    found = sweeps.load(name)
    if not start:
        click.echo("\n".join(sweeps.lines(found)))
        return
    for one in sweeps.trainings(found):
        run = folder(one.run)
        if run.exists() and provenance.read(run).get("status") in ("trained", "merged"):
            click.echo(f"{one.run}: trained already")
            continue
        words = ["resume", one.run] if run.exists() else one.command(found.recipe)[1:]
        if subprocess.run([Path(sys.executable).with_name("ecom-train"), *words]).returncode:
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


def _loaded(name: str, overrides: tuple[str, ...], mix: str | None, keys: tuple[str, ...]) -> "Recipe":
    from recipes.runner import hardware
    from recipes.runner import recipe as recipes

    return hardware.fitted(recipes.load(recipes.find(name), [*overrides, *recipes.joined(keys)], mix), hardware.gpus())


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
