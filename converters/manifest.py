"""The account of a mix: every raw file, every raw row, every split."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from converters import left_out, tasks
from converters.convert import Converted, account
from converters.jsonl import sha256
from converters.mix import HELD, NEAR, REASONS, REPEATED, kept, reason_codes, within
from converters.spec import Spec
from converters.split import SPLITS


def manifest(
    rows: pd.DataFrame, converted: Sequence[Converted], spec: Spec, folder: Path, seen: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the account; the splits lie in ``folder``, and ``seen`` is what :mod:`converters.stats` found in each."""
    accounts = []
    for number, entry in enumerate(converted):
        why = reason_codes(rows[rows["entry"] == number])
        left = left_out.counted(entry.parts, why, REASONS)
        counts = np.bincount(why + 1, minlength=len(REASONS) + 1)[1:].tolist()
        dropped = entry.dropped + Counter(dict(zip(REASONS, counts, strict=True)))
        accounts.append(account(entry, left) | {"dropped": _sorted(dropped)})
    total = _sum(a["dropped"] for a in accounts)
    return {
        "read": sum(a["read"] for a in accounts),
        "used": sum(a["used"] for a in accounts),
        "rejected": _sum(a["rejected"] for a in accounts),
        "dropped_examples": total,
        "repeated_examples": int((rows["times"][kept(rows)] - 1).clip(lower=0).sum()),
        "leaks": {name: total.get(why, 0) for name, why in LEAKS.items()},
        "inputs": [item for a in accounts for item in a["inputs"]],
        "sources": accounts,
        "splits": {n: _split(rows, k, folder / f"{n}.jsonl") | dict(seen[n]) for k, n in enumerate(SPLITS)},
        "seed": spec.seed,
        "spec": msgspec.to_builtins(spec),
        "version": version("ecom-llm-recipes"),
    }


LEAKS = {"groups": HELD, "near_duplicates": NEAR, "prompts": REPEATED}


def forbids(licence: str) -> bool:
    """Tell whether a source's licence, or that of a part of it, forbids commercial use.

    >>> forbids("CC BY-NC 4.0 (labels; not for commercial use)"), forbids("Apache-2.0")
    (True, False)
    """
    return "not for commercial use" in licence


def _split(rows: pd.DataFrame, number: int, path: Path) -> dict[str, Any]:
    here = rows[within(rows, number)]
    total = int(here["times"].sum())
    counts = here.groupby("task")["times"].sum()
    by_task = {tasks.names()[task]: count for task, count in zip(counts.index, counts.tolist(), strict=True)}
    return {
        "rows": total,
        "groups": here["group"].nunique(),
        "general_share": by_task.get("general", 0) / max(1, total),
        "tasks": by_task,
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
