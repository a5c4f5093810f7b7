"""Scores of slices: the value, interval and floor of a few metrics where examples have something in common.

The work is bounded whatever the number of rows: a task's lines are summed once a kind, and intervals come from at most
:data:`BLOCKS` random blocks of whole groups, which are resampled in place of the groups (with fewer groups than that, a block is
a group). A block is a sum of independent groups, so the spread of a sum over blocks is that of the sum over groups.
The floor is what the task's trivial predictors, which know the whole test gold, score within the slice.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from converters import tasks
from eval import metrics
from eval.metrics.base import Example, Floats, Table
from eval.metrics.extraction import Slots, slot_lines
from eval.results.schema import Score, Settings, Slice
from eval.scoring import stats
from eval.scoring.slicing import Cut, Cuts

Ints = NDArray[np.int64]
Points = dict[tuple[str, str], Floats]  # by kind and metric: the value in each slice of the kind


class Part(NamedTuple):
    """One kind of slice, the lines that it divides, by metric, and the row that each line is of."""

    cut: Cut
    tables: Mapping[str, Table]
    rows: Ints


BLOCKS = 2000
MINIMUM = 20  # examples; with fewer, a slice shows how many and no score
BESIDE = ("accuracy", "exact_match", "unanswerable_f1")
OF_SLOTS = ("micro_f1", "micro_precision", "micro_recall")


def chosen(task: str, tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of the metrics that slices show: the headline and what is as plain as accuracy."""
    headline = next((name for name in tasks.get(task).metrics if name in tables), "")
    return {name: table for name, table in tables.items() if name == headline or name in BESIDE}


def parts(found: Cuts, tables: Mapping[str, Table], slots: Slots | None) -> Iterator[Part]:
    """Yield each kind of slice with the lines of all examples or, for attributes, of ``slots``."""
    for cut in found.of_rows:
        yield Part(cut, tables, np.arange(len(cut.codes)))
    if slots is not None and found.of_slots:
        by_slot = dict.fromkeys(OF_SLOTS, slot_lines(slots))
        for cut in found.of_slots:
            yield Part(cut, by_slot, slots.row)


def points(found: Cuts, tables: Mapping[str, Table], slots: Slots | None) -> Points:
    """Return the metrics of every slice."""
    values: Points = {}
    for cut, lines, _ in parts(found, tables, slots):
        items = np.flatnonzero(cut.codes >= 0)
        shape = (len(cut.names), len(cut.codes))
        member = sparse.csr_array((np.ones(len(items)), (cut.codes[items], items)), shape=shape)
        sums = {id(table): _dense(member @ table) for table in lines.values()}
        for name, table in lines.items():
            values[cut.kind, name] = metrics.get(name).reduce(sums[id(table)])
    return values


def _dense(table: Any) -> Floats:
    return np.asarray(table if isinstance(table, np.ndarray) else table.toarray(), dtype=np.float64)


def scores(
    found: Cuts,
    examples: Sequence[Example],
    tables: Mapping[str, Table],
    floors: Sequence[tuple[str, Points]],
    settings: Settings,
) -> list[Slice]:
    """Return every slice with its size and, if it has :data:`MINIMUM` examples, its scores."""
    groups = np.unique([e.group for e in examples], return_inverse=True)[1].astype(np.int64)
    invalid = np.fromiter((e.said is None for e in examples), np.bool_, len(examples))
    blocks, weights = blocked(groups, settings)
    values, slices = points(found, tables, found.slots), list[Slice]()
    for part in parts(found, tables, found.slots):
        for number, items in enumerate(_items(part.cut)):
            rows = np.unique(part.rows[items])
            count, shown = len(np.unique(groups[rows])), dict[str, Score]()
            if len(rows) >= MINIMUM:
                spread = _spread(part, items, blocks, weights) if count > 1 else {}
                shown = _shown(part, number, values, spread, floors)
            name = part.cut.names[number]
            slices.append(Slice(part.cut.kind, name, len(rows), count, int(invalid[rows].sum()), shown))
    return slices


def blocked(groups: Ints, settings: Settings) -> tuple[Ints, Floats]:
    """Return the block of each example, and B × blocks: how often each block is drawn in each resample."""
    random, count = np.random.default_rng(settings.seed), int(groups.max()) + 1
    blocks = random.permutation(count)[groups] % BLOCKS
    used = min(count, BLOCKS)
    weights = random.multinomial(used, np.full(used, 1 / used), size=settings.resamples)
    return blocks, weights.astype(np.float64)


def _items(cut: Cut) -> list[Ints]:
    """Return the items of each slice of a kind."""
    order = np.argsort(cut.codes, kind="stable")
    edges = np.searchsorted(cut.codes[order], np.arange(len(cut.names) + 1))
    return [order[start:end] for start, end in pairwise(edges)]


def _spread(part: Part, items: Ints, blocks: Ints, weights: Floats) -> dict[str, Floats]:
    """Return each metric's values within a slice, resample by resample."""
    where = (blocks[part.rows[items]], np.arange(len(items)))
    member = sparse.csr_array((np.ones(len(items)), where), shape=(weights.shape[1], len(items)))
    sums = {id(table): member @ table[items] for table in part.tables.values()}
    draws = {key: np.asarray(weights @ table) for key, table in sums.items()}
    return {name: metrics.get(name).reduce(draws[id(table)]) for name, table in part.tables.items()}


def _shown(
    part: Part,
    number: int,
    values: Points,
    spread: Mapping[str, Floats],
    floors: Sequence[tuple[str, Points]],
) -> dict[str, Score]:
    shown = {}
    for name in part.tables:
        value, key = float(values[part.cut.kind, name][number]), (part.cut.kind, name)
        least = [(float(trivial[key][number]), by) for by, trivial in floors if key in trivial]
        if not np.isnan(value):
            found = stats.within(stats.interval(spread[name], value)) if spread else None
            low, high = found or (None, None)
            shown[name] = Score(value, low, high, *max(least, key=lambda pair: pair[0]))
    return shown
