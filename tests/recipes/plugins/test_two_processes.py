"""The demo recipe on two processes of a CPU, as on two GPUs, and on one: each epoch has every row once, packed or not."""

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

ROWS, EPOCHS = 34, 2  # five packs, nine or five batches: the last is not full, and there is none for a second process
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
@pytest.mark.parametrize(
    ("gpus", "keys"),
    [
        (2, {"sample_packing": True, "micro_batch_size": 1}),
        (2, {"micro_batch_size": 4}),
        (1, {"micro_batch_size": 8}),
    ],
)
def test_every_epoch_has_each_row_once(
    gpus: int, keys: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    whole = recipe_keys("base", "data/mix", num_epochs=EPOCHS, output_dir=str(tmp_path / "adapter"), **keys)
    del whole["max_steps"]
    whole |= {"plugins": ["tests.recipes.plugins._seen.Seen", PLUGIN], "dataset_prepared_path": "prepared"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    words = launch.words(tmp_path / "recipe.yaml", whole, launch.Launch(gpus=gpus))
    variables = {"PYTHONPATH": str(ROOT), "SEEN": str(tmp_path), "OMP_NUM_THREADS": "1"} | CPU
    process.axolotl(words, tmp_path / "log", lambda _: None, variables=variables)

    seen = [
        [json.loads(line) for line in (tmp_path / f"{rank}.jsonl").read_text().splitlines()] for rank in range(gpus)
    ]
    assert all(len(lines) > ROWS * EPOCHS / gpus / 2 for lines in seen)
    orders = [[row for lines in seen for at, row in lines if at == epoch] for epoch in range(EPOCHS)]
    tokenizer = AutoTokenizer.from_pretrained("base")
    texts = [json.loads(line)["messages"] for line in Path("data/mix/train.jsonl").read_text("utf-8").splitlines()]
    ids = tokenizer.apply_chat_template(texts, return_dict=False)
    for order in orders:
        assert Counter(map(tuple, order)) == Counter(map(tuple, ids))
    assert sum(map(len, orders)) == sum(map(len, seen)) and orders[0] != orders[1]
