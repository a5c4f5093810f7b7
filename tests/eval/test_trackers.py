"""Trackers: a run's losses, scores and reports are really written, offline, and a second call adds nothing."""

import contextlib
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from eval import trackers
from eval.trackers import base
from tests.eval._trained import SECRET, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of this test alone; what a tracker writes beside it goes with it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, tmp_path / "mine"))


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of a database of MLflow's; making its tables takes ten seconds. Artifacts lie where it was first asked."""
    pytest.importorskip("alembic")
    with contextlib.chdir(folder := tmp_path_factory.mktemp("mlflow")):
        client = pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{folder / 'ml.db'}")
        client.search_experiments()
    return client


def rescore(run: Path, value: float) -> None:
    path = run / "eval" / "scores.json"
    scores = json.loads(path.read_text())
    scores["tasks"]["category"]["metrics"]["accuracy"]["value"] = value
    path.write_text(json.dumps(scores))


def test_what_is_sent_holds_no_path_and_no_secret(run: Path) -> None:
    sent = base.of_run(run)
    assert sent.curve == [
        (10, {"loss": 4.5, "learning_rate": 1e-3, "memory/max_active (GiB)": 0.5}),
        (20, {"eval_loss": 2.5}),
        (20, {"train_runtime": 3.0}),
    ]
    assert sent.settings == {"adapter": "qlora", "learning_rate": 1e-3, "lora_r": 8, "base_model": "owner/base"}
    accuracy = {key: value for key, value in sent.scores.items() if key.startswith("score/category/accuracy")}
    scores = json.loads((run / "eval/scores.json").read_text())["tasks"]["category"]["metrics"]["accuracy"]
    assert accuracy == {
        "score/category/accuracy": scores["value"],
        **{f"score/category/accuracy/{end}": scores[end] for end in ("low", "high", "floor")},
    }
    assert set(sent.files) == {"eval/report.html", "eval/report.md"}


def test_a_run_that_was_only_scored_has_scores_alone(run: Path) -> None:
    (run / "run.json").unlink()
    sent = base.of_run(run)
    assert sent.scores and not sent.curve and not sent.settings and sent.identity.startswith("mine-")


def test_mlflow_gets_a_run_once_and_then_what_changed(run: Path, mlflow: Any) -> None:
    client, uri = mlflow, mlflow.tracking_uri
    trackers.send("mlflow", base.of_run(run), None, uri)
    (experiment,) = (one.experiment_id for one in client.search_experiments() if one.name == trackers.PROJECT)

    def history() -> dict[str, list[tuple[int, float]]]:
        (found,) = client.search_runs([experiment])
        points = {key: client.get_metric_history(found.info.run_id, key) for key in found.data.metrics}
        return {key: [(point.step, point.value) for point in listed] for key, listed in points.items()}

    first, sent = history(), base.of_run(run)
    assert first["loss"] == [(10, 4.5)] and first["eval_loss"] == [(20, 2.5)]
    assert first["memory/max_active _GiB_"] == [(10, 0.5)]
    assert {key: points for key, points in first.items() if key in sent.scores} == {
        key: [(20, pytest.approx(value))] for key, value in sent.scores.items()
    }
    (found,) = client.search_runs([experiment])
    assert (found.info.run_name, found.info.status, found.data.params["lora_r"]) == ("mine", "FINISHED", "8")
    assert found.data.tags["ecom.merged_sha256"] == "ab" and SECRET not in str(found)
    assert {file.path for file in client.list_artifacts(found.info.run_id, "eval")} == set(sent.files)

    trackers.send("mlflow", sent, None, uri)
    assert history() == first
    rescore(run, 0.125)
    trackers.send("mlflow", base.of_run(run), None, uri)
    (found,) = client.search_runs([experiment])
    assert found.data.metrics["score/category/accuracy"] == 0.125
    assert {key: points for key, points in history().items() if key != "score/category/accuracy"} == {
        key: points for key, points in first.items() if key != "score/category/accuracy"
    }


def test_mlflow_puts_the_scores_into_the_run_that_axolotl_logged(run: Path, mlflow: Any) -> None:
    client, uri = mlflow, mlflow.tracking_uri
    live = client.create_run(client.create_experiment("shop"), run_name="it's live").info.run_id
    client.log_metric(live, "loss", 4.5, step=10)
    recipe = {"mlflow_experiment_name": "shop", "mlflow_run_name": "it's live"}
    (run / "recipe.yaml").write_text(json.dumps(recipe))
    trackers.send("mlflow", base.of_run(run), None, uri)
    found = client.get_run(live)
    assert found.data.metrics["score/category/rows"] == 24
    assert len(client.get_metric_history(live, "loss")) == 1


