"""Predictions to scores: values with intervals and floors, task by task, and one line an example for reports and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from converters import tasks
from converters.errors import InputError
from converters.examples import Row
from eval import RESAMPLES, SEED, floors, metrics, stats, text
from eval.metrics.base import Example, Table, Tools
from eval.metrics.slots import COUNTS, counts

LISTS = ("attributes", "references", "options", "candidates", "implicit")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a score depends on beside the data: a normaliser's name, and how often and from where to resample."""

    normaliser: str = "strict"
    resamples: int = RESAMPLES
    seed: int = SEED


class ScoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``rows.jsonl``: all that a comparison needs. ``prediction`` is what the file held, a text or not.

    ``reason`` says why an answer is invalid, "" if it is valid; ``salvaged``: a forgiving parse can read it. ``slices`` are the
    names under which the row is counted, by kind of slice. ``candidates`` and ``judged`` are as in the files beside it.
    """

    id: str
    group: str
    task: str
    source: str
    valid: bool
    prompt: str
    gold: str
    prediction: Any
    meta: str
    values: dict[str, float] = {}
    reason: str = ""
    salvaged: bool = False
    slices: dict[str, list[str]] = {}
    candidates: list[Any] = []
    judged: dict[str, float] = {}


class Score(msgspec.Struct, frozen=True):
    """A metric's value, its 95 % interval (``None`` with a single group), and the best trivial predictor's value and name."""

    value: float
    low: float | None
    high: float | None
    floor: float
    floor_by: str


class Salvage(msgspec.Struct, frozen=True):
    """How many unreadable answers a forgiving parse can read, and what the task would score with them."""

    recovered: int
    metrics: dict[str, Score]


class Slice(msgspec.Struct, frozen=True):
    """Some metrics of the examples that have one thing in common, such as ``kind`` "depth", ``name`` "3"."""

    kind: str
    name: str
    n: int
    groups: int
    invalid: int
    metrics: dict[str, Score]


class TaskScores(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scores of one task: what the answers as they are score, with the share that can be read beside it.

    ``unavailable`` says why a metric is left out, ``reasons`` counts why answers are invalid. ``counts`` are the totals of
    ``eval.metrics.slots.COUNTS`` and ``attributes`` those of each attribute, for attributes only.
    """

    n: int
    groups: int
    invalid: int
    metrics: dict[str, Score]
    validity: Score | None = None
    salvage: Salvage | None = None
    unavailable: dict[str, str] = {}
    reasons: dict[str, int] = {}
    counts: dict[str, int] | None = None
    attributes: dict[str, dict[str, int]] = {}
    slices: list[Slice] = []


class Scores(msgspec.Struct, frozen=True):
    """The content of ``scores.json``."""

    tasks: dict[str, TaskScores]
    provenance: dict[str, Any]


def join(rows: Sequence[Row], predictions: Mapping[str, Any]) -> list[ScoredRow]:
    """Put each test row and its prediction together; gold that its task cannot read is an :class:`InputError`."""
    return [_joined(row, predictions[row.id]) for row in rows]


def _joined(row: Row, prediction: Any) -> ScoredRow:
    extra = _extra(row)
    if _read(row.task, row.target, extra) is None:
        raise InputError(
            f"row {row.id!r}: found {row.target[:60]!r}, expected a target that task {row.task!r} can read"
        )
    return ScoredRow(
        id=row.id,
        group=row.group,
        task=row.task,
        source=row.source,
        valid=_read(row.task, prediction, extra) is not None,
        prompt="\n\n".join(message["content"] for message in row.prompt),
        gold=row.target,
        prediction=prediction,
        meta=row.meta,
    )


def _read(task: str, text: Any, extra: Mapping[str, Any]) -> Any | None:
    said = tasks.get(task).parse(text) if isinstance(text, str) else None
    return None if said is None else tasks.get(task).settle(said, extra)


def example(row: ScoredRow) -> Example:
    """Read gold, prediction and meta of one row."""
    extra = _extra(row)
    said = _read(row.task, row.prediction, extra)
    return Example(row.id, row.group, _read(row.task, row.gold, extra), said, extra, row.prompt)


