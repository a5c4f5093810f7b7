"""A cascade: a small model answers every row, and the rows that it is least sure of go to a large one.

A point of a task's curve is the task's headline metric where a share of the rows, those with the least confidence, has the large
model's answers. Beside it stands the floor: the same share drawn at random, as the metric of the expected table (each row's line
is the average of both models' lines by that share). A cascade that does not beat it knows nothing of what it does not know; that
is tested on the area between the two curves. Groups are resampled with the routing as it is on the whole sample.

Of records, the small model's nulls can be kept in rows that are sent: those with more confidence than any row that is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from scipy import sparse

from converters import tasks
from converters.core.errors import InputError
from converters.schema import Row
from eval import RESAMPLES, SEED, metrics
from eval.answers import kind_of
from eval.comparison.effort import Effort
from eval.metrics.base import Example, Floats, Metric, Table, Tools
from eval.results.schema import Output
from eval.scoring import parse, stats
from eval.scoring.stats import Interval, Sample

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
BEATS, LOSES = "beats random routing", "worse than random routing"
NOT_SHOWN = "not shown to beat random routing"
KEPT = (
    "better than all of the large model's values",
    "worse than all of the large model's values",
    "not shown to differ",
)

Answers = Iterable[tuple[Row, Output]]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The metric with ``sent`` rows answered by the large model, 95 % interval, and ``random``: as many rows drawn by chance.

    Rows with less confidence than ``threshold`` are sent, and by chance some of those with as much; ``None`` if all are. ``kept``
    is the metric where the small model's confident nulls are kept, for records alone. ``cost`` is that of a row on average.
    """

    share: float
    sent: int
    threshold: float | None
    value: float
    low: float | None
    high: float | None
    random: float
    kept: float | None = None
    tokens: float | None = None
    cost: float | None = None


class Gain(msgspec.Struct, frozen=True):
    """The area between two curves over the share that is sent: how much better the first is on average, and the verdict."""

    area: float
    low: float | None
    high: float | None
    verdict: str
    reason: str = ""


class Curve(msgspec.Struct, frozen=True):
    """A task's cascade; ``keeping``: what keeping confident nulls gains over taking all of the large model's values."""

    task: str
    metric: str
    n: int
    groups: int
    without: int
    points: list[Point]
    gain: Gain
    keeping: Gain | None = None


@dataclass(frozen=True, slots=True)
class _Sides:
    """One task's rows under both models, and the small one's confidence in each unit of its answers."""

    small: list[Example]
    large: list[Example]
    units: list[Mapping[str, float]]


