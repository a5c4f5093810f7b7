"""The whole way on real rows: build, check, train 20 steps with the demo recipe, merge, evaluate, report."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from converters.examples import read_rows

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RUN = "real-qlora"


def command(folder: Path, *words: str) -> str:
    done = subprocess.run([str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def specification(real: Path) -> dict[str, object]:
    shop = {
        "id": "uniq_id",
        "title": "product_name",
        "category": "product_category_tree",
        "separator": ">>",
        "texts": {"Description": "description"},
        "attributes": {"Brand": "brand"},
    }
    entries = [
        {"source": "mave", "paths": [str(real / "mave" / "*.jsonl")], "limit": 300},
        {"source": "amazonqa", "paths": [str(real / "amazonqa" / "qar_sample.jsonl")]},
        {"source": "contextual_pqa", "paths": [str(real / "product_qa" / "*train.csv")], "limit": 300},
        {"source": "catalog", "paths": [str(real / "own_catalog" / "flipkart_999.csv")], "options": shop, "limit": 400},
        {"source": "general", "paths": [str(real / "general" / "alpaca_999.json")]},
    ]
    return {"seed": 0, "general_share": 0.1, "splits": {"validation": 0.05, "test": 0.08}, "sources": entries}


def recipe() -> dict[str, Any]:
    keys: dict[str, Any] = yaml.safe_load((ROOT / "recipes" / "demo-qlora.yaml").read_text())
    keys["base_model"] = "runs/real-base/merged"
    keys["datasets"][0]["path"] = "data/real/train.jsonl"
    return keys | {"sequence_len": 2048, "micro_batch_size": 2, "gradient_accumulation_steps": 1, "max_steps": 20}


@pytest.fixture(scope="module")
def folder(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which the whole path has been walked, by the commands that a user would type."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "real.yaml").write_text(yaml.safe_dump(specification(real)))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe(), sort_keys=False))
    command(folder, "ecom-data", "build", "real.yaml", "--out", "data/real", "--rejects")
    command(folder, "ecom-data", "check", "data/real")
    command(folder, "ecom-train", "tiny-base", "--data", "data/real", "--out", "runs/real-base/merged", "--seed", "0")
    command(folder, "ecom-train", "check", "recipe.yaml")
    command(folder, "ecom-train", "train", "recipe.yaml", "--run", RUN)
    command(folder, "ecom-train", "merge", RUN)
    for run in ("real-base", RUN):
        where = ["--data", "data/real/test.jsonl", "--out", f"runs/{run}/eval"]
        command(folder, "ecom-eval", "predict", "--checkpoint", f"runs/{run}/merged", "--max-new-tokens", "32", *where)
        command(folder, "ecom-eval", "score", "--predictions", f"runs/{run}/eval/predictions.jsonl", *where)
    command(folder, "ecom-eval", "compare", "runs/real-base", f"runs/{RUN}", "--out", "reports/real")
    return folder


@pytest.mark.slow
def test_every_raw_row_is_accounted_for(folder: Path) -> None:
    manifest = json.loads((folder / "data" / "real" / "manifest.json").read_text())
    assert manifest["read"] == manifest["used"] + sum(manifest["rejected"].values())
    for entry in manifest["sources"]:
        assert entry["read"] == entry["used"] + sum(entry["rejected"].values()), entry["source"]
    lines = (folder / "data" / "real" / "rejects.jsonl").read_text().splitlines()
    rejects = sum(
        json.loads(line).get("rows", 1) for line in lines
    )  # hetPQA's rows of one question are gathered in one
    assert rejects == sum(manifest["rejected"].values()) >= 3995
    train = manifest["splits"]["train"]
    assert abs(train["tasks"]["general"] - 0.1 * train["rows"]) <= 0.5


@pytest.mark.slow
def test_the_run_can_be_walked_back_to_the_raw_files(folder: Path) -> None:
    run = json.loads((folder / "runs" / RUN / "run.json").read_text())
    manifest = json.loads((folder / "data" / "real" / "manifest.json").read_text())
    text = json.dumps(run)
    for item in manifest["inputs"]:
        assert item["sha256"] in text, item["name"]
    assert manifest["splits"]["train"]["sha256"] in text


@pytest.mark.slow
def test_scores_cover_every_test_row_and_the_report_is_there(folder: Path) -> None:
    rows = read_rows(folder / "data" / "real" / "test.jsonl")
    for run in ("real-base", RUN):
        scores = json.loads((folder / "runs" / run / "eval" / "scores.json").read_text())
        assert sum(task["n"] for task in scores["tasks"].values()) == len(rows)
        assert set(scores["tasks"]) == {row.task for row in rows} >= {"category", "attributes", "answer", "general"}
    pairs = json.loads((folder / "reports" / "real" / "compare.json").read_text())["pairs"]
    assert {pair["task"] for pair in pairs} == {row.task for row in rows}
    for kind in ("html", "md"):
        assert (folder / "reports" / "real" / f"compare.{kind}").stat().st_size > 1000
