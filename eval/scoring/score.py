"""Scores: every task's metrics with interval, floor, slices and what a lenient parse would add.

The floor is what answering without reading would score, the real opponent of a run, since a random model scores 0. The trivial
predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from converters import tasks
from converters.schema import Row
from eval import metrics
from eval.answers import kind_of
from eval.metrics import _normalise, semantic
from eval.metrics.base import Example, Floats, Metric, Table, Tools, dense, mean
from eval.metrics.base import scores as averaged
from eval.metrics.extraction import COUNTS, Ints, slotted
from eval.results.schema import Output, Salvage, Score, ScoredRow, Settings, TaskScores
from eval.scoring import parse, slices, slicing, stats
from eval.scoring.batch import Batch
from eval.scoring.slicing import TrainingCounts

Pairs = Iterable[tuple[Row, Output]]
Floors = Mapping[str, tuple[float, str]]  # by metric: the best trivial predictor's value and name

VALIDITY = Metric(lambda examples, tools: averaged(float(e.answer is not None) for e in examples), mean)


@dataclass(slots=True)
class Read:
    """The rows of one task, why answers are invalid, and what a lenient parse reads otherwise, by number of the example."""

    batch: Batch = field(default_factory=Batch)
    traits: slicing.Traits = field(default_factory=slicing.Traits)
    reasons: dict[int, str] = field(default_factory=dict)
    forgiven: dict[int, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredTask:
    """A scored task: its scores, each distinct example's own values (× names, NaN for none), and what rows state of it."""

    scores: TaskScores
    names: list[str]
    values: Floats
    partitions: slicing.Partitions
    read: Read


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
    for task, of_task in sorted(read(pairs).items()):
        tell(f"scoring {task}: {len(of_task.batch.places):,} rows")
        scored[task] = score_task(task, of_task, settings, tools, training)
        of_task.batch.distinct.clear()
    return {task: of_task.scores for task, of_task in scored.items()}, _rows(pairs, scored)


def read(pairs: Pairs) -> dict[str, Read]:
    """Read rows and answers, task by task."""
    by_task: dict[str, Read] = defaultdict(Read)
    for row, output in pairs:
        of_task = by_task[row.task]
        prompt = parse.prompt_text(row) if kind_of(row.task).prompt else ""
        known = len(of_task.batch.distinct)
        number = of_task.batch.add(row.id, row.group, row.task, row.target, prompt, row.meta, output)
        example = of_task.batch.distinct[number]
        of_task.traits.add(row, example.extra)
        if number == known:
            _check(of_task, number, row, output)
    for of_task in by_task.values():
        of_task.batch.done()
    return by_task


def _check(of_task: Read, number: int, row: Row, output: Output) -> None:
    """Note what is wrong with the answer of an example that is new; gold that cannot be read is an ``InputError``."""
    example = of_task.batch.distinct[number]
    if example.gold is None:
        raise parse.unreadable(row)
    if example.answer is None:
        of_task.reasons[number] = parse.reason(row.task, output.prediction, example.extra)
    lenient = parse.salvage(row.task, output.prediction, example.answer, example.extra, example.gold)
    if lenient != example.answer:
        of_task.forgiven[number] = lenient


def _rows(pairs: Pairs, scored: Mapping[str, ScoredTask]) -> Iterator[ScoredRow]:
    places = {task: iter(of_task.read.batch.places) for task, of_task in scored.items()}
    slices = {task: of_task.partitions.by_row(of_task.scores.n) for task, of_task in scored.items()}
    for row, output in pairs:
        yield _row(row, output, scored[row.task], next(places[row.task]), next(slices[row.task]))


def _row(row: Row, output: Output, task: ScoredTask, place: int, slices: dict[str, list[str]]) -> ScoredRow:
    values = zip(task.names, task.values[place].tolist(), strict=True)
    return ScoredRow(
        id=row.id,
        group=row.group,
        task=row.task,
        source=row.source,
        valid=place not in task.read.reasons,
        prompt=parse.prompt_text(row),
        gold=row.target,
        prediction=output.prediction,
        meta=row.meta,
        values={name: value for name, value in values if value == value},
        reason=task.read.reasons.get(place, ""),
        salvaged=place in task.read.forgiven,
        slices=slices,
        candidates=list(output.candidates),
        judged=dict(output.judged),
    )


def trivial_answers(
    examples: Sequence[Example], rows: Sequence[Example] | None = None
) -> Iterator[tuple[str, list[Example]]]:
    """Yield, for each trivial predictor, its name and the examples with its answers: one at a time, for they may be a million.

    It is fitted to ``rows``, if these are not the examples, once each.
    """
    for name, predict in examples[0].kind.predictors(rows or examples).items():
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
    places: Ints | None = None,
) -> dict[str, tuple[float, str]]:
    """Return each metric's floor, the best of the trivial predictors, and that predictor's name.

    ``places`` are the numbers of the rows' examples, if not one each. ``use`` gets each trivial predictor's answers, if it gives
    any, and tables before they are let go; a table without answers has a line for each row.
    """
    values: dict[str, list[tuple[float, str]]] = {name: [] for name in names}
    rows = examples if places is None else [examples[place] for place in places]

    def note(by: str, answers: Sequence[Example] | None, by_name: Mapping[str, Table]) -> None:
        use(by, answers, by_name)
        for name, table in by_name.items():
            values[name].append((stats.value(table, metrics.get(name), places if answers else None), by))

    for by, answers in trivial_answers(examples, rows):
        note(by, answers, tables(answers, [name for name in names if metrics.get(name).trivial], tools))
    for name in names:
        for by, guess in metrics.get(name).guesses.items():
            note(by, None, {name: guess(rows, tools)})
    return {name: max(of_metric, key=lambda pair: pair[0]) for name, of_metric in values.items()}


