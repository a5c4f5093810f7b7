"""Read and write the files of an evaluation: predictions, where they come from, and a scored run."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from converters import examples, tasks
from converters.core.errors import InputError, nearest
from converters.io import jsonl
from converters.schema import Row
from eval.metrics._tokens import TOKENISER
from eval.metrics.base import NOTHING
from eval.metrics.generation import STEMMER
from eval.results.schema import Judgement, Output, Prediction, RowsFile, Run, ScoredRow, Scores, Settings

# The packages whose version a score states.
VERSIONS = ("ecom-llm-recipes", "numpy", "scipy", "nltk", "rapidfuzz", "regex", "rouge-score")
DEEPEST = 100  # levels of nested JSON that a report can show
ROOT = Path(__file__).parents[2]
# The rooms whose code decides a score.
SCORER = ("eval/metrics", "eval/answers", "eval/scoring", "converters/tasks", "converters/text")


@dataclass(frozen=True, slots=True)
class PredictedRows:
    """The rows of a test file with their predictions, read on each iteration in the file's order.

    ``offsets`` are those of each row's prediction, in bytes: the answers of a million rows need not be held. ``prompt_sha256``
    is one hash over every row's id and prompt.
    """

    data: Path
    predictions: Path
    offsets: "array[int]"
    judged: Mapping[str, Mapping[str, float]]
    prompt_sha256: str

    def __iter__(self) -> Iterator[tuple[Row, Output]]:
        decoded = jsonl.decoder(Prediction, self.predictions)
        with self.predictions.open("rb") as file:
            for number, (row, offset) in enumerate(zip(jsonl.stream(self.data, Row), self.offsets, strict=True), 1):
                file.seek(offset)
                line = decoded(file.readline(), number)
                yield row, Output(line.prediction, line.candidates, self.judged.get(row.id, NOTHING), line.confidences)


def read_predictions(data: Path, predictions: Path) -> PredictedRows:
    """Return the rows with their predictions; extra, missing or repeated ids are an ``InputError``, as is a wrong line."""
    places, repeated = _places(predictions)
    missing, offsets, digest = list[str](), array("q"), hashlib.sha256()
    for row in examples.stream_rows(data):
        digest.update(_prompt(row))
        tasks.get(row.task)
        if row.id in places:
            offsets.append(places.pop(row.id))
        else:
            missing.append(row.id)
    for problem, ids in (
        ("found twice or more, expected once", repeated),
        ("of the test file missing, expected one prediction a row", missing),
        ("found that the test file does not have", [*places]),
    ):
        if ids:
            count = f"{len(ids)} {'id' if len(ids) == 1 else 'ids'}"
            raise InputError(f"{predictions}: {count} {problem}; the first is {ids[0]!r}")
    return PredictedRows(data, predictions, offsets, _judged(predictions), digest.hexdigest())


def _places(predictions: Path) -> tuple[dict[str, int], list[str]]:
    """Return the byte offset of each prediction by id, and the ids that occur more than once."""
    places: dict[str, int] = {}
    repeated: dict[str, None] = {}
    decoded = jsonl.decoder(Prediction, predictions)
    for number, offset, line in jsonl.placed(predictions):
        prediction = decoded(line, number)
        if _too_deep(prediction):
            message = f"found JSON nested more than {DEEPEST} levels, expected a text"
            raise InputError(f"{predictions}:{number}: {message}")
        if prediction.id in places:
            repeated[prediction.id] = None
        places[prediction.id] = offset
    if not places:
        raise InputError(f"{predictions}: found an empty file, expected one JSON object a line")
    return places, [*repeated]


def _too_deep(prediction: Prediction) -> bool:
    """Tell whether a prediction is nested too deep to be shown; no text ever is."""
    if isinstance(prediction.prediction, str) and not prediction.candidates:
        return False
    level: list[Any] = [prediction.prediction, *prediction.candidates]
    for _ in range(DEEPEST):
        if not level:
            return False
        nested = (list(item.values()) if isinstance(item, dict) else item for item in level)
        level = [inner for items in nested if isinstance(items, list) for inner in items]
    return bool(level)


def _judged(predictions: Path) -> dict[str, Mapping[str, float]]:
    """Return a judge's marks by id from ``judgements.jsonl`` beside the predictions, if any."""
    path = predictions.with_name("judgements.jsonl")
    marks: dict[str, Mapping[str, float]] = {}
    for line in jsonl.stream(path, Judgement) if path.is_file() else ():
        both = {"relevance": line.relevance, "grounded": line.grounded}
        marks[line.id] = {name: mark for name, mark in both.items() if mark is not None}
    return marks


