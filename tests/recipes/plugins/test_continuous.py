"""Real trainings that go on from an earlier run, with EWC from its adapter and with SAM from its merged checkpoint."""

import contextlib
import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from converters.core.errors import InputError
from converters.io.jsonl import sha256
from recipes.runner import recipe
from recipes.runner.capacity import memory
from recipes.runner.preflight import base_model, check, lint
from recipes.runner.records import provenance, verify
from recipes.runner.training import merge, train
from tests.recipes.conftest import recipe_keys

EWC = {"ewc_lambda": 10.0, "ewc_data": "data/mix/validation.jsonl", "ewc_tasks": ["general"], "ewc_rows": 4}
STEPS = {"max_steps": 2, "micro_batch_size": 4, "logging_steps": 1}


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of one's own with the finished run in it."""
    folder = tmp_path / "place"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


def written(base: str = "runs/base/merged", **changes: Any) -> recipe.Recipe:
    path = Path("next.yaml")
    path.write_text(yaml.safe_dump(recipe_keys(base, "data/mix", **STEPS | changes), sort_keys=False), "utf-8")
    return recipe.load(path)


@pytest.mark.slow
def test_a_run_goes_on_from_an_adapter_with_ewc_and_names_its_parent(place: Path) -> None:
    keys = {"lora_model_dir": "runs/tiny/adapter", "plugins": ["recipes.plugins.ewc.EWC"], **EWC}
    keys |= {"max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    run = train.train(written(**keys), "next", check.check, sys.stdout.buffer.write)
    record, old = json.loads((run / "run.json").read_text()), json.loads(Path("runs/tiny/run.json").read_text())
    assert record["parent"] == {
        "run": "tiny",
        "part": "adapter",
        "path": "runs/tiny/adapter",
        "sha256": old["adapter_sha256"],
    }
    assert record["data"][-1] == {
        "name": EWC["ewc_data"],
        "sha256": sha256(Path(EWC["ewc_data"])),
        "bytes": Path(EWC["ewc_data"]).stat().st_size,
    }
    assert yaml.safe_load((run / "recipe.yaml").read_text())["ewc_lambda"] == EWC["ewc_lambda"]
    held, start = load_file(run / "ewc.safetensors"), load_file("runs/tiny/adapter/adapter_model.safetensors")
    for name, weight in start.items():
        short = name.replace(".weight", "")
        (kept,) = (
            one for key, one in held.items() if key.startswith("start.") and short in key.replace(".default", "")
        )
        assert kept.shape == weight.shape and bool((kept == weight).all()), name
    assert sum(float(one.sum()) for key, one in held.items() if key.startswith("fisher.")) > 0
    said = (run / "logs" / "train.log").read_text().split("EWC: penalty ")[1].split()[0]
    assert float(said) > 0
    merge.merge(run, sys.stdout.buffer.write)
    links = {link.name: link.state for link in verify.verify(run)}
    assert links["parent run"] == verify.HOLDS and verify.BROKEN not in links.values()
    resumed_equals_whole(run)


def resumed_equals_whole(run: Path) -> None:
    """Take a run back to its checkpoint in the middle and let it go on: the penalty is the one that it began with."""
    whole = run.rename("runs/whole")
    (run / "adapter").mkdir(parents=True)
    for name in ("run.json", "recipe.yaml", "ewc.safetensors"):
        shutil.copy2(whole / name, run / name)
    shutil.copytree(whole / "checkpoints" / "checkpoint-2", run / "adapter" / "checkpoint-2")
    provenance.update(run, status="interrupted")
    train.resume(run, sys.stdout.buffer.write)
    one, other = (folder / "adapter" / "adapter_model.safetensors" for folder in (whole, run))
    assert provenance.read(run)["resumed"][0]["from"] == "checkpoint-2" and sha256(one) == sha256(other)
    anchors = [folder / "ewc.safetensors" for folder in (whole, run)]
    assert sha256(anchors[0]) == sha256(anchors[1])


@pytest.mark.slow
def test_a_run_goes_on_from_a_merged_checkpoint_with_sam_and_names_its_parent(place: Path) -> None:
    plain = train.train(written("runs/tiny/merged"), "plain", check.check, sys.stdout.buffer.write)
    keys = {"plugins": ["recipes.plugins.sam.SAM"], "sam_rho": 0.5}
    run = train.train(written("runs/tiny/merged", **keys), "flat", check.check, sys.stdout.buffer.write)
    record, old = json.loads((run / "run.json").read_text()), json.loads(Path("runs/tiny/run.json").read_text())
    assert record["parent"] == {
        "run": "tiny",
        "part": "merged",
        "path": "runs/tiny/merged",
        "sha256": old["merged_sha256"],
    }
    assert record["adapter_sha256"] != json.loads((plain / "run.json").read_text())["adapter_sha256"]


def test_a_parent_that_is_not_as_its_run_left_it_is_an_error(place: Path) -> None:
    going_on = written(lora_model_dir="runs/tiny/adapter")
    base_model.adapter(going_on)
    found = base_model.parent(going_on)
    assert found and found["run"] == "tiny" and base_model.parent(written()) is None
    weights = next(Path("runs/tiny/adapter").glob("*.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(
        InputError, match=r"next.yaml:\d+: found other bytes in runs/tiny/adapter than runs/tiny/run.json"
    ):
        base_model.parent(going_on)
    weights.write_bytes(whole)
    provenance.update(Path("runs/tiny"), base_model={"name": "other/base", "sha256": "0" * 64, "revision": None})
    with pytest.raises(
        InputError, match="an adapter of runs/tiny that was trained on 'other/base'; expected the same base"
    ):
        base_model.parent(going_on)


SETTINGS = {
    "r": 32, "lora_alpha": 64, "lora_dropout": 0.0, "target_modules": ["q_proj"], "modules_to_save": None, "use_dora": False,
    "use_rslora": False, "rank_pattern": {}, "base_model_name_or_path": "base",
}  # fmt: skip


def adapter(**settings: Any) -> recipe.Recipe:
    """Write an adapter's configuration, of no run of ours; return a recipe of the same settings that goes on from it."""
    Path("theirs").mkdir(exist_ok=True)
    Path("theirs/adapter_config.json").write_text(json.dumps(SETTINGS | settings))
    keys = {"lora_target_modules": ["q_proj"], "lora_modules_to_save": None, "lora_model_dir": "theirs"}
    return written("base", **keys)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lora_r", 8),
        ("lora_alpha", 16),
        ("lora_dropout", 0.1),
        ("lora_target_modules", ["q_proj", "k_proj"]),
        ("lora_target_linear", True),
        ("lora_modules_to_save", ["lm_head"]),
        ("peft_use_dora", True),
        ("peft_use_rslora", True),
        ("lora_rank_pattern", {"q_proj": 8}),
        ("peft_layers_to_transform", [0]),
    ],
)
def test_what_an_adapter_would_pass_over_in_silence_is_an_error(
    key: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = adapter()
    base_model.adapter(same)
    named = "lora_target_modules" if key == "lora_target_linear" else key
    with pytest.raises(InputError, match=rf"next.yaml.*: found {named} .*expected the adapter's own"):
        base_model.adapter(dataclasses.replace(same, keys=same.keys | {key: value}))


def test_an_adapter_of_all_linear_layers_is_one_of_each_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    going_on = adapter(target_modules=[*reversed(memory.LINEAR)])
    base_model.adapter(
        dataclasses.replace(going_on, keys=going_on.keys | {"lora_target_modules": None, "lora_target_linear": True})
    )
    base_model.adapter(dataclasses.replace(going_on, keys=going_on.keys | {"lora_target_modules": [*memory.LINEAR]}))


def test_an_adapter_of_another_base_is_an_error_though_no_run_of_ours_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sentence = (
        r"next.yaml:1: found base_model 'base', and an adapter that was trained on 'some/other' \(theirs/adapter_"
    )
    with pytest.raises(InputError, match=sentence):
        base_model.adapter(adapter(base_model_name_or_path="some/other"))
    Path("base").mkdir()
    base_model.adapter(adapter(base_model_name_or_path=str(tmp_path / "base")))
    going_on = adapter()
    Path("theirs/adapter_config.json").write_text("{")
    with pytest.raises(InputError, match=r"theirs/adapter_config\.json: found .*, expected JSON"):
        base_model.adapter(going_on)


def test_a_folder_without_an_adapter_is_an_error(place: Path) -> None:
    with pytest.raises(InputError, match=r"next.yaml:\d+: found lora_r 8, and 32 in .*expected the adapter's own"):
        check.check(written(lora_model_dir="runs/tiny/adapter", lora_r=8))
    with pytest.raises(InputError, match="no adapter in 'runs/none'; name the folder of one"):
        check.check(written(lora_model_dir="runs/none"))


def test_the_plugins_keys_are_known_and_a_misspelt_one_is_not(finished: Path, tmp_path: Path) -> None:
    plugins = {"plugins": ["recipes.plugins.ewc.EWC", "recipes.plugins.sam.SAM"]}
    with contextlib.chdir(tmp_path):
        lint.lint(written(**plugins, **EWC, sam_rho=0.1))
        with pytest.raises(InputError, match=r"next.yaml:\d+: unknown key 'ewc_lamda'; did you mean 'ewc_lambda'\?"):
            lint.lint(written(**plugins, **EWC, ewc_lamda=1.0))
        with pytest.raises(InputError, match=r"plugin recipes\.plugins\.ewc\.EWC needs the key 'ewc_data'"):
            lint.lint(written(**plugins, ewc_lambda=1.0))
