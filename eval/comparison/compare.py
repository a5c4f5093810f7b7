"""Compare two or more runs: each later one with the first, difference = later − first.

Rows are paired by id, groups are resampled once for all runs. p is that of the interval: it is below 0.05 where the 95 % interval
leaves 0 out. There is no exact McNemar for what is right or wrong: it takes rows for independent, and rows of one product are
not. Holm corrects in families: the headline metrics (one per task, over all pairs), by which a gate goes, and the other metrics
of each task. So a metric that is added weakens no headline's verdict, nor another task's.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from converters import tasks
from converters.core.errors import InputError
from eval import RESAMPLES, SEED, metrics
from eval.comparison import pairing
from eval.comparison.pairing import TaskRows
from eval.metrics import _normalise
from eval.metrics.base import Table, Tools
from eval.metrics.extraction import Ints
from eval.results.schema import Run, Score, ScoredRow
from eval.scoring import stats

FAMILIES = "Holm over the headline metrics of all tasks and pairs; over the other metrics of each task apart"
ALPHA = 0.05
HOLM = "The verdict goes by p corrected for all comparisons shown (Holm): an interval that leaves 0 out is not enough."
NO_VERDICT = "no verdict"
POWER = 2.8  # standard errors, z of 97.5 % + z of 80 %: a difference that is found four times out of five


Side = tuple[Run, TaskRows, Mapping[str, tuple[Table, Ints]]]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one task, run ``a`` (first) and run ``b``.

    Too few groups have no ``low``, ``high`` and ``p``: these are ``None``, ``reason`` says why, and there is no verdict.
    ``smallest`` is the smallest true difference that such a test set can show: 2.8 standard errors of the paired difference
    (80 % power at 5 %, two-sided, before Holm); ``None`` where no group differs. ``wins``, ``losses`` and ``ties`` count rows by
    their own value of the metric, if a row has one.
    """

    a: str
    b: str
    task: str
    metric: str
    headline: bool
    value_a: float
    value_b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None
    reason: str = ""
    verdict: str = ""
    smallest: float | None = None
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    score_a: Score
    score_b: Score


class Comparison(msgspec.Struct, frozen=True):
    """The content of ``compare.json``; ``runs`` holds each run's name, tasks and provenance.

    ``left_out`` counts the rows of each run that another run lacks. ``slices_left_out``: the kinds of slices that are not shown,
    since the runs' training splits differ. ``candidates_left_out`` says for each task whose metrics of candidates are not shown
    in what ways the runs rank those.
    """

    pairs: list[Pair]
    runs: list[dict[str, Any]]
    families: str
    resamples: int
    seed: int
    left_out: dict[str, int] = {}
    slices_left_out: list[str] = []
    candidates_left_out: dict[str, str] = {}


class Change(msgspec.Struct, frozen=True):
    """One example under two runs, with the value of ``metric`` for each."""

    a: ScoredRow
    b: ScoredRow
    metric: str
    value_a: float
    value_b: float


def compare(
    runs: Sequence[Run], resamples: int = RESAMPLES, seed: int = SEED, left_out: Mapping[str, int] | None = None
) -> Comparison:
    """Compare every later run with the first, task by task; ``left_out``: they were cut to their common rows."""
    pairing.check_comparable(runs, intersect=left_out is not None)
    rows = [pairing.by_task(run) for run in runs]
    pairs = [
        pair
        for task in runs[0].scores.tasks
        for pair in _task_pairs(task, runs, [of_run.pop(task, TaskRows()) for of_run in rows], resamples, seed)
    ]
    pairs.sort(key=lambda pair: [run.name for run in runs].index(pair.b))
    dropped = pairing.unlike_slices(runs)
    described = [
        {"name": run.name, "tasks": run.scores.tasks, "provenance": run.scores.provenance}
        for run in (pairing.unsliced(run, dropped) for run in runs)
    ]
    unlike = {task: said for task in runs[0].scores.tasks if (said := pairing.unlike_candidates(task, runs))}
    return Comparison(
        _with_verdicts(pairs), described, FAMILIES, resamples, seed, dict(left_out or {}), dropped, unlike
    )


