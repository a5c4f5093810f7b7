"""``make bench``: speed and memory as ratios, both sides measured in one run on generated data.

What is held against the build before the work on speed (``before``) is printed with its goal and whether that is met; all else
is held against usual libraries. ``python -m tests.bench NAME ...`` prints some parts alone.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    applying,
    bm25,
    build,
    check,
    converting,
    cpu,
    decide,
    engine,
    metrics,
    near,
    predict,
    retrieval,
    score,
    shops,
    suite,
    workers,
)

PARTS: dict[str, Callable[[Path], object]] = {
    "build": lambda folder: build.compare(folder, many=True),
    "workers": workers.compare,
    "near": near.compare,
    "score": lambda folder: score.compare(folder, 1_000_000),
    "check": lambda folder: check.compare(),
    "predict": lambda folder: predict.compare(),
    "suite": lambda folder: suite.main(),
    "engine": engine.compare,
    "decide": lambda folder: decide.compare(),
    "converting": converting.compare,
    "shops": shops.compare,
    "bm25": lambda folder: bm25.compare(),
    "retrieval": lambda folder: retrieval.compare(),
    "metrics": lambda folder: metrics.main(),
    "applying": lambda folder: applying.compare(),
    "cpu": lambda folder: cpu.compare(),
}


def main(names: list[str]) -> None:
    """Print the ratios of these parts, of all where none is named."""
    for name in names or PARTS:
        if name not in PARTS:
            raise SystemExit(f"no part {name!r}: there are {', '.join(PARTS)}")
        print(f"# {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
