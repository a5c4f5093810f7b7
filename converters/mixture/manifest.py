"""The account of a mixture: what became of every raw row, and the hashes of what went in and came out."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from converters import sources, tasks
from converters.core.console import Pool, in_processes
from converters.core.errors import InputError
from converters.io import describe, expand
from converters.io.files import with_advice
from converters.io.jsonl import replacing
from converters.mixture.ids import APART, RENAMED
from converters.mixture.plan import HELD, KEPT, NEAR, REASONS, REPEATED, Codes, Numbers, kept, reason_codes, within
from converters.mixture.repeats import OUTVOTED, TIED
from converters.mixture.shards import Shard
from converters.mixture.spec import Spec, beside_files, chosen_tasks
from converters.schema import SPLITS, Turn
from converters.sources import mix

DROPPED = "all its examples dropped: "  # in front of what is counted among the rejects
LABELS = 20  # the most frequent ones, which the account of a conversion lists
CONTRADICTIONS = {"outvoted": OUTVOTED, "tied": TIED}
LEAKS = {"groups": HELD, "near_duplicates": NEAR, "prompts": REPEATED}


class Labelled(msgspec.Struct):
    """As much of a row as tells its label."""

    task: str
    messages: list[Turn]


def need_rows(shard: Shard) -> None:
    """Raise an ``InputError`` if no raw row of an entry could be used."""
    if shard.examples:
        return
    paths = expand(shard.entry.paths)
    common = (shard.rejected + shard.dropped).most_common(1)
    reason = f" (most common reason: {with_advice(common[0][0])})" if common else ""
    content, wanted = f"{shard.read} rows and none to use", shard.entry.source
    if shard.read == shard.rejected["blank line"] and all({".csv", ".tsv"} & set(path.suffixes) for path in paths):
        content, wanted = "only a header", f"{wanted} rows below it"
    raise InputError(f"{', '.join(map(str, paths))}: found {content}, expected {wanted}{reason}")


def inputs(shard: Shard) -> list[Path]:
    """Return the files that an entry's rows are made of, the raw ones first."""
    return [*expand(shard.entry.paths), *beside_files(shard.entry, shard.options)]


def account(
    shard: Shard, codes: Codes, reasons: Sequence[str], described: Sequence[Mapping[str, Any]], renamed: int = 0
) -> dict[str, Any]:
    """Return what the manifest says of one entry: licence, files with their hashes, and the fate of every raw row.

    ``described`` are its :func:`inputs`, described. ``codes`` has for each example ``KEPT`` or the place in ``reasons`` of the
    one for which it was dropped. Raw rows all of whose examples were dropped are rejected, too: ``read`` is ``used`` and
    ``rejected``. ``renamed`` examples got another id.
    """
    entry, unit = shard.entry, sources.get(shard.entry.source)
    fates, rows = _fates(shard, codes)
    lost = {DROPPED + reason: int(rows[fates == code].sum()) for code, reason in enumerate(reasons) if code in fates}
    dropped = {reason: int((codes == code).sum()) for code, reason in enumerate(reasons) if code in codes}
    return {
        "source": entry.source,
        "split": entry.split,
        "licence": mix.licence(expand(entry.paths)) if entry.replays else unit.LICENCE,
        "url": unit.URL,
        "read": shard.read,
        "used": shard.used - sum(lost.values()),
        "rejected": _sum([shard.rejected, lost]),
        "noted": _sum([shard.noted, {APART: renamed} if renamed else {}]),
        "examples": shard.examples,
        "dropped": _sum([shard.dropped, dropped]),
        "inputs": list(described),
        "options": shard.options,
        "seen": shard.seen,
    }


MAPPING_HEAD = """\
# How {files} was read.
{seen}# Edit it and pass it back: --option mapping=.../{name}, or options: {{mapping: .../{name}}} in a mixture's
# specification. An option that is taken out gets its default again; '' or {{}} stands for none. They are explained by:
# ecom-data list {source}
"""