def test_trackio_gets_a_run_once_and_then_what_changed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trackio")
    from trackio import sqlite_storage

    places = {"TRACKIO_DIR": tmp_path / "trackio", "MEDIA_DIR": tmp_path / "trackio" / "media"}
    for module in [module for name, module in sys.modules.items() if name.startswith("trackio")]:
        for name in places.keys() & vars(module).keys():  # they read the variable TRACKIO_DIR when they are imported
            monkeypatch.setattr(module, name, places[name])
    sent = base.of_run(run)
    trackers.send("trackio", sent, "shop", None)
    logs = sqlite_storage.SQLiteStorage.get_logs("shop", sent.identity)
    points = {(line["step"], key): value for line in logs for key, value in line.items()}
    assert points[10, "train/loss"] == 4.5 and points[20, "eval/loss"] == 2.5
    assert {key: points[20, key] for key in sent.scores} == sent.scores
    config = sqlite_storage.SQLiteStorage.get_run_config("shop", sent.identity)
    assert config["lora_r"] == 8 and config["hashes"]["merged_sha256"] == "ab" and SECRET not in str(config)
    assert len([*(tmp_path / "trackio").rglob("mine/eval/report.html")]) == 1

    trackers.send("trackio", sent, "shop", None)
    assert sqlite_storage.SQLiteStorage.get_logs("shop", sent.identity) == logs
    rescore(run, 0.125)
    trackers.send("trackio", base.of_run(run), "shop", None)
    *same, last = sqlite_storage.SQLiteStorage.get_logs("shop", sent.identity)
    assert same == logs and last["score/category/accuracy"] == 0.125 and len(last) == 3
    assert sqlite_storage.SQLiteStorage.get_runs("shop") == [sent.identity]


def records(path: Path) -> list[Any]:
    """Read W&B's offline file: LevelDB's log, blocks of 32 KiB after a header of 7 bytes, each record a protobuf message."""
    from wandb.proto import wandb_internal_pb2

    data, place, found, parts = path.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(wandb_internal_pb2.Record.FromString(parts))
            parts = b""
    return found


def test_wandb_writes_a_run_on_this_disk(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    sent = base.of_run(run)
    where = trackers.send("wandb", sent, "shop", None)
    wandb.teardown()  # its service writes the file, and may do so after the run is finished
    assert "wandb sync" in where
    (path,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    written = records(path)
    (begun,) = (record.run for record in written if record.WhichOneof("record_type") == "run")
    assert (begun.project, begun.run_id, begun.display_name) == ("shop", sent.identity, "mine")
    lines = [record.history for record in written if record.WhichOneof("record_type") == "history"]
    points = {
        (line.step.num, item.key or "/".join(item.nested_key)): json.loads(item.value_json)
        for line in lines
        for item in line.item
    }
    assert points[10, "train/loss"] == 4.5 and points[20, "eval/loss"] == 2.5
    updates = (record.summary.update for record in written if record.WhichOneof("record_type") == "summary")
    summary = {item.key or item.nested_key[0]: json.loads(item.value_json) for some in updates for item in some}
    assert {key: summary[key] for key in sent.scores} == sent.scores
    (artifact,) = (record.artifact for record in written if record.WhichOneof("record_type") == "artifact")
    assert {entry.path for entry in artifact.manifest.contents} == set(sent.files)
    assert SECRET.encode() not in path.read_bytes()


def test_what_cannot_be_sent_is_one_sentence(cli: Any, run: Path, tmp_path: Path) -> None:
    def said(*words: Any) -> str:
        done = cli("track", *words)
        assert done.exit_code == 1 and len(done.output.splitlines()) == 1, done.output
        return str(done.output)

    assert "unknown tracker 'mlfow'; did you mean 'mlflow'?" in said(run, "--to", "mlfow")
    assert "none: no such folder; 'make runs' lists" in said(tmp_path / "none", "--to", "wandb")
    (tmp_path / "empty").mkdir()
    assert "has neither losses nor scores to send" in said(tmp_path / "empty", "--to", "wandb")
    (run / "recipe.yaml").write_text("- a list")
    assert "found other YAML, expected a run's recipe" in said(run, "--to", "wandb")
    (run / "recipe.yaml").write_text("{}")
    (run / "logs" / "history.jsonl").write_text("")
    (run / "eval" / "scores.json").unlink()
    assert "has neither losses nor scores to send" in said(run, "--to", "wandb")


def test_a_trackers_own_refusal_is_a_sentence(run: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(InputError, match=r"mlflow took nothing, or not all: .*the same command sends the rest"):
        trackers.send("mlflow", base.of_run(run), None, "bogus://nowhere")


def test_what_a_tracker_leaves_in_the_checkout_is_no_change_of_it() -> None:
    left = [
        "mlflow.db",
        "mlruns/1/a",
        "wandb/offline-run-1/run.wandb",
    ]  # without an address, and with WANDB_MODE=offline
    words = ["git", "check-ignore", "--no-index", *left]
    root = Path(__file__).parents[2]
    assert subprocess.run(words, cwd=root, capture_output=True, text=True, check=False).stdout.split() == left