def cascade(
    small: Answers,
    large: Answers,
    tools: Tools,
    efforts: tuple[Effort, Effort] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[Curve]:
    """Return the curve of every task of which the small model's answers have a confidence.

    ``small`` and ``large`` are the same rows in the same order. An ``InputError`` where no answer has a confidence.
    """
    sides: dict[str, _Sides] = {}
    for (row, one), (_, other) in zip(small, large, strict=True):
        of_task = sides.setdefault(row.task, _Sides([], [], []))
        of_task.small.append(parse.example(row, one, kind_of(row.task).prompt))
        of_task.large.append(parse.example(row, other, kind_of(row.task).prompt))
        of_task.units.append(one.confidence)
    told = {task: of_task for task, of_task in sorted(sides.items()) if any(of_task.units)}
    if not told:
        raise InputError("no answer of the small model has a confidence: run ecom-eval predict --confidence")
    return [_curve(task, of_task, tools, efforts, resamples, seed) for task, of_task in told.items()]


def _curve(
    task: str, sides: _Sides, tools: Tools, efforts: tuple[Effort, Effort] | None, resamples: int, seed: int
) -> Curve:
    name = tasks.get(task).metrics[0]
    metric, count = metrics.get(name), len(sides.small)
    sure = np.array([least(units) for units in sides.units])
    order = ranked(sure, seed)
    sent = [round(share * count) for share in SHARES]
    thresholds = [float(sure[order[k]]) if k < count else None for k in sent]
    merged = [_kept(sides, threshold) for threshold in thresholds] if kind_of(task).slots else []
    small, large, *nulls = together([sides.small, sides.large, *merged], metric, tools)
    chosen = [np.isin(np.arange(count), order[:k]).astype(np.float64) for k in sent]
    lines = {
        "routed": [blend(small, large, weights) for weights in chosen],
        "random": [blend(small, large, np.full(count, k / count)) for k in sent],
        "kept": [blend(small, table, weights) for table, weights in zip(nulls, chosen, strict=False)],
    }
    columns = [(table, metric) for of_line in lines.values() for table in of_line]
    found = stats.bootstrap(columns, [example.group for example in sides.small], resamples, seed)
    samples = {name: [found.pop(0) for _ in of_line] for name, of_line in lines.items()}
    values = {name: [stats.value(table, metric) for table in of_line] for name, of_line in lines.items()}
    points = [
        _point(sent[place], thresholds[place], _at(values, place), samples["routed"][place], efforts, share)
        for place, share in enumerate(SHARES)
    ]
    return Curve(
        task=task,
        metric=name,
        n=count,
        groups=len({example.group for example in sides.small}),
        without=sum(not units for units in sides.units),
        points=points,
        gain=_gain("routed", "random", values, samples, (BEATS, LOSES, NOT_SHOWN)),
        keeping=_gain("kept", "routed", values, samples, KEPT) if merged else None,
    )


def _kept(sides: _Sides, threshold: float | None) -> list[Example]:
    rows = zip(sides.small, sides.large, sides.units, strict=True)
    return [keeping(small, large, units, threshold) for small, large, units in rows]


def _at(values: Mapping[str, Sequence[float]], place: int) -> dict[str, float]:
    return {name: of_line[place] for name, of_line in values.items() if of_line}


def _point(
    sent: int,
    threshold: float | None,
    values: Mapping[str, float],
    sample: Sample,
    efforts: tuple[Effort, Effort] | None,
    share: float,
) -> Point:
    interval = stats.score_interval(values["routed"], sample)
    tokens = cost = None
    if efforts:
        small, large = efforts
        tokens = small.tokens + share * large.tokens
        cost = None if small.cost is None or large.cost is None else small.cost + share * large.cost
    return Point(
        share=share,
        sent=sent,
        threshold=threshold,
        value=values["routed"],
        low=interval.low,
        high=interval.high,
        random=values["random"],
        kept=values.get("kept"),
        tokens=tokens,
        cost=cost,
    )


def _gain(
    first: str,
    second: str,
    values: Mapping[str, Sequence[float]],
    samples: Mapping[str, Sequence[Sample]],
    words: tuple[str, str, str],
) -> Gain:
    """Return the area between two lines with its interval; ``words`` say above 0, below 0, and neither."""
    area = float(np.trapezoid(np.subtract(values[first], values[second]), SHARES))
    gaps = [one - other for one, other in zip(samples[first], samples[second], strict=True)]
    draws, left_out = (
        np.trapezoid(np.stack([getattr(gap, name) for gap in gaps]), SHARES, axis=0) for name in ("draws", "left_out")
    )
    interval = stats.difference_interval(area, replace(gaps[0], draws=draws, left_out=left_out))
    return Gain(area, interval.low, interval.high, verdict(interval, words), interval.reason)


def least(units: Mapping[str, float]) -> float:
    """Return the confidence of an answer: that of its least sure unit, 0 for one that has none.

    >>> least({"Brand": 0.9, "Color": 0.4}), least({})
    (0.4, 0.0)
    """
    return min(units.values(), default=0.0)


def ranked(sure: Floats, seed: int = SEED) -> Any:
    """Return the places of rows from the least sure to the surest; equally sure ones come in random order.

    >>> ranked(np.array([0.9, 0.1, 0.5])).tolist()
    [1, 2, 0]
    """
    shuffled = np.random.default_rng(seed).permutation(sure.size)
    return shuffled[np.argsort(sure[shuffled], kind="stable")]


def keeping(small: Example, large: Example, units: Mapping[str, float], threshold: float | None) -> Example:
    """Return the large model's record with the nulls of which the small one is at least as sure as ``threshold``.

    >>> one = Example("1", "g", {}, {"Brand": ("Acme",), "Fit": ()})
    >>> other = Example("1", "g", {}, {"Brand": ("Apex",), "Fit": ("slim",)})
    >>> keeping(one, other, {"Brand": 0.4, "Fit": 0.9}, 0.8).answer
    {'Brand': ('Apex',), 'Fit': ()}
    """
    if threshold is None or not small.answer or large.answer is None:
        return large
    nulls = {key: () for key, values in small.answer.items() if not values and units.get(key, 0.0) >= threshold}
    return replace(large, answer={**large.answer, **nulls})


def together(sides: Sequence[Sequence[Example]], metric: Metric, tools: Tools) -> list[Table]:
    """Return each side's table of a metric, all with the same columns: a table's columns depend on the answers in it."""
    table = metric.table([example for examples in sides for example in examples], tools)
    ends = np.cumsum([len(examples) for examples in sides])
    return [table[end - len(examples) : end] for end, examples in zip(ends, sides, strict=True)]


def blend(small: Table, large: Table, share: Floats) -> Table:
    """Return a table whose line is the average of two by the ``share`` (n) of the large model's.

    >>> blend(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]), np.array([0.0, 0.25])).tolist()
    [[0.0], [0.25]]
    """
    mixed: Any = sparse.diags_array(1 - share) @ small + sparse.diags_array(share) @ large
    return mixed if isinstance(mixed, np.ndarray) else sparse.csr_array(mixed)


def verdict(interval: Interval, words: tuple[str, str, str] = (BEATS, LOSES, NOT_SHOWN)) -> str:
    """Return the verdict in words.

    >>> verdict(Interval(0.1, 0.2)), verdict(Interval(-0.1, 0.2)), verdict(Interval())
    ('beats random routing', 'not shown to beat random routing', 'not shown to beat random routing')
    """
    if interval.low is None or interval.high is None or interval.low <= 0 <= interval.high:
        return words[2]
    return words[0] if interval.low > 0 else words[1]
