"""Decoding, converting, mixing and joining beside what one would write with usual libraries, on generated data."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from bs4 import BeautifulSoup

from converters.io import decoded
from converters.mixture.convert import convert
from converters.mixture.plan import decisions
from converters.mixture.plan.table import table
from converters.mixture.spec import Entry, Spec
from converters.mixture.write import write_splits
from converters.schema import Outcome
from converters.sources.mave import Product, join
from converters.text import html
from recipes.runner.demo import products, raw_files
from tests.bench import esci
from tests.bench.score import WORDS

ROWS = 40_000


def rows(path: Path, number: int) -> Path:
    """Write ``number`` MAVE-shaped rows."""
    draw = random.Random(0)
    names, patterns = products.brands(0)["train"], products.patterns(0)["train"]
    items = [products.product(draw, n, names) for n in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in raw_files.positives(draw, items, patterns)), "utf-8")
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
    shard = convert(entry, 0, folder / "parts")
    [(source, _)] = shard.rows

    def ours() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            rows = table([shard], Path(out))
            decisions.decide(rows, spec)
            decisions.finish(rows, spec)
            write_splits(Path(out), rows, 0, [None])

    fast, slow = seconds(lambda: subprocess.run(["cp", source, folder / "copy"], check=True)), seconds(ours)
    size = source.stat().st_size / 2**20
    print(f"decide, shuffle and write {size:.0f} MiB of rows, against cp of them: {slow / fast:.1f}x its time")


def metadata(folder: Path, number: int) -> tuple[Path, Path]:
    """Write labels for half of ``number`` products in the shape of Amazon's metadata; return labels and metadata."""
    draw = random.Random(0)
    words = [*WORDS[:12], "clean", "dishwasher", "safe", "made", "in", "one", "year"]
    with (folder / "labels.jsonl").open("w") as labels, (folder / "meta.json").open("w") as meta:
        for n in range(number):
            text = [" ".join(draw.choices(words, k=draw.randint(10, 60))) for _ in range(5)]
            if n % 4 == 0:  # a quarter of the products has markup
                text[0] = f"<div><p>{text[0]}</p><br /><b>{text[1]}</b>&nbsp;&amp; more</div>"
            if n % 40 == 0:
                text[1] = f"<style>p {{}}</style>{text[1]}<!-- x -->"
            more = {"also_buy": [f"B{draw.randrange(10**9):09d}" for _ in range(20)], "rank": "1 in Home"}
            row = {"asin": f"B{n:09d}", "title": "Steel kettle", "description": text[:2], "feature": text[2:]} | more
            meta.write(json.dumps(row) + "\n")
            if n % 2 == 0:
                found = {"value": "kettle", "pid": 0, "begin": 6, "end": 12}
                attributes = [{"key": "Type", "evidences": [found]}]
                labels.write(json.dumps({"id": row["asin"], "category": "Kettles", "attributes": attributes}) + "\n")
    return folder / "labels.jsonl", folder / "meta.json"


def plain_join(labels: Path, meta: Path, out: Path) -> int:
    """Join and clean with the standard library and BeautifulSoup, the labels in a dictionary."""
    known = {row["id"]: row for row in map(json.loads, labels.open())}
    count = 0
    with out.open("w") as file:
        for product in map(json.loads, meta.open()):
            if product["asin"] not in known:
                continue
            paragraphs = []
            for source in join.SOURCES:
                value = product.get(source, [])
                for text in [value] if isinstance(value, str) else value:
                    soup = BeautifulSoup(text.strip(), "html.parser")
                    for tag in soup(["style", "script"]):
                        tag.decompose()
                    said = " ".join(" ".join(soup.stripped_strings).split())
                    if said and not html.is_css(said) and not any(left in said for left in html.LEFT_OVER):
                        paragraphs.append({"text": said, "source": source})
            file.write(json.dumps({**known[product["asin"]], "paragraphs": paragraphs}) + "\n")
            count += 1
    return count


def joining(folder: Path) -> None:
    """Join MAVE's labels with product text both ways, then ours at 1x and 10x."""
    labels, meta = metadata(folder, ROWS)
    out = folder / "joined.jsonl"

    def ours() -> None:
        join.join([labels], [meta], out, 1, lambda rows: None)

    fast, slow = seconds(ours, 3), seconds(lambda: plain_join(labels, meta, folder / "plain.jsonl"), 1)
    records = [sorted(map(_canonical, path.open())) for path in (out, folder / "plain.jsonl")]
    assert records[0] == records[1]
    size = meta.stat().st_size / 1e6
    print(
        f"join MAVE with {size:.0f} MB of metadata, against BeautifulSoup: {slow / fast:.0f}x ({size / fast:.0f} MB/s)"
    )
    peaks = []
    for number in (ROWS, ROWS * 10):
        labels, meta = metadata(folder, number)
        command = (
            sys.executable,
            "-m",
            "converters.cli",
            "join-mave",
            "--labels",
            str(labels),
            "--metadata",
            str(meta),
        )
        peaks.append(peak(*command, "--out", str(out)))
    print(f"join with 1x and 10x of it: {peaks[0]} and {peaks[1]} MiB, ratio {peaks[1] / peaks[0]:.2f}")


def _canonical(line: str) -> str:
    return json.dumps(json.loads(line), sort_keys=True)


def judging(folder: Path) -> None:
    """Join ESCI's files both ways, each in a process of its own."""
    esci.write(folder)
    command = ("-m", "tests.bench.esci")
    run = partial(subprocess.run, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": "0"})
    found = [json.loads(run([sys.executable, *command, side, str(folder)]).stdout) for side in ("ours", "pandas")]
    ours, theirs = found
    assert ours["total"] == theirs["total"]
    print(
        f"join {esci.JUDGEMENTS:,} ESCI judgements, against pandas' merge and iterrows: "
        f"{theirs['seconds'] / ours['seconds']:.1f}x, {ours['memory'] / theirs['memory']:.2f} of its memory "
        f"({ours['memory']:.0f} MiB)"
    )


def compare(folder: Path) -> None:
    """Print all of them."""
    decoding(folder)
    mapping(folder)
    memory(folder)
    mixing(folder)
    joining(folder)
    judging(folder)
