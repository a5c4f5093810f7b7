"""The demo recipe on two processes of a CPU, as on two GPUs: no row twice in an epoch and none missed, packed or not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoTokenizer

from recipes.runner.demo import tiny_model
from recipes.runner.training import launch, process
from recipes.runner.training.train import PLUGIN
from tests.recipes.conftest import ROOT, recipe_keys, small_mix

ROWS, EPOCHS = 34, 2  # five packs, nine batches: neither is enough for two processes
CPU = {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a tiny base model and a few rows."""
    folder = tmp_path_factory.mktemp("two")
    rows = small_mix(folder) / "train.jsonl"
    tiny_model.build(folder / "data" / "mix", folder / "base", 0)
    rows.write_text("".join(rows.read_text("utf-8").splitlines(keepends=True)[:ROWS]), "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"sample_packing": True, "micro_batch_size": 1}, {"micro_batch_size": 4}])
def test_two_processes_share_the_rows_of_each_epoch(
    keys: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    whole = recipe_keys("base", "data/mix", num_epochs=EPOCHS, output_dir=str(tmp_path / "adapter"), **keys)
    del whole["max_steps"]
    whole |= {"plugins": ["tests.recipes.plugins._seen.Seen", PLUGIN], "dataset_prepared_path": "prepared"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    words = launch.words(tmp_path / "recipe.yaml", whole, launch.Launch(gpus=2))
    variables = {"PYTHONPATH": str(ROOT), "SEEN": str(tmp_path), "OMP_NUM_THREADS": "1"} | CPU
    process.axolotl(words, tmp_path / "log", lambda _: None, variables=variables)

    seen = [[json.loads(line) for line in (tmp_path / f"{rank}.jsonl").read_text().splitlines()] for rank in (0, 1)]
    assert all(len(lines) > ROWS * EPOCHS / 4 for lines in seen)
    orders = [[row for lines in seen for at, row in lines if at == epoch] for epoch in range(EPOCHS)]
    tokenizer = AutoTokenizer.from_pretrained("base")
    texts = [json.loads(line)["messages"] for line in Path("data/mix/train.jsonl").read_text("utf-8").splitlines()]
    ids = tokenizer.apply_chat_template(texts, return_dict=False)
    for order in orders:
        assert Counter(map(tuple, order)) == Counter(map(tuple, ids))
    assert sum(map(len, orders)) == sum(map(len, seen)) and orders[0] != orders[1]
