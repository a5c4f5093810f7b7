"""Predict with a baseline, fitted on the training split task by task, with an answer to every row.

Rows that a baseline cannot answer get the majority's answer, or an empty one (unreadable, so wrong) if training has no row of the
task. ``answered_by`` counts which of them answered.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Row
from eval import baselines
from eval.baselines.base import Guess, Solved, Tell, blinded, family, gold

MAJORITY, NOBODY = "majority", "nobody"
VERSIONS = ("ecom-llm-recipes", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Written:
    """One row's prediction as text, ranked candidates if any, and the baseline that they are from."""

    prediction: str = ""
    candidates: tuple[str, ...] = ()
    by: str = NOBODY


class _Meta(msgspec.Struct):
    attributes: list[str] = []
    candidates: list[str] = []
    options: list[str] = []
    gains: list[float] = []


def predict(name: str, train: Path, rows: Sequence[Row], tell: Tell) -> list[Written]:
    """Return the answer of baseline ``name`` to each row; ``train`` is the training split, read once a task."""
    answers: dict[str, Written] = {}
    for row in rows:
        check_meta(row, f"row {row.id!r}")
    for task in sorted({row.task for row in rows}):
        for by in dict.fromkeys((name, MAJORITY)):
            baseline, hidden = baselines.get(by), [blinded(r) for r in rows if r.task == task and r.id not in answers]
            if hidden and (not baseline.kinds or tasks.get(task).kind in baseline.kinds):
                tell(f"{by}: {task}, fitting")
                guess = baseline.fit(solved(train, task), _prefixed(tell, f"{by}: {task}"))
                written = ((row.id, _write(row, each, by)) for row, each in zip(hidden, guess(hidden), strict=True))
                answers |= {id_: answer for id_, answer in written if answer}
    return [answers.get(row.id, Written()) for row in rows]


def _prefixed(tell: Tell, prefix: str) -> Tell:
    return lambda words: tell(f"{prefix}, {words}")


def _write(row: Row, guess: Guess | None, by: str) -> Written | None:
    """Return an answer as its task writes it; ``None`` if the task could not read it back for this row."""
    if guess is None:
        return None
    task = tasks.get(row.task)
    text = task.render(guess.answer)
    parsed = task.parse(text)
    if parsed is None or task.settle(parsed, row.extra) is None:
        return None
    return Written(text, tuple(dict.fromkeys(map(task.render, guess.candidates))), by)


def solved(train: Path, task: str) -> Iterator[Solved]:
    """Yield the training rows with the same answers as ``task``, and their answers; unreadable ones are skipped."""
    kind = family(task)
    for row in _rows(train):
        if family(row.task) == kind and (answer := gold(row)) is not None:
            yield row, answer


def _rows(train: Path) -> Iterator[Row]:
    for number, line in jsonl.numbered(train):
        row = jsonl.decode(line, Row, f"{train}:{number}")
        if len(row.messages) < 2:
            raise InputError(f"{train}:{number}: found {len(row.messages)} messages, expected two or more")
        check_meta(row, f"{train}:{number}")
        yield row


def check_meta(row: Row, where: str) -> None:
    """Raise :class:`InputError` if a row's meta lacks the form that baselines read."""
    try:
        msgspec.json.decode(row.meta, type=_Meta)
    except msgspec.DecodeError as error:
        raise InputError(f"{where}: found meta {row.meta[:60]!r}, expected a JSON object: {error}") from error


def training(train: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the training file's name, hash and rows per task; a row of the test file in it is an :class:`InputError`."""
    tested, counts, unreadable = {row.id for row in rows}, Counter[str](), Counter[str]()
    for row in _rows(train):
        if row.id in tested:
            raise InputError(f"{train}: found row {row.id!r} of the test file, expected a training split without any")
        counts[row.task] += 1
        unreadable[row.task] += gold(row) is None
    if not counts:
        raise InputError(f"{train}: found an empty file, expected one JSON object a line")
    return {
        "train_file": train.name,
        "train_sha256": jsonl.sha256(train),
        "train_rows": dict(sorted(counts.items())),
        "train_unreadable": {task: count for task, count in sorted(unreadable.items()) if count},
    }


def write(out: Path, rows: Sequence[Row], answers: Sequence[Written], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``predictions.jsonl`` in the order of ``rows``, then ``predictions.json``, and return the latter's content."""
    final = out / "predictions.jsonl"
    pairs = list(zip(rows, answers, strict=True))
    lines = (({"id": row.id, "prediction": answer.prediction}, answer.candidates) for row, answer in pairs)
    jsonl.write_lines(final, (line | ({"candidates": ranked} if ranked else {}) for line, ranked in lines))
    by_task: dict[str, Counter[str]] = {}
    for row, answer in pairs:
        by_task.setdefault(row.task, Counter())[answer.by] += 1
    versions = {name: metadata.version(name) for name in VERSIONS}
    record = {**origin, "predictions_sha256": jsonl.sha256(final), "rows": len(rows)}
    record |= {"answered_by": dict(sorted(by_task.items())), "versions": versions}
    jsonl.write_json(out / "predictions.json", record)
    return record