def _extra(row: Row | ScoredRow) -> dict[str, Any]:
    try:
        extra: dict[str, Any] = msgspec.json.decode(row.meta, type=dict[str, Any])
        msgspec.convert([extra.get(name, []) for name in LISTS], list[list[str]])
        msgspec.convert(extra.get("gains", []), list[Annotated[float, msgspec.Meta(ge=0)]])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        expected = f"a JSON object in which {', '.join(LISTS)} are lists of texts, gains one of numbers"
        raise InputError(f"row {row.id!r}: found meta {row.meta[:60]!r}, expected {expected}") from error
    return extra


def tables(examples: Sequence[Example], names: Sequence[str], tools: Tools) -> dict[str, Table]:
    """Return each metric's table; metrics that share a table share the work."""
    functions = {metrics.get(name).table for name in names}
    made = {function: function(examples, tools) for function in functions}
    return {name: made[metrics.get(name).table] for name in names}


def available(found: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of the metrics that apply: the gold has something for them to score."""
    return {name: table for name, table in found.items() if not np.isnan(stats.value(table, metrics.get(name)))}


def best_floors(examples: Sequence[Example], names: Sequence[str], tools: Tools) -> dict[str, tuple[float, str]]:
    """Return each metric's floor, the best of the trivial predictors, and that predictor's name."""
    trivial = {by: tables(said, names, tools) for by, said in floors.answered(examples).items()}
    values = {
        name: [(stats.value(found[name], metrics.get(name)), by) for by, found in trivial.items()]
        + [(stats.value(table(examples), metrics.get(name)), by) for by, table in floors.expected(name).items()]
        for name in names
    }
    return {name: max(found, key=lambda pair: pair[0]) for name, found in values.items()}


def score_task(task: str, examples: Sequence[Example], settings: Settings) -> TaskScores:
    """Score the examples of one task."""
    tools = Tools(text.normaliser(settings.normaliser))
    found = available(tables(examples, tasks.get(task).metrics, tools))
    names, groups = list(found), [e.group for e in examples]
    columns = [(found[name], metrics.get(name)) for name in names]
    draws = stats.bootstrap(columns, groups, settings.resamples, settings.seed)
    least = best_floors(examples, names, tools)
    values = {}
    for number, (name, (table, metric)) in enumerate(zip(names, columns, strict=True)):
        low, high = (stats.interval(draws[:, number]) if draws is not None else None) or (None, None)
        values[name] = Score(stats.value(table, metric), low, high, *least[name])
    invalid = sum(e.said is None for e in examples)
    totals = _totals(examples, tools)
    return TaskScores(len(examples), len(set(groups)), invalid, values, counts=totals)


def _totals(examples: Sequence[Example], tools: Tools) -> dict[str, int] | None:
    if not isinstance(examples[0].gold, dict):
        return None
    sums = counts(examples, tools).sum(axis=0)
    return {name: int(total) for name, total in zip(COUNTS, sums, strict=True)}


def per_example(task: str, examples: Sequence[Example], tools: Tools) -> list[dict[str, float]]:
    """Return, for each example, the metrics that mean something for one example alone, in the task's order."""
    names = [name for name in tasks.get(task).metrics if metrics.get(name).each]
    columns = {
        name: metrics.get(name).reduce(np.asarray(table, dtype=np.float64))
        for name, table in tables(examples, names, tools).items()
    }
    return [
        {name: float(column[number]) for name, column in columns.items() if not np.isnan(column[number])}
        for number in range(len(examples))
    ]


def score(rows: Sequence[ScoredRow], settings: Settings) -> tuple[dict[str, TaskScores], list[ScoredRow]]:
    """Score every task found among ``rows``; return the scores and the rows with their own values, in the same order."""
    scores: dict[str, TaskScores] = {}
    values: dict[str, dict[str, float]] = {}
    for task in sorted({row.task for row in rows}):
        chosen = [example(row) for row in rows if row.task == task]
        scores[task] = score_task(task, chosen, settings)
        found = per_example(task, chosen, Tools(text.normaliser(settings.normaliser)))
        values |= {e.id: line for e, line in zip(chosen, found, strict=True)}
    return scores, [msgspec.structs.replace(row, values=values[row.id]) for row in rows]
