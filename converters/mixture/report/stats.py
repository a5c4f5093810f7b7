"""Figures of a mixture: rows, lengths, classes, attributes, by task and split."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters import sources, tasks
from converters.core.hashing import hashed
from converters.io import describe, expand
from converters.mixture.plan import TRAIN, of_task, within
from converters.mixture.spec import Spec
from converters.schema import SPLITS, Attributes, Listing, Turn
from converters.text.lengths import Lengths, Ruler
from converters.validation.check import Tree

TOP_CLASSES = 10  # classes at either end
NODES = 100  # top-level nodes of a category tree
POINTS = 60  # of the curve of class sizes
TEXT = 300  # characters of a class's name


def scored_by_class(task: str) -> bool:
    """Tell whether a task's targets are classes.

    >>> scored_by_class("category"), scored_by_class("ranking")
    (True, False)
    """
    return "macro_f1" in tasks.get(task).metrics


@dataclass(slots=True)
class Classes:
    """The classes of one task: ``hashes``, sorted, with their ``rows``; what each is called is learnt from the rows.

    ``node`` is the number of a category's top-level node among ``nodes``, -1 until it is seen; ``known`` whether the taxonomy
    has the path.
    """

    task: str
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int64]
    node: NDArray[np.int32]
    known: NDArray[np.bool_]
    shown: frozenset[int]
    names: dict[int, str] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)


def counted(rows: pd.DataFrame, split: int) -> dict[str, Classes]:
    """Return the classes of every task of a split that has some, each row as often as it is written."""
    here = rows[within(rows, split)]
    counts = {
        name: here[of_task(here, name)].groupby("target")["times"].sum()
        for name in tasks.names()
        if scored_by_class(name)
    }
    return {
        name: _classes(name, count.index.to_numpy(np.uint64), count.to_numpy(np.int64))
        for name, count in counts.items()
        if len(count)
    }


def _classes(task: str, hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> Classes:
    order = _order(rows).tolist()
    shown = frozenset(order[:TOP_CLASSES] + order[-TOP_CLASSES:])
    return Classes(task, hashes, rows, np.full(len(rows), -1, np.int32), np.zeros(len(rows), bool), shown)


def _order(rows: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.argsort(-rows, kind="stable")


def learn(classes: Classes, targets: Sequence[str], tree: Tree) -> None:
    """Take the names of shown classes, and the place of every category in the tree, from targets."""
    hashes = np.fromiter(map(hashed, targets), np.uint64, len(targets))
    placed = tasks.get(classes.task).record is Listing
    for target, number in zip(targets, np.searchsorted(classes.hashes, hashes).tolist(), strict=True):
        if number in classes.shown:
            classes.names.setdefault(number, target[:TEXT])
        if placed and classes.node[number] < 0:
            path = tasks.get(classes.task).parse(target)
            classes.node[number] = classes.nodes.setdefault(path[0] if path else "", len(classes.nodes))
            classes.known[number] = path in tree


def unseen(classes: Classes, training: Classes | None) -> int:
    """Return how many rows have a class that no training row has."""
    known = training.hashes if training else np.empty(0, np.uint64)
    return int(classes.rows[~np.isin(classes.hashes, known)].sum())


def histogram(classes: Classes) -> dict[str, Any]:
    """Return the number of classes, their sizes from the largest to the smallest as a curve, and both ends by name."""
    order = _order(classes.rows)
    sizes = classes.rows[order]
    ranks = np.unique(np.geomspace(1, len(sizes), POINTS).round().astype(int))
    named = [[classes.names.get(number, ""), int(classes.rows[number])] for number in order.tolist()[:TOP_CLASSES]]
    rest = [
        [classes.names.get(number, ""), int(classes.rows[number])]
        for number in order.tolist()[TOP_CLASSES:][-TOP_CLASSES:]
    ]
    return {
        "classes": len(sizes),
        "rows": int(sizes.sum()),
        "with_one_row": int((sizes == 1).sum()),
        "share_of_largest_1_percent": _share(sizes, 0.01),
        "share_of_largest_10_percent": _share(sizes, 0.10),
        "largest": named,
        "smallest": rest,
        "curve": [[int(rank), int(sizes[rank - 1])] for rank in ranks],
    }


def _share(sizes: NDArray[np.int64], part: float) -> float:
    """Return the share of rows in the largest ``part`` of the classes, at least one class."""
    return float(sizes[: max(1, round(part * len(sizes)))].sum() / sizes.sum())


def coverage(classes: Classes, tree: Tree) -> dict[str, Any] | None:
    """Return rows and distinct paths under each top-level node, against the taxonomy's own; nothing if the task has no paths."""
    if not classes.nodes:
        return None
    count = len(classes.nodes)
    rows = np.bincount(classes.node, weights=classes.rows, minlength=count).astype(int)
    paths, known = (np.bincount(classes.node[mask], minlength=count) for mask in (classes.node >= 0, classes.known))
    names = list(classes.nodes)
    order = sorted(range(count), key=lambda number: (-rows[number], names[number]))
    of = _under(tree)
    nodes = [
        {
            "node": names[n][:TEXT],
            "rows": int(rows[n]),
            "paths": int(paths[n]),
            "known": int(known[n]),
            "of": of.get(names[n], 0),
        }
        for n in order[:NODES]
    ]
    return {
        "nodes": nodes,
        "further_nodes": count - len(nodes),
        "paths": int(paths.sum()),
        "in_taxonomy": int(known.sum()),
        "taxonomy": len(tree),
        "unseen_nodes": sorted(of.keys() - classes.nodes.keys()),
    }


