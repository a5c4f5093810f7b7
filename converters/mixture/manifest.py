"""The account of a mixture: what became of every raw row, and the hashes of what went in and came out."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from converters import sources, tasks
from converters.core.errors import InputError
from converters.io import expand
from converters.io.files import with_advice
from converters.io.jsonl import replacing
from converters.mixture.ids import APART
from converters.mixture.plan.decisions import HELD, NEAR, REASONS, REPEATED
from converters.mixture.plan.repeats import OUTVOTED, TIED
from converters.mixture.plan.table import KEPT, Codes, Table, kept, run_lengths, together, written
from converters.mixture.shards import UNPINNED, Shard
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


def account(rows: Table, number: int, described: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the manifest says of an entry, by its number: licence, files with their hashes, and every raw row's fate.

    ``described`` are its :func:`inputs`, described. Raw rows all of whose examples were dropped are rejected, too: ``read`` is
    ``used`` and ``rejected``.
    """
    shard = rows.shards[number]
    entry, unit = shard.entry, sources.get(shard.entry.source)
    fates, own = np.zeros(1 + len(REASONS), np.int64), np.zeros(1 + len(REASONS), np.int64)
    for codes, raws in _fates(rows, number):
        fates += np.bincount(codes - KEPT, raws, len(fates)).astype(np.int64)
    for here in rows.blocks(rows.of(number)):
        own += np.bincount(rows.reason[here] - KEPT, minlength=len(own))
    lost, dropped = ({reason: n for reason, n in zip(REASONS, c[1:].tolist(), strict=True) if n} for c in (fates, own))
    lost = {DROPPED + reason: count for reason, count in lost.items()}
    low, high = np.searchsorted(rows.renamed, rows.bounds[number : number + 2])
    renamed = int((rows.reason[rows.renamed[low:high]] == KEPT).sum())
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


def _fates(rows: Table, entry: int) -> Iterator[tuple[Codes, NDArray[np.uint32]]]:
    """Yield in blocks what became of each raw row of an entry with examples, and how many raw rows it stands for.

    That is ``KEPT``, or where none of its examples is kept the code of the first.
    """
    start = rows.of(entry).start
    for raws in rows.shards[entry].raws():
        ends = np.cumsum(raws["examples"], dtype=np.int64)
        first, stop = ends - raws["examples"], start + int(ends[-1])
        codes = rows.reason[start:stop]
        any_kept = np.minimum.reduceat(codes, first) == KEPT
        yield np.where(any_kept, np.int8(KEPT), codes[first]), raws["rows"]
        start = stop


def write_rejects(path: Path, rows: Table) -> None:
    """Write ``{"where", "reason"}`` of every raw row that was not used, one a line.

    A line of several raw rows that were gathered in one says with ``rows`` how many.
    """
    with replacing(path) as file:
        for number, shard in enumerate(rows.shards):
            with shard.rejects.open("rb") as source:
                shutil.copyfileobj(source, file)
            fates = (zip(codes.tolist(), raws.tolist(), strict=True) for codes, raws in _fates(rows, number))
            for place, (code, raws) in zip(shard.places(), chain.from_iterable(fates), strict=True):
                if code != KEPT:
                    line = {"where": place, "reason": DROPPED + REASONS[code]} | ({"rows": raws} if raws > 1 else {})
                    file.write(msgspec.json.encode(line) + b"\n")


def manifest(
    rows: Table,
    spec: Spec,
    raw: Iterable[dict[str, Any]],
    written_files: Iterable[dict[str, Any]],
    statistics: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the account of a mixture, with the ``statistics`` of each split.

    ``raw`` are the :func:`inputs` of all shards, described, and ``written_files`` those of the splits.
    """
    from importlib import metadata  # takes milliseconds to load, and workers do without

    described, accounts = iter(raw), list[dict[str, Any]]()
    for number, shard in enumerate(rows.shards):
        found = account(rows, number, list(islice(described, len(inputs(shard)))))
        accounts.append(found | _groups(rows, number))
    for number, lines in _named_again(rows.shards, accounts).items():
        accounts[number]["seen"] = [*accounts[number]["seen"], *lines]
    dropped = _sum(account["dropped"] for account in accounts)
    splits = zip(_splits(rows), written_files, map(statistics.__getitem__, SPLITS), strict=True)
    return {
        "read": sum(account["read"] for account in accounts),
        "used": sum(account["used"] for account in accounts),
        "rejected": _sum(account["rejected"] for account in accounts),
        "dropped_examples": dropped,
        "repeated_examples": written(rows, kept(rows)) - int(kept(rows).sum()),
        "contradictions": {name: dropped.get(reason, 0) for name, reason in CONTRADICTIONS.items()},
        "leaks": {name: dropped.get(reason, 0) for name, reason in LEAKS.items()},
        "inputs": [item for account in accounts for item in account["inputs"]],
        "sources": accounts,
        "splits": {
            name: counts | {"sha256": file["sha256"], "bytes": file["bytes"]} | dict(figures)
            for name, (counts, file, figures) in zip(SPLITS, splits, strict=True)
        },
        "seed": spec.seed,
        "spec": msgspec.to_builtins(spec),
        "version": metadata.version("ecom-llm-recipes"),
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


def _groups(rows: Table, entry: int) -> dict[str, Any]:
    """Return how many groups an entry's kept rows have in each split, and how many rows of a task a group has, mean and most."""
    among, own = np.zeros(len(rows), bool), rows.of(entry)
    among[own] = rows.split[own] != UNPINNED
    by_split, by_task, most = np.zeros(len(SPLITS), int), 0, 0
    for places, groups in together(rows, rows.column("group"), among):
        split, task = rows.split[places], rows.at("task", places)
        by_split += [len(run_lengths(groups[split == number])) for number in range(len(SPLITS))]
        for number in np.unique(task):
            sizes = run_lengths(groups[task == number])
            by_task, most = by_task + len(sizes), max(most, int(sizes.max()))
    mean = int(among.sum()) / by_task if by_task else 0.0
    of_splits = dict(zip(SPLITS, by_split.tolist(), strict=True))
    return {"groups": of_splits, "examples_a_group": {"mean": mean, "most": most}}


def _splits(rows: Table) -> Iterator[dict[str, Any]]:
    """Yield for each split how many rows and groups it has, the share of general rows, and how many rows of each task."""
    groups, counts = np.zeros(len(SPLITS), int), np.zeros((len(SPLITS), 256), int)
    for places, found in together(rows, rows.column("group"), kept(rows)):
        split = rows.split[places]
        groups += [len(run_lengths(found[split == number])) for number in range(len(SPLITS))]
    for here in rows.blocks():
        task, split, times = rows.read("task", here), rows.split[here], rows.times[here]
        counts += [np.bincount(task, times * (split == number), 256).astype(int) for number in range(len(SPLITS))]
    for own, of_split in zip(groups.tolist(), counts, strict=True):
        by_task = {name: count for name, count in zip(tasks.names(), of_split.tolist(), strict=False) if count}
        total = sum(by_task.values())
        share = by_task.get("general", 0) / max(1, total)
        yield {"rows": total, "groups": own, "general_share": share, "tasks": by_task}


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
