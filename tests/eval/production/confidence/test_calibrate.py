"""``ecom-eval calibrate``: files in, calibration.json, page and table out; what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from eval.production import confidence
from eval.production.confidence.calibrate import parts
from eval.production.confidence.outcomes import Outcome
from tests.eval.production.confidence import _synthetic as synthetic

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>"
Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    folder = tmp_path_factory.mktemp("shop")
    return synthetic.write(folder, "validation", 1, 1500), synthetic.write(folder, "test", 2, 1500)


@pytest.fixture
def calibrate(cli: Any, tmp_path: Path) -> Any:
    def run(fitted: Files, reported: Files | None = None, *more: object) -> Any:
        names = ("--data", "--predictions", "--test-data", "--test-predictions")
        files = [*fitted, *(reported or ())]
        named = [word for pair in zip(names, files, strict=False) for word in pair]
        return cli("calibrate", *named, "--out", tmp_path / "out", "--resamples", 100, *more)

    return run


def test_it_fits_on_the_one_split_and_reports_on_the_other(
    calibrate: Any, shop: tuple[Files, Files], tmp_path: Path
) -> None:
    done = calibrate(*shop)
    assert done.exit_code == 0, done.output
    found = confidence.load(tmp_path / "out", "a" * 64)
    (validation, predictions), (test, _) = shop
    assert found.fitted_on["data_sha256"] == jsonl.sha256(validation)
    assert found.fitted_on["predictions_sha256"] == jsonl.sha256(predictions)
    assert found.reported_on["data_sha256"] == jsonl.sha256(test)
    assert found.fitted_on["tasks"]["category"] == {
        "rows": 1500,
        "groups": 750,
        "unreadable": 0,
        "without_confidence": 0,
        "unknown": 0,
    }
    path = next(entry for entry in found.tasks["category"] if entry.unit == "path")
    assert (path.n, path.groups, path.curve.method) == (1500, 750, "platt")
    assert path.threshold.at and path.threshold.lower >= 0.95 and path.tested and path.measures
    assert path.tested.precision.low < path.tested.precision.value < path.tested.precision.high
    assert abs(path.tested.coverage.value - path.threshold.coverage) < 0.1
    assert found.whole["category"] == path.tested, "a path is accepted as a whole"
    slots = {(entry.unit, entry.sort): entry for entry in found.tasks["attributes"]}
    assert slots.keys() == {("Brand", "value"), ("Size", "value"), ("Size", "null"), ("Fit", "value")}
    accepted = sum(entry.tested.n for entry in slots.values() if entry.tested)
    assert found.whole["attributes"].n == accepted
    assert {entry.sort for entry in found.tasks["answer"]} == {"answer", "abstention"}
    assert "attributes Brand, value" in done.output and str(tmp_path / "out" / "confidence.html") in done.output


def test_it_writes_the_same_bytes_again(calibrate: Any, shop: tuple[Files, Files], tmp_path: Path) -> None:
    files = [tmp_path / "out" / name for name in ("calibration.json", "confidence.html")]
    calibrate(*shop)
    before = [file.read_bytes() for file in files]
    calibrate(*shop)
    assert [file.read_bytes() for file in files] == before


def test_one_split_alone_tests_no_threshold_and_says_so(
    calibrate: Any, shop: tuple[Files, Files], tmp_path: Path
) -> None:
    assert calibrate(shop[0]).exit_code == 0
    found = confidence.load(tmp_path / "out")
    assert found.whole == {} and found.reported_on == found.fitted_on
    assert all(entry.tested is None and entry.measures for entries in found.tasks.values() for entry in entries)
    page = (tmp_path / "out" / "confidence.html").read_text("utf-8")
    assert "one split only" in page and "▲ held" not in page


def test_nothing_in_the_page_is_markup_that_a_file_spells(calibrate: Any, tmp_path: Path) -> None:
    fitted = synthetic.write(tmp_path, "validation", 1, 200, truth=lambda confidence: 0.9)
    for file in fitted:
        lines = file.read_bytes().replace(b"Brand", ATTACK.encode()).replace(b"Fit", b"{{ 7 * 7 }}")
        file.write_bytes(lines)
    synthetic.record(*fitted, checkpoint=ATTACK)
    assert calibrate(fitted).exit_code == 0
    page = (tmp_path / "out" / "confidence.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page and "<img" not in page
    assert "{{ 7 * 7 }}" in page


def test_data_that_is_trained_or_tested_on_is_refused(
    calibrate: Any, shop: tuple[Files, Files], tmp_path: Path
) -> None:
    refused = calibrate(shop[1])
    assert refused.exit_code == 1 and "is the test split; calibrate on the validation split" in refused.output
    copy = tmp_path / "train.jsonl"
    copy.write_bytes(shop[0][0].read_bytes())
    refused = calibrate((copy, shop[0][1]))
    assert refused.exit_code == 1 and "is the train split" in refused.output


def test_splits_that_share_products_are_refused(calibrate: Any, shop: tuple[Files, Files], tmp_path: Path) -> None:
    assert "shares 750 groups with" in calibrate(shop[0], shop[0]).output
    own = synthetic.write(tmp_path, "other", 3, 20)
    mixed = own[0].read_bytes().replace(b'"group":"other:3"', b'"group":"validation:3"')
    own[0].write_bytes(mixed)
    synthetic.record(*own)
    refused = calibrate(shop[0], own)
    assert refused.exit_code == 1
    assert "shares 1 groups with" in refused.output and "such as 'validation:3'" in refused.output


def test_other_models_and_missing_confidences_are_refused(
    calibrate: Any, shop: tuple[Files, Files], tmp_path: Path
) -> None:
    other = synthetic.write(tmp_path, "other", 3, 20, checkpoint="b" * 64)
    refused = calibrate(shop[0], other)
    assert refused.exit_code == 1
    assert (
        "made with another checkpoint_sha256 than" in refused.output
        and "bbbbbbbbbbbb, not aaaaaaaaaaaa" in refused.output
    )
    rows = [{key: line[key] for key in ("id", "prediction")} for line in jsonl.stream(other[1], dict[str, Any])]
    jsonl.write_lines(other[1], rows)
    synthetic.record(*other)
    refused = calibrate(other)
    assert refused.exit_code == 1
    assert refused.output.strip().endswith("found no confidences; make them with ecom-eval predict --confidence")
    refused = calibrate(shop[0], None, "--test-data", shop[1][0])
    assert refused.exit_code == 1 and "belong together" in refused.output


def test_settings_that_depend_on_the_rows_do_not_part_two_splits(
    calibrate: Any, shop: tuple[Files, Files], tmp_path: Path
) -> None:
    def decoded(files: Files, **constrain: Any) -> Files:
        record = files[1].with_name("predictions.json")
        found = jsonl.decode(record.read_bytes(), dict[str, Any], str(record))
        few_shot = {"count": 1, "ids": {"category": [files[0].stem]}}
        jsonl.write_json(record, found | {"decoding": {"constrain": constrain, "few_shot": few_shot}})
        return files

    fitted, other = (synthetic.write(tmp_path, name, seed, 40) for seed, name in enumerate(("validation", "other")))
    decoded(fitted, tasks={"category": "texts", "choice": "texts"}, paths=3)
    assert calibrate(fitted, decoded(other, tasks={"category": "texts"}, paths=3)).exit_code == 0
    refused = calibrate(fitted, decoded(other, tasks={"category": "free"}, paths=3))
    assert refused.exit_code == 1 and "was made with another decoding than" in refused.output


def test_attributes_that_are_rare_share_what_is_fitted_for_their_sort() -> None:
    def some(unit: str, sort: str, groups: int) -> dict[tuple[str, str], list[Outcome]]:
        return {(unit, sort): [Outcome(unit, sort, 0.5, True, str(i)) for i in range(groups)]}

    found = (
        some("Color", "value", 200) | some("Color", "null", 50) | some("Fit", "value", 117) | some("Size", "value", 118)
    )
    assert parts("attributes", found, 0.95) == [
        ("Color", "value", []),
        ("Size", "value", []),
        (None, "value", ["Fit"]),
        (None, "null", ["Color"]),
    ]
    assert parts("attributes", found, 0.5)[2:] == [("Fit", "value", []), (None, "null", ["Color"])]
    levels = some("path", "path", 20) | some("level 1", "level 1", 20)
    assert parts("category", levels, 0.95) == [("path", "path", []), ("level 1", "level 1", [])]