def write_mapping(path: Path, shard: Shard) -> None:
    """Write the options by which an entry's files were read, as YAML that can be edited and passed back.

    A source whose files decide nothing has none.
    """
    if not hasattr(sources.get(shard.entry.source), "complete"):
        return
    names, seen = ", ".join(shard.entry.paths), "".join(f"# {line}\n" for line in shard.seen)
    head = MAPPING_HEAD.format(files=names[:200], seen=seen, name=path.name, source=shard.entry.source)
    options = yaml.safe_dump(shard.options, allow_unicode=True, sort_keys=False, width=120)
    with replacing(path) as file:
        file.write((head + options).encode())


def row_counts(lines: Iterable[bytes]) -> dict[str, Any]:
    """Return how many rows each task has and their labels: how many, those of most rows with their counts, those of one row."""
    decode = msgspec.json.Decoder(Labelled).decode
    of_task, counts = Counter[str](), Counter[str]()
    for row in map(decode, lines):
        of_task[row.task] += 1
        if tasks.get(row.task).kind == "path":
            counts[row.messages[-1].content] += 1
    once = [label for label, count in counts.items() if count == 1]
    labels = {"different": len(counts), "most": dict(counts.most_common(LABELS)), "once": once}
    return {"tasks": dict(sorted(of_task.items())), "labels": labels}


def _fates(shard: Shard, codes: Codes) -> tuple[Codes, NDArray[np.uint32]]:
    """Return what became of each raw row of a shard with examples, and how many raw rows it stands for.

    That is ``KEPT``, or where none of its examples is kept the code of the first.
    """
    raws = shard.raws()
    first = np.cumsum(raws["examples"], dtype=np.uint32) - raws["examples"]
    any_kept = np.minimum.reduceat(codes, first) == KEPT if len(first) else np.empty(0, bool)
    return np.where(any_kept, np.int8(KEPT), codes[first]), raws["rows"]


def write_rejects(path: Path, shards: Sequence[Shard], codes: Codes, reasons: Sequence[str]) -> None:
    """Write ``{"where", "reason"}`` of every raw row that was not used, one a line; ``codes`` are as in :func:`account`.

    A line of several raw rows that were gathered in one says with ``rows`` how many.
    """
    bounds = np.cumsum([shard.examples for shard in shards])[:-1]
    with replacing(path) as file:
        for shard, own in zip(shards, np.split(codes, bounds), strict=True):
            with shard.rejects.open("rb") as source:
                shutil.copyfileobj(source, file)
            for place, code, rows in zip(shard.places(), *_fates(shard, own), strict=True):
                if code != KEPT:
                    line = {"where": place, "reason": DROPPED + reasons[code]} | (
                        {"rows": int(rows)} if rows > 1 else {}
                    )
                    file.write(msgspec.json.encode(line) + b"\n")


def manifest(
    rows: pd.DataFrame,
    shards: Sequence[Shard],
    spec: Spec,
    folder: Path,
    statistics: Mapping[str, Mapping[str, Any]],
    pool: Pool = in_processes,
) -> dict[str, Any]:
    """Return the account of a mixture whose splits lie in ``folder``, with the ``statistics`` of each; ``pool`` hashes files."""
    codes, files = reason_codes(rows), [inputs(shard) for shard in shards]
    splits = [folder / f"{name}.jsonl" for name in SPLITS]
    accounts = list[dict[str, Any]]()
    with closing(pool(describe, [*chain.from_iterable(files), *splits])) as described:
        for number, (shard, paths) in enumerate(zip(shards, files, strict=True)):
            own = rows["entry"] == number
            renamed = int((rows[RENAMED] & own & kept(rows)).sum())
            found = account(shard, codes[own], REASONS, list(islice(described, len(paths))), renamed)
            accounts.append(found | _groups(rows.loc[own & kept(rows), ["task", "group", "split"]]))
        written = list(described)
    for number, lines in _named_again(shards, accounts).items():
        accounts[number]["seen"] = [*accounts[number]["seen"], *lines]
    dropped = _sum(account["dropped"] for account in accounts)
    return {
        "read": sum(account["read"] for account in accounts),
        "used": sum(account["used"] for account in accounts),
        "rejected": _sum(account["rejected"] for account in accounts),
        "dropped_examples": dropped,
        "repeated_examples": int((rows["times"][kept(rows)] - 1).clip(lower=0).sum()),
        "contradictions": {name: dropped.get(reason, 0) for name, reason in CONTRADICTIONS.items()},
        "leaks": {name: dropped.get(reason, 0) for name, reason in LEAKS.items()},
        "inputs": [item for account in accounts for item in account["inputs"]],
        "sources": accounts,
        "splits": {n: _split(rows, k, written[k]) | dict(statistics[n]) for k, n in enumerate(SPLITS)},
        "seed": spec.seed,
        "spec": msgspec.to_builtins(spec),
        "version": version("ecom-llm-recipes"),
    }


