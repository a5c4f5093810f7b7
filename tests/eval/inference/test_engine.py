"""Answers of a Ray cluster: the bytes of one machine, whatever the number of machines and whichever of them dies."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests import _cluster
from tests.eval.production.applying import _shop as shop

TIMES = {"load_seconds", "seconds", "rows_per_second", "generated_tokens_per_second"}
HOW = ("--max-new-tokens", 24, "--batch-size", 2, "--confidence", "--candidates", 2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with _cluster.running(2) as cluster:
        yield cluster


def start(cluster: Any, *words: object, cwd: Path | None = None) -> "subprocess.Popen[str]":
    words = (*words, "--engine", "ray", "--address", cluster.address)
    command = [sys.executable, "-c", "from eval.cli import main; main()", *map(str, words)]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=env)


def finished(process: "subprocess.Popen[str]") -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, out + errors
    return out


def record(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "predictions.json").read_text())
    return {name: value for name, value in found.items() if name not in TIMES}


@pytest.mark.slow
def test_labels_of_two_machines_are_those_of_one(
    tiny_checkpoint: Path, tmp_path: Path, cli: Callable[..., Result], cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train = shop.write(tmp_path / "train.csv", shop.products())
    shop.trained(tmp_path, shop.entry(train, tasks=["category"]), merged=tiny_checkpoint)
    shop.write(tmp_path / "new.csv", shop.products(8), without=shop.LABELS)
    words = ("apply", "--run", "shop", "--catalog", "new.csv", "--candidates", 2, "--batch-size", 2, "--out")
    found = cli(*words, "one.csv")
    assert found.exit_code == 0, found.output
    finished(start(cluster, *words, "many.csv", cwd=tmp_path))
    assert Path("many.csv").read_bytes() == Path("one.csv").read_bytes()
    one, many = (json.loads(Path(f"{name}.csv.json").read_text()) for name in ("one", "many"))
    del one["sitting"]["seconds"], many["sitting"]["seconds"]
    assert many == one


@pytest.mark.slow
def test_predictions_of_three_machines_of_which_one_dies_are_those_of_one(
    tiny_checkpoint: Path, test_file: Path, tmp_path: Path, cli: Callable[..., Result], cluster: Any
) -> None:
    dying, here, there = _cluster.add(cluster), tmp_path / "here", tmp_path / "there"
    words = ("predict", "--checkpoint", tiny_checkpoint, "--data", test_file, *HOW, "--out")
    process = start(cluster, *words, there)
    _cluster.kill_at_work(cluster, dying, "Copy.call", process)
    finished(process)
    found = cli(*words, here)
    assert found.exit_code == 0, found.output
    assert (there / "predictions.jsonl").read_bytes() == (here / "predictions.jsonl").read_bytes()
    assert record(there) == record(here)
    assert sorted(path.name for path in there.iterdir()) == ["predictions.json", "predictions.jsonl"]


def test_an_endpoint_needs_no_engine(test_file: Path, tmp_path: Path, cli: Callable[..., Result]) -> None:
    words = (
        "predict",
        "--checkpoint",
        "m",
        "--data",
        test_file,
        "--backend",
        "openai",
        "--base-url",
        "http://127.0.0.1:9",
    )
    found = cli(*words, "--engine", "ray", "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert found.output == "error: --engine ray loads copies of a model; an endpoint has its own: leave --engine out\n"
