"""What answering without reading would score: the real opponent of a run, since a random model scores 0.

Trivial predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from converters import tasks
from converters.schema import Row
from eval import metrics
from eval.answers import kind_of
from eval.metrics import _normalise, semantic
from eval.metrics.base import Example, Floats, Metric, Table, Tools, mean
from eval.metrics.base import scores as averaged
from eval.metrics.extraction import COUNTS, slotted
from eval.results.schema import Given, Salvage, Score, ScoredRow, Settings, TaskScores
from eval.scoring import parse, slices, stats
from eval.scoring import slicing as dividing
from eval.scoring.parse import salvage
from eval.scoring.slicing import Seen


def answered(examples: Sequence[Example]) -> Iterator[tuple[str, list[Example]]]:
    """Yield, for each trivial predictor, its name and the examples with its answers: one at a time, for they may be a million.

    >>> from eval.answers import get
    >>> example = Example("1", "g", ("Home", "Mugs"), None, kind=get("path"))
    >>> [(name, answers[0].said) for name, answers in answered([example])]
    [('majority path', ('Home', 'Mugs')), ('depth-1 majority', ('Home',))]
    """
    for name, predict in examples[0].kind.predictors(examples).items():
        yield name, [replace(example, said=predict(example), ranked=()) for example in examples]


Pairs = Iterable[tuple[Row, Given]]
Tell = Callable[[str], None]

VALIDITY = Metric(lambda examples, tools: averaged(float(e.said is not None) for e in examples), mean)
EMPTY = (0.0, "empty")

example = parse.of_scored


@dataclass(slots=True)
class Batch:
    """The rows of one task as read: what metrics take, why answers are invalid, and what a forgiving parse reads otherwise."""

    examples: list[Example] = field(default_factory=list)
    traits: list[dividing.Traits] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    forgiven: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """A scored task: its scores, each example's own values (n × names, NaN where there is none), and its slices' names."""

    scores: TaskScores
    names: list[str]
    values: Floats
    cuts: dividing.Cuts
    reasons: Mapping[int, str]
    forgiven: Mapping[int, Any]


def join(rows: Sequence[Row], predictions: Mapping[str, Any]) -> list[tuple[Row, Given]]:
    """Put each test row and its prediction together."""
    return [(row, Given(predictions[row.id])) for row in rows]


def score(
    pairs: Pairs, settings: Settings, tools: Tools | None = None, seen: Seen | None = None, tell: Tell = lambda _: None
) -> tuple[dict[str, TaskScores], Iterator[ScoredRow]]:
    """Score every task found among ``pairs``; return the scores and, in the same order, the rows with their own values.

    ``pairs`` is walked twice, the second time as the rows are taken. Gold or meta that cannot be read is an ``InputError``.
    """
    tools = tools or Tools(_normalise.normaliser(settings.normaliser))
    done = {}
    for task, batch in sorted(read(pairs).items()):
        tell(f"scoring {task}: {len(batch.examples):,} rows")
        done[task] = score_task(task, batch, settings, tools, seen)
        batch.examples.clear()
        batch.traits.clear()
    return {task: found.scores for task, found in done.items()}, _lines(pairs, done)


def read(pairs: Pairs) -> dict[str, Batch]:
    """Read rows and answers, task by task."""
    batches: dict[str, Batch] = {}
    for row, given in pairs:
        batch = batches.setdefault(row.task, Batch())
        found = parse.example(row, given, kind_of(row.task).prompt)
        place = len(batch.examples)
        if found.said is None:
            batch.reasons[place] = parse.why(row.task, given.prediction, found.extra)
        meant = salvage(row.task, given.prediction, found.said, found.extra)
        if meant != found.said:
            batch.forgiven[place] = meant
        batch.examples.append(found)
        batch.traits.append(dividing.traits(row, found))
    return batches


def _lines(pairs: Pairs, done: Mapping[str, Done]) -> Iterator[ScoredRow]:
    places: dict[str, Iterator[int]] = {task: count() for task in done}
    for row, given in pairs:
        yield _line(row, given, done[row.task], next(places[row.task]))


def _line(row: Row, given: Given, task: Done, place: int) -> ScoredRow:
    values = zip(task.names, task.values[place].tolist(), strict=True)
    return ScoredRow(
        id=row.id,
        group=row.group,
        task=row.task,
        source=row.source,
        valid=place not in task.reasons,
        prompt=parse.shown(row),
        gold=row.target,
        prediction=given.prediction,
        meta=row.meta,
        values={name: value for name, value in values if value == value},
        reason=task.reasons.get(place, ""),
        salvaged=place in task.forgiven,
        slices=task.cuts.of(place),
        candidates=list(given.candidates),
        judged=dict(given.judged),
    )


def tables(examples: Sequence[Example], names: Sequence[str], tools: Tools) -> dict[str, Table]:
    """Return each metric's table; metrics that share a table share the work."""
    functions = {metrics.get(name).table for name in names}
    made = {function: function(examples, tools) for function in functions}
    return {name: made[metrics.get(name).table] for name in names}


def unavailable(examples: Sequence[Example], names: Sequence[str], tools: Tools) -> dict[str, str]:
    """Say why metrics are not available for these examples with these tools."""
    found = {name: metrics.get(name).missing(examples, tools) for name in names}
    return {name: reason for name, reason in found.items() if reason}