def _named_again(shards: Sequence[Shard], accounts: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Return, by entry, a sentence for each raw file that an earlier entry reads for the same tasks in the same way."""
    known: dict[tuple[str, str, str], tuple[int, str]] = {}
    lines: dict[int, list[str]] = {}
    for number, (shard, account) in enumerate(zip(shards, accounts, strict=True)):
        how = repr(msgspec.structs.replace(shard.entry, paths=[], split=None, tasks=[], limit=None, weight=None))
        for file in account["inputs"][: len(expand(shard.entry.paths))] if not shard.entry.replays else ():
            keys = [(how, task, file["sha256"]) for task in chosen_tasks(shard.entry)]
            earlier = {first for key in keys if (first := known.setdefault(key, (number, file["name"])))[0] != number}
            lines.setdefault(number, []).extend(
                f"{file['name']}: has the same bytes as {name}, which entry {first + 1} of the mixture reads in the same way"
                for first, name in sorted(earlier)
            )
    return lines


def forbids(licence: str) -> bool:
    """Tell whether a source's licence, or that of a part of it, forbids commercial use.

    >>> forbids("CC BY-NC 4.0 (labels; not for commercial use)"), forbids("Apache-2.0")
    (True, False)
    """
    return "not for commercial use" in licence


def _groups(rows: pd.DataFrame) -> dict[str, Any]:
    """Return how many groups an entry's kept rows have in each split, and how many rows of a task a group has, mean and most."""
    groups, task = rows["group"].to_numpy(), rows["task"].to_numpy()
    sizes = [_sizes(groups[task == number]) for number in set(task.tolist())]
    mean, most = (len(rows) / sum(map(len, sizes)), int(max(map(np.max, sizes)))) if sizes else (0.0, 0)
    by_split = {name: len(_sizes(groups[within(rows, number)])) for number, name in enumerate(SPLITS)}
    return {"groups": by_split, "examples_a_group": {"mean": mean, "most": most}}


def _sizes(groups: Numbers) -> NDArray[np.int64]:
    """Return how many rows each group has, whatever their order; a sort takes less memory than a table of hashes."""
    ordered = np.sort(groups)
    return np.diff(np.flatnonzero(np.diff(ordered, append=ordered[-1:] + np.uint64(1))), prepend=-1)


def _split(rows: pd.DataFrame, number: int, written: Mapping[str, Any]) -> dict[str, Any]:
    here = rows.loc[within(rows, number), ["task", "group", "times"]]
    total = int(here["times"].sum())
    counts = here.groupby("task")["times"].sum()
    by_task = {tasks.names()[task]: count for task, count in zip(counts.index, counts.tolist(), strict=True)}
    return {
        "rows": total,
        "groups": len(_sizes(here["group"].to_numpy())),
        "general_share": by_task.get("general", 0) / max(1, total),
        "tasks": by_task,
        "sha256": written["sha256"],
        "bytes": written["bytes"],
    }


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
