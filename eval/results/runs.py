"""The files of an evaluation, read and checked: predictions, where they come from, and a scored run."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from converters import examples, tasks
from converters.core.errors import InputError, nearest
from converters.io import jsonl
from converters.schema import Row
from eval.metrics.base import NOTHING
from eval.metrics.generation import STEMMER
from eval.results.schema import Given, Judgement, Lines, Prediction, Run, ScoredRow, Scores, Settings

VERSIONS = ("ecom-llm-recipes", "numpy", "scipy", "nltk", "rapidfuzz", "rouge-score")
DEEPEST = 100
# The rooms whose code decides a score: scoring, metrics, and how a task's answers are read.
SCORER = ("eval.scoring", "eval.answers", "eval.metrics", "converters.tasks")


@dataclass(frozen=True, slots=True)
class Answered:
    """The rows of a test file with their predictions, read from both files on each iteration.

    ``places`` are the byte offsets of the predictions by id: the answers of a million rows need not be held.
    """

    data: Path
    predictions: Path
    places: Mapping[str, int]
    judged: Mapping[str, Mapping[str, float]]

    def __iter__(self) -> Iterator[tuple[Row, Given]]:
        """Yield each row with its prediction, in the order of the test file."""
        with self.predictions.open("rb") as file:
            for row in examples.stream_rows(self.data):
                file.seek(self.places[row.id])
                line = jsonl.decode(file.readline(), Prediction, str(self.predictions))
                yield row, Given(line.prediction, line.candidates, self.judged.get(row.id, NOTHING))


def answered(data: Path, predictions: Path) -> Answered:
    """Return the rows with their answers; extra, missing or repeated ids are an :class:`InputError`, as is a wrong line."""
    places, twice = _places(predictions)
    unused, missing = set(places), list[str]()
    for row in examples.stream_rows(data):
        tasks.get(row.task)
        if row.id in places:
            unused.discard(row.id)
        else:
            missing.append(row.id)
    _refuse(predictions, twice, "found twice or more, expected once")
    _refuse(predictions, missing, "of the test file missing, expected one prediction a row")
    _refuse(predictions, [id_ for id_ in places if id_ in unused], "found that the test file does not have")
    return Answered(data, predictions, places, _judged(predictions))


def _places(path: Path) -> tuple[dict[str, int], list[str]]:
    places: dict[str, int] = {}
    twice: dict[str, None] = {}
    for number, place, line in jsonl.placed(path):
        answer = jsonl.decode(line, Prediction, f"{path}:{number}")
        if answer.id in places:
            twice[answer.id] = None
        if (answer.candidates or not isinstance(answer.prediction, str)) and _deep(
            [answer.prediction, answer.candidates]
        ):
            raise InputError(f"{path}:{number}: found JSON nested more than {DEEPEST} levels, expected a text")
        places[answer.id] = place
    if not places:
        raise InputError(f"{path}: found an empty file, expected one JSON object a line")
    return places, list(twice)


def _deep(value: Any) -> bool:
    """Tell whether a value is nested too deep to be shown; no text is ever deep."""
    level = [value]
    for _ in range(DEEPEST):
        nested = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [inner for each in nested if isinstance(each, list) for inner in each]
    return bool(level)


def _judged(predictions: Path) -> dict[str, Mapping[str, float]]:
    """Return a judge's marks by id from ``judgements.jsonl`` beside the predictions, if any."""
    path = predictions.with_name("judgements.jsonl")
    marks: dict[str, Mapping[str, float]] = {}
    for line in jsonl.stream(path, Judgement) if path.is_file() else ():
        both = {"relevance": line.relevance, "grounded": line.grounded}
        marks[line.id] = {name: mark for name, mark in both.items() if mark is not None}
    return marks


def _refuse(path: Path, ids: Sequence[str], what: str) -> None:
    if ids:
        raise InputError(f"{path}: {len(ids)} {'id' if len(ids) == 1 else 'ids'} {what}; the first is {ids[0]!r}")


def read_origin(predictions: Path, test_sha256: str, name: str = "predictions.json") -> dict[str, Any] | None:
    """Return the record beside the predictions, if any; one of other predictions or another test file is an ``InputError``."""
    path = predictions.with_name(name)
    if not path.is_file():
        return None
    origin = jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
    for key, file, actual in (
        ("test_sha256", "test file", test_sha256),
        ("predictions_sha256", "predictions file", jsonl.sha256(predictions)),
    ):
        if origin.get(key, actual) != actual:
            raise InputError(
                f"{path}: belongs to another {file}: found {str(origin[key])[:12]}, expected {actual[:12]}"
            )
    return origin


