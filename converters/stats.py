"""What the rows of a mix are like: one pass over each written split, in bounded memory.

Lengths are of the rows' texts alone, in tokens where the specification names a tokenizer, else in characters; no chat template
is applied. Supervised are the assistant's turns. Nine bytes a row are held, however long the rows are.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters import tasks
from converters.classes import counted, coverage, histogram, learn, taxonomy, unseen
from converters.examples import Turn
from converters.lengths import Lengths, Ruler
from converters.mix import TRAIN
from converters.raw import describe
from converters.records import Attributes
from converters.spec import Spec
from converters.split import SPLITS

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

    >>> from converters.lengths import ruler
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
