"""A run as training and scoring leave it, for what is sent out: record, recipe, losses, mixture, scores and reports."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from converters.io import jsonl
from eval.cli import main
from tests.eval.conftest import _rows

SECRET = "hf_secret"
LOSSES = [
    {"loss": 4.5, "learning_rate": 1e-3, "memory/max_active (GiB)": 0.5, "epoch": 0.5, "step": 10},
    {"loss": None, "eval_loss": 2.5, "note": "no number", "epoch": 1.0, "step": 20},
    {"train_runtime": 3.0, "epoch": 1.0, "step": 20},
]
SOURCES: list[dict[str, Any]] = [
    {
        "source": "mave",
        "split": "train",
        "licence": "CC BY-NC 4.0 (labels; not for commercial use)",
        "read": 9,
        "used": 7,
    },
    {"source": "catalog", "split": None, "licence": "yours | <b>all</b>", "read": 5, "used": 5},
]
URLS = ("https://huggingface.co/datasets/owner/mave", "")


def make(folder: Path) -> Path:
    """Make ``folder/runs/mine`` and ``folder/data/mix``; every second answer is right, the others cannot be read."""
    run, mix = folder / "runs" / "mine", folder / "data" / "mix"
    rows = _rows(24)
    jsonl.write_lines(mix / "test.jsonl", rows)
    answers = [{"id": row.id, "prediction": row.target if n // 10 % 2 else ""} for n, row in enumerate(rows)]
    jsonl.write_lines(run / "eval" / "predictions.jsonl", answers)
    origin = {"checkpoint": str(run / "merged"), "checkpoint_sha256": "ab", "decoding": {"max_new_tokens": 64}}
    (run / "eval" / "predictions.json").write_text(json.dumps(origin))
    words = ["score", "--data", mix / "test.jsonl", "--predictions", run / "eval" / "predictions.jsonl"]
    done = CliRunner().invoke(main, [str(word) for word in [*words, "--out", run / "eval", "--resamples", 200]])
    assert done.exit_code == 0, done.output
    accounts = [source | {"url": url} for source, url in zip(SOURCES, URLS, strict=True)]
    manifest = mix / "manifest.json"
    manifest.write_text(json.dumps({"sources": accounts, "splits": {"train": {"tasks": {"category": 7}}}}))
    record = {
        "status": "merged",
        "started": "2026-01-01T00:00:00+00:00",
        "recipe": {"name": "mine", "sha256": "1" * 64},
        "base_model": {"name": "owner/base", "sha256": None, "revision": "c" * 40},
        "mixes": [{"manifest": str(manifest), "sha256": jsonl.sha256(manifest), "seed": 0, "inputs": []}],
        "rows": {"category": 7},
        "git": {"commit": "d" * 40, "dirty": True},
        "packages": {"axolotl": "0.19.0", "flash-attn": None},
        "hardware": {"cpu": "AMD", "cores": 2, "memory_gib": 8.0, "gpus": []},
        "seconds": {"train": 60.0},
        "adapter_sha256": "cd",
        "merged_sha256": "ab",
    }
    (run / "run.json").write_text(json.dumps(record))
    recipe = {"adapter": "qlora", "learning_rate": 1e-3, "lora_r": 8, "output_dir": str(run), "comet_api_key": SECRET}
    (run / "recipe.yaml").write_text(json.dumps(recipe))
    jsonl.write_lines(run / "logs" / "history.jsonl", LOSSES)
    return run
