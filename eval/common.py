"""Runs reduced to what all of them have: common rows, scored again, and comparable slices."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from converters.core.errors import InputError
from converters.schema import Row, Turn
from eval.reading import Given
from eval.runs import Run
from eval.score import score
from eval.scored import ScoredRow, Scores, Settings

SAME_FIELDS = ("task", "group", "prompt", "gold", "meta")


def common(runs: Sequence[Run]) -> tuple[list[Run], dict[str, int]]:
    """Return the runs on their common ids, in the first one's order, and how many rows of each were left out.

    They are scored without a training split. An :class:`InputError` if a row is not the same in all runs, or none is common.
    """
    rows = [{row.id: row for row in run.rows} for run in runs]
    shared = [id_ for id_ in rows[0] if all(id_ in others for others in rows[1:])]
    if not shared:
        raise InputError(f"{runs[0].name} and the others have no id in common: they are from different test files")
    for run, others in zip(runs[1:], rows[1:], strict=True):
        for id_ in shared:
            _same_row(rows[0][id_], others[id_], runs[0].name, run.name)
    cut = [_scored(run, [by_id[id_] for id_ in shared]) for run, by_id in zip(runs, rows, strict=True)]
    return cut, {run.name: len(by_id) - len(shared) for run, by_id in zip(runs, rows, strict=True)}


@dataclass(frozen=True, slots=True)
class Unsliced:
    """Scored rows without some kinds of slices, read whenever they are walked."""

    rows: Iterable[ScoredRow]
    kinds: Collection[str]

    def __iter__(self) -> Iterator[ScoredRow]:
        """Yield each row."""
        for row in self.rows:
            yield replace(row, slices={kind: names for kind, names in row.slices.items() if kind not in self.kinds})


def unsliced(run: Run, kinds: Collection[str]) -> Run:
    """Return a run without some kinds of slices."""
    tasks = {
        name: replace(task, slices=[part for part in task.slices if part.kind not in kinds])
        for name, task in run.scores.tasks.items()
    }
    return Run(run.name, replace(run.scores, tasks=tasks), Unsliced(run.rows, kinds))


def _same_row(row: ScoredRow, other: ScoredRow, first: str, second: str) -> None:
    for field in SAME_FIELDS:
        if getattr(row, field) != getattr(other, field):
            raise InputError(
                f"{first} and {second} cannot be compared: row {row.id!r} has a different {field} in each: "
                f"{str(getattr(row, field))[:40]!r} and {str(getattr(other, field))[:40]!r}"
            )


def _scored(run: Run, rows: Sequence[ScoredRow]) -> Run:
    origin = run.scores.provenance
    settings = Settings(origin["normaliser"], origin["resamples"], origin["seed"])
    tasks, lines = score([(_row(row), Given(row.prediction, row.candidates, row.judged)) for row in rows], settings)
    used = {key: value for key, value in origin.items() if key != "train_sha256"}
    return Run(run.name, Scores(tasks, used), list(lines))


def _row(row: ScoredRow) -> Row:
    turns = [Turn("user", row.prompt), Turn("assistant", row.gold)]
    return Row(id=row.id, group=row.group, task=row.task, source=row.source, messages=turns, meta=row.meta)
