"""The account of a mixture: what became of every raw row, and the hashes of what went in and came out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters import sources, tasks
from converters.core.errors import InputError
from converters.io import AS_UTF8, NOT_UTF8, describe, expand
from converters.io.jsonl import sha256
from converters.mixture.plan import HELD, KEPT, NEAR, REASONS, REPEATED, Codes, kept, reason_codes, within
from converters.mixture.shards import Converted, Part, places
from converters.mixture.spec import Spec, beside_files
from converters.schema import SPLITS
from converters.sources import mix


def need_rows(converted: Converted) -> None:
    """Stop with a sentence where no raw row of an entry could be used."""
    entry = converted.entry
    if not converted.count("examples"):
        paths = expand(entry.paths)
        common = (converted.count("rejected") + converted.dropped).most_common(1)
        why = f" (most common reason: {mended(common[0][0])})" if common else ""
        content = f"{converted.count('read')} rows and none to use"
        if converted.count("read") == converted.count("rejected")["blank line"] and all(
            {".csv", ".tsv"} & set(path.suffixes) for path in paths
        ):
            content = "only a header"
        raise InputError(f"{', '.join(map(str, paths))}: found {content}, expected {entry.source}{why}")


def mended(reason: str) -> str:
    """Return the reason of a reject with what a user can do about it, where that is one thing."""
    return f"{reason}: {AS_UTF8}" if reason == NOT_UTF8 else reason


def account(converted: Converted, left_out: Counter[str]) -> dict[str, Any]:
    """Return what the manifest says of one entry: licence, files with their hashes, and the fate of every raw row.

    ``left_out`` counts the raw rows all of whose examples were dropped, which are rejected, too: ``read`` is ``used`` and
    ``rejected``.
    """
    entry, unit = converted.entry, sources.get(converted.entry.source)
    return {
        "source": entry.source,
        "split": entry.split,
        "licence": mix.licence(expand(entry.paths)) if entry.replays else unit.LICENCE,
        "url": unit.URL,
        "read": converted.count("read"),
        "used": converted.count("used") - left_out.total(),
        "rejected": dict(sorted((converted.count("rejected") + left_out).items())),
        "noted": dict(sorted(converted.count("noted").items())),
        "examples": converted.count("examples"),
        "dropped": dict(sorted(converted.dropped.items())),
        "inputs": [describe(path) for path in [*expand(entry.paths), *beside_files(entry)]],
    }


DROPPED = "all its examples dropped: "  # in front of what is counted among the rejects


def fates(part: Part, why: Codes) -> tuple[Codes, NDArray[np.uint32]]:
    """Return what became of each raw row of a part with examples, and how many raw rows it stands for.

    That is ``KEPT``, or where none of its examples is kept the code of the first. ``why`` has an entry for each example:
    ``KEPT``, or a code of the reason why it was dropped.
    """
    raws = part.raws()
    first = np.cumsum(raws["examples"], dtype=np.int64) - raws["examples"]
    any_kept = np.minimum.reduceat(why, first) == KEPT if len(first) else np.empty(0, bool)
    return np.where(any_kept, np.int8(KEPT), why[first]), raws["rows"]


def counted(parts: Sequence[Part], why: Codes, reasons: Sequence[str]) -> Counter[str]:
    """Count the raw rows of an entry that are left out; ``why`` is that of all its parts, ``reasons`` are by code."""
    counts: Counter[str] = Counter()
    for part, codes in each(parts, why):
        fate, rows = fates(part, codes)
        sums = pd.Series(rows).groupby(fate).sum().drop(KEPT, errors="ignore")
        for code, count in zip(sums.index.tolist(), sums.tolist(), strict=True):
            counts[DROPPED + reasons[code]] += count
    return counts


def listed(part: Part, why: Codes, reasons: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield the place of each raw row of a part that is left out, the reason, and how many raw rows were gathered in it."""
    for place, code, rows in zip(places(part), *fates(part, why), strict=True):
        if code != KEPT:
            yield place, DROPPED + reasons[code], int(rows)


def each(parts: Sequence[Part], why: Codes) -> Iterator[tuple[Part, Codes]]:
    """Yield parts with what of ``why`` is about their examples."""
    return zip(parts, np.split(why, np.cumsum([part.examples for part in parts])[:-1]), strict=True)


def manifest(
    rows: pd.DataFrame, converted: Sequence[Converted], spec: Spec, folder: Path, seen: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the account; the splits lie in ``folder``, and ``seen`` is what :mod:`converters.stats` found in each."""
    accounts = []
    for number, entry in enumerate(converted):
        why = reason_codes(rows[rows["entry"] == number])
        left = counted(entry.parts, why, REASONS)
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
