"""Baselines from the command line on the demo's mix: files like any other, above their floors where they should be."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converters import examples
from converters.io import jsonl
from converters.io.jsonl import sha256
from converters.mixture.build import build
from converters.mixture.spec import load
from eval import baselines
from eval.cli import main
from recipes.runner.demo import raw_files

ROOT = Path(__file__).resolve().parents[3]


def cli(*args: Any) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's test split, every fifth row of its training split, and the scored runs of all baselines."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        raw_files.write(Path("data/raw/demo"), 0)
        build(load(ROOT / "recipes" / "mixes" / "demo.yaml"), Path("mix"), 1, False, lambda rows: None)
        lines = Path("mix/train.jsonl").read_bytes().splitlines(keepends=True)
        Path("train.jsonl").write_bytes(b"".join(lines[::5]))
        done = cli("baseline", "all", "--train", "train.jsonl", "--data", "mix/test.jsonl")
        assert done.exit_code == 0, done.output
        for name in baselines.names():
            run = Path("runs") / f"baseline-{name}" / "eval"
            files = ("--data", "mix/test.jsonl", "--predictions", run / "predictions.jsonl", "--out", run)
            assert cli("score", *files, "--resamples", 200).exit_code == 0
    return folder


def metric(place: Path, name: str, task: str, key: str) -> dict[str, Any]:
    scores = json.loads((place / "runs" / f"baseline-{name}" / "eval" / "scores.json").read_text())
    found: dict[str, Any] = scores["tasks"][task]["metrics"][key]
    return found


def test_a_baseline_is_scored_in_one_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = cli(
        "baseline", "first", "--train", "train.jsonl", "--data", "mix/test.jsonl", "--out", "one/NAME", "--score"
    )
    assert done.exit_code == 0 and "report: one/first/report.html" in done.output
    scores = json.loads(Path("one/first/scores.json").read_text())
    assert scores["provenance"]["train_sha256"] == sha256(Path("train.jsonl"))
    for task, score in scores["tasks"].items():
        for key, found in score["metrics"].items():
            assert found["value"] == metric(place, "first", task, key)["value"], (task, key)


def test_baselines_beat_what_they_should(place: Path) -> None:
    linear, majority = (metric(place, name, "category", "weighted_f1") for name in ("linear", "majority"))
    assert linear["low"] > linear["floor"] > majority["high"] - 0.05 and linear["value"] > 0.9
    assert metric(place, "nearest", "category", "weighted_f1")["low"] > majority["high"]
    words = metric(place, "dictionary", "attributes", "micro_f1")
    assert words["low"] > words["floor"] and words["low"] > metric(place, "nearest", "attributes", "micro_f1")["high"]
    assert metric(place, "bm25", "answer", "rouge_l")["value"] > metric(place, "first", "answer", "rouge_l")["value"]
    assert (
        metric(place, "nearest", "general", "rouge_l")["low"] > metric(place, "majority", "general", "rouge_l")["high"]
    )


def test_every_run_says_what_it_was_made_from_and_who_answered(place: Path) -> None:
    rows = examples.read_rows(place / "mix" / "test.jsonl")
    for name in baselines.names():
        folder = place / "runs" / f"baseline-{name}" / "eval"
        origin = json.loads((folder / "predictions.json").read_text())
        assert origin["baseline"] == name and origin["settings"] == dict(baselines.get(name).settings)
        assert origin["train_sha256"] == jsonl.sha256(place / "train.jsonl")
        assert origin["test_sha256"] == jsonl.sha256(place / "mix" / "test.jsonl")
        assert origin["predictions_sha256"] == jsonl.sha256(folder / "predictions.jsonl")
        assert {"scikit-learn", "ecom-llm-recipes"} <= origin["versions"].keys()
        assert sum(map(sum, (by.values() for by in origin["answered_by"].values()))) == len(rows)
        scores = json.loads((folder / "scores.json").read_text())
        assert {task: found["invalid"] for task, found in scores["tasks"].items()} == dict.fromkeys(scores["tasks"], 0)
    assert origin["answered_by"].keys() == {row.task for row in rows}


def test_the_same_files_give_the_same_bytes(place: Path, tmp_path: Path) -> None:
    for name in ("linear", "nearest"):
        files = ("--train", place / "train.jsonl", "--data", place / "mix" / "test.jsonl")
        assert cli("baseline", name, *files, "--out", tmp_path / name).exit_code == 0
        for file in ("predictions.jsonl", "predictions.json"):
            assert (tmp_path / name / file).read_bytes() == (
                place / "runs" / f"baseline-{name}" / "eval" / file
            ).read_bytes()


def test_a_run_is_compared_with_a_baseline_whatever_its_decoding(place: Path, tmp_path: Path) -> None:
    runs = {name: tmp_path / name for name in ("greedy", "sampled")}
    for name, run in runs.items():
        said = (place / "runs" / "baseline-nearest" / "eval" / "predictions.jsonl").read_bytes()
        (run / "eval").mkdir(parents=True)
        (run / "eval" / "predictions.jsonl").write_bytes(said)
        jsonl.write_json(run / "eval" / "predictions.json", {"decoding": {"do_sample": name == "sampled"}})
        files = ("--predictions", run / "eval" / "predictions.jsonl", "--out", run / "eval")
        assert cli("score", "--data", place / "mix" / "test.jsonl", *files, "--resamples", 200).exit_code == 0
    linear = place / "runs" / "baseline-linear"
    done = cli("compare", linear, runs["greedy"], "--out", tmp_path / "found", "--resamples", 500)
    assert done.exit_code == 0, done.output
    pairs = json.loads((tmp_path / "found" / "compare.json").read_text())["pairs"]
    assert {pair["verdict"] for pair in pairs if (pair["task"], pair["metric"]) == ("category", "weighted_f1")} == {
        "worse"
    }
    for order in ((linear, *runs.values()), (runs["greedy"], linear, runs["sampled"])):
        refused = cli("compare", *order, "--out", tmp_path / "no")
        assert refused.exit_code == 1 and "they differ in the decoding settings" in refused.output


def test_wrong_names_and_files_end_in_a_sentence(place: Path, tmp_path: Path) -> None:
    test, train = place / "mix" / "test.jsonl", place / "train.jsonl"
    for args, sentence in (
        (("lineer", "--train", train, "--data", test), "unknown baseline 'lineer'; did you mean 'linear'?"),
        (("all", "--train", train, "--data", test, "--out", tmp_path), "needs NAME in it"),
        (("linear", "--train", test, "--data", test), "of the test file, expected a training split without any"),
        (("linear", "--train", tmp_path / "no", "--data", test), "no such file"),
    ):
        done = cli("baseline", *args)
        assert done.exit_code == 1 and sentence in done.output and "Traceback" not in done.output
