"""Figures of a mixture: rows, lengths, classes, attributes, by task and split."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.console import Pool, Tick, in_processes
from converters.core.garbage import seldom_collected
from converters.io import describe
from converters.mixture.plan.table import TRAIN, Table
from converters.mixture.report.classes import count_classes, coverage, histogram, learn, scored_by_class, taxonomy
from converters.mixture.spec import Spec
from converters.schema import SPLITS, Attributes, Turn
from converters.text.lengths import Lengths, Ruler
from converters.text.lengths import ruler as ruler_of

PIECE = 8 << 20  # bytes of a file that one process measures at a time
READ = 1 << 20  # and of them, that are decoded at once
LONGEST = 5
SAMPLES, SAMPLE_TEXT = 3, 1500
NAMES = 10_000  # attributes that are counted by name
SHOWN = 200  # of them, in the manifest
OTHERS = "(all other attributes)"
# Four bins an octave, so that short and long rows are told apart equally well.
EDGES = [0, *(2**k + part * 2 ** (k - 2) for k in range(2, 26) for part in range(4))]
_LENGTHS = np.dtype([("task", "u1"), ("total", "u4"), ("answers", "u4")])
_COUNTS = np.dtype([("task", "u8"), ("total", "u8"), ("answers", "u8"), ("rows", "u8")])  # rows of one task and length

Samples = dict[str, list[dict[str, Any]]]


class RowView(msgspec.Struct, gc=False):
    """As much of a row as is measured."""

    id: str
    task: str
    source: str
    messages: list[Turn]


@dataclass(slots=True)
class Figures:
    """What a pass over rows collects; ``samples`` are the first ones of each task and source, in the shuffled order of the file.

    ``lengths`` are of each row; at the end of a piece ``counts`` take their place, one for each task and length, in order.
    ``targets`` are the different ones of each task whose targets are classes, in the order of the file, too.
    """

    lengths: list[NDArray[np.void]] = field(default_factory=list)
    counts: NDArray[np.void] = field(default_factory=lambda: np.empty(0, _COUNTS))
    longest: list[tuple[int, str]] = field(default_factory=list)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    stated: Counter[str] = field(default_factory=Counter)
    samples: defaultdict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    targets: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))


class Piece(NamedTuple):
    """The lines of a split, by its number, that begin within some bytes of its file."""

    split: int
    path: Path
    start: int
    stop: int


def of_mix(
    folder: Path, rows: Table, spec: Spec, ruler: Ruler, tick: Tick, pool: Pool = in_processes
) -> tuple[dict[str, Any], Samples]:
    """Return what the manifest says of each split in ``folder``, and three sample rows a task; ``tick`` hears rows so far.

    Tokens are counted in this process: their libraries have threads of their own. Without a tokenizer it is done by ``pool``.
    """
    tree, statistics, samples, done = taxonomy(spec), {}, [], 0
    classes = [count_classes(rows, number) for number in range(len(SPLITS))]
    measuring = partial(_measured, ruler=ruler if ruler.file else None)
    with closing((in_processes if ruler.file else pool)(measuring, _pieces(folder))) as results:
        for number, group in groupby(results, key=itemgetter(0)):
            figures, own = Figures(), classes[number]
            for _, found in group:
                _add(figures, found)
                for task in own:
                    learn(own[task], list(found.targets[task]), tree)
                tick(done := done + int(found.counts["rows"].sum()))
            statistics[SPLITS[number]] = _summarised(figures, ruler, spec) | {
                "classes": {task: histogram(own[task], classes[TRAIN].get(task)) for task in own},
                "categories": {task: covered for task in own if (covered := coverage(own[task], tree))},
            }
            samples.append(figures.samples)
    return statistics, _samples(samples)


def _pieces(folder: Path) -> Iterator[Piece]:
    for number, name in enumerate(SPLITS):
        path = folder / f"{name}.jsonl"
        for start in range(0, max(1, path.stat().st_size), PIECE):
            yield Piece(number, path, start, start + PIECE)


@seldom_collected()
def _measured(piece: Piece, ruler: Ruler | None) -> tuple[int, Figures]:
    """Return the split of a piece and its figures."""
    figures, measure = Figures(), ruler or ruler_of(None)
    for batch in batches(piece):
        _measure(batch, measure, figures)
    lengths = np.concatenate([np.empty(0, _LENGTHS), *figures.lengths])
    columns = [lengths[name] for name in _LENGTHS.names or ()]
    figures.lengths, figures.counts = [], _added(np.rec.fromarrays([*columns, np.ones(len(lengths))], dtype=_COUNTS))
    return piece.split, figures


def batches(piece: Piece) -> Iterator[list[RowView]]:
    """Yield the rows of a piece of a file of our format, a bounded number at a time."""
    decode = msgspec.json.Decoder(RowView).decode_lines
    with piece.path.open("rb") as file:
        if piece.start:
            file.seek(piece.start - 1)
            file.readline()  # which begins in the piece before
        while (left := piece.stop - file.tell()) > 0 and (block := file.read(min(left, READ))):
            yield decode(block if block.endswith(b"\n") else block + file.readline())


def _add(figures: Figures, more: Figures) -> None:
    """Add the figures of the rows that follow; of the names of attributes, the first ``NAMES`` are told apart."""
    figures.counts = _added(np.concatenate([figures.counts, more.counts]))
    figures.longest = nlargest(LONGEST, [*figures.longest, *more.longest])
    figures.cells.update(more.cells)
    for name, count in more.asked.items():
        key = name if name in figures.asked or len(figures.asked) < NAMES else OTHERS
        figures.asked[key] += count
        figures.stated[key] += more.stated[name]
    for cell, rows in more.samples.items():
        figures.samples[cell] += rows[: SAMPLES - len(figures.samples[cell])]


def _measure(batch: Sequence[RowView], ruler: Ruler, figures: Figures) -> None:
    numbers = {name: number for number, name in enumerate(tasks.names())}
    total, answers = measure([row.messages for row in batch], ruler)
    kinds = np.array([numbers[row.task] for row in batch], np.uint8)
    figures.lengths.append(np.rec.fromarrays([kinds, total, answers], dtype=_LENGTHS))
    least = figures.longest[-1][0] if len(figures.longest) == LONGEST else 0
    long = [(int(total[place]), batch[place].id) for place in np.flatnonzero(total >= least)]
    figures.longest = nlargest(LONGEST, [*figures.longest, *long])
    cells = Counter([(row.task, row.source) for row in batch])
    figures.cells.update(cells)
    for row in batch if any(len(figures.samples[cell]) < SAMPLES for cell in cells) else ():
        if len(samples := figures.samples[row.task, row.source]) < SAMPLES:
            samples.append({"id": row.id, "source": row.source, "turns": [_clipped(turn) for turn in row.messages]})
    names = {name for name, _ in cells}
    for name in filter(scored_by_class, names):
        figures.targets[name].update(dict.fromkeys([row.messages[-1].content for row in batch if row.task == name]))
    parses = {name: tasks.get(name).parse for name in names if tasks.get(name).record is Attributes}
    records = [parses[row.task](row.messages[-1].content) or {} for row in batch if row.task in parses]
    figures.asked.update(chain.from_iterable(records))
    figures.stated.update([name for values in records for name, found in values.items() if found])


def _clipped(turn: Turn) -> tuple[str, str]:
    more = len(turn.content) - SAMPLE_TEXT
    return turn.role, turn.content[:SAMPLE_TEXT] + (f" … ({more:,} more characters)" if more > 0 else "")


def measure(conversations: Sequence[Sequence[Turn]], ruler: Ruler) -> tuple[Lengths, Lengths]:
    """Return each conversation's length, and that of its answers: the assistant's turns, which are what is learnt.

    >>> from converters.text.lengths import ruler
    >>> [part.tolist() for part in measure([[Turn("user", "Mug?"), Turn("assistant", "Cup")]], ruler(None))]
    [[7], [3]]
    """
    turns = [turn for conversation in conversations for turn in conversation]
    lengths = ruler.measure([turn.content for turn in turns])
    answers = np.array([turn.role == "assistant" for turn in turns], bool)
    owner, count = np.repeat(np.arange(len(conversations)), [*map(len, conversations)]), len(conversations)
    sums = (np.bincount(owner, weights=weights, minlength=count) for weights in (lengths, lengths * answers))
    total, answered = (column.astype(np.uint32) for column in sums)
    return total, answered


def _summarised(figures: Figures, ruler: Ruler, spec: Spec) -> dict[str, Any]:
    by_task: dict[str, dict[str, int]] = {}
    sources: Counter[str] = Counter()
    for (task, source), count in sorted(figures.cells.items()):
        by_task.setdefault(task, {})[source] = count
        sources[source] += count
    asked = sorted(figures.asked.items(), key=lambda item: (-item[1], item[0]))
    return {
        "sources": dict(sorted(sources.items())),
        "tasks_by_source": by_task,
        "lengths": _lengths(figures, ruler, spec.sequence_len),
        "attributes": {
            "names": len(asked),
            "asked": figures.asked.total(),
            "stated": figures.stated.total(),
            "most_asked": [{"name": n, "asked": count, "stated": figures.stated[n]} for n, count in asked[:SHOWN]],
        },
    }


def _lengths(figures: Figures, ruler: Ruler, limit: int) -> dict[str, Any]:
    counts = figures.counts
    kinds = {name: counts[counts["task"] == number] for number, name in enumerate(tasks.names())}
    by_task = {name: _summary(part, ruler, limit) for name, part in kinds.items() if len(part)}
    every = counts.copy()
    every["task"] = 0
    summary = _summary(_added(every), ruler, limit)
    del summary["histogram"]
    return {
        "unit": ruler.unit,
        "tokenizer": describe(ruler.file) if ruler.file else None,
        "sequence_len": limit,
        **summary,
        "general_share_of_supervised": by_task.get("general", {}).get("supervised", 0) / max(1, summary["supervised"]),
        "longest_rows": [{"id": name, "length": length} for length, name in figures.longest],
        "tasks": by_task,
    }


def _added(counts: NDArray[np.void]) -> NDArray[np.void]:
    """Return the sums of counts of the same task and length, in order."""
    order = np.lexsort((counts["total"], counts["task"]))
    keys = counts[["task", "total"]][order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    found: NDArray[np.void] = counts[order[starts]]
    for name in ("answers", "rows") if len(starts) else ():
        found[name] = np.add.reduceat(counts[name][order], starts)
    return found


def _summary(counts: NDArray[np.void], ruler: Ruler, limit: int) -> dict[str, Any]:
    """Return sums, quantiles, and how many rows are longer than the limit: unknown if lengths are in characters.

    ``counts`` are in the order of lengths. ``histogram`` is ``[from, below, rows]`` for every bin between the shortest and the
    longest.
    """
    lengths, rows = counts["total"].astype(np.int64), counts["rows"].astype(np.int64)
    upto = np.cumsum(rows)
    last = int(upto[-1]) - 1 if len(upto) else -1
    median, p95 = (
        int(lengths[np.searchsorted(upto, math.floor(last * part), side="right")]) if len(upto) else 0
        for part in (0.5, 0.95)
    )
    bins = np.bincount(np.searchsorted(EDGES, lengths, side="right") - 1, rows, len(EDGES)).astype(int)
    full = np.flatnonzero(bins[:-1]).tolist()
    shown = range(full[0], full[-1] + 1) if full else range(0)
    return {
        "rows": last + 1,
        "total": int((lengths * rows).sum()),
        "supervised": int(counts["answers"].sum()),
        "over_sequence_len": int(rows[lengths > limit].sum()) if ruler.file else None,
        "median": median,
        "p95": p95,
        "longest": int(lengths.max(initial=0)),
        "histogram": [[EDGES[n], EDGES[n + 1], int(bins[n])] for n in shown],
    }


def _samples(splits: Sequence[Mapping[tuple[str, str], list[dict[str, Any]]]]) -> Samples:
    """Return three rows of each task, from training where it has them, each from another source as far as that goes."""
    chosen: Samples = {}
    for samples in splits:
        for turn in range(SAMPLES):
            for (task, _), rows in sorted(samples.items()):
                if len(chosen.setdefault(task, [])) < SAMPLES and turn < len(rows):
                    chosen[task].append(rows[turn])
    return dict(sorted(chosen.items()))
