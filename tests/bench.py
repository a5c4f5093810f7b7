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

from converters.demo import mave, products
from converters.outcome import Outcome
from converters.raw import decoded
from converters.sources.mave import Product
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


def memory(folder: Path) -> None:
    """Convert 1x and 10x the rows, each in a process of its own."""
    peaks = []
    for number in (ROWS // 10, ROWS):
        path = rows(folder / f"{number}.jsonl", number)
        command = [
            sys.executable,
            "-m",
            "converters.cli",
            "convert",
            "mave",
            str(path),
            "--out",
            str(folder / "out.jsonl"),
        ]
        measure = (
            "import subprocess, resource, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        )
        measure += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
        peaks.append(
            int(subprocess.run([sys.executable, "-c", measure, *command], capture_output=True, check=True).stdout)
        )
    ratio = peaks[1] / peaks[0]
    print(f"convert {ROWS // 10:,} and {ROWS:,} rows: {peaks[0]} and {peaks[1]} MiB, ratio {ratio:.2f}")


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
        memory(Path(folder))
    scoring()


if __name__ == "__main__":
    main()
