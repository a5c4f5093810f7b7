"""What the decisions that need all rows take, by the number of rows: the head of converters.core.cluster draws on it.

``python -m tests.bench.decide [MILLIONS ...]``: made-up columns, random but for what repeats in real ones; no texts.
"""

import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from converters import tasks
from converters.mixture import plan
from converters.mixture.shards import DTYPE, UNPINNED
from converters.mixture.spec import Entry, Spec

ENTRIES = [Entry(source="mave", paths=["a"]), Entry(source="general", paths=["b"])]
SPEC = Spec(sources=ENTRIES, general_share=0.05, near_duplicates=None)


def columns(count: int) -> pd.DataFrame:
    """Return a table as :func:`plan.table` makes it: one row in ten is general, two of three share their group with another."""
    draw, rows = np.random.default_rng(0), np.zeros(count, DTYPE)
    for name in ("id", "prompt"):
        rows[name] = draw.integers(0, 2**64 - 1, count, np.uint64)
    rows["group"] = rows["id"][draw.integers(0, count, count)]
    rows["product"], rows["alias"] = rows["group"], rows["group"]
    rows["alias"][::3] = draw.integers(0, 2**64 - 1, len(rows[::3]), np.uint64)
    rows["prompt"][1::50] = rows["prompt"][: len(rows[1::50])]
    rows["target"] = draw.integers(0, 2**64 - 1, 5000, np.uint64)[draw.integers(0, 5000, count)]
    rows["size"], rows["official"] = 1500, UNPINNED
    rows["task"] = tasks.names().index("attributes")
    rows["task"][: count // 10] = tasks.names().index("general")
    return pd.DataFrame(rows).assign(
        entry=(np.arange(count) < count // 10).astype(np.int16),
        split=np.int8(plan.TRAIN),
        times=np.int32(1),
        reason=pd.Categorical.from_codes(np.full(count, plan.KEPT, np.int8), pd.Index(plan.REASONS)),
    )


def measure(count: int) -> None:
    """Print seconds of processor and bytes a row, of the table alone and at the peak of the decisions."""
    rows = columns(count)
    before, table = time.process_time(), int(rows.memory_usage().sum())
    plan.decide(rows, SPEC)
    plan.finish(rows, SPEC)
    spent, peak = time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    left = f"{int(plan.kept(rows).sum()):,} of them kept"
    print(f"{count / 1e6:g} million rows, {left}: {spent:.1f} s, {spent / count * 1e6:.2f} us a row")
    print(f"  {table / count:.0f} bytes a row in the table, {peak / count:.0f} at the peak of the process")


def compare(*millions: str) -> None:
    """Measure each number of rows in a process of its own: a peak is that of a process."""
    for number in millions or ("1", "5", "10"):
        subprocess.run([sys.executable, "-m", "tests.bench.decide", "one", number], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        measure(int(float(sys.argv[2]) * 1e6))
    else:
        compare(*sys.argv[1:])