def available(found: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of the metrics that apply: the gold has something for them to score."""
    return {name: table for name, table in found.items() if not np.isnan(stats.value(table, metrics.get(name)))}


def best_floors(
    examples: Sequence[Example],
    names: Sequence[str],
    tools: Tools,
    use: Callable[[str, Sequence[Example] | None, Mapping[str, Table]], None] = lambda *_: None,
) -> dict[str, tuple[float, str]]:
    """Return each metric's floor, the best of the trivial predictors, and that predictor's name.

    ``use`` sees each trivial predictor's answers, if it gives any, and tables before they are let go.
    """
    values: dict[str, list[tuple[float, str]]] = {name: [] for name in names}
    for by, said in answered(examples):
        found = tables(said, [name for name in names if metrics.get(name).trivial], tools)
        use(by, said, found)
        for name, table in found.items():
            values[name].append((stats.value(table, metrics.get(name)), by))
    for name in names:
        for by, guess in metrics.get(name).guesses.items():
            table = guess(examples, tools)
            use(by, None, {name: table})
            values[name].append((stats.value(table, metrics.get(name)), by))
    return {name: max(found, key=lambda pair: pair[0]) for name, found in values.items()}


def score_task(task: str, batch: Batch, settings: Settings, tools: Tools, seen: Seen | None) -> Done:
    """Score the examples of one task."""
    examples, wanted = batch.examples, tasks.get(task).metrics
    reasons = unavailable(examples, wanted, tools)
    if "bert_score_f1" in {*wanted} - {*reasons}:  # answers and floors in one call, which embeds each reference once
        trivial = [example for _, answers in answered(examples) for example in answers]
        semantic.bert_score_f1([*examples, *trivial, *semantic.random_pairs(examples)], tools)
    every = tables(examples, [name for name in wanted if name not in reasons], tools)
    found = available(every)
    reasons |= {name: "nothing in the gold to score" for name in every if name not in found}
    cuts = dividing.cuts(task, examples, batch.traits, tools, seen)
    shown, low = slices.chosen(task, found), list[tuple[str, slices.Points]]()

    def note(by: str, said: Sequence[Example] | None, trivial: Mapping[str, Table]) -> None:
        slots = slotted(said, tools) if said and cuts.slots else None
        low.append((by, slices.points(cuts, {name: trivial[name] for name in shown if name in trivial}, slots)))

    least = best_floors(examples, list(found), tools, note)
    values = _scores({**found, "": VALIDITY.table(examples, tools)}, {**least, "": EMPTY}, examples, settings)
    names, own = _each(found, len(examples))
    result = TaskScores(
        n=len(examples),
        groups=len({e.group for e in examples}),
        invalid=len(batch.reasons),
        validity=values.pop(""),
        metrics=values,
        salvage=_salvage(batch, list(found), least, settings, tools),
        unavailable={name: reasons[name] for name in wanted if name in reasons},
        reasons=dict(Counter(batch.reasons.values()).most_common()),
        counts=_totals(cuts),
        attributes=dividing.by_attribute(cuts, COUNTS),
        slices=slices.scores(cuts, examples, shown, low, settings),
    )
    return Done(result, names, own, cuts, batch.reasons, batch.forgiven)


def _totals(cuts: dividing.Cuts) -> dict[str, int] | None:
    if cuts.slots is None:
        return None
    sums = np.bincount(cuts.slots.outcome, minlength=len(COUNTS))
    sums[COUNTS.index("hallucinated")] += cuts.slots.made_up.sum()
    return dict(zip(COUNTS, sums.tolist(), strict=True))


def _scores(
    found: Mapping[str, Table],
    least: Mapping[str, tuple[float, str]],
    examples: Sequence[Example],
    settings: Settings,
) -> dict[str, Score]:
    columns = [(table, metrics.get(name) if name else VALIDITY) for name, table in found.items()]
    draws = stats.bootstrap(columns, [e.group for e in examples], settings.resamples, settings.seed)
    values = {}
    for number, (name, (table, metric)) in enumerate(zip(found, columns, strict=True)):
        value = stats.value(table, metric)
        low, high = (stats.within(stats.interval(draws[:, number], value)) if draws is not None else None) or (
            None,
            None,
        )
        values[name] = Score(value, low, high, *least[name])
    return values


def _salvage(
    batch: Batch, names: Sequence[str], least: Mapping[str, tuple[float, str]], settings: Settings, tools: Tools
) -> Salvage | None:
    """Score what a forgiving parse reads; nothing where it reads what the task does."""
    if not batch.forgiven:
        return None
    read_so = [replace(e, said=batch.forgiven.get(place, e.said)) for place, e in enumerate(batch.examples)]
    # A judge's marks and the candidates stand beside the answer as it was: they are the same however it is read.
    found = tables(read_so, [name for name in names if metrics.get(name).trivial or name.endswith("_proxy")], tools)
    return Salvage(len(batch.forgiven), _scores(found, least, read_so, settings))


def _each(found: Mapping[str, Table], number: int) -> tuple[list[str], Floats]:
    """Return the metrics that mean something for one example alone, in the task's order, and their values."""
    names = [name for name in found if metrics.get(name).each]
    columns = [metrics.get(name).reduce(np.asarray(found[name], dtype=np.float64)) for name in names]
    return names, np.stack(columns, axis=1) if columns else np.empty((number, 0))
