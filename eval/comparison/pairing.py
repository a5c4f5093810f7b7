"""Which runs may be compared, cut to their common rows, and paired by id."""

import hashlib
import math
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from converters.core.errors import InputError
from converters.schema import Row, Turn
from eval import metrics
from eval.answers import kind_of
from eval.metrics.base import Table, Tools, mean
from eval.metrics.extraction import Ints
from eval.results.runs import scorer_sha256
from eval.results.schema import Output, Run, ScoredRow, Scores, Settings
from eval.scoring import score
from eval.scoring.batch import Batch

SAME_FIELDS = ("task", "group", "prompt", "gold", "meta")
SAME = {
    "test_sha256": "test file",
    "prompt_sha256": "prompts",
    "tokeniser": "tokeniser",
    "scorer_sha256": "scorer",
    "normaliser": "normaliser",
    "stemmer": "stemmer",
    "encoder": "sentence encoder",
    "bert_score": "BERTScore settings",
    "judge": "judge",
}
AGAIN = ("tokeniser", "scorer")  # what differs where one run was scored by an older version
OF_TRAINING = ("frequency", "seen")  # the kinds of slices that depend on the training split
OF_THE_FILE = ("test_sha256", "prompt_sha256")  # may differ where only common rows are compared
OF_CANDIDATES = "top_"  # how the names of the metrics of ranked candidates begin


def common(runs: Sequence[Run]) -> tuple[list[Run], dict[str, int]]:
    """Return the runs on their common ids, in the first one's order, and how many rows of each were left out.

    They are scored again, without a training split. An :class:`InputError` if a row differs between runs, or none is common.
    """
    rows = [{row.id: row for row in run.rows} for run in runs]
    shared = [id_ for id_ in rows[0] if all(id_ in others for others in rows[1:])]
    if not shared:
        raise InputError(f"{runs[0].name} and the others have no id in common: they are from different test files")
    for run, others in zip(runs[1:], rows[1:], strict=True):
        for id_ in shared:
            _check_same_row(rows[0][id_], others[id_], runs[0].name, run.name)
    cut = [_rescored(run, [by_id[id_] for id_ in shared]) for run, by_id in zip(runs, rows, strict=True)]
    return cut, {run.name: len(by_id) - len(shared) for run, by_id in zip(runs, rows, strict=True)}


def _check_same_row(row: ScoredRow, other: ScoredRow, first: str, second: str) -> None:
    for name in SAME_FIELDS:
        a, b = getattr(row, name), getattr(other, name)
        if a != b:
            raise InputError(
                f"{first} and {second} cannot be compared: row {row.id!r} has a different {name} in each: "
                f"{str(a)[:40]!r} and {str(b)[:40]!r}"
            )


def _rescored(run: Run, rows: Sequence[ScoredRow]) -> Run:
    origin = run.scores.provenance
    settings = Settings(origin["normaliser"], origin["resamples"], origin["seed"])
    pairs = []
    for row in rows:
        turns = [Turn("user", row.prompt), Turn("assistant", row.gold)]
        test = Row(id=row.id, group=row.group, task=row.task, source=row.source, messages=turns, meta=row.meta)
        pairs.append((test, Output(row.prediction, row.candidates, row.judged)))
    by_task, scored = score.score(pairs, settings)
    provenance = {key: value for key, value in origin.items() if key != "train_sha256"}
    return Run(run.name, Scores(by_task, provenance), list(scored))


@dataclass(frozen=True, slots=True)
class Unsliced:
    """Scored rows without some kinds of slices, read whenever they are walked."""

    rows: Iterable[ScoredRow]
    kinds: Collection[str]

    def __iter__(self) -> Iterator[ScoredRow]:
        for row in self.rows:
            yield replace(row, slices={kind: names for kind, names in row.slices.items() if kind not in self.kinds})


def unsliced(run: Run, kinds: Collection[str]) -> Run:
    """Return a run without some kinds of slices."""
    by_task = {
        name: replace(task, slices=[part for part in task.slices if part.kind not in kinds])
        for name, task in run.scores.tasks.items()
    }
    return Run(run.name, replace(run.scores, tasks=by_task), Unsliced(run.rows, kinds))