def _under(tree: Iterable[tuple[str, ...]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in tree:
        found[path[0]] = found.get(path[0], 0) + 1
    return found


def taxonomy(spec: Spec) -> Tree:
    """Return the paths of the taxonomies that a specification names, as an option of a source or as a source."""
    # It brings what matches names, and the command line starts without that.
    from converters.sources.google_taxonomy import load

    options = [sources.resolved(entry.source, entry.options).get("taxonomy") for entry in spec.sources]
    named = {Path(name) for name in options if isinstance(name, str)}
    files = named | {
        path for entry in spec.sources if entry.source == "google_taxonomy" for path in expand(entry.paths)
    }
    return frozenset(path for file in files for path in load(file).paths)


BATCH_ROWS, BATCH_BYTES = 1024, 8 * 2**20
LONGEST = 5
SAMPLES, SAMPLE_TEXT = 3, 1500
NAMES = 10_000  # attributes that are counted by name
SHOWN = 200  # of them, in the manifest
OTHERS = "(all other attributes)"
# Four bins an octave, so that short and long rows are told apart equally well.
EDGES = [0, *(2**k + part * 2 ** (k - 2) for k in range(2, 26) for part in range(4))]
_MEASURED = np.dtype([("task", "u1"), ("total", "u4"), ("answers", "u4")])

Tick = Callable[[int], object]
Samples = dict[str, list[dict[str, Any]]]


class Seen(msgspec.Struct):
    """As much of a row as is looked at."""

    id: str
    task: str
    source: str
    messages: list[Turn]


@dataclass(slots=True)
class Found:
    """What one pass collects; ``samples`` are the first rows of each task and source, in the shuffled order of the file."""

    measured: list[NDArray[np.void]] = field(default_factory=list)
    longest: list[tuple[int, str]] = field(default_factory=list)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    stated: Counter[str] = field(default_factory=Counter)
    samples: defaultdict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def of_mix(folder: Path, rows: pd.DataFrame, spec: Spec, ruler: Ruler, tick: Tick) -> tuple[dict[str, Any], Samples]:
    """Return what the manifest says of each split in ``folder``, and three sample rows a task; ``tick`` hears rows so far."""
    tree, statistics, samples, done = taxonomy(spec), {}, [], 0
    training = counted(rows, TRAIN)
    for number, name in enumerate(SPLITS):
        found, classes = Found(), counted(rows, number) if number != TRAIN else training
        for batch in batches(folder / f"{name}.jsonl"):
            _look(batch, ruler, found)
            for task, known in classes.items():
                learn(known, [row.messages[-1].content for row in batch if row.task == task], tree)
            done += len(batch)
            tick(done)
        statistics[name] = _summarised(found, ruler, spec) | {
            "classes": {
                task: histogram(known) | {"rows_unseen_in_training": unseen(known, training.get(task))}
                for task, known in classes.items()
            },
            "categories": {task: at for task, known in classes.items() if (at := coverage(known, tree))},
        }
        samples.append(found.samples)
    return statistics, _chosen(samples)


def batches(path: Path) -> Iterator[list[Seen]]:
    """Yield the rows of a file of our format, a bounded number of bytes at a time."""
    decode, batch, size = msgspec.json.Decoder(Seen).decode, list[Seen](), 0
    with path.open("rb") as file:
        for line in file:
            batch.append(decode(line))
            size += len(line)
            if len(batch) == BATCH_ROWS or size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _look(batch: Sequence[Seen], ruler: Ruler, found: Found) -> None:
    numbers = {name: number for number, name in enumerate(tasks.names())}
    total, answers = measure([row.messages for row in batch], ruler)
    kinds = np.fromiter((numbers[row.task] for row in batch), np.uint8, len(batch))
    found.measured.append(np.rec.fromarrays([kinds, total, answers], dtype=_MEASURED))
    ids = zip(total.tolist(), (row.id for row in batch), strict=True)
    found.longest = nlargest(LONGEST, [*found.longest, *ids])
    for row in batch:
        found.cells[row.task, row.source] += 1
        if tasks.get(row.task).record is Attributes:
            _attributes(row, found)
        if len(kept := found.samples[row.task, row.source]) < SAMPLES:
            kept.append({"id": row.id, "source": row.source, "turns": [_clipped(turn) for turn in row.messages]})


def measure(conversations: Sequence[Sequence[Turn]], ruler: Ruler) -> tuple[Lengths, Lengths]:
    """Return each conversation's length, and that of its answers: the assistant's turns, which are what is learnt.

    >>> from converters.text.lengths import ruler
    >>> [part.tolist() for part in measure([[Turn("user", "Mug?"), Turn("assistant", "Cup")]], ruler(None))]
    [[7], [3]]
    """
    turns = [turn for conversation in conversations for turn in conversation]
    lengths = ruler.measure([turn.content for turn in turns])
    said = np.fromiter((turn.role == "assistant" for turn in turns), bool, len(turns))
    owner = np.repeat(np.arange(len(conversations)), [len(one) for one in conversations])
    count = len(conversations)
    total, answers = (np.bincount(owner, weights=w, minlength=count) for w in (lengths, lengths * said))
    return total.astype(np.uint32), answers.astype(np.uint32)


def _attributes(row: Seen, found: Found) -> None:
    for name, values in (tasks.get(row.task).parse(row.messages[-1].content) or {}).items():
        key = name if name in found.asked or len(found.asked) < NAMES else OTHERS
        found.asked[key] += 1
        found.stated[key] += bool(values)


def _clipped(turn: Turn) -> tuple[str, str]:
    more = len(turn.content) - SAMPLE_TEXT
    return turn.role, turn.content[:SAMPLE_TEXT] + (f" … ({more:,} more characters)" if more > 0 else "")


def _summarised(found: Found, ruler: Ruler, spec: Spec) -> dict[str, Any]:
    by_task: dict[str, dict[str, int]] = {}
    sources: Counter[str] = Counter()
    for (task, source), count in sorted(found.cells.items()):
        by_task.setdefault(task, {})[source] = count
        sources[source] += count
    return {
        "sources": dict(sorted(sources.items())),
        "tasks_by_source": by_task,
        "lengths": _lengths(found, ruler, spec.sequence_len),
        "attributes": _coverage(found),
    }


def _coverage(found: Found) -> dict[str, Any]:
    often = sorted(found.asked.items(), key=lambda item: (-item[1], item[0]))
    shown = [{"name": name, "asked": asked, "stated": found.stated[name]} for name, asked in often[:SHOWN]]
    return {"names": len(often), "asked": found.asked.total(), "stated": found.stated.total(), "most_asked": shown}


def _lengths(found: Found, ruler: Ruler, limit: int) -> dict[str, Any]:
    measured = np.concatenate(found.measured) if found.measured else np.empty(0, _MEASURED)
    kinds = {name: measured[measured["task"] == number] for number, name in enumerate(tasks.names())}
    by_task = {name: _summary(part, ruler, limit) for name, part in kinds.items() if len(part)}
    supervised = int(measured["answers"].sum(dtype=np.int64))
    general = by_task.get("general", {}).get("supervised", 0)
    return {
        "unit": ruler.unit,
        "tokenizer": describe(ruler.file) if ruler.file else None,
        "sequence_len": limit,
        **{key: value for key, value in _summary(measured, ruler, limit).items() if key != "histogram"},
        "general_share_of_supervised": general / max(1, supervised),
        "longest_rows": [{"id": name, "length": length} for length, name in found.longest],
        "tasks": by_task,
    }


def _summary(measured: NDArray[np.void], ruler: Ruler, limit: int) -> dict[str, Any]:
    """Return sums, places of the distribution, and how many rows are longer than the limit: unknown where it is in tokens."""
    total = measured["total"]
    middle, most = (int(np.quantile(total, part, method="lower")) if len(total) else 0 for part in (0.5, 0.95))
    return {
        "rows": len(total),
        "total": int(total.sum(dtype=np.int64)),
        "supervised": int(measured["answers"].sum(dtype=np.int64)),
        "over_sequence_len": int((total > limit).sum()) if ruler.file else None,
        "median": middle,
        "p95": most,
        "longest": int(total.max(initial=0)),
        "histogram": _histogram(total),
    }


def _histogram(lengths: NDArray[np.uint32]) -> list[list[int]]:
    """Return ``[from, below, rows]`` for every bin between the shortest and the longest."""
    counts = np.bincount(np.searchsorted(EDGES, lengths, side="right") - 1, minlength=len(EDGES))
    there = np.flatnonzero(counts)
    if not len(there):
        return []
    return [[EDGES[n], EDGES[n + 1], int(counts[n])] for n in range(there[0], min(there[-1], len(EDGES) - 2) + 1)]


def _chosen(found: Sequence[Mapping[tuple[str, str], list[dict[str, Any]]]]) -> Samples:
    """Return three rows of each task, from training where it has them, each from another source as far as that goes."""
    chosen: Samples = {}
    for samples in found:
        for turn in range(SAMPLES):
            for (task, _), rows in sorted(samples.items()):
                kept = chosen.setdefault(task, [])
                if len(kept) < SAMPLES and turn < len(rows):
                    kept.append(rows[turn])
    return dict(sorted(chosen.items()))
