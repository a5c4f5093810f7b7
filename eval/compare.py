"""Two or more runs, paired: the first against each other one, difference = other − first.

Rows are paired by id, groups are resampled once for all runs. p comes from exact McNemar where each row is right or wrong (it
takes rows as independent), else from the bootstrap. Holm corrects in two families: the headline metrics (one a task, over all
pairs), which carry the verdict, and all the other metrics.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from converters import tasks
from converters.errors import InputError
from eval import COMPARE_RESAMPLES, SEED, metrics, score, stats, text
from eval.metrics.base import Floats, Table, Tools
from eval.runs import Run, scorer_sha256
from eval.score import Score, ScoredRow

SAME = {
    "test_sha256": "test file",
    "prompt_sha256": "prompts",
    "scorer_sha256": "scorer",
    "normaliser": "normaliser",
    "stemmer": "stemmer",
}
FAMILIES = "Holm over the headline metrics of all tasks and pairs; over all other metrics apart"
ALPHA = 0.05


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one task, run ``a`` (first) and run ``b``; ``low``, ``high``, ``p`` are ``None`` with a single group."""

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
    test: str
    verdict: str = ""
    score_a: Score
    score_b: Score


class Comparison(msgspec.Struct, frozen=True):
    """The content of ``compare.json``; ``runs`` holds each run's name, tasks and provenance."""

    pairs: list[Pair]
    runs: list[dict[str, Any]]
    families: str
    resamples: int
    seed: int


class Change(msgspec.Struct, frozen=True):
    """One example under two runs, with the value of ``metric`` for each."""

    a: ScoredRow
    b: ScoredRow
    metric: str
    value_a: float
    value_b: float


def check_comparable(runs: Sequence[Run]) -> None:
    """Raise :class:`InputError` that says in what two runs differ beside their answers."""
    if len(runs) < 2:
        raise InputError(f"found {len(runs)} run, expected two or more to compare")
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(f"found two runs called {max(names, key=names.count)!r}, expected every run once")
    first = runs[0]
    for run in runs[1:]:
        for key, word in SAME.items():
            _same(word, first, run, first.scores.provenance.get(key), run.scores.provenance.get(key))
    told = [run for run in runs if not baseline(run)]
    for run in told[1:]:
        _same("decoding settings", told[0], run, decoding(told[0]), decoding(run))
    if first.scores.provenance.get("scorer_sha256") != scorer_sha256():
        raise InputError(
            f"{first.name} was scored by another version of the scorer; run ecom-eval score again on every run"
        )


def baseline(run: Run) -> Any:
    """Return the name of the baseline that made the predictions, if one did: it generates nothing, so it has no decoding."""
    return (run.scores.provenance.get("predictions") or {}).get("baseline")


def decoding(run: Run) -> Any:
    """Return the decoding settings that stood beside the predictions, ``None`` where there were none."""
    return (run.scores.provenance.get("predictions") or {}).get("decoding")


def _same(word: str, first: Run, other: Run, a: Any, b: Any) -> None:
    if a != b:
        shown = " and ".join(f"{run.name} has {_short(value)}" for run, value in ((first, a), (other, b)))
        raise InputError(f"{first.name} and {other.name} cannot be compared, for they differ in the {word}: {shown}")


def _short(value: Any) -> str:
    text = (
        value if isinstance(value, str) else "none recorded" if value is None else msgspec.json.encode(value).decode()
    )
    return text[:12] if len(text) == 64 else text


def compare(runs: Sequence[Run], resamples: int = COMPARE_RESAMPLES, seed: int = SEED) -> Comparison:
    """Compare every later run with the first, task by task."""
    check_comparable(runs)
    pairs = [pair for task in runs[0].scores.tasks for pair in _task_pairs(task, runs, resamples, seed)]
    pairs.sort(key=lambda pair: [run.name for run in runs].index(pair.b))
    described = [{"name": r.name, "tasks": r.scores.tasks, "provenance": r.scores.provenance} for r in runs]
    return Comparison(_judged(pairs), described, FAMILIES, resamples, seed)