def predictions_file(path: Path) -> Path:
    """Return the ``predictions.jsonl`` of a run, or of the folder itself; none there is an ``InputError``."""
    for folder in (path / "eval", path):
        if (file := folder / "predictions.jsonl").is_file():
            return file
    near = nearest(str(path), [str(other) for other in path.parent.glob("*") if other.is_dir()])
    raise InputError(f"{path}: no predictions.jsonl there or in its eval folder; run ecom-eval predict first{near}")


def read_origin(predictions: Path, test_sha256: str, name: str = "predictions.json") -> dict[str, Any] | None:
    """Return the record beside the predictions, if any; one of other predictions or another test file is an ``InputError``."""
    path = predictions.with_name(name)
    if not path.is_file():
        return None
    origin = jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
    hashes = {"test": test_sha256, "predictions": jsonl.sha256(predictions)}
    for file, actual in hashes.items():
        recorded = origin.get(f"{file}_sha256", actual)
        if recorded != actual:
            message = f"belongs to another {file} file: found {str(recorded)[:12]}, expected {actual[:12]}"
            raise InputError(f"{path}: {message}")
    return origin


@cache
def scorer_sha256() -> str:
    """Return one hash over the code in the rooms that decide a score."""
    return jsonl.files_sha256(ROOT, (path for room in SCORER for path in (ROOT / room).rglob("*.py")))


def prompt_sha256(rows: Iterable[Row]) -> str:
    """Return one hash over every row's id and prompt, in the order of the file."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(_prompt(row))
    return digest.hexdigest()


def _prompt(row: Row) -> bytes:
    return msgspec.json.encode((row.id, row.messages[:-1])) + b"\n"  # turns are written as Row.prompt has them


def provenance(answered: PredictedRows, settings: Settings, train: Path | None = None) -> dict[str, Any]:
    """Return what the scores depend on: files by hash, settings, the scorer and package versions.

    A test file under the working folder is named relative to it.
    """
    data, predictions = answered.data, answered.predictions
    test = jsonl.sha256(data)
    if train and jsonl.sha256(train) == test:
        raise InputError(f"{train}: is the test file itself, expected the split that the model was trained on")
    whole, here = data.resolve(), Path.cwd()
    judge = read_origin(predictions, test, "judgements.json")
    optional = {"train_sha256": train and jsonl.sha256(train), "judge": judge}
    return {
        "test_file": (whole.relative_to(here) if whole.is_relative_to(here) else data).as_posix(),
        "test_sha256": test,
        "prompt_sha256": answered.prompt_sha256,
        "predictions_sha256": jsonl.sha256(predictions),
        "predictions": read_origin(predictions, test),
        "normaliser": settings.normaliser,
        "tokeniser": TOKENISER,
        "stemmer": STEMMER,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "scorer_sha256": scorer_sha256(),
        "versions": {name: metadata.version(name) for name in VERSIONS},
        **{key: value for key, value in optional.items() if value},
    }


def write_run(folder: Path, scores: Scores, rows: Iterable[ScoredRow]) -> Scores:
    """Write ``rows.jsonl``, then ``scores.json`` with its hash; return the scores as written."""
    jsonl.write_lines(folder / "rows.jsonl", rows)
    rows_sha256 = jsonl.sha256(folder / "rows.jsonl")
    scores = Scores(scores.tasks, {**scores.provenance, "rows_sha256": rows_sha256})
    jsonl.write_json(folder / "scores.json", scores)
    return scores


def run_folder(path: Path) -> Path:
    """Return the folder of a scored run's ``scores.json``: the path itself, or its ``eval`` folder."""
    for folder in (path / "eval", path):
        if (folder / "scores.json").is_file():
            return folder
    others = [str(scores.parent) for scores in path.glob("eval-*/scores.json")]
    if not path.exists():  # another run's name for one that is misspelt, not for one that was not scored
        others += [str(scores.parent.parent) for scores in path.parent.glob("*/eval/scores.json")]
        others += [str(scores.parent) for scores in path.parent.glob("*/eval-*/scores.json")]
    hint = nearest(str(path), others) if others else ""
    raise InputError(f"{path}: no scores.json there or in its eval folder; run ecom-eval score first{hint}")


def read_run(path: Path) -> Run:
    """Read a scored run: a folder with ``scores.json`` in it or in its ``eval`` folder.

    It is called by the run's name; one scored on another mixture, into ``eval-shop``, is called ``mine/eval-shop``.
    """
    folder = run_folder(path)
    scores = jsonl.decode((folder / "scores.json").read_bytes(), Scores, str(folder / "scores.json"))
    rows = RowsFile(folder / "rows.jsonl")
    if jsonl.sha256(rows.path) != scores.provenance.get("rows_sha256"):
        raise InputError(f"{rows.path}: are not the rows that scores.json was made from; run ecom-eval score again")
    run, name = folder.resolve().parent.name, folder.resolve().name
    return Run(run if name == "eval" else f"{run}/{name}" if name.startswith("eval-") else name, scores, rows)
