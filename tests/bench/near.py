"""Near-duplicates and MAVE's join, against the build before the work on speed and against MAVE's own program.

``python -m tests.bench.near [RECORDS [PRODUCTS]]``. MAVE's program is run where ``MAVE`` names its checkout and ``MAVE_PYTHON`` a
Python with its requirements (https://github.com/google-research-datasets/MAVE); else a join with BeautifulSoup stands for it.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from converters.io.jsonl import sha256
from tests.bench import build
from tests.bench.before import BEFORE, environment, took
from tests.bench.goals import told

RECORDS, PRODUCTS = 200_000, 54_000  # of a mixture; of metadata, 78 MB
LARGER = 3  # times the products, once more: the real metadata is 12 GB packed, for which starting Python is nothing
NEAR_GOAL, JOIN_GOAL, MAVE_GOAL = 2.0, 1.3, 20.0

# A build that tells what its near-duplicates took and which rows they are.
_TIMED = """
import hashlib, importlib, json, sys, time
from converters.cli import main
home = importlib.import_module(f"converters.mixture.{sys.argv.pop(1)}")
drop = home.drop_near_duplicates
def timed(rows, *more, **named):
    start = time.process_time()
    drop(rows, *more, **named)
    took = time.process_time() - start
    reasons = rows.reason.cat.codes.to_numpy() if hasattr(rows, "columns") else rows.reason
    found = json.dumps([took, len(rows), int((reasons == 3).sum()), hashlib.sha256(reasons.tobytes()).hexdigest()])
    open(sys.argv[-1] + ".near", "w").write(found)
home.drop_near_duplicates = timed
main()
"""


def titles(folder: Path, number: int) -> Path:
    """Write a catalogue of short titles, of which each tenth differs from another one in one word; return the specification."""
    draw = random.Random(number)
    syllables = [a + b for a in ("b", "d", "k", "l", "m", "p", "r", "s", "t", "v", "st", "tr") for b in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.choice((1, 2, 2, 3)))) for _ in range(6000)]
    often = list(accumulate(1 / (n + 3) for n in range(len(words))))
    made = [draw.choices(words, cum_weights=often, k=draw.randint(4, 9)) for _ in range(number)]
    with (folder / "titles.jsonl").open("w") as file:
        for n, title in enumerate(made):
            if n % 10 == 9:
                title = [*made[draw.randrange(n)], draw.choice(words)]
            file.write(json.dumps({"id": f"B{n:09d}", "title": " ".join(title), "category": f"Shop > {n % 40}"}) + "\n")
    spec = "sources: [{source: catalog, paths: [titles.jsonl]}]\ngeneral_share: 0\n"
    (folder / "spec.yaml").write_text(spec)
    return folder / "spec.yaml"


def near(folder: Path, what: str, write: Callable[[Path, int], Path], records: int) -> None:
    """Build a mixture with both builds and print what its near-duplicates took, which must be the same rows."""
    folder.mkdir()
    write(folder, records)
    sides = [("plan", BEFORE), ("near", None)]
    before, now = (_near(folder, home, commit) for home, commit in sides)
    assert before[1:] == now[1:], f"{what}: other near-duplicates: {before[1:]}, {now[1:]}"
    told(f"near-duplicates of {what}: {now[2]:,} of {now[1]:,} rows, processor time", before[0], now[0], "s", NEAR_GOAL)


def _near(folder: Path, home: str, commit: str | None) -> list[Any]:
    words = ("build", "spec.yaml", "--set", "near_duplicates=0.8", "--workers", "1", "--out", home)
    _processor([sys.executable, "-c", _TIMED, home, *words], folder, environment(commit))
    told_of: list[Any] = json.loads((folder / f"{home}.near").read_text())
    files = {path.name: sha256(path) for path in sorted((folder / home).glob("*.jsonl"))}
    return [*told_of, files]


def _processor(command: Sequence[str | Path], folder: Path, variables: Mapping[str, str] | None = None) -> float:
    """Run a command and return the processor seconds that it took."""
    start = os.times()
    said = subprocess.run([*map(str, command)], cwd=folder, env=variables, capture_output=True, text=True)
    end = os.times()
    if said.returncode:
        raise SystemExit(f"{command[-1]}: ended with {said.returncode}: {said.stderr[-2000:]}")
    return end.children_user + end.children_system - start.children_user - start.children_system


def joins(folder: Path, products: int) -> None:
    """Join MAVE's labels with metadata by both builds and by MAVE's own program, and compare the records."""
    from tests.bench.converting import metadata, plain_join

    folder.mkdir()
    labels, meta = metadata(folder, products)
    size = meta.stat().st_size / 1e6
    files = ("--labels", labels, "--metadata", meta)
    sides = [("before", BEFORE, 1), ("now", None, 1), ("two", None, 2)]
    spent = {
        name: took("converters", "join-mave", *files, "--workers", str(workers), "--out", folder / name, commit=commit)
        for name, commit, workers in sides
    }
    assert len({sha256(folder / name) for name in spent}) == 1
    own = spent["now"].processor
    told(
        f"join of MAVE with {size:.0f} MB of metadata, MB/s",
        size / spent["before"].processor,
        size / own,
        "",
        JOIN_GOAL,
        True,
    )
    print(f"  of the wall: {size / spent['now'].wall:.0f} MB/s, with two workers {size / spent['two'].wall:.0f}")
    out = folder / "theirs"
    if checkout := os.environ.get("MAVE"):
        program = Path(checkout).resolve() / "clean_amazon_product_metadata_main.py"
        kinds = {
            "input_amazon_product_metadata_json": meta,
            "input_attribute_labels_json_lines": labels,
            "output_json_lines": out,
        }
        flags = [f"--{kind}_filename={path}" for kind, path in kinds.items()]
        theirs, who = (
            _processor([os.environ.get("MAVE_PYTHON", sys.executable), program, *flags], folder),
            "MAVE's own program",
        )
    else:
        start = os.times()
        plain_join(labels, meta, out)
        theirs, who = (
            sum(os.times()[:2]) - sum(start[:2]),
            "a join with BeautifulSoup (set MAVE for MAVE's own program)",
        )
    records = [
        sorted(json.dumps(json.loads(line), sort_keys=True) for line in path.open()) for path in (folder / "now", out)
    ]
    assert records[0] == records[1], f"other records than {who}"
    told(f"the same against {who}, processor time", theirs, own, "s", MAVE_GOAL)


def compare(folder: Path, records: int = RECORDS, products: int = PRODUCTS) -> None:
    """Print all ratios."""
    near(folder / "mave", f"{records:,} MAVE records with general ones", build.write, records)
    near(folder / "titles", f"{records:,} short titles", titles, records)
    for number in (products, LARGER * products):
        joins(folder / f"join-{number}", number)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        compare(Path(place), *map(int, sys.argv[1:]))
