"""DeepSpeed's JSON files: DeepSpeed's own configuration takes them, and what it passes over in silence is an error here."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from recipes.runner import recipe
from recipes.runner.preflight import deepspeed

FOLDER = Path(deepspeed.__file__).parents[2] / "deepspeed"
FILES = sorted(FOLDER.glob("*.json"))


def filled(tree: Any) -> Any:
    """Return a configuration with every ``auto`` replaced, as the trainer does it."""
    numbers = {
        "train_batch_size": 16,
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": 4,
        "enabled": True,
    }
    if isinstance(tree, dict):
        return {key: numbers.get(key, 1) if value == "auto" else filled(value) for key, value in tree.items()}
    return tree


def test_there_are_files() -> None:
    assert {path.stem for path in FILES} == {"zero2", "zero3", "zero3-offload"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_deepspeed_takes_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    config = pytest.importorskip("deepspeed.runtime.config", reason="DeepSpeed comes with a GPU's environment")
    found = config.DeepSpeedConfig(filled(json.loads(path.read_text())))
    assert found.zero_optimization_stage == int(path.stem[4]) and found.bfloat16_config.enabled
    offloaded = found.zero_config.offload_optimizer
    assert (offloaded.device == "cpu" if offloaded else False) == ("offload" in path.stem)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_stage_is_the_one_of_its_name(path: Path) -> None:
    assert deepspeed.stage(recipe.Recipe(Path("r.yaml"), {"deepspeed": str(path), "bf16": True}, {}, {})) == int(
        path.stem[4]
    )


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"zero_optimisation": {"stage": 2}}, "unknown key 'zero_optimisation'; did you mean 'zero_optimization'"),
        ({"zero_optimization": {"overlap_comm": True}}, r"found zero_optimization\.stage None, expected 1, 2 or 3"),
        (
            {"zero_optimization": {"stage": 2}, "gradient_accumulation_steps": 8},
            'gradient_accumulation_steps 8, expected "auto"',
        ),
        ([1], "found list, expected JSON"),
        ({"zero_optimization": "2"}, "found zero_optimization '2', expected keys and values"),
        ({"zero_optimization": {"stage": 2}, "bf16": True}, "found bf16 True, expected keys and values"),
        (
            {"zero_optimization": {"stage": 2, "overlap_com": True}},
            "unknown key 'overlap_com' in 'zero_optimization'; did you mean 'overlap_comm'",
        ),
        ({"zero_optimization": {"stage": 3}}, "found stage3_gather_16bit_weights_on_model_save None, expected true"),
        (
            {"zero_optimization": {"stage": 3, deepspeed.GATHER: False}},
            "found stage3_gather_16bit_weights_on_model_save False, expected true",
        ),
        (
            {"zero_optimization": {"stage": 2}, "bf16": {"enabled": False}},
            r'found bf16\.enabled False, expected "auto"',
        ),
        ({"zero_optimization": {"stage": 2}, "bf16": {}}, r'found bf16\.enabled None, expected "auto"'),
        ({"zero_optimization": {"stage": 2}, "fp16": {"enabled": True}}, r'found fp16\.enabled True, expected "auto"'),
    ],
)
def test_what_deepspeed_passes_over_is_named(tree: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError, match=sentence):
        deepspeed.stage(recipe.Recipe(Path("r.yaml"), {"deepspeed": str(path), "bf16": True}, {}, {}))


def test_the_keys_inside_are_deepspeeds_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    config = pytest.importorskip("deepspeed.runtime.zero.config", reason="DeepSpeed comes with a GPU's environment")
    fields = config.DeepSpeedZeroConfig.model_fields
    assert set(deepspeed.ZERO) <= {field.alias or name for name, field in fields.items()}


def test_a_file_that_is_not_there_gets_a_hint() -> None:
    missing = recipe.Recipe(Path("r.yaml"), {"deepspeed": str(FOLDER / "zero4.json")}, {("deepspeed",): "r.yaml:7"}, {})
    with pytest.raises(InputError, match=r"r\.yaml:7: found no file .*zero4\.json.*did you mean .*zero[23]\.json"):
        deepspeed.stage(missing)
    assert deepspeed.stage(recipe.Recipe(Path("r.yaml"), {}, {}, {})) == 0