def _task_pairs(task: str, runs: Sequence[Run], rows: Sequence[TaskRows], resamples: int, seed: int) -> list[Pair]:
    for run, others in zip(runs[1:], rows[1:], strict=True):
        if others.ids.digest() != rows[0].ids.digest():
            raise InputError(
                f"{runs[0].name} and {run.name} have different rows of task {task!r}, or in another order; "
                "--intersect pairs those that both have by id"
            )
    tools = Tools(_normalise.normaliser(runs[0].scores.provenance["normaliser"]))
    names = pairing.shared(task, runs, rows, tools)
    tables = [pairing.tables(of_run, names, tools) for of_run in rows]
    columns = [(of_run[name][0], metrics.get(name)) for of_run in tables for name in names]
    places = [of_run[name][1] for of_run in tables for name in names]
    samples = stats.bootstrap(columns, np.asarray(rows[0].batch.groups), resamples, seed, places=places)
    sides, pairs = list(zip(runs, rows, tables, strict=True)), []
    for other in range(1, len(runs)):
        for place, name in enumerate(names):
            gap = samples[other * len(names) + place] - samples[place]
            pairs.append(_pair(task, name, sides[0], sides[other], gap))
    return pairs


def _pair(task: str, name: str, first: Side, other: Side, gap: stats.Sample) -> Pair:
    metric, (run_a, rows_a, tables_a), (run_b, rows_b, tables_b) = metrics.get(name), first, other
    a, b = (stats.value(table, metric, places) for table, places in (tables_a[name], tables_b[name]))
    interval = stats.difference_interval(b - a, gap)
    known = name in rows_a.values and name in rows_b.values
    gaps = np.subtract(rows_b.values[name], rows_a.values[name]) if known else np.zeros(0)
    wins, losses, ties = (int(signs.sum()) for signs in (gaps > 0, gaps < 0, gaps == 0))
    counted = wins + losses + ties > 0
    return Pair(
        a=run_a.name,
        b=run_b.name,
        task=task,
        metric=name,
        headline=name == tasks.get(task).metrics[0],
        value_a=a,
        value_b=b,
        difference=b - a,
        low=interval.low,
        high=interval.high,
        p=interval.p,
        reason=interval.reason,
        smallest=None if interval.reason else POWER * stats.standard_error(gap) or None,
        wins=wins if counted else None,
        losses=losses if counted else None,
        ties=ties if counted else None,
        score_a=run_a.scores.tasks[task].metrics[name],
        score_b=run_b.scores.tasks[task].metrics[name],
    )


def _with_verdicts(pairs: Sequence[Pair]) -> list[Pair]:
    families: dict[str, dict[int, float]] = defaultdict(dict)
    for place, pair in enumerate(pairs):
        if pair.p is not None:
            families["" if pair.headline else pair.task][place] = pair.p
    adjusted: dict[int, float] = {}
    for family in families.values():
        adjusted |= zip(family, stats.holm(list(family.values())), strict=True)
    corrected = ((pair, adjusted.get(place)) for place, pair in enumerate(pairs))
    return [replace(pair, p_holm=p, verdict=verdict(pair.low, pair.high, p)) for pair, p in corrected]


def verdict(low: float | None, high: float | None, p_holm: float | None) -> str:
    """Return the verdict in words; it takes an interval without 0 *and* a corrected p below 0.05.

    >>> verdict(0.1, 0.2, 0.01), verdict(-0.2, -0.1, 0.01), verdict(0.1, 0.2, 0.3), verdict(None, None, None)
    ('better', 'worse', 'not shown to differ', 'no verdict')
    """
    if low is None or high is None or p_holm is None:
        return NO_VERDICT
    if p_holm >= ALPHA or low <= 0 <= high:
        return "not shown to differ"
    return "better" if low > 0 else "worse"


def changes(first: Run, other: Run) -> Iterator[Change]:
    """Yield the examples under both runs, by the first metric that has a value for one example."""
    for a, b in zip(first.rows, other.rows, strict=True):
        metric = leading(a.values)
        if metric and metric in b.values:
            yield Change(a, b, metric, a.values[metric], b.values[metric])


def leading(values: Mapping[str, float]) -> str | None:
    """Return the first metric that has a value for this example; the gold alone decides which do."""
    return next(iter(values), None)
