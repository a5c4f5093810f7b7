"""``make bench``: speed and memory as ratios, both sides measured in one run on generated data."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from converters import mix
from converters.convert import collected, convert, units
from converters.demo import mave, products
from converters.outcome import Outcome
from converters.raw import decoded
from converters.sources.mave import Product
from converters.spec import Entry, Spec
from converters.write import write_splits
from eval import metrics, stats
from eval.metrics.base import Example

ROWS = 40_000


def rows(path: Path, number: int) -> Path:
    """Write ``number`` MAVE-shaped rows."""
    draw = random.Random(0)
    names, patterns = products.brands(0)["train"], products.patterns(0)["train"]
    items = [products.product(draw, n, names) for n in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in mave.positives(draw, items, patterns)), "utf-8")
    return path


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Return the median time of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def typed(path: Path) -> int:
    """Decode and validate every line with the source's typed structs."""
    return sum(not isinstance(value, Outcome) for _, value in decoded([path], Product))


def plain(path: Path) -> int:
    """Do the same with the standard library and checks by hand."""
    good = 0
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            texts = all(isinstance(p["text"], str) and isinstance(p["source"], str) for p in row["paragraphs"])
            spans = (e for a in row["attributes"] if isinstance(a["key"], str) for e in a["evidences"])
            kinds = {"value": str, "pid": int, "begin": int, "end": int}
            good += (
                isinstance(row["id"], str)
                and texts
                and all(isinstance(e[k], t) for e in spans for k, t in kinds.items())
            )
    return good


def decoding(folder: Path) -> None:
    """Compare the two ways to decode."""
    path = rows(folder / "rows.jsonl", ROWS)
    assert typed(path) == plain(path) == ROWS
    ours, theirs = seconds(lambda: typed(path)), seconds(lambda: plain(path))
    print(
        f"decode and validate {ROWS:,} MAVE rows, against stdlib json: {theirs / ours:.1f}x ({ROWS / ours:,.0f} rows/s)"
    )


def mapping(folder: Path) -> None:
    """Decode and validate once more, against the usual pipeline of ``datasets``."""
    import datasets

    datasets.disable_progress_bars()
    path = rows(folder / "mapped.jsonl", ROWS)

    def mapped() -> None:
        cache = Path(tempfile.mkdtemp(dir=folder))
        loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache))
        loaded.map(lambda row: {"good": bool(row["id"] and row["paragraphs"] and row["attributes"])})

    ours, theirs = seconds(lambda: typed(path), 3), seconds(mapped, 1)
    print(f"the same, against datasets' load and map: {theirs / ours:.1f}x")


def peak(*command: str) -> int:
    """Return the most memory that a command held, in MiB."""
    measure = "import subprocess, resource, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    measure += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    return int(subprocess.run([sys.executable, "-c", measure, *command], capture_output=True, check=True).stdout)


def memory(folder: Path) -> None:
    """Convert 1x and 10x the rows, each in a process of its own."""
    command = (sys.executable, "-m", "converters.cli", "convert", "mave", "--out", str(folder / "out.jsonl"))
    few, many = (peak(*command, str(rows(folder / f"{n}.jsonl", n))) for n in (ROWS // 2, ROWS * 5))
    print(f"convert {ROWS // 2:,} and {ROWS * 5:,} rows: {few} and {many} MiB, ratio {many / few:.2f}")


def mixing(folder: Path) -> None:
    """Decide, shuffle and write the splits of converted rows, against ``cp`` of their file."""
    entry = Entry(source="mave", paths=[str(folder / f"{ROWS * 5}.jsonl")])
    spec = Spec(sources=[entry], general_share=0.0, near_duplicates=None)
    converted = [collected(entry, [convert(unit, folder / "parts") for unit in units(0, entry, 0)])]
    source = converted[0].parts[0].rows

    def ours() -> None:
        table = mix.table(converted)
        mix.decide(table, spec)
        mix.finish(table, spec)
        with tempfile.TemporaryDirectory(dir=folder) as out:
            write_splits(Path(out), table, converted, 0)

    fast, slow = seconds(lambda: subprocess.run(["cp", source, folder / "copy"], check=True)), seconds(ours)
    size = source.stat().st_size / 2**20
    print(f"decide, shuffle and write {size:.0f} MiB of rows, against cp of them: {slow / fast:.1f}x its time")


def scoring() -> None:
    """Compare weighted F1 and its bootstrap with scikit-learn's function in a loop."""
    from sklearn.metrics import f1_score

    draw = np.random.default_rng(0)
    gold, said = (draw.integers(0, 200, 5000).astype(str) for _ in range(2))
    examples = [Example(str(n), str(n), (g,), (s,)) for n, (g, s) in enumerate(zip(gold, said, strict=True))]
    metric, labels, groups = metrics.get("weighted_f1"), sorted(set(gold)), [e.group for e in examples]
    table = metric.table(examples, str)
    ours = stats.value(table, metric)
    theirs = f1_score(gold, said, labels=labels, average="weighted", zero_division=0)
    assert abs(ours - theirs) < 1e-12
    loop, repeats = 20, 1000

    def sklearn_bootstrap() -> None:
        for _ in range(loop):
            chosen = draw.integers(0, len(gold), len(gold))
            f1_score(gold[chosen], said[chosen], labels=labels, average="weighted", zero_division=0)

    fast = seconds(lambda: stats.bootstrap([(table, metric)], groups, repeats), 3) / repeats
    slow = seconds(sklearn_bootstrap, 3) / loop
    print(f"one bootstrap resample of weighted F1 (5,000 rows, 200 classes), against scikit-learn: {slow / fast:.0f}x")


def main() -> None:
    """Print all ratios."""
    with tempfile.TemporaryDirectory() as folder:
        decoding(Path(folder))
        mapping(Path(folder))
        memory(Path(folder))
        mixing(Path(folder))
    scoring()


if __name__ == "__main__":
    main()
