"""Runs cut down to the rows that all of them have, scored again on these."""

from collections.abc import Sequence

from converters.errors import InputError
from converters.examples import Row, Turn
from eval.reading import Given
from eval.runs import Run
from eval.score import score
from eval.scored import ScoredRow, Scores, Settings

SAME = ("task", "group", "prompt", "gold", "meta")


def common(runs: Sequence[Run]) -> tuple[list[Run], dict[str, int]]:
    """Return the runs on their common ids, in the first one's order, and how many rows of each were left out.

    A row that is not the same in all runs is an :class:`InputError`, as are runs without a common row.
    """
    rows = [{row.id: row for row in run.rows} for run in runs]
    shared = [id_ for id_ in rows[0] if all(id_ in found for found in rows[1:])]
    if not shared:
        raise InputError(f"{runs[0].name} and the others have no id in common, expected some to compare on")
    for run, found in zip(runs[1:], rows[1:], strict=True):
        for id_ in shared:
            _same(rows[0][id_], found[id_], runs[0].name, run.name)
    cut = [_scored(run, [found[id_] for id_ in shared]) for run, found in zip(runs, rows, strict=True)]
    return cut, {run.name: len(found) - len(shared) for run, found in zip(runs, rows, strict=True)}


def _same(row: ScoredRow, other: ScoredRow, first: str, second: str) -> None:
    for field in SAME:
        if getattr(row, field) != getattr(other, field):
            raise InputError(
                f"{first} and {second} cannot be compared, for row {row.id!r} has another {field} in each: "
                f"{str(getattr(row, field))[:40]!r} and {str(getattr(other, field))[:40]!r}"
            )


def _scored(run: Run, rows: Sequence[ScoredRow]) -> Run:
    known = run.scores.provenance
    settings = Settings(known["normaliser"], known["resamples"], known["seed"])
    found, lines = score([(_row(row), Given(row.prediction, row.candidates, row.judged)) for row in rows], settings)
    return Run(run.name, Scores(found, known), list(lines))


def _row(row: ScoredRow) -> Row:
    turns = [Turn("user", row.prompt), Turn("assistant", row.gold)]
    return Row(id=row.id, group=row.group, task=row.task, source=row.source, messages=turns, meta=row.meta)