def _task_pairs(task: str, runs: Sequence[Run], resamples: int, seed: int) -> list[Pair]:
    rows = [by_id(run, task) for run in runs]
    names = list(runs[0].scores.tasks[task].metrics)
    tools = Tools(text.normaliser(runs[0].scores.provenance["normaliser"]))
    tables = [score.tables([score.example(found[id_]) for id_ in rows[0]], names, tools) for found in rows]
    columns = [(table[name], metrics.get(name)) for table in tables for name in names]
    draws = stats.bootstrap(columns, [row.group for row in rows[0].values()], resamples, seed)
    pairs = []
    for other in range(1, len(runs)):
        for place, name in enumerate(names):
            gap = draws[:, other * len(names) + place] - draws[:, place] if draws is not None else None
            pairs.append(_pair(task, name, (runs[0], runs[other]), (tables[0][name], tables[other][name]), gap))
    return pairs


def by_id(run: Run, task: str) -> dict[str, ScoredRow]:
    """Return a run's rows of one task by id, in the order of the test file."""
    return {row.id: row for row in run.rows if row.task == task}


def _pair(task: str, name: str, runs: tuple[Run, Run], found: tuple[Table, Table], gap: Floats | None) -> Pair:
    metric = metrics.get(name)
    a, b = (stats.value(table, metric) for table in found)
    low, high = (stats.interval(gap) if gap is not None else None) or (None, None)
    return Pair(
        a=runs[0].name,
        b=runs[1].name,
        task=task,
        metric=name,
        headline=name == tasks.get(task).metrics[0],
        value_a=a,
        value_b=b,
        difference=b - a,
        low=low,
        high=high,
        p=None if gap is None else _p(found, gap, metric.binary),
        test="mcnemar" if metric.binary else "bootstrap",
        score_a=runs[0].scores.tasks[task].metrics[name],
        score_b=runs[1].scores.tasks[task].metrics[name],
    )


def _p(found: tuple[Table, Table], gap: Floats, binary: bool) -> float:
    if not binary:
        return stats.bootstrap_p(gap)
    first, second = (np.asarray(table)[:, 0] for table in found)
    return stats.mcnemar_p(first, second)


def _judged(pairs: Sequence[Pair]) -> list[Pair]:
    adjusted: dict[int, float] = {}
    for headline in (True, False):
        family = [place for place, pair in enumerate(pairs) if pair.headline is headline and pair.p is not None]
        adjusted |= dict(zip(family, stats.holm([pairs[place].p or 0.0 for place in family]), strict=True))
    return [
        msgspec.structs.replace(
            pair, p_holm=adjusted.get(place), verdict=verdict(pair.low, pair.high, adjusted.get(place))
        )
        for place, pair in enumerate(pairs)
    ]


def verdict(low: float | None, high: float | None, p_holm: float | None) -> str:
    """Say it in words: the interval leaves 0 out *and* the corrected p is below 0.05, or nothing is shown.

    >>> verdict(0.1, 0.2, 0.01), verdict(-0.2, -0.1, 0.01), verdict(0.1, 0.2, 0.3), verdict(None, None, None)
    ('better', 'worse', 'not shown to differ', 'not shown to differ')
    """
    if low is None or high is None or p_holm is None or p_holm >= ALPHA or low <= 0 <= high:
        return "not shown to differ"
    return "better" if low > 0 else "worse"


def changes(first: Run, other: Run, task: str) -> list[Change]:
    """Return a task's examples, those that lost most first, by the first metric that has a value for one example."""
    rows, others = by_id(first, task), by_id(other, task)
    found = [_change(row, others[id_]) for id_, row in rows.items()]
    return sorted((change for change in found if change), key=lambda change: change.value_b - change.value_a)


def _change(a: ScoredRow, b: ScoredRow) -> Change | None:
    metric = leading(a.values)
    return Change(a, b, metric, a.values[metric], b.values[metric]) if metric else None


def leading(values: Mapping[str, float]) -> str | None:
    """Return the first metric that has a value for this example; the gold alone decides which do."""
    return next(iter(values), None)
