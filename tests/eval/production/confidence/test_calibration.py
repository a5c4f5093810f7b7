"""The use of calibration.json: files that are broken or of another model, calibrated confidences, decisions."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters.core.errors import InputError
from converters.io import jsonl
from converters.tasks.answer import Reply
from eval.production import confidence
from eval.production.confidence.calibration import Calibration, Curve, Entry, Threshold, entry_of

ISOTONIC = Curve("isotonic", [0.2, 0.8], [0.1, 0.5])
PLATT = Curve("platt", slope=1.0, intercept=0.0)


def entry(unit: str | None, sort: str, at: float | None, curve: Curve = PLATT, of: tuple[str, ...] = ()) -> Entry:
    threshold = Threshold(at, why="" if at else "too few")
    return Entry(unit=unit, sort=sort, of=list(of), n=100, groups=100, right=90, curve=curve, threshold=threshold)


FOUND = Calibration(
    precision=0.95,
    tasks={
        "category": [entry("path", "path", 0.8), entry("level 1", "level 1", 0.5)],
        "attributes": [
            entry("Color", "value", 0.7, ISOTONIC),
            entry("Color", "null", None, Curve("none", why="one class")),
            entry(None, "value", 0.9, of=("Size", "Fit")),
            entry(None, "null", 0.2, of=("Size",)),
        ],
        "answer": [entry("answer", "answer", 0.5), entry("answer", "abstention", 0.9)],
    },
    model={"checkpoint_sha256": "a" * 64},
    fitted_on={},
    reported_on={},
    settings={},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    jsonl.write_json(tmp_path / "calibration.json", FOUND)
    return tmp_path / "calibration.json"


def test_it_is_read_as_it_was_written(path: Path) -> None:
    assert confidence.load(path) == confidence.load(path.parent, "a" * 64) == FOUND


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{", "", "expected a JSON object"),
        ('"isotonic"', '"spline"', "Invalid enum value 'spline'"),
        ("0.2,", "0.9,", "expected knots that never fall"),
        ('"y": [', '"y": [0.0,', "expected as many y as x"),
        ('"slope": 1.0', '"slope": -1.0', "Expected `float` >= 0.0"),
        ('"at": 0.7', '"at": 7.0', "Expected `float` <= 1.0"),
        ('"schema": 1', '"schema": 2', "Invalid enum value 2"),
    ],
)
def test_a_broken_file_is_one_sentence(path: Path, old: str, new: str, said: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError, match="^" + str(path)) as error:
        confidence.load(path)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_another_model_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match="ecom-eval calibrate makes it"):
        confidence.load(path.parent / "other")
    with pytest.raises(InputError, match="is of another model: found aaaaaaaaaaaa, expected bbbbbbbbbbbb"):
        confidence.load(path, "b" * 64)
    jsonl.write_json(path, msgspec.structs.replace(FOUND, model={}))
    with pytest.raises(InputError, match="found no known checkpoint, expected aaaaaaaaaaaa"):
        confidence.load(path, "a" * 64)


def test_confidences_are_calibrated_by_their_own_curve() -> None:
    record: dict[str, Any] = {"Color": ("Red",), "Size": (), "Fit": ("slim",), "Sole": ("hard",)}
    units = dict.fromkeys(record, 0.5)
    assert confidence.calibrated(FOUND, "attributes", record, units) == pytest.approx(
        {"Color": 0.3, "Size": 0.5, "Fit": 0.5}
    )
    assert confidence.calibrated(FOUND, "attributes", {"Color": ()}, {"Color": 0.4}) == {"Color": 0.4}
    assert confidence.calibrated(FOUND, "choice", "Exact", {"answer": 0.5}) == {}
    assert confidence.calibrated(FOUND, "category", None, {"path": 0.5}) == {}


def test_a_null_without_nulls_in_validation_has_no_entry() -> None:
    assert entry_of(FOUND, "attributes", "Fit", "null") is None and entry_of(FOUND, "attributes", "Fit", "value")


def test_a_path_is_decided_as_a_whole_and_level_by_level() -> None:
    units = {"path": 0.79, "level 1": 0.6, "level 2": 0.79}
    found = confidence.decide(FOUND, "category", ("Home", "Mugs"), units)
    assert (found.decision, found.units) == ("review", {"path": "review", "level 1": "accept", "level 2": "review"})
    assert found.reasons == ("path: confidence 0.79 is below the threshold 0.8",)
    found = confidence.decide(FOUND, "category", ("Home", "Mugs"), units | {"path": 0.8})
    assert (found.decision, found.reasons) == ("accept", ())


def test_a_record_is_accepted_if_each_attribute_is() -> None:
    units = {"Color": 0.7, "Size": 0.2}
    assert confidence.decide(FOUND, "attributes", {"Color": ("Red",), "Size": ()}, units).decision == "accept"
    found = confidence.decide(
        FOUND, "attributes", {"Color": (), "Size": ("XL",), "Sole": ("hard",)}, units | {"Sole": 1.0}
    )
    assert found.decision == "review"
    assert found.reasons == (
        "Color: no threshold of its null: too few",
        "Size: confidence of its value 0.2 is below the threshold 0.9",
        "Sole: the validation split tells nothing of its value",
    )


def test_an_abstention_has_a_threshold_of_its_own() -> None:
    assert confidence.decide(FOUND, "answer", Reply("Red."), {"answer": 0.6}).decision == "accept"
    found = confidence.decide(FOUND, "answer", Reply(None), {"answer": 0.6})
    assert found.reasons == ("answer: confidence of its abstention 0.6 is below the threshold 0.9",)


@pytest.mark.parametrize(("answer", "said"), [(None, "the answer cannot be read"), (("Home",), "path: no confidence")])
def test_what_cannot_be_decided_is_reviewed(answer: Any, said: str) -> None:
    found = confidence.decide(FOUND, "category", answer, {"level 1": 1.0})
    assert (found.decision, found.reasons) == ("review", (said,))
    assert confidence.decide(FOUND, "answer", Reply("Red."), {}).reasons == ("no confidence",)
