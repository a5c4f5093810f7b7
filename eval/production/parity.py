"""Held-out rows, answered by a run's merged model and by the server that should answer as it does.

All of it is in the run's folder ``parity``: ``rows.jsonl``, and the predictions of both sides in ``merged`` and ``served``. What
the merged model has answered already, in the same way, is not predicted again.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.core.hashing import draw
from converters.io import jsonl
from converters.schema import Row
from eval.inference import checkpoint, predict
from eval.inference.backends.base import Plan
from eval.results import record, runs

FOLDER, ROWS = "parity", "rows.jsonl"
KEPT = ("checkpoint", "checkpoint_sha256", "template_sha256", "backend", "versions", "decoding")
Answers = dict[str, str | None]


def validation_file(run: Path) -> Path:
    """Return the validation split of the mixture that a run was trained on; one that is gone is an ``InputError``."""
    files = [Path(item["name"]).with_name("validation.jsonl") for item in record.read(run).record.get("data", ())]
    for file in files:
        if file.is_file():
            return file
    raise InputError(f"{run}: the validation split of its mixture is not here; name held-out rows with --data")


def sample(rows: Sequence[Row], count: int) -> list[Row]:
    """Return ``count`` rows, of each task as many as it has up to an equal part: the same ones whatever their order."""
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: draw(row.id, 0)):
        by_task[row.task].append(row)
    turns = [(turn, task, row) for task, group in by_task.items() for turn, row in enumerate(group)]
    return [row for _, _, row in sorted(turns, key=lambda place: place[:2])[:count]]


def of_merged(run: Path, data: Path, rows: Sequence[Row], plan: Plan, progress: predict.Progress) -> Answers:
    """Return the merged model's answers to ``rows``, which are the file's that ``plan`` names and are from ``data``."""
    merged, out = run / checkpoint.MERGED, run / FOLDER / "merged"
    same = {"checkpoint_sha256": checkpoint.find(str(merged)).sha256, "decoding": plan.decoding}
    if not _earlier(out.parent, same | {"test_sha256": plan.test_sha256}):
        if whole := _earlier(run, same | {"test_sha256": jsonl.sha256(data)}):
            _take(whole, data, rows, plan, out)
        else:
            predict.predict("transformers", str(merged), rows, plan, out, progress, time.monotonic)
    return _answers(run / FOLDER / ROWS, out)


def of_server(run: Path, rows: Sequence[Row], plan: Plan, progress: predict.Progress) -> Answers:
    """Return the answers of the endpoint that ``plan`` names; nothing of an earlier server is taken for its own."""
    out = run / FOLDER / "served"
    predict.remove_partial(out, "predictions")
    predict.predict("openai", str(run / checkpoint.MERGED), rows, plan, out, progress, time.monotonic)
    return _answers(run / FOLDER / ROWS, out)


def _answers(data: Path, folder: Path) -> Answers:
    return {row.id: output.prediction for row, output in runs.read_predictions(data, folder / "predictions.jsonl")}


def _earlier(folder: Path, same: Mapping[str, Any]) -> Path | None:
    """Return the folder of predictions whose record has the values ``same``, and that no endpoint made."""
    for path in sorted(folder.glob("*/**/predictions.json")):
        origin = jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
        backend = origin.get("backend")
        local = isinstance(backend, dict) and backend.get("name") != "openai"
        if local and all(origin.get(key) == value for key, value in same.items()):
            return path.parent
    return None


def _take(whole: Path, data: Path, rows: Sequence[Row], plan: Plan, out: Path) -> None:
    answers, origin = _answers(data, whole), runs.read_origin(whole / "predictions.jsonl", jsonl.sha256(data)) or {}
    final = out / "predictions.jsonl"
    jsonl.write_lines(final, ({"id": row.id, "prediction": answers[row.id]} for row in rows))
    hashes = {"test_sha256": plan.test_sha256, "predictions_sha256": jsonl.sha256(final)}
    jsonl.write_json(
        out / "predictions.json", {key: origin.get(key) for key in KEPT} | hashes | {"taken_from": str(whole)}
    )
