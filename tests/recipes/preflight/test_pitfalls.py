"""Keys that Axolotl takes and does not act on: packing that mixes rows, evaluations and checkpoints that never come."""

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from transformers import Qwen3NextConfig

from recipes.runner import recipe
from recipes.runner.capacity import hardware
from recipes.runner.cli import main, training
from recipes.runner.preflight import lint, pitfalls

ROWS = {"path": "rows.jsonl", "type": "chat_template"}
ASKED = {"test_datasets": [ROWS], "evals_per_epoch": 4, "num_epochs": 3}
PACKED = {"sample_packing": True, "micro_batch_size": 4, "attn_implementation": "flash_attention_2"}


def faults(**keys: object) -> list[str]:
    return list(pitfalls.faults(recipe.Recipe(Path("r.yaml"), dict(keys), {}, {})))


@pytest.mark.parametrize(
    "keys",
    [
        *({"attn_implementation": name} for name in ("sdpa", "eager", "flash_attention_3", "flex_attention", "xformers", "sage")),
        {"attn_implementation": "kernels-community/flash-attn2@v1"},
        *({"attn_implementation": None, key: True} for key in ("flash_attention", "sdp_attention", "flex_attention")),
        {"attn_implementation": "sdpa", "multipack_real_batches": True},
        {"micro_batch_size": 1, "multipack_real_batches": True},
        {"eval_sample_packing": True},
        {"sample_packing": False, "attn_implementation": None},
    ],
)  # fmt: skip
def test_packing_that_keeps_rows_apart_passes(keys: dict[str, object]) -> None:
    assert faults(**PACKED | keys) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"attn_implementation": None}, "sample_packing without attn_implementation is not allowed"),
        ({"attn_implementation": None, "flash_attention": False}, "sample_packing without attn_implementation"),
        ({"attn_implementation": "fp8"}, "sample_packing with attn_implementation fp8 is not allowed"),
        ({"attn_implementation": "someone/attention"}, "with attn_implementation someone/attention is not allowed"),
        ({"multipack_real_batches": True}, "multipack_real_batches with attn_implementation flash_attention_2"),
        ({"sample_packing": False, "eval_sample_packing": True}, "eval_sample_packing without sample_packing"),
    ],
)
def test_packing_that_mixes_rows_is_refused(keys: dict[str, object], said: str) -> None:
    (fault,) = faults(**PACKED | keys)
    assert said in fault


@pytest.mark.parametrize("name", ["Qwen/Qwen3.5-9B", "here"])
def test_packing_of_linear_attention_is_refused_where_nothing_keeps_its_rows_apart(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Qwen3NextConfig(num_hidden_layers=4).save_pretrained("here")  # of another family, of which nothing else is known
    (fault,) = faults(**PACKED | {"attn_implementation": "sdpa", "base_model": name, "bf16": False})
    assert f"sample_packing with base_model {name} is not allowed here: its layers carry a state on" in fault
    assert faults(**PACKED | {"base_model": name, "bf16": True}) == []  # on a GPU, with what set-up installs
    assert faults(**PACKED | {"base_model": name, "bf16": False, "sample_packing": False}) == []
    monkeypatch.setitem(sys.modules, "fla", None)
    assert len(faults(**PACKED | {"base_model": name, "bf16": True})) == 1
    assert faults(**PACKED | {"base_model": "Qwen/Qwen3-8B"}) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"evals_per_epoch": 1, "num_epochs": 1}, "found evals_per_epoch 1 with num_epochs 1: .* eval_strategy: epoch"),
        ({"evals_per_epoch": 1, "num_epochs": None}, None),  # which Axolotl's schema refuses
        ({"evals_per_epoch": "1", "num_epochs": 0.5}, "no validation loss"),
        (
            {"evals_per_epoch": None},
            "test_datasets without evals_per_epoch, eval_steps or eval_strategy: no validation",
        ),
        ({"evals_per_epoch": 0}, "test_datasets without evals_per_epoch"),
        ({"test_datasets": None}, "evals_per_epoch without test_datasets: no validation loss"),
        ({"test_datasets": None, "evals_per_epoch": None, "eval_steps": 50}, "eval_steps without test_datasets"),
        ({"evals_per_epoch": None, "eval_steps": 1.0}, "found eval_steps 1.0, expected a whole number of steps"),
        ({"saves_per_epoch": 1, "num_epochs": 1, "save_strategy": "steps"}, "save every 500 steps"),
        ({"saves_per_epoch": 2, "save_strategy": "no"}, "saves_per_epoch beside save_strategy 'no'"),
        ({"load_best_model_at_end": True}, "the last weights would be kept, not the best"),
        ({"load_best_model_at_end": True, "saves_per_epoch": 3}, "the last weights would be kept, not the best"),
        ({"load_best_model_at_end": True, "saves_per_epoch": 4}, None),
        ({"evals_per_epoch": 1, "num_epochs": 2}, None),
        ({"evals_per_epoch": None, "eval_strategy": "epoch", "num_epochs": 1}, None),
        ({"evals_per_epoch": None, "eval_strategy": "no"}, None),
        ({"evals_per_epoch": None, "eval_steps": 0.25, "save_steps": "1e2"}, None),
        ({"saves_per_epoch": 1, "num_epochs": 1}, None),
    ],
)
def test_evaluations_and_saves_that_never_come_are_refused(keys: dict[str, object], said: str | None) -> None:
    found = faults(**ASKED | {"num_epochs": 3} | keys)
    assert len(found) == (said is not None)
    for fault in found:
        assert re.search(str(said), fault), fault


