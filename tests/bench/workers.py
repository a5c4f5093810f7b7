"""``ecom-data build --workers 2`` against one worker: wall time, since that is what workers buy, and the same bytes.

One big file of MAVE records, plain, gzipped and as Parquet of one row group, and the same records in many files, with general
rows; near-duplicates are looked for, as in a user's build. Each side is run three times, in turns, and the fastest run counts: a
machine that does a little else now and then slows either by some percent. ``python -m tests.bench.workers [RECORDS] [KIND ...]``
"""

import gzip
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from converters.io.jsonl import sha256
from tests.bench.before import BEFORE, Took, took
from tests.bench.build import RECORDS, general, mave
from tests.bench.goals import bound, told

FASTER, PEAK = 1.8, 250
FILES, RUNS = 40, 3
SPEC = """
sources:
  - {source: mave, paths: [PATH]}
  - {source: general, paths: [alpaca.json, dolly.jsonl, chats.jsonl]}
general_share: 0.09
"""


def _plain(lines: Sequence[bytes], folder: Path) -> str:
    (folder / "mave.jsonl").write_bytes(b"".join(lines))
    return "mave.jsonl"


def _gzipped(lines: Sequence[bytes], folder: Path) -> str:
    with gzip.open(folder / "mave.jsonl.gz", "wb", compresslevel=6) as file:
        file.writelines(lines)
    return "mave.jsonl.gz"


def _parquet(lines: Sequence[bytes], folder: Path) -> str:
    records = []
    for line in lines:
        try:
            record = json.loads(line)
            text = json.dumps(record, ensure_ascii=False).encode()
        except ValueError:  # a column has no place for a broken line, nor for half a character
            continue
        if isinstance(record, dict) and b'"pid": "' not in text and b'"from"' not in text:
            records.append(record)
    pq.write_table(pa.Table.from_pylist(records), folder / "mave.parquet", row_group_size=1 << 30)
    return "mave.parquet"


def _many(lines: Sequence[bytes], folder: Path) -> str:
    (folder / "many").mkdir()
    for number in range(FILES):
        (folder / "many" / f"{number:02}.jsonl").write_bytes(b"".join(lines[number::FILES]))
    return "many"


KINDS: dict[str, Callable[[Sequence[bytes], Path], str]] = {
    "one plain file": _plain,
    "one .gz file": _gzipped,
    "one Parquet file": _parquet,
    f"{FILES} files": _many,
}


def write(folder: Path, records: int, kind: str) -> None:
    """Write the raw files of one kind, and the specification of a mixture of them."""
    draw = random.Random(records)
    lines = [f"{line}\n".encode(errors="surrogateescape") for _, line in mave(draw, records)]
    spec = SPEC.replace("PATH", KINDS[kind](lines, folder))
    for name, text in general(draw, records * 12 // 100).items():
        (folder / name).write_text(text, "utf-8")
    (folder / "spec.yaml").write_text(spec, "utf-8")


def built(folder: Path, workers: int, commit: str | None = None) -> tuple[Took, dict[str, str]]:
    """Build the mixture; return what that took and the hash of each file written."""
    words = ("build", "spec.yaml", "--out", "mix", "--rejects", "--workers", str(workers))
    shutil.rmtree(folder / "mix", ignore_errors=True)
    spent = took("converters", *words, commit=commit, cwd=folder)
    return spent, {path.name: sha256(path) for path in sorted((folder / "mix").iterdir())}


def compare(folder: Path, records: int = RECORDS, kinds: Sequence[str] = tuple(KINDS)) -> None:
    """Print for each kind of files how much faster two workers are than one; all builds must write the same bytes."""
    for number, kind in enumerate(kinds):
        place = folder / str(number)
        place.mkdir()
        write(place, records, kind)
        runs = [(built(place, 1), built(place, 2)) for _ in range(RUNS)]
        files = runs[0][0][1]
        assert all(files == own for run in runs for _, own in run), f"{kind}: other bytes with two workers"
        one, two = (min((run[side][0] for run in runs), key=attrgetter("wall")) for side in range(2))
        told(f"build of {records:,} MAVE records in {kind}, two workers against one", one.wall, two.wall, "s", FASTER)
        bound("  memory of one process of the two", two.memory, "MiB", PEAK)
        print(f"  processor time: {one.processor:.1f} s with one, {two.processor:.1f} s with two")
        if not number:
            before, known = built(place, 2, BEFORE)
            assert files == known, "other bytes than the build before"
            print(f"  the build before, two workers: {before.wall:.1f} s, {before.wall / two.wall:.1f} times as long")
        shutil.rmtree(place)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        count, *chosen = sys.argv[1:] or [str(RECORDS)]
        compare(Path(temporary), int(count), chosen or tuple(KINDS))
