"""The account of a mix: every raw file, every raw row, every split."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converters import left_out, tasks
from converters.apart import REASON
from converters.convert import Converted, account
from converters.jsonl import sha256
from converters.mix import HELD, REPEATED, Table
from converters.spec import Spec
from converters.split import SPLITS


def manifest(
    rows: Table, converted: Sequence[Converted], spec: Spec, folder: Path, seen: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the account; the splits lie in ``folder``, and ``seen`` is what :mod:`converters.stats` found in each."""
    left = [left_out.counted(one.parts, rows.why[rows.entry == n], rows.reasons) for n, one in enumerate(converted)]
    accounts = [
        account(one, out) | {"dropped": _sorted(dropped)}
        for one, out, dropped in zip(converted, left, rows.dropped, strict=True)
    ]
    dropped = _sum(a["dropped"] for a in accounts)
    return {
        "read": sum(a["read"] for a in accounts),
        "used": sum(a["used"] for a in accounts),
        "rejected": _sum(a["rejected"] for a in accounts),
        "dropped_examples": dropped,
        "repeated_examples": int(np.maximum(rows.times - 1, 0)[rows.split >= 0].sum()),
        "leaks": {name: dropped.get(why, 0) for name, why in LEAKS.items()},
        "inputs": [item for a in accounts for item in a["inputs"]],
        "sources": accounts,
        "splits": {n: _split(rows, k, folder / f"{n}.jsonl") | dict(seen[n]) for k, n in enumerate(SPLITS)},
        "seed": spec.seed,
        "spec": msgspec.to_builtins(spec),
        "version": version("ecom-llm-recipes"),
    }


LEAKS = {"groups": HELD, "near_duplicates": REASON, "prompts": REPEATED}


def forbids(licence: str) -> bool:
    """Tell whether a source's licence, or that of a part of it, forbids commercial use.

    >>> forbids("CC BY-NC 4.0 (labels; not for commercial use)"), forbids("Apache-2.0")
    (True, False)
    """
    return "not for commercial use" in licence


def _split(rows: Table, number: int, path: Path) -> dict[str, Any]:
    within = rows.within(number)
    times, columns = rows.times[within], rows.columns[within]
    counts = np.bincount(columns["task"], weights=times, minlength=len(tasks.names())).astype(int)
    found = {name: int(count) for name, count in zip(tasks.names(), counts, strict=True) if count}
    return {
        "rows": int(times.sum()),
        "groups": len(np.unique(columns["group"])),
        "general_share": found.get("general", 0) / max(1, int(times.sum())),
        "tasks": found,
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
    }


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return _sorted(total)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