@pytest.mark.parametrize(
    ("keys", "steps", "said"),
    [
        ({}, 120, "before the first of 120 steps, after every 10 and after the last: 13 in all"),
        ({"evals_per_epoch": 2, "num_epochs": 1}, 7, "after every 4 and after the last: 3 in all"),
        ({"evals_per_epoch": None, "eval_steps": 500}, 300, "after every 500 and after the last: 2 in all"),
        ({"evals_per_epoch": None, "eval_strategy": "epoch"}, 300, "at the end of each epoch"),
        ({"eval_on_start": False}, 120, "a validation loss after every 10 and after the last: 12 in all"),
        ({"evals_per_epoch": None, "eval_strategy": "no"}, 300, "no validation loss: eval_strategy is no"),
    ],
)
def test_when_a_validation_loss_is_computed_is_told(keys: dict[str, object], steps: int, said: str) -> None:
    loaded = recipe.Recipe(Path("r.yaml"), ASKED | keys, {}, {})
    assert said in str(pitfalls.evaluations(loaded, steps))
    assert pitfalls.evaluations(recipe.Recipe(Path("r.yaml"), {}, {}, {}), steps) is None


def test_no_shipped_recipe_falls_into_one() -> None:
    for name in recipe.names():
        assert not list(pitfalls.faults(recipe.load(recipe.find(name)))), name


def test_all_faults_are_told_at_once_and_those_of_keys_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there: no GPU that the command may use, no data, no base; and the keys are wrong in six ways."""
    monkeypatch.chdir(tmp_path)
    wrong = {
        "lerning_rate": "1e-4", "sampel_packing": "true", "lora_r": "0", "logging_steps": "often", "sequence_len": "long",
        "attn_implementation": "null", "base_model": "./nowhere", "warmup_steps": "5",
    }  # fmt: skip
    sets = [word for key, value in wrong.items() for word in ("--set", f"{key}={value}")]
    result = CliRunner().invoke(main, ["check", "mistral-qlora", "--gpu", "24gb", *sets])
    lines = result.stderr.removeprefix("error: ").splitlines()
    assert result.exit_code == 1
    for number, said in enumerate(
        [
            "unknown key 'lerning_rate'; did you mean 'learning_rate'",
            "unknown key 'sampel_packing'; did you mean 'sample_packing'",
            "found lora_r 0, expected 1 or more",
            "sample_packing without attn_implementation",
            "warmup_steps and warmup_ratio are mutually exclusive",
            "'sequence_len': Input should be a valid integer",
            "'logging_steps': Input should be a valid integer",
            "no folder './nowhere'",
            "no file 'data/ecom/train.jsonl'",
            "no file 'data/ecom/validation.jsonl'",
        ]
    ):
        assert said in lines[number], (said, lines)
    assert len(lines) == 10


def test_every_conflict_between_keys_that_axolotl_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of its rules before it has read the values, one after; it stops at the first itself."""
    monkeypatch.chdir(tmp_path)
    wrong = ("warmup_steps=5", "save_strategy=epoch", "save_steps=9", "eval_steps=7", "load_in_8bit=true")
    sets = [word for override in (*wrong, "scaling_softmax=true") for word in ("--set", override)]
    result = CliRunner().invoke(main, ["check", "mistral-qlora", "--gpu", "24gb", *sets])
    assert result.exit_code == 1
    for said in (
        "warmup_steps and warmup_ratio are mutually exclusive",
        "save_strategy and save_steps mismatch",
        "eval_steps and evals_per_epoch are mutually exclusive",
        "Can't load qlora in 8bit",
        "scaling_softmax requires flex attention",
    ):
        assert result.stderr.count(said) == 1, (said, result.stderr)


def test_no_rule_of_axolotl_refuses_a_shipped_recipe_by_itself() -> None:
    with training._quiet():
        for name in recipe.names():
            loaded = recipe.load(recipe.find(name))
            count, card = hardware.several(recipe.machine(loaded.path) or "24gb")
            assert not list(lint._refused_together(loaded, card, count)), name


def test_training_tells_of_a_misspelt_key_before_what_the_machine_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "mistral-qlora", "--run", "x", "--gpus", "640", "--set", "lora_rnak=8"]
    result = CliRunner().invoke(main, command)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1 and not list(tmp_path.iterdir())
    assert "unknown key 'lora_rnak'; did you mean 'lora_r'" in lines[0] and "GPUS=640" in lines[-1]


def test_a_sweep_tells_of_every_misspelt_key_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    axis = "{a: {learning_rate: 1e-4}, b: {lerning_rate: 1e-4}, c: {lora_alhpa: 8}}"
    Path("mine.yaml").write_text(f"recipe: demo-qlora\naxes:\n  - {axis}\n")
    result = CliRunner().invoke(main, ["sweep", "mine.yaml", "--run"])
    assert result.exit_code == 1 and not Path("runs").exists()
    assert "'lerning_rate'" in result.stderr and "'lora_alhpa'" in result.stderr
