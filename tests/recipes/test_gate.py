"""The merge gate: a good merge passes it to the last token, a merge into another base is thrown away."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from converters.errors import InputError
from converters.jsonl import read_rows, sha256
from recipes.runner import gate, merge, provenance

pytestmark = pytest.mark.slow


def test_a_good_merge_passes_and_is_recorded(finished: Path) -> None:
    record = json.loads((finished / "runs" / "tiny" / "run.json").read_text())["merge"]
    assert record["base"] == "quantised to NF4 and back, as training saw it" and record["method"] == "memory_efficient"
    found = record["gate"]
    assert found["passed"] and not found["faults"] and found["held_sha256"] == sha256(finished / found["held"])
    assert found["likeness"]["agreement"] >= 0.99 and found["likeness"]["tokens"] > 100
    assert abs(found["likeness"]["loss_merged"] - found["likeness"]["loss_adapter"]) < 0.001


def test_a_spoilt_merge_is_thrown_away(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Axolotl's legacy merge adds the adapter to the base at full precision, which is not the one that was trained."""
    for name in ("data", "runs"):
        shutil.copytree(finished / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    run = Path("runs/tiny")
    shutil.rmtree(run / "merged")
    keys = yaml.safe_load((run / "recipe.yaml").read_text()) | {"merge_method": "legacy"}
    (run / "recipe.yaml").write_text(yaml.safe_dump(keys))
    provenance.update(run, status="trained")
    adapter = provenance.folder_sha256(run / "adapter")
    with pytest.raises(InputError, match=r"^runs/tiny: the merge changed the model: .*No merged checkpoint was kept"):
        merge.merge(run, lambda _: None)
    record = provenance.read(run)
    assert record["status"] == "trained" and record["merge"]["gate"]["passed"] is False
    assert not list(run.rglob("merged")) and provenance.folder_sha256(run / "adapter") == adapter
    assert record["merge"]["method"] == "legacy"


def test_every_bar_is_told() -> None:
    bad = gate.Likeness(rows=1, tokens=9, agreement=0.5, cosine=0.9, loss_adapter=1.0, loss_merged=float("nan"))
    assert [fault.split()[0] for fault in bad.faults()] == ["greedy", "cosine", "loss"]
    good = gate.Likeness(rows=1, tokens=9, agreement=1.0, cosine=1.0, loss_adapter=1.0, loss_merged=1.01)
    assert not list(good.faults())


def test_held_rows_are_of_every_task_and_the_same_in_any_order(finished: Path) -> None:
    rows = read_rows(finished / "data" / "mix" / "validation.jsonl")
    chosen = gate.sample(rows)
    assert {row.task for row in chosen} == {row.task for row in rows} and gate.sample(rows[::-1]) == chosen


def test_without_held_rows_the_gate_asks_for_some(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no validation\.jsonl.*give some with --held"):
        gate.held_file({"data": [{"name": str(tmp_path / "train.jsonl")}]})
