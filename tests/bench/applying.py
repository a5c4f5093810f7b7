"""``ecom-eval apply`` beside ``predict`` on the very prompts that it sends, and its memory with few products and with many.

``python -m tests.bench.applying [PRODUCTS]``: ``apply`` is to label at least 0.9 times the rows a second that ``predict`` answers
with confidence on, and to keep within 1.2 times the memory of 1,000 products. The model is the demo's, of the checkout in DEMO in
which ``make demo`` has run, or else one of its shape with random weights.
"""

import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from converters.io import jsonl
from converters.schema import Attributes, Row, Turn
from eval.cli import main
from eval.production.applying import catalog, learnt
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY, Learnt
from recipes.runner.demo import products

RUN, MIX = "demo-qlora", "data/demo"
SPEED, WARM_UP, ROUNDS, GOAL = 1_200, 20, 4, 0.9
FEW, MANY, MOST = 1_000, 10_000, 1.2
HOW = ("--batch-size", "64", "--max-new-tokens", "64")  # the demo's answers are shorter, and random ones never end


def inputs(folder: Path) -> None:
    """Put the run and its mixture under ``folder``."""
    if demo := os.environ.get("DEMO"):
        for name in ("runs", "data"):
            (folder / name).symlink_to(Path(demo).resolve() / name)
        return
    run = folder / "runs" / RUN
    for words in (
        ("ecom-train", "demo-raw", "--out", "data/raw/demo"),
        ("ecom-data", "build", str(Path("recipes/mixes/demo.yaml").resolve()), "--out", MIX),
        ("ecom-train", "tiny-base", "--data", MIX, "--out", str(run / "merged")),
    ):
        program = Path(sys.executable).with_name(words[0])
        subprocess.run([program, *words[1:]], cwd=folder, check=True, capture_output=True)
    manifest = {"manifest": f"{MIX}/manifest.json", "sha256": jsonl.sha256(folder / MIX / "manifest.json")}
    jsonl.write_json(run / "run.json", {"started": "", "mixes": [manifest]})
    (run / "recipe.yaml").write_bytes(Path("recipes/demo-qlora.yaml").read_bytes())


def shop(path: Path, count: int) -> Path:
    """Write an export of made-up products without labels."""
    draw = random.Random(0)
    names, patterns = products.brands(0)["test"], products.patterns(0)["test"]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "product_name", "price"])
        for number in range(count):
            item = products.product(draw, number, names)
            table.writerow([item.asin, products.title(item, draw.choice(patterns)), f"{draw.randint(5, 300)}.99"])
    return path


def prompts(known: Learnt, export: Path) -> Iterator[Row]:
    """Yield rows with the prompts that ``apply`` sends for a catalogue, where no category has attributes of its own."""
    seen = catalog.opened(export, catalog.chosen(known.manifests))
    entry, most = catalog.limited(seen.entry, known.longest_row, known.merged)
    ask = catalog.asking(entry, known.longest, Counter(), most)
    assert not known.asked.of
    for item in catalog.items(seen):
        product = item.product
        assert product
        names = Attributes(product.id, product.group, product.texts, tuple((name, ()) for name in known.asked.usual))
        for task, record, meta in ((CATEGORY, product, {}), (ATTRIBUTES, names, {"attributes": known.asked.usual})):
            turns = [*ask(task, record), Turn("assistant", known.longest[task])]
            row = Row(id=f"{product.id}:{task}", group=product.group, task=task, source="shop", messages=turns)
            yield msgspec.structs.replace(row, meta=msgspec.json.encode(meta).decode())


def taken(*words: object) -> tuple[float, float]:
    """Return the seconds and the processor seconds of a command in this process, which has loaded all that it imports."""
    begin, used = time.perf_counter(), time.process_time()
    found = CliRunner().invoke(main, [*map(str, words), *HOW])
    assert found.exit_code == 0, found.output
    return time.perf_counter() - begin, time.process_time() - used


def speed(count: int) -> dict[str, list[tuple[float, float]]]:
    """Let both sides take turns, each with the whole of its work; the first round, of few products, warms up."""
    known, rows = learnt.read(RUN), Path("prompts.jsonl")
    limits = ("--confidence", "--constrain", "--paths", f"{MIX}/train.jsonl")
    figures: dict[str, list[tuple[float, float]]] = {"apply": [], "predict": []}
    for number, size in enumerate((WARM_UP, *[count] * ROUNDS)):
        export = shop(Path("new.csv"), size)
        jsonl.write_lines(rows, prompts(known, export))
        labelled, out = Path(f"apply-{number}", "labelled.jsonl"), Path(f"predict-{number}")
        commands = {
            "predict": ("--checkpoint", f"runs/{RUN}/merged", "--data", rows, "--out", out, *limits),
            "apply": ("--run", RUN, "--catalog", export, "--out", labelled),
        }
        for side in sorted(commands, reverse=bool(number % 2)):  # the load of a machine may rise or fall meanwhile
            figures[side].append(taken(side, *commands[side]))
        answers = [line["prediction"] for line in map(json.loads, (out / "predictions.jsonl").open())]
        assert [line["predicted_category"] for line in map(json.loads, labelled.open())] == answers[::2]
    return {side: found[1:] for side, found in figures.items()}


def memory(count: int) -> float:
    """Return the most memory, in MiB, that this process held while it labelled so many products."""
    taken("apply", "--run", RUN, "--catalog", shop(Path(f"{count}.csv"), count), "--out", f"{count}.labelled.csv")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(many: int = MANY) -> None:
    """Print the ratio of rows a second, and that of the memory with ``many`` products."""
    with tempfile.TemporaryDirectory() as folder:
        inputs(Path(folder))
        figures = _alone(folder, "speed", SPEED)
        (ours, used), (theirs, needed) = (map(sum, zip(*figures[side], strict=True)) for side in ("apply", "predict"))
        print(
            f"apply {SPEED:,} products, against predict of the same {2 * SPEED:,} prompts with confidence: "
            f"{theirs / ours:.2f}x its rows/s (goal {GOAL}x), {needed / used:.2f}x a processor second "
            f"({ROUNDS * 2 * SPEED / ours:.0f} prompts/s)"
        )
        few, more = (_alone(folder, "memory", count) for count in (FEW, many))
        print(
            f"apply {FEW:,} and {many:,} products: {few:.0f} and {more:.0f} MiB, ratio {more / few:.2f} (goal {MOST})"
        )


def _alone(folder: str, what: str, count: int) -> Any:
    """Return what one of the functions above finds in a process of its own, on one thread, as the demo has it."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    command = [sys.executable, "-m", "tests.bench.applying", what, str(count)]
    return json.loads(subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.PIPE).stdout)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps({"speed": speed, "memory": memory}[sys.argv[1]](int(sys.argv[2]))))
    else:
        compare(*map(int, sys.argv[1:]))