def check_comparable(runs: Sequence[Run], intersect: bool = False) -> None:
    """Raise :class:`InputError` if runs differ in more than their answers.

    ``intersect``: only common rows are compared, so the test files may differ. A baseline has no decoding settings.
    """
    if len(runs) < 2:
        raise InputError(f"found {len(runs)} run, expected two or more to compare")
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(f"found two runs called {max(names, key=names.count)!r}, expected every run once")
    for key, word in SAME.items():
        if key not in OF_THE_FILE:
            _check_same(word, runs, [_setting(run, key) for run in runs])
    models = [run for run in runs if not baseline(run)]
    _check_same("decoding settings", models, [origin(run).get("decoding") for run in models])
    if runs[0].scores.provenance.get("scorer_sha256") != scorer_sha256():
        raise InputError(
            f"{runs[0].name} was scored by another version of the scorer; run ecom-eval score again on every run"
        )
    for run in () if intersect else runs[1:]:
        if unlike := [word for key, word in SAME.items() if key in OF_THE_FILE and _unlike(key, runs[0], run)]:
            between = f"{runs[0].name} and {run.name}"
            raise InputError(
                f"{between} cannot be compared as they are, for they differ in the {unlike[0]}: {_other_rows(runs[0], run)}"
            )


def _unlike(key: str, run: Run, other: Run) -> bool:
    return bool(_setting(run, key) != _setting(other, key))


def _other_rows(run: Run, other: Run) -> str:
    """Say how the rows of two runs differ and what mends it; the same row with another content is an :class:`InputError`."""
    rows, others = ({row.id: _told_apart(row) for row in each.rows} for each in (run, other))
    shared = [id_ for id_ in rows if id_ in others]
    if not shared:
        return "they have no id in common; score both on the same test file"
    if changed := next((id_ for id_ in shared if rows[id_] != others[id_]), None):
        first, second = (next(row for row in each.rows if row.id == changed) for each in (run, other))
        _check_same_row(first, second, run.name, other.name)
    if len(shared) < max(len(rows), len(others)):
        counts = [(run.name, other.name, len(others)), (other.name, run.name, len(rows))]
        lacking = [f"{a} lacks {n - len(shared):,} of {b}'s {n:,} rows" for a, b, n in counts if n > len(shared)]
        return f"{' and '.join(lacking)}; --intersect compares the {len(shared):,} rows that both have"
    how = "in another order" if list(rows) != list(others) else "written in another way"
    return f"both have the same {len(rows):,} rows, {how}; --intersect pairs them by id"


def _told_apart(row: ScoredRow) -> bytes:
    """Return a short digest of what must be the same in both runs."""
    fields = msgspec.json.encode([getattr(row, field) for field in SAME_FIELDS])
    return hashlib.blake2b(fields, digest_size=8).digest()


def _check_same(word: str, runs: Sequence[Run], values: Sequence[Any]) -> None:
    for run, value in zip(runs, values, strict=True):
        if value != values[0]:
            raise InputError(
                f"{runs[0].name} and {run.name} cannot be compared, for they differ in the {word}: "
                f"{runs[0].name} has {_short(values[0])} and {run.name} has {_short(value)}"
                + ("; run ecom-eval score again on both" if word in AGAIN else "")
            )


def _short(value: Any) -> str:
    if value is None:
        return "none recorded"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:12] if len(text) == 64 else text


def _setting(run: Run, key: str) -> Any:
    value = run.scores.provenance.get(key)
    # Which answers a judge judged is each run's own.
    return {k: v for k, v in value.items() if k != "predictions_sha256"} if isinstance(value, dict) else value


def unlike_slices(runs: Sequence[Run]) -> list[str]:
    """Return the kinds of slices that cannot be compared, since the runs were scored with different training splits."""
    return [*OF_TRAINING] if len({run.scores.provenance.get("train_sha256") for run in runs}) > 1 else []


def unlike_candidates(task: str, runs: Sequence[Run]) -> str:
    """Return in what ways two models ranked a task's candidates, "" if all did in one or a run has no metric of them."""
    scores = [run.scores.tasks[task].metrics for run in runs]
    models = [run for run in runs if not baseline(run)]
    ways = [_ranked_by(run, task) for run in models]
    others = [place for place, way in enumerate(ways) if way != ways[0]]
    if not others or not all(any(name.startswith(OF_CANDIDATES) for name in metrics) for metrics in scores):
        return ""
    return "; ".join(f"{models[place].name}: {ways[place]}" for place in (0, others[0]))


