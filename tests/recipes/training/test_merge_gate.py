"""The merge gate: a good merge passes it to the last token, a merge into another base is thrown away."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from converters.core.errors import InputError
from converters.examples import read_rows
from converters.io.jsonl import folder_sha256, sha256
from recipes.runner.records import provenance
from recipes.runner.training import merge, merge_gate

pytestmark = pytest.mark.slow


def test_a_good_merge_passes_and_is_recorded(finished: Path) -> None:
    record = json.loads((finished / "runs" / "tiny" / "run.json").read_text())["merge"]
    assert record["base"] == "quantised to NF4 and back, as training saw it" and record["method"] == "memory_efficient"
    found = record["gate"]
    assert found["passed"] and not found["faults"] and found["held_sha256"] == sha256(finished / found["held"])
    assert found["likeness"]["agreement"] >= 0.99 and found["likeness"]["tokens"] > 100
    assert found["likeness"]["kept"] > 100 * found["likeness"]["left"]
    assert abs(found["likeness"]["loss_merged"] - found["likeness"]["loss_adapter"]) < 0.001


@pytest.fixture
def unmerged(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished run that was not merged yet."""
    for name in ("data", "runs"):
        shutil.copytree(finished / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    run = Path("runs/tiny")
    shutil.rmtree(run / "merged")
    provenance.update(run, status="trained")
    return run


def test_a_spoilt_merge_is_thrown_away(unmerged: Path) -> None:
    """Axolotl's legacy merge adds the adapter to the base at full precision, which is not the one that was trained."""
    keys = yaml.safe_load((unmerged / "recipe.yaml").read_text()) | {"merge_method": "legacy"}
    (unmerged / "recipe.yaml").write_text(yaml.safe_dump(keys))
    recipe = provenance.read(unmerged)["recipe"] | {"resolved_sha256": sha256(unmerged / "recipe.yaml")}
    provenance.update(unmerged, recipe=recipe)
    adapter = folder_sha256(unmerged / "adapter")
    with pytest.raises(InputError, match=r"^runs/tiny: the merge failed its gate: .*No merged checkpoint was kept"):
        merge.merge(unmerged, lambda _: None)
    record = provenance.read(unmerged)
    assert record["status"] == "trained" and record["merge"]["gate"]["passed"] is False
    assert not list(unmerged.rglob("merged")) and folder_sha256(unmerged / "adapter") == adapter
    assert record["merge"]["method"] == "legacy"


def test_an_adapter_that_learnt_nothing_is_no_merge(unmerged: Path) -> None:
    """The weights are others than the base's all the same: the merge rounds them to four bits."""
    path = unmerged / "adapter" / "adapter_model.safetensors"
    base = load_file("runs/base/merged/model.safetensors")
    saved = {
        name: (weight, base.get(name.removeprefix("base_model.model."))) for name, weight in load_file(path).items()
    }
    save_file({name: weight * 0 if own is None else own for name, (weight, own) in saved.items()}, path)
    provenance.update(unmerged, adapter_sha256=folder_sha256(unmerged / "adapter"))
    with pytest.raises(InputError, match=r"the adapter changed nothing: its logits are those of the base"):
        merge.merge(unmerged, lambda _: None)
    found = provenance.read(unmerged)["merge"]["gate"]["likeness"]
    assert (found["learnt"], found["agreement"]) == (0, 1) and not list(unmerged.rglob("merged"))


@pytest.mark.parametrize(
    "path",
    ["runs/tiny/recipe.yaml", "runs/base/merged/model.safetensors", "runs/tiny/adapter/adapter_model.safetensors"],
)
def test_what_changed_since_the_training_is_not_merged(path: str, unmerged: Path) -> None:
    file = Path(path)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(InputError, match=r"has changed since runs/tiny was trained"):
        merge.merge(unmerged, lambda _: None)
    assert not (unmerged / "logs" / "merge.log").exists() or not list(unmerged.rglob("merged"))


def test_two_tokens_alike_to_within_rounding_agree() -> None:
    """One step of bf16 at 16 is 1/8: what two faithful sums differ by must not count, and what the model means must."""
    first = torch.tensor([[16.0, 15.9, 0.0], [16.0, 15.0, 0.0]])
    second = torch.tensor([[15.9, 16.0, 0.0], [15.0, 16.0, 0.0]])
    found = [merge_gate._agreement(first, second, torch.finfo(kind).eps) for kind in (torch.float32, torch.bfloat16)]
    assert found == [0.0, 0.5]


def test_a_base_of_the_hub_is_named_by_its_folder() -> None:
    """By its name Axolotl would fetch every file of it, weights in other formats among them."""
    words = merge.words(Path("runs/mine"), Path("/cache/snapshots/abc"))
    assert "--base-model=/cache/snapshots/abc" in words and "--output-dir=runs/mine/.merging" in words


def test_every_bar_is_told() -> None:
    good = merge_gate.Likeness(
        1, 9, agreement=1.0, cosine=1.0, loss_adapter=1.0, loss_merged=1.01, learnt=1.0, left=0.01, kept=1.0
    )
    assert not list(good.faults())
    bad = replace(good, agreement=0.5, cosine=0.9, loss_merged=float("nan"), left=float("nan"))
    assert [fault.split()[0] for fault in bad.faults()] == ["greedy", "cosine", "the", "loss"]
    # A merge that lost what was learnt: all three models are alike, and the merged one is the base.
    lost = replace(good, learnt=0.01, left=0.01, kept=0.0)
    assert [fault.split(":")[1] for fault in lost.faults()] == [" what was learnt is not in the merged weights"]


def test_held_rows_are_of_every_task_and_the_same_in_any_order(finished: Path) -> None:
    rows = read_rows(finished / "data" / "mix" / "validation.jsonl")
    chosen = merge_gate.sample(rows)
    assert {row.task for row in chosen} == {row.task for row in rows} and merge_gate.sample(rows[::-1]) == chosen


def test_without_held_rows_the_gate_asks_for_some(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no validation\.jsonl.*name other held-out rows .ecom-train merge --gate-data FILE"
    ):
        merge_gate.validation_file({"data": [{"name": str(tmp_path / "train.jsonl")}]})
