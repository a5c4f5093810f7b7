"""Scores: every task's metrics with interval, floor, slices and what a lenient parse would add.

The floor is what answering without reading would score, the real opponent of a run, since a random model scores 0. The trivial
predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from converters import tasks
from converters.schema import Row
from eval import metrics
from eval.answers import kind_of
from eval.metrics import _normalise, semantic
from eval.metrics.base import Example, Floats, Metric, Table, Tools, mean
from eval.metrics.base import scores as averaged
from eval.metrics.extraction import COUNTS, slotted
from eval.results.schema import Output, Salvage, Score, ScoredRow, Settings, TaskScores
from eval.scoring import parse, slices, slicing, stats
from eval.scoring.slicing import TrainingCounts

Pairs = Iterable[tuple[Row, Output]]
Floors = Mapping[str, tuple[float, str]]  # by metric: the best trivial predictor's value and name

VALIDITY = Metric(lambda examples, tools: averaged(float(e.answer is not None) for e in examples), mean)


@dataclass(slots=True)
class Batch:
    """The rows of one task: what metrics take, why answers are invalid, and what a lenient parse reads otherwise, by place."""

    examples: list[Example] = field(default_factory=list)
    traits: list[slicing.Traits] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    forgiven: dict[int, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredTask:
    """A scored task: its scores, each example's own values (n × names, NaN where there is none), and what rows state of it."""

    scores: TaskScores
    names: list[str]
    values: Floats
    partitions: slicing.Partitions
    batch: Batch


def score(
    pairs: Pairs,
    settings: Settings,
    tools: Tools | None = None,
    training: TrainingCounts | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, TaskScores], Iterator[ScoredRow]]:
    """Score every task found among ``pairs``; return the scores and, in the same order, the rows with their own values.

    ``pairs`` is walked twice, the second time as the rows are taken. Gold or meta that cannot be read is an ``InputError``.
    """
    tools = tools or Tools(_normalise.normaliser(settings.normaliser))
    scored = {}
    for task, batch in sorted(read(pairs).items()):
        tell(f"scoring {task}: {len(batch.examples):,} rows")
        scored[task] = score_task(task, batch, settings, tools, training)
        batch.examples.clear()
        batch.traits.clear()
    places = {task: count() for task in scored}
    rows = (_row(row, output, scored[row.task], next(places[row.task])) for row, output in pairs)
    return {task: of_task.scores for task, of_task in scored.items()}, rows


def read(pairs: Pairs) -> dict[str, Batch]:
    """Read rows and answers, task by task."""
    batches: dict[str, Batch] = {}
    for row, output in pairs:
        batch = batches.setdefault(row.task, Batch())
        example = parse.example(row, output, kind_of(row.task).prompt)
        place = len(batch.examples)
        if example.answer is None:
            batch.reasons[place] = parse.reason(row.task, output.prediction, example.extra)
        lenient = parse.salvage(row.task, output.prediction, example.answer, example.extra, example.gold)
        if lenient != example.answer:
            batch.forgiven[place] = lenient
        batch.examples.append(example)
        batch.traits.append(slicing.traits(row, example))
    return batches


def _row(row: Row, output: Output, task: ScoredTask, place: int) -> ScoredRow:
    values = zip(task.names, task.values[place].tolist(), strict=True)
    return ScoredRow(
        id=row.id,
        group=row.group,
        task=row.task,
        source=row.source,
        valid=place not in task.batch.reasons,
        prompt=parse.prompt_text(row),
        gold=row.target,
        prediction=output.prediction,
        meta=row.meta,
        values={name: value for name, value in values if value == value},
        reason=task.batch.reasons.get(place, ""),
        salvaged=place in task.batch.forgiven,
        slices=task.partitions.of(place),
        candidates=list(output.candidates),
        judged=dict(output.judged),
    )


def trivial_answers(examples: Sequence[Example]) -> Iterator[tuple[str, list[Example]]]:
    """Yield, for each trivial predictor, its name and the examples with its answers: one at a time, for they may be a million."""
    for name, predict in examples[0].kind.predictors(examples).items():
        yield name, [replace(example, answer=predict(example), ranked=()) for example in examples]


def tables(examples: Sequence[Example], names: Iterable[str], tools: Tools) -> dict[str, Table]:
    """Return each metric's table; metrics that share a table share the work."""
    functions = {name: metrics.get(name).table for name in names}
    computed = {function: function(examples, tools) for function in {*functions.values()}}
    return {name: computed[function] for name, function in functions.items()}


def unavailable(examples: Sequence[Example], names: Sequence[str], tools: Tools) -> dict[str, str]:
    """Say why metrics are not available for these examples with these tools."""
    reasons = {name: metrics.get(name).missing(examples, tools) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}


