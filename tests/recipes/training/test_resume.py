"""An interrupted run goes on from its last checkpoint and ends as if nothing had happened."""

import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.core.errors import InputError
from recipes.plugins.run import draw
from recipes.runner import recipe
from recipes.runner.preflight import check
from recipes.runner.records import layout, provenance
from recipes.runner.training import train
from tests.recipes.conftest import command

pytestmark = pytest.mark.slow


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "logs" / "history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def halved(finished: Path) -> Path:
    """``runs/halved`` beside ``runs/tiny``: the same recipe, interrupted after its first checkpoint."""
    run = finished / "runs" / "halved"

    def until_saved(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        if layout.last_checkpoint(Path("runs/halved")):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished)
        loaded = recipe.load(Path("tiny.yaml"), ["learning_rate=1e-3"])
        with pytest.raises(
            InputError, match=r"^interrupted; .* Continue from checkpoint-\d+ with: make resume RUN=halved$"
        ):
            train.train(loaded, "halved", check.check, until_saved)
    assert provenance.read(run)["status"] == "interrupted"
    return run


def test_changed_data_or_recipe_is_no_run_to_go_on_with(halved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(halved.parents[1])
    for path in (Path("data/mix/train.jsonl"), Path("runs/halved/recipe.yaml"), Path("runs/base/merged/config.json")):
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        try:
            with pytest.raises(InputError, match=r"has changed since runs/halved began"):
                train.resume(Path("runs/halved"), lambda _: None)
        finally:
            path.write_bytes(before)
    assert provenance.read(halved)["status"] == "interrupted"


def test_a_run_that_trains_now_is_left_alone(halved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(halved.parents[1])
    with layout.alone(Path("runs/halved")), pytest.raises(InputError, match="is being trained by another process"):
        train.resume(Path("runs/halved"), lambda _: None)
    assert provenance.read(halved)["status"] == "interrupted"


def test_resumed_equals_uninterrupted(halved: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)
    begun = layout.last_checkpoint(Path("runs/halved"))
    assert begun and begun.name != "checkpoint-14"
    train.resume(Path("runs/halved"), sys.stdout.buffer.write)
    whole, resumed = finished / "runs" / "tiny", halved
    losses = [[(entry["step"], entry["loss"]) for entry in history(run) if "loss" in entry] for run in (whole, resumed)]
    assert losses[0] == losses[1] and [step for step, _ in losses[0]] == list(range(1, 15))
    weights = [(run / "adapter" / "adapter_model.safetensors").read_bytes() for run in (whole, resumed)]
    assert weights[0] == weights[1]
    record = provenance.read(resumed)
    assert record["status"] == "trained" and [leg["from"] for leg in record["resumed"]] == [begun.name]
    assert provenance.read(whole)["adapter_sha256"] and record["adapter_sha256"]
    assert sorted(path.name for path in (resumed / "checkpoints").iterdir()) == [
        "checkpoint-12",
        "checkpoint-14",
        "checkpoint-4",
        "checkpoint-8",
    ]
    with pytest.raises(InputError, match="found status 'trained', expected one of interrupted, failed, started"):
        train.resume(Path("runs/halved"), lambda _: None)


def test_packed_rows_go_on_in_their_order(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within an epoch, and over the end of one: a training that ended is put back to its first checkpoint."""
    for name in ("data", "runs/base"):
        shutil.copytree(finished / name, tmp_path / name)
    shutil.copy(finished / "tiny.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    changes = ["sample_packing=true", "micro_batch_size=1", "max_steps=25", "save_steps=8", "learning_rate=1e-3"]
    loaded = recipe.load(Path("tiny.yaml"), changes)
    run = train.train(loaded, "packed", check.check, sys.stdout.buffer.write)
    whole, weights = history(run), (run / "adapter" / "adapter_model.safetensors").read_bytes()
    assert 1 < whole[-1]["epoch"] < 2
    for path in (run / "adapter").iterdir():
        path.unlink()
    (run / "checkpoints" / "checkpoint-8").rename(run / "adapter" / "checkpoint-8")
    shutil.rmtree(run / "checkpoints")
    provenance.update(run, status="interrupted")
    train.resume(run, sys.stdout.buffer.write)
    assert [entry.get("loss") for entry in history(run)] == [entry.get("loss") for entry in whole]
    assert (run / "adapter" / "adapter_model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("gpu", [0, 1])
def test_each_epoch_of_several_gpus_has_packs_of_its_own(gpu: int) -> None:
    """As Accelerate deals them out, which tells the order of the rows of the new epoch and not the packs."""
    from accelerate.data_loader import BatchSamplerShard, DataLoaderShard, SeedableRandomSampler
    from axolotl.utils.samplers.multipack import MultipackBatchSampler

    from recipes.plugins.packs import Packs

    rows = [[n] for n in range(200)]
    order = SeedableRandomSampler(rows, data_seed=0)
    lengths = np.arange(200) % 7 + 1
    packs = MultipackBatchSampler(order, batch_size=1, batch_max_len=20, lengths=lengths, bin_size=20)
    loader = DataLoaderShard(rows, batch_sampler=BatchSamplerShard(packs, 2, gpu))
    len(packs)  # as Axolotl does, which packs with the order that is there then
    seen = []
    for epoch in (0, 1, 0):
        Packs().on_epoch_begin(None, None, None, train_dataloader=loader)
        loader.set_epoch(epoch)
        seen.append(list(loader.batch_sampler))
    assert seen[0] != seen[1] and seen[0] == seen[2] and len(seen[0]) > 10


def test_a_run_without_a_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "short"
    run.mkdir(parents=True)
    provenance.write(run, {"status": "interrupted"})
    done = command(tmp_path, "ecom-train", "resume", "short")
    assert done.returncode == 1 and done.stderr.strip() == (
        "error: runs/short: no checkpoint to resume from. It has no checkpoint; to run the same command again, "
        "first move it away: mv runs/short runs/short.old"
    )


def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for number, whole in ((4, True), (12, True), (16, False)):
        folder = tmp_path / "adapter" / f"checkpoint-{number}"
        folder.mkdir(parents=True)
        if whole:
            (folder / "trainer_state.json").touch()
    found = layout.last_checkpoint(tmp_path)
    assert found and found.name == "checkpoint-12"


def test_the_curve_is_a_picture_of_the_history(finished: Path) -> None:
    run = finished / "runs" / "tiny"
    losses = [entry["loss"] for entry in history(run) if "loss" in entry]
    assert len(losses) == 14
    picture = ET.fromstring((run / "loss.svg").read_text())
    assert f"training {losses[-1]:.4f}" in [part.text for part in picture.iter()]
    (line,) = [group[0] for group in picture.iter() if group.get("id") == "loss"]
    assert len(re.findall("[ML]", line.attrib["d"])) == 14


def test_a_picture_is_the_same_for_the_same_history_and_small_for_a_long_one(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1 / step, "eval_loss": "nan" if step == 7 else 2 / step} for step in range(1, 5001)]
    for name in ("a.svg", "b.svg"):
        draw(tmp_path / name, "<b>&$x_$", rows)
    page = (tmp_path / "a.svg").read_bytes()
    assert page == (tmp_path / "b.svg").read_bytes() and len(page) < 50_000
    assert "<b>&$x_$: loss" in [part.text for part in ET.fromstring(page).iter()]
    draw(tmp_path / "empty.svg", "empty", [])
    assert "empty: loss" in [part.text for part in ET.parse(tmp_path / "empty.svg").iter()]


def test_a_picture_that_fails_does_not_stop_a_training(tmp_path: Path) -> None:
    from transformers import TrainerControl, TrainerState

    from recipes.plugins.run import Curve

    (tmp_path / "loss.svg").mkdir()
    state = TrainerState(log_history=[{"step": 1, "loss": 2.0}], is_world_process_zero=True)
    Curve(tmp_path).on_log(None, state, TrainerControl())
    assert history(tmp_path) == state.log_history and not list((tmp_path / "loss.svg").iterdir())


def test_what_ends_a_process_while_a_picture_is_drawn_ends_it(tmp_path: Path) -> None:
    """Axolotl ends at Ctrl-C by an exit, wherever Python is: often where it imports matplotlib, whose classes are made then."""
    from recipes.plugins.run import Curve

    class Part:
        def __set_name__(self, owner: type, name: str) -> None:
            sys.exit(3)

    class Loss:
        def __float__(self) -> float:
            type("Whole", (), {"part": Part()})
            return 1.0

    with pytest.raises(SystemExit, match="3"):
        Curve(tmp_path).draw([{"step": 1, "loss": Loss()}])
