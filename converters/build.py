"""Writes a mix: its splits and the manifest, all of them or none."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from converters.convert import Converted, account
from converters.errors import InputError
from converters.examples import Row
from converters.jsonl import sha256, write_json, write_lines
from converters.mix import Splits
from converters.spec import Spec

MANIFEST = "manifest.json"


def write(splits: Splits, parts: Sequence[Converted], spec: Spec, out: Path) -> dict[str, Any]:
    """Write ``train.jsonl``, ``validation.jsonl``, ``test.jsonl`` and the manifest into ``out``; return the manifest."""
    if out.exists() and not (out / MANIFEST).is_file():
        raise InputError(f"{out}: found something that is not a mix, expected a new folder or one with {MANIFEST}")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        for name, rows in splits.items():
            write_lines(folder / f"{name}.jsonl", rows)
        found = manifest(splits, parts, spec, folder)
        write_json(folder / MANIFEST, found)
        folder.chmod(0o755)
        _swap(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _swap(folder: Path, out: Path) -> None:
    # A folder cannot be renamed over a full one: the old mix steps aside first and goes last.
    old = folder.with_name(folder.name + ".old")
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def manifest(splits: Splits, parts: Sequence[Converted], spec: Spec, folder: Path) -> dict[str, Any]:
    """Return the account of a mix: every raw file, every raw row, every split."""
    accounts = [account(part) for part in parts]
    return {
        "read": sum(a["read"] for a in accounts),
        "used": sum(a["used"] for a in accounts),
        "rejected": _sum(a["rejected"] for a in accounts),
        "dropped_examples": _sum(a["dropped"] for a in accounts),
        "inputs": [item for a in accounts for item in a["inputs"]],
        "sources": accounts,
        "splits": {name: _split(rows, folder / f"{name}.jsonl") for name, rows in splits.items()},
        "seed": spec.seed,
        "spec": msgspec.to_builtins(spec),
        "version": version("ecom-llm-recipes"),
    }


def _split(rows: Sequence[Row], path: Path) -> dict[str, Any]:
    tasks = Counter(row.task for row in rows)
    return {
        "rows": len(rows),
        "groups": len({row.group for row in rows}),
        "general_share": tasks["general"] / len(rows) if rows else 0.0,
        "tasks": dict(sorted(tasks.items())),
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
    }


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