def best_floors(
    examples: Sequence[Example],
    names: Sequence[str],
    tools: Tools,
    use: Callable[[str, Sequence[Example] | None, Mapping[str, Table]], None] = lambda *_: None,
) -> dict[str, tuple[float, str]]:
    """Return each metric's floor, the best of the trivial predictors, and that predictor's name.

    ``use`` gets each trivial predictor's answers, if it gives any, and tables before they are let go.
    """
    values: dict[str, list[tuple[float, str]]] = {name: [] for name in names}

    def note(by: str, answers: Sequence[Example] | None, by_name: Mapping[str, Table]) -> None:
        use(by, answers, by_name)
        for name, table in by_name.items():
            values[name].append((stats.value(table, metrics.get(name)), by))

    for by, answers in trivial_answers(examples):
        note(by, answers, tables(answers, [name for name in names if metrics.get(name).trivial], tools))
    for name in names:
        for by, guess in metrics.get(name).guesses.items():
            note(by, None, {name: guess(examples, tools)})
    return {name: max(of_metric, key=lambda pair: pair[0]) for name, of_metric in values.items()}


def score_task(
    task: str, batch: Batch, settings: Settings, tools: Tools, training: TrainingCounts | None = None
) -> ScoredTask:
    """Score the examples of one task."""
    examples, names = batch.examples, tasks.get(task).metrics
    reasons = unavailable(examples, names, tools)
    if "bert_score_f1" in {*names} - {*reasons}:  # answers and floors in one call, which embeds each reference once
        trivial = [example for _, answers in trivial_answers(examples) for example in answers]
        semantic.bert_score_f1([*examples, *trivial, *semantic.random_pairs(examples)], tools)
    computed = tables(examples, [name for name in names if name not in reasons], tools)
    applying = {name: t for name, t in computed.items() if not np.isnan(stats.value(t, metrics.get(name)))}
    reasons |= {
        name: "nothing in the gold to score"
        for name in computed
        if name not in applying and not metrics.get(name).if_any
    }
    partitions = slicing.partitions(task, examples, batch.traits, tools, training)
    sliced, points = slices.chosen(task, applying), list[tuple[str, slices.Points]]()

    def note(by: str, answers: Sequence[Example] | None, by_name: Mapping[str, Table]) -> None:
        slots = slotted(answers, tools) if answers and partitions.slots else None
        shared = {name: by_name[name] for name in sliced if name in by_name}
        points.append((by, slices.points(partitions, shared, slots)))

    floors = best_floors(examples, list(applying), tools, note)
    with_validity = {**applying, "": VALIDITY.table(examples, tools)}
    values = _scores(with_validity, {**floors, "": (0.0, "empty")}, examples, settings)
    each = [name for name in applying if metrics.get(name).each]
    columns = [metrics.get(name).reduce(np.asarray(applying[name], dtype=np.float64)) for name in each]
    attributes = slicing.by_attribute(partitions)
    scores = TaskScores(
        n=len(examples),
        groups=len({e.group for e in examples}),
        invalid=len(batch.reasons),
        validity=values.pop(""),
        metrics=values,
        salvage=_salvage(batch, list(applying), floors, settings, tools),
        unavailable={name: reasons[name] for name in names if name in reasons},
        reasons=dict(Counter(batch.reasons.values()).most_common()),
        counts={name: sum(of[name] for of in attributes.values()) for name in COUNTS} if partitions.slots else None,
        attributes=attributes,
        slices=slices.scores(partitions, examples, sliced, points, settings),
    )
    by_row = np.stack(columns, axis=1) if columns else np.empty((len(examples), 0))
    return ScoredTask(scores, each, by_row, partitions, batch)


def _scores(
    by_name: Mapping[str, Table], floors: Floors, examples: Sequence[Example], settings: Settings
) -> dict[str, Score]:
    columns = [(table, metrics.get(name) if name else VALIDITY) for name, table in by_name.items()]
    draws = stats.bootstrap(columns, [e.group for e in examples], settings.resamples, settings.seed)
    values = {}
    for place, (name, (table, metric)) in enumerate(zip(by_name, columns, strict=True)):
        value = stats.value(table, metric)
        low, high = stats.score_interval(None if draws is None else draws[:, place], value)
        values[name] = Score(value, low, high, *floors[name])
    return values


def _salvage(batch: Batch, names: Sequence[str], floors: Floors, settings: Settings, tools: Tools) -> Salvage | None:
    """Score what a lenient parse reads; ``None`` where it reads what the task does."""
    if not batch.forgiven:
        return None
    lenient = [replace(e, answer=batch.forgiven.get(place, e.answer)) for place, e in enumerate(batch.examples)]
    # A judge's marks and the candidates belong to the answer as it was: they are the same however it is read.
    by_answer = [name for name in names if metrics.get(name).trivial or name.endswith("_proxy")]
    return Salvage(len(batch.forgiven), _scores(tables(lenient, by_answer, tools), floors, lenient, settings))