def _ranked_by(run: Run, task: str) -> str:
    """Return how a task's candidates were found and ranked, as the record says.

    A backend that ranks answers of a list of texts otherwise than free ones records both ways, with a semicolon between.
    """
    ways = str(_kept(run, "candidates", "by") or "not recorded").split("; ")
    return ways[0] if _kept(run, "decoding", "constrain", "tasks", task) == "texts" else ways[-1]


def _kept(run: Run, *keys: str) -> Any:
    """Return a value of the record beside the predictions, which anyone may have written, ``None`` if it is not there."""
    value: Any = origin(run)
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def baseline(run: Run) -> str:
    """Return the name of the baseline that answered, "" if a model did."""
    return str(origin(run).get("baseline") or "")


def origin(run: Run) -> dict[str, Any]:
    """Return the record beside a run's predictions, an empty one if there was none."""
    return run.scores.provenance.get("predictions") or {}


@dataclass(slots=True)
class TaskRows:
    """One task's rows under one run, as columns: a digest of their ids, what metrics take, and each row's own values.

    A row has a line in every column of ``values``, NaN where it has no value of that metric.
    """

    ids: Any = field(default_factory=hashlib.sha256)
    batch: Batch = field(default_factory=Batch)
    values: dict[str, "array[float]"] = field(default_factory=dict)

    def add(self, row: ScoredRow) -> None:
        """Add a row; its prompt is kept only where a metric looks at its snippets."""
        count, prompt = len(self.batch.places), row.prompt if kind_of(row.task).prompt else ""
        self.batch.add(row.id, row.group, row.task, row.gold, prompt, row.meta, row)
        self.ids.update(f"{len(row.id)} {row.id}".encode())
        found = row.values
        if found.keys() != self.values.keys():
            for name in found.keys() - self.values.keys():
                self.values[name] = array("d", [math.nan]) * count
            found = dict.fromkeys(self.values, math.nan) | found
        for name, values in self.values.items():
            values.append(found[name])


def by_task(run: Run) -> dict[str, TaskRows]:
    """Read a run's rows."""
    rows: dict[str, TaskRows] = defaultdict(TaskRows)
    for row in run.rows:
        rows[row.task].add(row)
    for of_task in rows.values():
        of_task.batch.done()
        of_task.batch.names.clear()
    return rows


def shared(task: str, runs: Sequence[Run], rows: Sequence[TaskRows], tools: Tools) -> list[str]:
    """Return the metrics that all runs have and that can be computed again: from the answers, or from each row's own value.

    Without those of candidates that are ranked in different ways.
    """
    scores = [run.scores.tasks[task].metrics for run in runs]
    left_out = (OF_CANDIDATES,) if unlike_candidates(task, runs) else ()
    return [
        name
        for name in scores[0]
        if all(name in other for other in scores)
        and not name.startswith(left_out)
        and not (metric := metrics.get(name)).of_rows
        and ((metric.each and metric.reduce is mean) or not any(_missing(name, of_run, tools) for of_run in rows))
    ]


def _missing(name: str, rows: TaskRows, tools: Tools) -> str:
    return metrics.get(name).missing(rows.batch.distinct, tools)


def tables(rows: TaskRows, names: Sequence[str], tools: Tools) -> dict[str, tuple[Table, Ints]]:
    """Return each metric's table and the rows' lines in it; one that needs a tool is the average that its rows already hold."""
    stored = {name for name in names if _missing(name, rows, tools)}
    computed = score.tables(rows.batch.distinct, [name for name in names if name not in stored], tools)
    places, every = np.asarray(rows.batch.places), np.arange(len(rows.batch.places))
    return {name: (_stored(rows, name), every) if name in stored else (computed[name], places) for name in names}


def _stored(rows: TaskRows, name: str) -> Table:
    values = np.asarray(rows.values.get(name, [math.nan] * len(rows.batch.places)))
    return np.stack([np.nan_to_num(values), ~np.isnan(values)], axis=1, dtype=np.float64, casting="unsafe")
