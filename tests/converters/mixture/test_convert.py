"""An entry converted in units is the entry converted as a whole, byte by byte, whatever the files are like."""

import gzip
import json
import pickle
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from converters import sources
from converters.core.errors import InputError
from converters.io import grouping
from converters.io.cutting import cut
from converters.io.grouping import deal, grouped, regrouped
from converters.io.pieces import Piece
from converters.io.rows import decoded
from converters.mixture.convert import bucket_units, convert, convert_unit, forget, job_of, merge, units_of
from converters.mixture.convert import units as module
from converters.mixture.shards import COLUMNS, Shard, column_file, load
from converters.mixture.spec import Entry
from converters.schema import Outcome
from tests.converters._dirt import json_line, table_line

FILES = (*map(column_file, COLUMNS), "raws.bin", "places.jsonl", "rejects.jsonl")
SHARED = ("mave", "amazonqa", "contextual_pqa", "general", "product_catalogue")
SIZE = 3000
PART = {"rows.jsonl", "rejects.jsonl", "index.msgpack", "part.json"}  # the files of a part


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", SIZE)
    monkeypatch.setattr(grouping, "BUCKET", SIZE)


def content(shard: Shard) -> dict[str, Any]:
    files = {name: (shard.folder / name).read_bytes() for name in FILES}
    assert all(len(path.read_bytes().splitlines()) == count for path, count in shard.rows)
    counts = json.loads((shard.folder / "part.json").read_bytes())
    return files | {"rows.jsonl": b"".join(shard.lines()), "part.json": counts | {"parts": None}}


def in_units(entry: Entry, folder: Path, left: bool = True) -> tuple[dict[str, Any], int]:
    """Return an entry's shard made of parts that are converted in any order, and how many there are."""
    job, draw = job_of(0, entry, 0, folder), random.Random(0)
    assert job.home
    count = 0

    def made(units: Iterator[module.Unit]) -> list[Shard]:
        nonlocal count
        listed = pickle.loads(pickle.dumps(list(units)))
        numbers = range(count, count := count + len(listed))
        assert [unit.number for unit in listed] == list(numbers)
        shuffled = draw.sample(listed, len(listed))
        found = {unit.number: convert_unit(job, unit) for unit in shuffled}
        assert all({path.name for path in part.folder.iterdir()} == PART for part in found.values())
        return [found[number] for number in numbers]

    firsts = made(units_of(job, (lambda number: True) if left else None))
    shard = merge(job, chain(firsts, made(bucket_units(job, len(firsts)))))
    assert {path.name for path in folder.iterdir()} == {shard.folder.name, f"{shard.folder.name}.units"}
    forget(folder)
    assert not [*folder.rglob("*.pairs")]
    assert load(shard.folder, entry) == shard
    return content(shard), count


def dirty_lines(fixture: Path, count: int, seed: int = 0) -> bytes:
    """Return lines of a fixture, many of them changed, of a few products."""
    draw, head = random.Random(seed), b""
    lines = fixture.read_text("utf-8").splitlines()
    if fixture.suffix == ".csv":
        head, lines = lines[0].encode() + b"\n", lines[1:]
    change = table_line if fixture.suffix == ".csv" else json_line
    named = [draw.choice(lines).replace("B0TEST0", f"B0T{draw.randrange(20):03}0") for _ in range(count)]
    return head + b"\n".join(change(draw, line) if draw.random() < 0.4 else line.encode() for line in named)


@pytest.mark.parametrize("source", SHARED)
def test_units_of_dirty_files_give_the_bytes_of_the_whole(source: str, fixtures: Path, tmp_path: Path) -> None:
    [fixture] = [path for path in fixtures.iterdir() if path.stem == source]
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, count in enumerate((60, 1, 2, 60)):
        (raw / f"{number}{fixture.suffix}").write_bytes(b"\xef\xbb\xbf" + dirty_lines(fixture, count, number))
    (raw / f"4{fixture.suffix}.gz").write_bytes(gzip.compress(dirty_lines(fixture, 80, 4) + b"\r\n\r\n"))
    if fixture.suffix == ".jsonl":
        (raw / "5.json").write_text(json.dumps([json.loads(fixture.read_text("utf-8").splitlines()[0])] * 3))
    entry = Entry(source=source, paths=[str(raw)])
    whole = content(convert(entry, 0, tmp_path / "whole"))
    assert len(whole["rows.jsonl"].splitlines()) > 10 and len(whole["rejects.jsonl"].splitlines()) > 5
    for left in (True, False):  # with the pieces of what is compressed left as files, and without
        shared, count = in_units(entry, tmp_path / f"shared{left}", left)
        assert shared == whole and count > 4


def test_every_source_that_shares_its_rows_is_tested() -> None:
    units = {name: sources.get(name) for name in sources.names()}
    assert {name for name, unit in units.items() if hasattr(unit, "RAW") or hasattr(unit, "gathering")} == {*SHARED}


