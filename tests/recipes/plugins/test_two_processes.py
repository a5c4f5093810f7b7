"""The demo recipe on two processes of a CPU, as on two GPUs: no row twice in an epoch and none missed, packed or not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.plugins.packs import repeated
from recipes.runner.demo import tiny_model
from recipes.runner.training import launch, process
from recipes.runner.training.train import PLUGIN
from tests.recipes.conftest import ROOT, recipe_keys, small_mix

ROWS, EPOCHS = 41, 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a tiny base model and 41 rows."""
    folder = tmp_path_factory.mktemp("two")
    small_mix(folder)
    tiny_model.build(folder / "data" / "mix", folder / "base", 0)
    lines = (folder / "data" / "mix" / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "data" / "mix" / "train.jsonl").write_text("".join(lines[:ROWS]), "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "keys", "twice"),
    [
        ("packed", {"sample_packing": True, "micro_batch_size": 1}, 0),
        ("padded", {"micro_batch_size": 4}, repeated(ROWS, 4, 2)),
    ],
)
def test_two_processes_share_the_rows_of_an_epoch(
    name: str, keys: dict[str, Any], twice: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    whole = recipe_keys("base", "data/mix", num_epochs=EPOCHS, **keys)
    del whole["max_steps"]
    whole |= {"plugins": ["tests.recipes.plugins._seen.Seen", PLUGIN], "dataset_prepared_path": "prepared"}
    run = place / "runs" / name
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text(yaml.safe_dump(whole | {"output_dir": str(run / "adapter")}), "utf-8")
    words = launch.words(run / "recipe.yaml", whole, launch.Launch(gpus=2))
    process.axolotl(words, run / "log", lambda _: None, variables={"PYTHONPATH": str(ROOT), "SEEN": str(run)})
    seen: dict[int, Counter[str]] = {}
    for rank in (0, 1):
        lines = [json.loads(line) for line in (run / f"{rank}.jsonl").read_text().splitlines()]
        assert len(lines) > ROWS / 3 * EPOCHS
        for epoch, row in lines:
            seen.setdefault(epoch, Counter())[str(row)] += 1
    assert sorted(seen) == list(range(EPOCHS))
    for rows in seen.values():
        assert len(rows) == ROWS and rows.total() - ROWS == twice
    said = (run / "log").read_text("utf-8", errors="replace")
    assert (f"{twice} of {ROWS} rows are seen twice in each epoch" in said) == (twice > 0)
