"""The files of an evaluation, read and checked: predictions, where they come from, and a scored run."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from converters import jsonl, tasks
from converters.errors import InputError
from converters.examples import Row
from eval import metrics
from eval.metrics.texts import STEMMER
from eval.score import ScoredRow, Scores, Settings

VERSIONS = ("ecom-llm-recipes", "numpy", "scipy", "rouge-score")


class Prediction(msgspec.Struct, frozen=True):
    """One line of a predictions file; a ``prediction`` that is no text counts as invalid. ``candidates``: ranked, best first."""

    id: str
    prediction: Any
    candidates: list[Any] = []


@dataclass(frozen=True, slots=True)
class Run:
    """A scored run: its name and the content of ``scores.json`` and ``rows.jsonl``."""

    name: str
    scores: Scores
    rows: list[ScoredRow]


def read_predictions(path: Path, ids: Sequence[str]) -> dict[str, Any]:
    """Return the prediction of every id; an id too many, too few or twice is an :class:`InputError`."""
    found = jsonl.read(path, Prediction)
    times = Counter(prediction.id for prediction in found)
    known = set(ids)
    _refuse(path, [id_ for id_, count in times.items() if count > 1], "found twice or more, expected once")
    _refuse(path, [id_ for id_ in ids if id_ not in times], "of the test file missing, expected one prediction a row")
    _refuse(path, [id_ for id_ in times if id_ not in known], "found that the test file does not have")
    return {prediction.id: prediction.prediction for prediction in found}


def _refuse(path: Path, ids: Sequence[str], what: str) -> None:
    if ids:
        raise InputError(f"{path}: {len(ids)} {'id' if len(ids) == 1 else 'ids'} {what}; the first is {ids[0]!r}")


def read_origin(predictions: Path, test_sha256: str) -> dict[str, Any] | None:
    """Return ``predictions.json`` beside the predictions, if any; one for other predictions or another test file is an error."""
    path = predictions.with_name("predictions.json")
    if not path.is_file():
        return None
    origin = jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
    for key, file, actual in (
        ("test_sha256", "test file", test_sha256),
        ("predictions_sha256", "predictions file", jsonl.sha256(predictions)),
    ):
        if origin.get(key, actual) != actual:
            raise InputError(f"{path}: found that it belongs to {file} {str(origin[key])[:12]}, expected {actual[:12]}")
    return origin


@cache
def scorer_sha256() -> str:
    """Return one hash over the source of all that decides a score: metrics, statistics, floors, and the tasks' parsers."""
    here, readers = Path(__file__).parent, Path(str(tasks.__file__)).parent
    files = [here / "text.py", here / "stats.py", here / "floors.py", here / "score.py"]
    files += [*sorted(Path(str(metrics.__file__)).parent.glob("*.py")), *sorted(readers.glob("*.py"))]
    return _digest((file.name, jsonl.sha256(file)) for file in files)


def prompt_sha256(rows: Sequence[Row]) -> str:
    """Return one hash over every row's id and prompt, in the order of the file."""
    return _digest((row.id, row.prompt) for row in rows)


def _digest(values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(msgspec.json.encode(value) + b"\n")
    return digest.hexdigest()


def provenance(data: Path, predictions: Path, rows: Sequence[Row], settings: Settings) -> dict[str, Any]:
    """Return what the scores are made from and by, hashes of all of it included."""
    test = jsonl.sha256(data)
    return {
        "test_file": data.name,
        "test_sha256": test,
        "prompt_sha256": prompt_sha256(rows),
        "predictions_sha256": jsonl.sha256(predictions),
        "predictions": read_origin(predictions, test),
        "normaliser": settings.normaliser,
        "stemmer": STEMMER,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "scorer_sha256": scorer_sha256(),
        "versions": {name: metadata.version(name) for name in VERSIONS},
    }


def write_run(folder: Path, scores: Scores, rows: Sequence[ScoredRow]) -> Scores:
    """Write ``rows.jsonl``, then ``scores.json`` with its hash; return the scores as written."""
    jsonl.write_lines(folder / "rows.jsonl", rows)
    rows_sha256 = jsonl.sha256(folder / "rows.jsonl")
    scores = Scores(scores.tasks, {**scores.provenance, "rows_sha256": rows_sha256})
    jsonl.write_json(folder / "scores.json", scores)
    return scores


def read_run(path: Path) -> Run:
    """Read a scored run: a folder with ``scores.json`` in it or in its ``eval`` folder."""
    folder = next((place for place in (path / "eval", path) if (place / "scores.json").is_file()), None)
    if folder is None:
        raise InputError(
            f"{path}: found no scores.json there or in its eval folder, expected a scored run (ecom-eval score)"
        )
    scores = jsonl.decode((folder / "scores.json").read_bytes(), Scores, str(folder / "scores.json"))
    rows = jsonl.read(folder / "rows.jsonl", ScoredRow)
    if jsonl.sha256(folder / "rows.jsonl") != scores.provenance.get("rows_sha256"):
        raise InputError(
            f"{folder / 'rows.jsonl'}: found other rows than scores.json was made from; run ecom-eval score again"
        )
    named = folder.resolve()
    return Run(named.parent.name if named.name == "eval" else named.name, scores, rows)
