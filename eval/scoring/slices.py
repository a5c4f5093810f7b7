"""Scores of slices: the value, interval and floor of a few metrics where examples have something in common.

The work is bounded whatever the number of rows: a task's lines are summed once per kind of slice, and intervals come from at most
:data:`BLOCKS` random blocks of whole groups, which are resampled in place of the groups (with fewer groups than that, a block is
a group). A block is a sum of independent groups, so the spread of a sum over blocks is that of the sum over groups.
The floor is what the task's trivial predictors, which know the whole test gold, score within the slice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from converters import tasks
from eval import metrics
from eval.metrics.base import Floats, Metric, Table, dense
from eval.metrics.extraction import Ints, Slots
from eval.results.schema import Score, Settings, Slice
from eval.scoring import stats
from eval.scoring.batch import Batch, by_name
from eval.scoring.slicing import Partition, Partitions

Points = dict[tuple[str, str], Floats]  # by kind and metric: the value in each slice of the kind

BLOCKS = 2000
PARTS = 100  # of the blocks, to be left out in turn
MINIMUM = 20  # examples; with fewer, a slice shows how many and no score
BESIDE = ("accuracy", "exact_match", "unanswerable_f1")  # shown in slices besides the headline metric
OF_SLOTS = ("micro_f1", "micro_precision", "micro_recall")


class Divided(NamedTuple):
    """One kind of slice, the tables that it divides, by metric, and for each item its row and its line in the tables."""

    partition: Partition
    tables: Mapping[str, Table]
    rows: Ints
    lines: Ints


def chosen(task: str, tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of the metrics that slices show: the headline metric and :data:`BESIDE`."""
    headline = next((name for name in tasks.get(task).metrics if name in tables), "")
    return {name: table for name, table in tables.items() if name == headline or name in BESIDE}


def divided(
    partitions: Partitions, tables: Mapping[str, Table], slots: Slots | None, places: Ints | None
) -> Iterator[Divided]:
    """Yield each kind of slice with the lines of all rows (``places``, if not one each) or, for attributes, of ``slots``."""
    for partition in partitions.of_rows:
        rows = np.arange(len(partition.codes))
        yield Divided(partition, tables, rows, rows if places is None else places)
    if slots is not None and partitions.of_slots:
        by_slot = dict.fromkeys(OF_SLOTS, np.asarray(slots.values, np.float64))
        for partition in partitions.of_slots:
            yield Divided(partition, by_slot, slots.row, np.arange(len(slots.row)))


def points(
    partitions: Partitions, tables: Mapping[str, Table], slots: Slots | None, places: Ints | None = None
) -> Points:
    """Return the metrics of every slice; ``places`` are the lines of the rows, if not one each."""
    values: Points = {}
    for (kind, names, codes), by_metric, _, lines in divided(partitions, tables, slots, places):
        items, by_id = codes >= 0, {id(table): table for table in by_metric.values()}
        sums = _summed(codes[items], lines[items], len(names), by_id)
        for name, table in by_metric.items():
            values[kind, name] = metrics.get(name).reduce(dense(sums[id(table)]))
    return values


def _summed(owners: Ints, lines: Ints, count: int, tables: Mapping[int, Table]) -> dict[int, Table]:
    """Return the tables' lines summed by the owners of items, in the items' order."""
    if not tables:
        return {}
    member: Any = stats.membership(owners, lines, (count, next(iter(tables.values())).shape[0]))
    return {key: member @ table for key, table in tables.items()}


def scores(
    partitions: Partitions,
    batch: Batch,
    tables: Mapping[str, Table],
    floors: Sequence[tuple[str, Points]],
    settings: Settings,
) -> list[Slice]:
    """Return every slice with its size and, if it has :data:`MINIMUM` rows, its scores."""
    groups, places = by_name(batch), np.asarray(batch.places)
    invalid = np.array([example.answer is None for example in batch.distinct])[places]
    blocks, weights = blocked(groups, settings)
    values, slices = points(partitions, tables, partitions.slots, places), list[Slice]()
    for part in divided(partitions, tables, partitions.slots, places):
        kind, names, codes = part.partition
        order = np.argsort(codes, kind="stable")
        edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
        for number, name in enumerate(names):
            items = order[edges[number] : edges[number + 1]]
            rows = np.unique(part.rows[items])
            count, by_metric = len(np.unique(groups[rows])), dict[str, Score]()
            if len(rows) >= MINIMUM:
                for metric, sample in _samples(part, items, groups, blocks, weights).items():
                    value = float(values[kind, metric][number])
                    if not np.isnan(value):
                        trivial = [(float(at[kind, metric][number]), by) for by, at in floors if (kind, metric) in at]
                        found, floor = stats.score_interval(value, sample), max(trivial, key=lambda pair: pair[0])
                        by_metric[metric] = Score(value, found.low, found.high, *floor, found.reason)
            slices.append(Slice(kind, name, len(rows), count, int(invalid[rows].sum()), by_metric))
    return slices


def blocked(groups: Ints, settings: Settings) -> tuple[Ints, Floats]:
    """Return the block of each example, and B + parts × blocks: how often each block is drawn in each resample, 0 in its part."""
    random, count = np.random.default_rng(settings.seed), int(groups.max()) + 1
    blocks = random.permutation(count)[groups] % BLOCKS
    used = min(count, BLOCKS)
    weights = random.multinomial(used, np.full(used, 1 / used), size=settings.resamples)
    parts = stats.parted(used, settings.seed, PARTS)
    return blocks, np.concatenate([weights, np.arange(parts.max() + 1)[:, None] != parts]).astype(np.float64)


def _samples(part: Divided, items: Ints, groups: Ints, blocks: Ints, weights: Floats) -> dict[str, stats.Sample]:
    """Return how each metric varies within a slice."""
    rows, lines, units = part.rows[items], part.lines[items], weights.shape[1]
    tables = {id(table): table for table in part.tables.values()}
    numbers, samples = np.unique(groups[rows], return_inverse=True)[1], dict[str, stats.Sample]()
    sums = _summed(blocks[rows], lines, units, tables)
    sizes = {
        (key, of): stats.effective(np.bincount(numbers, stats.with_lines(tables[key], of)[lines]).astype(np.float64))
        for key, of in {(id(table), metrics.get(name).of) for name, table in part.tables.items()}
    }
    for name, table in part.tables.items():
        metric = metrics.get(name)
        values = _reduced(metric, weights, sums[id(table)])
        draws, left_out = np.split(values, [len(weights) - min(units, PARTS)])
        samples[name] = stats.Sample(draws, left_out, units, *sizes[id(table), metric.of])
    return samples


def _reduced(metric: Metric, weights: Floats, lines: Table) -> Floats:
    """Return the metric of the lines' sums under each of the weights, as many at a time as the processor's cache holds."""
    chunk = max(stats.LEAST, stats.CELLS // lines.shape[1])
    parts = (weights[start : start + chunk] @ lines for start in range(0, len(weights), chunk))
    return np.concatenate([metric.reduce(np.asarray(part)) for part in parts])