def score_task(
    task: str, read: Read, settings: Settings, tools: Tools, training: TrainingCounts | None = None
) -> ScoredTask:
    """Score the rows of one task."""
    batch, names = read.batch, tasks.get(task).metrics
    examples, rows, places = batch.distinct, batch.rows(), np.asarray(batch.places)
    # A trivial predictor knows no answer: it answers each question once.
    questions, asked = [examples[first] for first in batch.firsts], np.asarray(batch.questions)[places]
    reasons = unavailable(examples, names, tools)
    if "bert_score_f1" in {*names} - {*reasons}:  # answers and floors in one call, which embeds each reference once
        trivial = [example for _, answers in trivial_answers(questions, rows) for example in answers]
        semantic.bert_score_f1([*examples, *trivial, *semantic.random_pairs(rows)], tools)
    computed = tables(examples, [name for name in names if name not in reasons], tools)
    applying = {name: t for name, t in computed.items() if not np.isnan(stats.value(t, metrics.get(name), places))}
    reasons |= {
        name: "nothing in the gold to score"
        for name in computed
        if name not in applying and not metrics.get(name).if_any
    }
    partitions = slicing.partitions(task, rows, read.traits, tools, training)
    sliced, points = slices.chosen(task, applying), list[tuple[str, slices.Points]]()

    def note(by: str, answers: Sequence[Example] | None, by_name: Mapping[str, Table]) -> None:
        slots = slotted(answers, tools).of(asked) if answers and partitions.slots else None
        shared = {name: by_name[name] for name in sliced if name in by_name}
        points.append((by, slices.points(partitions, shared, slots, asked if answers else None)))

    floors = best_floors(questions, list(applying), tools, note, asked)
    with_validity, lenient = {**applying, "": VALIDITY.table(examples, tools)}, _lenient(read, list(applying), tools)
    values, salvaged = _scores([with_validity, lenient], {**floors, "": (0.0, "empty")}, batch, settings)
    recovered = int(np.isin(places, list(read.forgiven)).sum())
    each = [name for name in applying if metrics.get(name).each]
    columns = [metrics.get(name).reduce(dense(applying[name])) for name in each]
    attributes = slicing.by_attribute(partitions)
    times = np.bincount(places)
    counts = Counter[str]()
    for number, reason in read.reasons.items():
        counts[reason] += int(times[number])
    scores = TaskScores(
        n=len(places),
        groups=len(batch.names),
        invalid=counts.total(),
        validity=values.pop(""),
        metrics=values,
        salvage=Salvage(recovered, salvaged) if read.forgiven else None,
        unavailable={name: reasons[name] for name in names if name in reasons},
        reasons=dict(counts.most_common()),
        counts={name: sum(of[name] for of in attributes.values()) for name in COUNTS} if partitions.slots else None,
        attributes=attributes,
        slices=slices.scores(partitions, batch, sliced, points, settings),
    )
    by_example = np.stack(columns, axis=1) if columns else np.empty((len(examples), 0))
    return ScoredTask(scores, each, by_example, partitions, read)


def _scores(
    readings: Sequence[Mapping[str, Table]], floors: Floors, batch: Batch, settings: Settings
) -> list[dict[str, Score]]:
    """Return the scores of each reading of the same rows, from the same resamples."""
    widest = {max(table.shape[1] for table in by_name.values()) for by_name in readings if by_name}
    if len(widest) > 1:  # chunks would be of another size, on which the last bit of a sum of fractions depends
        return [part for by_name in readings for part in _scores([by_name], floors, batch, settings)]
    named = [pair for by_name in readings for pair in by_name.items()]
    columns = [(table, metrics.get(name) if name else VALIDITY) for name, table in named]
    places, groups = np.asarray(batch.places), np.asarray(batch.groups)
    samples = stats.bootstrap(columns, groups, settings.resamples, settings.seed, places=[places] * len(columns))
    found = iter(zip(columns, samples, strict=True))

    def scored(name: str) -> Score:
        (table, metric), sample = next(found)
        value = stats.value(table, metric, places)
        interval = stats.score_interval(value, sample)
        return Score(value, interval.low, interval.high, *floors[name], interval.reason)

    return [{name: scored(name) for name in by_name} for by_name in readings]


def _lenient(read: Read, names: Sequence[str], tools: Tools) -> dict[str, Table]:
    """Return the tables of what a lenient parse reads, none where it reads what the task does."""
    if not read.forgiven:
        return {}
    examples = [replace(e, answer=read.forgiven.get(n, e.answer)) for n, e in enumerate(read.batch.distinct)]
    # A judge's marks and the candidates belong to the answer as it was: they are the same however it is read.
    by_answer = [name for name in names if metrics.get(name).trivial or name.endswith("_proxy")]
    return tables(examples, by_answer, tools)
