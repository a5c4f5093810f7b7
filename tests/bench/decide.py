"""What the decisions that need all rows take, by the number of rows: the head of converters.core.cluster draws on it.

``python -m tests.bench.decide [MILLIONS ...]``: made-up columns, random but for what repeats in real ones; no texts.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.hashing import BITS
from converters.mixture.plan import decisions
from converters.mixture.plan.table import kept, table
from converters.mixture.shards import UNPINNED, Shard
from converters.mixture.spec import Entry, Spec
from tests.converters import _columns

ENTRIES = [Entry(source="mave", paths=["a"]), Entry(source="general", paths=["b"])]
SPEC = Spec(sources=ENTRIES, general_share=0.05, near_duplicates=None)


def write(folder: Path, count: int) -> None:
    """Write shards of ``count`` rows: one row in ten is general, two of three share their group with another."""
    draw = np.random.default_rng(0)

    def hashes(number: int) -> NDArray[np.uint64]:
        return draw.integers(0, 2**BITS, number, np.uint64)

    rows = {"id": hashes(count), "prompt": hashes(count)}
    rows["group"] = rows["id"][draw.integers(0, count, count)]
    rows["product"], rows["alias"] = rows["group"], rows["group"].copy()
    rows["alias"][::3] = hashes(len(rows["alias"][::3]))
    rows["prompt"][1::50] = rows["prompt"][: len(rows["prompt"][1::50])]
    rows["target"] = hashes(5000)[draw.integers(0, 5000, count)]
    some = [slice(count // 10, count), slice(count // 10)]
    for entry, task, here in zip(ENTRIES, ("attributes", "general"), some, strict=True):
        own = {name: values[here] for name, values in rows.items()}
        number, size = len(own["id"]), 1500
        alike = {"size": size, "official": UNPINNED, "task": tasks.names().index(task)}
        _columns.shard(folder / entry.source, own | {name: np.full(number, value) for name, value in alike.items()})


def shards(folder: Path, count: int) -> list[Shard]:
    """Return what :func:`write` wrote."""
    numbers = (count - count // 10, count // 10)
    return [_columns.counted(folder / entry.source, n, entry) for entry, n in zip(ENTRIES, numbers, strict=True)]


def measure(folder: Path, count: int) -> None:
    """Print seconds of processor, and what the decisions add to the memory of the process."""
    rows = table(shards(folder, count), folder)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    decisions.decide(rows, SPEC)
    decisions.finish(rows, SPEC)
    spent, more = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    left = f"{int(kept(rows).sum()):,} of them kept"
    print(f"{count / 1e6:g} million rows, {left}: {spent:.1f} s, {spent / count * 1e6:.2f} us a row")
    print(
        f"  {more / 1024:.0f} MiB more at the peak, {more * 1024 / count:.0f} bytes a row; {before / 1024:.0f} MiB before"
    )


def compare(*millions: str) -> None:
    """Measure each number of rows in a process of its own: a peak is that of a process."""
    for number in millions or ("1", "5", "10"):
        with tempfile.TemporaryDirectory() as folder:
            for step in ("write", "measure"):
                subprocess.run([sys.executable, "-m", "tests.bench.decide", step, folder, number], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] in (["write"], ["measure"]):
        step = write if sys.argv[1] == "write" else measure
        step(Path(sys.argv[2]), int(float(sys.argv[3]) * 1e6))
    else:
        compare(*sys.argv[1:])