@cache
def scorer_sha256() -> str:
    """Return one hash over the rooms whose code decides a score."""
    rooms = [Path(str(spec.origin)).parent for spec in map(find_spec, SCORER) if spec]
    files = [(path.relative_to(room), path) for room in rooms for path in sorted(room.rglob("*.py"))]
    return _digest((name.as_posix(), jsonl.sha256(path)) for name, path in files)


def prompt_sha256(rows: Iterable[Row]) -> str:
    """Return one hash over every row's id and prompt, in the order of the file."""
    return _digest((row.id, row.prompt) for row in rows)


def _digest(values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(msgspec.json.encode(value) + b"\n")
    return digest.hexdigest()


def provenance(data: Path, predictions: Path, settings: Settings, train: Path | None = None) -> dict[str, Any]:
    """Return what the scores depend on: files by hash, settings, the scorer and package versions."""
    test = jsonl.sha256(data)
    if train and jsonl.sha256(train) == test:
        raise InputError(f"{train}: is the test file itself, expected the split that the model was trained on")
    judge = read_origin(predictions, test, "judgements.json")
    beside = {"train_sha256": train and jsonl.sha256(train), "judge": judge}
    return {
        "test_file": _from_here(data),
        "test_sha256": test,
        "prompt_sha256": prompt_sha256(examples.stream_rows(data)),
        "predictions_sha256": jsonl.sha256(predictions),
        "predictions": read_origin(predictions, test),
        "normaliser": settings.normaliser,
        "stemmer": STEMMER,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "scorer_sha256": scorer_sha256(),
        "versions": {name: metadata.version(name) for name in VERSIONS},
        **{key: value for key, value in beside.items() if value},
    }


def _from_here(path: Path) -> str:
    """Return a path relative to the working folder if it lies under it, else as given."""
    whole = path.resolve()
    return (whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else path).as_posix()


def write_run(folder: Path, scores: Scores, rows: Iterable[ScoredRow]) -> Scores:
    """Write ``rows.jsonl``, then ``scores.json`` with its hash; return the scores as written."""
    jsonl.write_lines(folder / "rows.jsonl", rows)
    rows_sha256 = jsonl.sha256(folder / "rows.jsonl")
    scores = Scores(scores.tasks, {**scores.provenance, "rows_sha256": rows_sha256})
    jsonl.write_json(folder / "scores.json", scores)
    return scores


def place(path: Path) -> Path:
    """Return the folder of a scored run's ``scores.json``: the path itself, or its ``eval`` folder."""
    for folder in (path / "eval", path):
        if (folder / "scores.json").is_file():
            return folder
    others = [str(scores.parent.parent) for scores in path.parent.glob("*/eval/scores.json")]
    for scores in (*path.parent.glob("*/eval-*/scores.json"), *path.glob("eval-*/scores.json")):
        others.append(str(scores.parent))
    hint = nearest(str(path), others) if others else ""
    raise InputError(f"{path}: no scores.json there or in its eval folder; run ecom-eval score first{hint}")


def read_run(path: Path) -> Run:
    """Read a scored run: a folder with ``scores.json`` in it or in its ``eval`` folder.

    One scored on another mix, into ``eval-shop``, is called so: ``mine/eval-shop``.
    """
    folder = place(path)
    scores = jsonl.decode((folder / "scores.json").read_bytes(), Scores, str(folder / "scores.json"))
    rows = Lines(folder / "rows.jsonl")
    if jsonl.sha256(folder / "rows.jsonl") != scores.provenance.get("rows_sha256"):
        raise InputError(f"{rows.path}: are not the rows that scores.json was made from; run ecom-eval score again")
    return Run(_named(folder.resolve()), scores, rows)


def _named(folder: Path) -> str:
    """Return the name of the run that was scored into a folder.

    >>> [_named(Path(text)) for text in ("runs/mine/eval", "runs/mine/eval-shop", "old")]
    ['mine', 'mine/eval-shop', 'old']
    """
    name, run = folder.name, folder.parent.name
    return run if name == "eval" else f"{run}/{name}" if name.startswith("eval-") else name
