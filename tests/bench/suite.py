"""The suite's wall time before the work on speed and now, in one run, and that no test is lost: python -m tests.bench.suite.

``JOBS=1`` is for one core; ``--collect`` compares the names of the tests alone.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from tests.bench.before import ROOT, tree
from tests.bench.goals import told

GOAL = 1 / 0.7
SLOWEST = 20
RENAMED = {  # a test's name before, and its name now
    "converters/mixture/plan.py::converters.mixture.plan.shingles": (
        "converters/mixture/runs.py::converters.mixture.runs.shingles"
    ),
    "eval/inference/backends/transformers.py::eval.inference.backends.transformers.grouped": (
        "eval/inference/backends/_batches.py::eval.inference.backends._batches.by_rows"
    ),
    "converters/mixture/plan.py::converters.mixture.plan.general_rows": (
        "converters/mixture/plan/decisions.py::converters.mixture.plan.decisions.general_rows"
    ),
    "eval/metrics/classification.py::eval.metrics.classification.nodes": (  # which are counted without being made
        "eval/metrics/classification.py::eval.metrics.classification.node_counts"
    ),
}
# What a checkout has beside its files, by the start of its path.
BESIDE = (".venv", ".venv-export", ".venv-vllm", ".cache/smollm2")


class Ran(NamedTuple):
    """A run of the suite: pytest's exit code, wall seconds, and of each test seconds and whether it was skipped."""

    code: int
    wall: float
    tests: dict[str, tuple[float, bool]]


def checkout() -> Path:
    """Return the old tree with this checkout's environments and real rows in their places beside it."""
    folder = tree()
    for path in [*(path for name in BESIDE for path in ROOT.glob(f"{name}*")), ROOT.parent / "shared"]:
        place = folder.parent / "shared" if path.name == "shared" else folder / path.relative_to(ROOT)
        place.parent.mkdir(exist_ok=True)
        if path.exists() and not place.exists():
            place.symlink_to(path)
    return folder


def pytest(folder: Path, *words: str) -> tuple[int, str]:
    """Run pytest in a checkout as ``make test`` does; return its exit code and what it printed."""
    quiet = {
        "AXOLOTL_DO_NOT_TRACK": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
    }
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    # The environment's own commands are of this checkout: the path makes them those of the other.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder, env=env | quiet | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def collected(folder: Path) -> set[str]:
    """Return the names of a checkout's tests."""
    code, said = pytest(folder, "--collect-only", "-q", "-p", "no:cacheprovider")
    if code:
        raise SystemExit(said[-2000:])
    return {line for line in said.splitlines() if "::" in line and not line.startswith(" ")}


def lost(before: set[str], now: set[str]) -> list[str]:
    """Return the old tests that are no more, under their own name or their new one.

    >>> lost({"a::one", "a::two"}, {"a::one", "b::two"})
    ['a::two']
    """
    return sorted(name for name in before if RENAMED.get(name, name) not in now)


def ran(folder: Path) -> Ran:
    """Run a checkout's whole suite, as its ``make test`` does."""
    report = folder / ".pytest_cache" / "suite.xml"
    start = time.perf_counter()
    jobs = ("-n", os.environ.get("JOBS", "2"), "--dist", "loadfile", "--no-loadscope-reorder")
    code, said = pytest(folder, "-q", *jobs, f"--junit-xml={report}")
    wall = time.perf_counter() - start
    if code:
        print("\n".join(line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))))
    tests = {f"{case.get('classname')}::{case.get('name')}": case for case in ET.parse(report).iter("testcase")}
    found = {name: (float(case.get("time", 0)), case.find("skipped") is not None) for name, case in tests.items()}
    return Ran(code, wall, found)


def main() -> None:
    """Print whether a test is lost, both wall times, their ratio, and the slowest twenty tests."""
    folder = checkout()
    before, now = collected(folder), collected(ROOT)
    gone = lost(before, now)
    print(f"tests: {len(before)} before, {len(now)} now, {len(RENAMED)} renamed, {len(gone)} lost")
    print("".join(f"lost: {name}\n" for name in gone), end="")
    if "--collect" not in sys.argv:
        old, new = ran(folder), ran(ROOT)
        told("the suite", old.wall, new.wall, "s", GOAL)
        print(f"exit code {old.code} before, {new.code} now")
        skipped = [name for name, (_, skips) in new.tests.items() if skips and not old.tests.get(name, (0, True))[1]]
        print("".join(f"skipped now: {name}\n" for name in skipped), end="")
        for name, (seconds, _) in sorted(new.tests.items(), key=lambda test: -test[1][0])[:SLOWEST]:
            print(f"{seconds:7.1f} s  {name}")
    if gone:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