@pytest.mark.parametrize("size", [SIZE + 1, 50 * SIZE, 10_000 * SIZE])
def test_units_of_the_second_round_have_each_bucket_once_and_the_last_ones_are_small(size: int) -> None:
    job = module.Job(0, Entry(source="mave", paths=["raw.jsonl"]), 0, Path(), Path("home"), size)
    units = [*bucket_units(job, 7)]
    assert [unit.number for unit in units] == [*range(7, 7 + len(units))]
    starts, stops = zip(*[unit.buckets for unit in units if unit.buckets], strict=True)
    assert [*starts, grouping.buckets_for(size)] == [0, *stops]
    counts = [stop - start for start, stop in zip(starts, stops, strict=True)]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(("count", "rows_a_group"), [(800, 9), (5000, 2500)])
def test_parquet_is_cut_between_and_within_row_groups(count: int, rows_a_group: int, tmp_path: Path) -> None:
    rows = [
        {"instruction": f"Say {n}.", "output": "words " * (n % 9), "tags": [{"a": n}] * (n % 3)} for n in range(count)
    ]
    path = tmp_path / "chat.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=rows_a_group)
    entry = Entry(source="general", paths=[str(path)])
    whole = content(convert(entry, 0, tmp_path / "whole"))
    for left in (True, False):
        shared, units = in_units(entry, tmp_path / f"shared{left}", left)
        assert shared == whole and units > 3
    pieces = [*cut(path, SIZE, None)]
    assert [*decoded(pieces, dict)] == [*decoded([path], dict)]
    assert all(isinstance(piece, Piece) for piece in pieces)


def test_the_first_unknown_keys_of_all_units_are_told_apart(tmp_path: Path) -> None:
    """Which ones are the first ones shows when the rows before are read, those that are unusable among them."""
    draw, rows = random.Random(1), []
    for n in range(300):
        row = {"instruction": f"Say {n}.", "output": "words"} | {f"odd{draw.randrange(60)}": "one two three four"}
        rows.append(row | {"output": "{{words}}"} if n < 20 or n % 9 == 0 else row)
    rows[40]["others"] = "one two three four"
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = Entry(source="general", paths=[str(path)])
    whole = content(convert(entry, 0, tmp_path / "whole"))
    shared, count = in_units(entry, tmp_path / "shared")
    assert shared == whole and count > 3
    noted = whole["part.json"]["noted"]
    assert len(noted) < 22 and noted["key left out, not known: others"] > 20
    first = [key for row in rows for key in row if key.startswith("odd")]
    named = {note.rpartition(" ")[2] for note in noted} - {"others"}
    assert named <= set(list(dict.fromkeys(first))[:20])


def test_a_line_that_is_longer_than_a_piece_is_not_cut(tmp_path: Path) -> None:
    lines = [b"a" * 10, b"b" * 9000, b"", b"c" * 10 + b"\r", b"d" * 4000]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(lines))
    pieces = [*cut(path, 4000, None)]
    assert [(piece.first, piece.rows, piece.offset) for piece in pieces if isinstance(piece, Piece)] == [
        (1, 2, 0),
        (3, 3, 9012),
    ]


@pytest.mark.parametrize("buckets", [64, 512 * 3])  # of the latter there are 512 alone, each to be dealt again
def test_groups_are_the_same_in_one_round_and_in_two(buckets: int, tmp_path: Path) -> None:
    draw, size = random.Random(0), SIZE * buckets - 1
    items: list[tuple[bytes, bytes] | Outcome] = [
        (b"key %d" % draw.randrange(500), draw.randbytes(draw.randrange(200))) for _ in range(5000)
    ]
    items[9:9] = [Outcome("here", reason="none")]
    paths, number = [tmp_path / f"{name}.pairs" for name in range(3)], grouping.buckets_for(size)
    passed = [item for n, path in enumerate(paths) for item in deal(iter(items[n * 2000 :][:2000]), number, path)]
    groups = [group for at in range(0, number, 5) for group in regrouped(paths, size, at, min(number, at + 5))]
    assert [*passed, *groups] == [*grouped(iter(items), size)] == [*grouped(iter(items), 1)]


@pytest.mark.parametrize("kind", ["gz", "parquet"])
def test_a_full_disk_names_the_file_that_cannot_be_written(kind: str, tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {n}.", "output": "words " * (n % 9)} for n in range(3000)]
    path = tmp_path / f"chat.jsonl.{kind}" if kind == "gz" else tmp_path / "chat.parquet"
    if kind == "gz":
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(InputError, match=r"^/dev/full: cannot be written: No space left on device$"):
        list(cut(path, SIZE, None, lambda: Path("/dev/full")))


@pytest.mark.parametrize("source", ["general", "mave"])
def test_a_large_file_without_a_row_is_a_unit(source: str, tmp_path: Path) -> None:
    """Its columns alone may be larger than a piece."""
    columns = {"id", "category", "paragraphs", "attributes", "instruction", "output"}
    columns |= {f"a name that takes room {n}" for n in range(99)}
    path = tmp_path / "none.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in sorted(columns)}), path)
    entry = Entry(source=source, paths=[str(path)])
    whole = content(convert(entry, 0, tmp_path / "whole"))
    assert whole["part.json"]["read"] == 0
    shared, count = in_units(entry, tmp_path / "shared")
    assert shared == whole and count > 0
