"""A real run's adapter and its merged model give the same answers: both go through the base in NF4."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.examples import read_rows
from converters.io.jsonl import sha256
from recipes.runner.records import provenance
from tests.recipes.conftest import command

pytestmark = pytest.mark.slow


def predictions(folder: Path, checkpoint: str, out: str) -> tuple[list[str], dict[str, Any]]:
    flags = ("--data", "data/mix/test.jsonl", "--out", out, "--max-new-tokens", "8")
    done = command(folder, "ecom-eval", "predict", "--checkpoint", checkpoint, *flags)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line)["prediction"] for line in (folder / out / "predictions.jsonl").open()]
    return lines, json.loads((folder / out / "predictions.json").read_text())


def test_the_adapter_of_a_run_answers_as_the_merged_model(finished: Path) -> None:
    merged, record = predictions(finished, "runs/tiny/merged", "eval-merged")
    adapter, other = predictions(finished, "runs/tiny/adapter", "eval-adapter")
    run = provenance.read(finished / "runs" / "tiny")
    base = run["base_model"]
    assert other["adapter_base"] == {"name": base["name"], "sha256": base["sha256"], "loaded": "nf4"}
    assert (record["checkpoint_sha256"], other["checkpoint_sha256"]) == (run["merged_sha256"], run["adapter_sha256"])
    assert record["template_sha256"] == other["template_sha256"] == run["template_sha256"]
    assert record["test_sha256"] == sha256(finished / "data" / "mix" / "test.jsonl")
    rows = read_rows(finished / "data" / "mix" / "test.jsonl")
    alike = sum(first == second for first, second in zip(merged, adapter, strict=True))
    # Merging rounds once more than computing with the adapter beside the base, and after a few steps many tokens are near ties.
    assert len(merged) == len(rows) and alike >= 0.7 * len(rows), (alike, len(rows))
