"""Writes a corrected copy of a file or a mix: what can be mended is mended, what cannot is left out, and all of it counted.

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

from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.io.jsonl import replacing, sha256, write_json
from converters.schema import MANIFEST, Row
from converters.validation.check import STEP, Keys, Problem, Rules, Tick, mended, problems, repeats, rows, split_groups


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

    A mix's copy has a manifest that says what it is a copy of. No more than 26 bytes a row are held.
    """
    if out.exists():
        raise InputError(f"{out}: is an earlier corrected copy; move it away, or remove it")
    fixed, folder = Fixed(), path.is_dir()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        copy = Path(work) / "copy"
        copy.mkdir()
        halves = [Path(work) / source.name for source in paths]
        keys = _row_by_row(paths, halves, rules, fixed, tick)
        _across(paths, halves, [copy / source.name for source in paths], keys, fixed)
        if folder and (path / MANIFEST).is_file():
            write_json(copy / MANIFEST, _manifest(path, copy, paths, fixed))
        copy.chmod(0o755)
        (copy if folder else copy / paths[0].name).rename(out)
    return fixed


def _row_by_row(paths: Sequence[Path], halves: Sequence[Path], rules: Rules, fixed: Fixed, tick: Tick) -> Keys:
    keys, encode = Keys(), msgspec.json.Encoder().encode
    for number, (path, half) in enumerate(zip(paths, halves, strict=True)):
        with half.open("wb") as file:
            for line, row in enumerate(_kept(path, rules, fixed, tick), 1):
                file.write(encode(row) + b"\n")
                keys.add(row, number, line)
    return keys


def _kept(path: Path, rules: Rules, fixed: Fixed, tick: Tick) -> Iterator[Row]:
    for _, row in rows(path):
        fixed.read += 1
        if fixed.read % STEP == 0:
            tick(fixed.read)
        if isinstance(row, Problem):
            fixed.left_out[row.kind] += 1
            continue
        before = {problem.kind for problem in problems(row, rules)}
        now = mended(row) if before else row
        left = [problem.kind for problem in problems(now, rules)] if before else []
        if left:
            fixed.left_out[left[0]] += 1
        else:
            fixed.mended.update(before)
            yield now


def _across(paths: Sequence[Path], halves: Sequence[Path], outs: Sequence[Path], keys: Keys, fixed: Fixed) -> None:
    gone = dict.fromkeys((place for place, _ in split_groups(keys)), "group in two splits")
    renamed = set()
    for place, first in repeats(keys):
        same = keys.texts[place] == keys.texts[first]
        if same and first not in gone:
            gone.setdefault(place, "row again")
        else:
            renamed.add(place)
    place = 0
    for half, out in zip(halves, outs, strict=True):
        count: Counter[str] = Counter()
        with half.open("rb") as file, replacing(out) as written:
            for line in file:
                if why := gone.get(place):
                    fixed.left_out[why] += 1
                else:
                    written.write(_renamed(line, place in renamed, fixed, count))
                place += 1
        fixed.tasks[out.stem] = count
        fixed.written += count.total()


def _renamed(line: bytes, again: bool, fixed: Fixed, count: Counter[str]) -> bytes:
    row = msgspec.json.decode(line, type=Row)
    count[row.task] += 1
    if not again:
        return line
    fixed.mended["id again"] += 1
    content = digest(row.group, *((turn.role, turn.content) for turn in row.messages))
    return msgspec.json.encode(msgspec.structs.replace(row, id=f"{row.id}~{content}")) + b"\n"


def _manifest(path: Path, made: Path, paths: Sequence[Path], fixed: Fixed) -> Mapping[str, Any]:
    old: dict[str, Any] = json.loads((path / MANIFEST).read_bytes())
    splits = {
        source.stem: {
            "rows": fixed.tasks[source.stem].total(),
            "tasks": dict(sorted(fixed.tasks[source.stem].items())),
            "sha256": sha256(made / source.name),
            "bytes": (made / source.name).stat().st_size,
        }
        for source in paths
    }
    came = {source.name: sha256(source) for source in paths}
    changes = {"mended": dict(sorted(fixed.mended.items())), "left_out": dict(sorted(fixed.left_out.items()))}
    return old | {"splits": splits, "fixed": {"from": came, **changes}}
