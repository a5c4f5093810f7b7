"""Writes a corrected copy of a file or a mixture: what can be mended is mended, what cannot is left out, and all of it counted.

Two passes: rows are mended one by one, then ids that repeat and groups that are in two splits are seen to among those left.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.console import Tick
from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.io.jsonl import replacing, sha256, write_json
from converters.schema import MANIFEST, Row
from converters.validation.check import STEP, Keys, Problem, Rules, mended, problems, repeats, rows, split_groups


@dataclass(slots=True)
class Fixed:
    """Counts of a corrected copy: rows by what was mended in them, and rows by why they were left out."""

    read: int = 0
    written: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    tasks: dict[str, Counter[str]] = field(default_factory=dict)


def beside(path: Path) -> Path:
    """Return the name of the corrected copy.

    >>> str(beside(Path("data/rows.jsonl"))), str(beside(Path("data/demo")))
    ('data/rows.fixed.jsonl', 'data/demo.fixed')
    """
    return path.with_name(f"{path.stem}.fixed{path.suffix}" if path.suffix else f"{path.name}.fixed")


def fix(path: Path, paths: Sequence[Path], out: Path, rules: Rules, tick: Tick) -> Fixed:
    """Write the corrected copy of ``path``, whose files are ``paths``, as ``out``; one that is there is an ``InputError``.

    A mixture's copy has a manifest that says what it is a copy of. No more than 29 bytes a row are held.
    """
    if out.exists():
        raise InputError(f"{out}: already exists; move or remove this earlier corrected copy")
    fixed, folder = Fixed(), path.is_dir()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        copy = Path(work) / "copy"
        copy.mkdir()
        halves = [Path(work) / source.name for source in paths]
        keys, encode = Keys(), msgspec.json.Encoder().encode
        for number, (source, half) in enumerate(zip(paths, halves, strict=True)):
            with half.open("wb") as file:
                for line, row in enumerate(_mended(source, rules, fixed, tick), 1):
                    file.write(encode(row) + b"\n")
                    keys.add(row, number, line)
        _across(halves, copy, keys.table(), fixed)
        if folder and (path / MANIFEST).is_file():
            write_json(copy / MANIFEST, _manifest(path, copy, paths, fixed))
        copy.chmod(0o755)
        (copy if folder else copy / paths[0].name).rename(out)
    return fixed


def _mended(path: Path, rules: Rules, fixed: Fixed, tick: Tick) -> Iterator[Row]:
    for _, row in rows(path):
        fixed.read += 1
        if fixed.read % STEP == 0:
            tick(fixed.read)
        if isinstance(row, Problem):
            fixed.left_out[row.kind] += 1
            continue
        before = {problem.kind for problem in problems(row, rules)}
        row = mended(row) if before else row
        if before and (after := next(problems(row, rules), None)):
            fixed.left_out[after.kind] += 1
        else:
            fixed.mended.update(before)
            yield row


def _across(halves: Sequence[Path], out: Path, table: NDArray[np.void], fixed: Fixed) -> None:
    """Copy the files into ``out`` without groups in two splits and repeated rows, other rows of one id renamed."""
    drops, renamed = dict.fromkeys((place for place, _ in split_groups(table)), "group in two splits"), set()
    for place, first in repeats(table):
        if table["text"][place] == table["text"][first] and first not in drops:
            drops.setdefault(place, "row again")
        else:
            renamed.add(place)
    place = 0
    for half in halves:
        count: Counter[str] = Counter()
        with half.open("rb") as file, replacing(out / half.name) as written:
            for line in file:
                if reason := drops.get(place):
                    fixed.left_out[reason] += 1
                else:
                    row = msgspec.json.decode(line, type=Row)
                    count[row.task] += 1
                    if place in renamed:
                        fixed.mended["id again"] += 1
                        line = _renamed(row)
                    written.write(line)
                place += 1
        fixed.tasks[half.stem] = count
        fixed.written += count.total()


def _renamed(row: Row) -> bytes:
    content = digest(row.group, *((turn.role, turn.content) for turn in row.messages))
    return msgspec.json.encode(msgspec.structs.replace(row, id=f"{row.id}~{content}")) + b"\n"


def _manifest(path: Path, copy: Path, paths: Sequence[Path], fixed: Fixed) -> Mapping[str, Any]:
    original: dict[str, Any] = json.loads((path / MANIFEST).read_bytes())
    splits = {
        source.stem: {
            "rows": fixed.tasks[source.stem].total(),
            "tasks": dict(sorted(fixed.tasks[source.stem].items())),
            "sha256": sha256(copy / source.name),
            "bytes": (copy / source.name).stat().st_size,
        }
        for source in paths
    }
    counts = {"mended": dict(sorted(fixed.mended.items())), "left_out": dict(sorted(fixed.left_out.items()))}
    return original | {"splits": splits, "fixed": {"from": {path.name: sha256(path) for path in paths}, **counts}}
