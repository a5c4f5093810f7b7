"""The plugin for CPUs: through Axolotl the losses and gradients of a training without it, row by row, in every family."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, MistralConfig, TrainerCallback

from recipes.plugins import cpu, cpu_layers, cpu_rows
from recipes.runner import recipe
from recipes.runner.preflight import lint, machine, prompt_parity, rules
from tests.recipes._families import RECIPES, stand_in
from tests.recipes.conftest import small_mix

FEW = (
    "micro_batch_size=4", "gradient_accumulation_steps=2", "max_steps=2", "optimizer=sgd", "learning_rate=0.01",
    "warmup_ratio=null", "warmup_steps=0", "dataset_num_proc=1", "sequence_len=256", "logging_steps=1",
    "output_dir=out", "dataset_prepared_path=prepared", 'save_strategy="no"', "saves_per_epoch=null",
)  # fmt: skip
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CLOSE = 2e-4  # of a gradient's own size: fp32 sums in another order
MAGNIFIED = 10  # by every further step


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a mix where the recipes expect theirs, and a stand-in of each family under ``base``."""
    folder = tmp_path_factory.mktemp("cpu")
    small_mix(folder)
    (folder / "data" / "mix").rename(folder / "data" / "ecom")
    for family in RECIPES:
        stand_in(folder / "base" / family, family)
    return folder


class Gradients(TrainerCallback):
    """Keeps each step's gradients of the adapter."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        found = ((name, weight.grad) for name, weight in model.named_parameters() if weight.requires_grad)
        self.steps.append({name: gradient.clone() for name, gradient in found})


def trained(family: str, plugin: bool, *overrides: str) -> tuple[list[float], list[dict[str, torch.Tensor]]]:
    """Return the losses and gradients of a family's recipe: two real steps by Axolotl's trainer."""
    from axolotl.common.datasets import load_datasets
    from axolotl.train import setup_model_and_trainer
    from transformers import set_seed

    loaded = machine.on_cpu(recipe.load(recipe.find(RECIPES[family]), [f"base_model=base/{family}", *FEW]))
    for override in overrides:
        loaded.keys.update([recipe.parse_override(override)])
    config = lint.validated(loaded)
    prompt_parity.load_tokenizer(config)
    set_seed(0)
    trainer, model, *_ = setup_model_and_trainer(config, load_datasets(cfg=config))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:  # 0 at the start, and then A has no gradient
                weight.copy_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    if plugin:
        cpu.CPU().post_trainer_create(config, trainer)
    trainer.add_callback(kept := Gradients())
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], kept.steps


def assert_same(ours: list[dict[str, torch.Tensor]], usual: list[dict[str, torch.Tensor]]) -> None:
    for number, (one, other) in enumerate(zip(ours, usual, strict=True)):
        close = CLOSE * MAGNIFIED**number
        assert one.keys() == other.keys() and len(one) > 20
        for name, gradient in one.items():
            assert float((gradient - other[name]).norm()) <= close * float(other[name].norm()), name
            assert float(gradient.norm()) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("family", "packed"), [("llama", False), ("mistral", False), ("qwen", False), ("qwen", True)])
def test_losses_and_gradients_are_those_without_it(
    family: str, packed: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of several lengths, two micro-batches a step; packed, Axolotl's own packing and padding."""
    monkeypatch.chdir(place)
    how = (f"sample_packing={packed}".lower(), f"pad_to_sequence_len={packed}".lower())
    usual, ours = trained(family, False, *how), trained(family, True, *how)
    assert len(ours[0]) == 2 and ours[0] == pytest.approx(usual[0], rel=1e-5)
    assert_same(ours[1], usual[1])


def network(folder: Path, dropout: float = 0.0, **more: Any) -> Any:
    """Return a small 4-bit model with an adapter that is not at its start."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(vocab_size=50, num_key_value_heads=2, head_dim=16, **shape, **more)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    how = {"dtype": torch.float32, "attn_implementation": "sdpa"}
    model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=four, **how)
    model = get_peft_model(model, LoraConfig(r=4, target_modules=TARGETS, lora_dropout=dropout, task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.train()


def batch(*rows: tuple[int, int, int], left: bool = False) -> dict[str, torch.Tensor]:
    """Return rows of random tokens: their length, where their answer begins, and how many tokens they share with the first."""
    draw, most = torch.Generator().manual_seed(1), max(length for length, *_ in rows)
    ids = torch.randint(3, 50, (len(rows), most), generator=draw)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for number, (length, answer, shared) in enumerate(rows):
        start = most - length if left else 0
        here, first = ids[number, start : start + length], ids[0, most - rows[0][0] if left else 0 :]
        here[:shared] = first[:shared]
        mask[number, start : start + length] = 1
        labels[number, start + answer : start + length] = here[answer:]
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def result(model: Any, given: dict[str, torch.Tensor]) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**given).loss
    loss.backward()
    return float(loss.detach()), {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad
    }


ROWS = (
    (12, 8, 0),
    (7, 7, 3),
    (9, 5, 6),
    (12, 9, 12),
    (3, 2, 2),
)  # the second learns nothing, the fourth is the first's twin


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("window", [None, 4])
def test_a_batch_of_any_rows_has_the_same_loss(window: int | None, left: bool, tmp_path: Path) -> None:
    model, given = network(tmp_path, sliding_window=window), batch(*ROWS, left=left)
    loss, gradients = result(model, given)
    cpu.prepare(model)
    found, ours = result(model, given)
    assert found == pytest.approx(loss, rel=1e-5)
    assert_same([ours], [gradients])
    told = {**given, "num_items_in_batch": torch.tensor(100)}
    learnt = int((given["labels"] != -100).sum())
    assert float(model(**told).loss.detach()) == pytest.approx(loss * learnt / 100, rel=1e-5)


def test_no_row_sees_another_and_what_they_share_is_there_once(tmp_path: Path) -> None:
    given = batch(*ROWS)
    flat = cpu_rows.flattened(given, True)
    assert flat["input_ids"].shape == (1, 11 + 2)  # all but the last token of the first row, and what the others add
    assert flat["rows"].lengths == [11, 8, 11, 2]
    alone = {key: value[:1] for key, value in given.items()}
    model = network(tmp_path)
    cpu.prepare(model)
    logits = model(**given).logits[0]
    assert torch.allclose(logits[:4], model(**alone).logits[0], atol=1e-5)
    changed = given["input_ids"].clone()
    changed[2:, 6:] = 4
    assert torch.allclose(logits[:4], model(**given | {"input_ids": changed}).logits[0][:4], atol=1e-5)
    assert len(cpu_rows.flattened(given, False)["input_ids"][0]) == 11 + 8 + 11 + 2


def test_a_batch_without_anything_to_learn_and_one_without_labels_are_as_without_it(tmp_path: Path) -> None:
    model, given = network(tmp_path), batch((6, 6, 0), (4, 4, 0))
    usual = model(**given)
    cpu.prepare(model)
    ours = model(**given)
    assert math.isnan(usual.loss) and math.isnan(ours.loss)
    del given["labels"]
    seen = given["attention_mask"] == 1
    assert torch.allclose(model(**given).logits[seen], usual.logits[seen], atol=1e-5)


def test_weights_are_those_that_bitsandbytes_multiplies_with(tmp_path: Path) -> None:
    layers = list(cpu_layers.four_bit(network(tmp_path)))
    assert len(layers) == 14
    for layer in layers:
        assert torch.equal(layer(torch.eye(layer.in_features)).t(), cpu_layers.dense(layer))


@pytest.mark.parametrize("cache", [False, True])
def test_an_evaluation_leaves_the_gradients_as_they_were(cache: bool, tmp_path: Path) -> None:
    """Of 4-bit weights that bitsandbytes has packed for its own kernel they would be wrong."""
    model, given = network(tmp_path), batch(*ROWS)
    saved = {name: weight.clone() for name, weight in model.state_dict().items()}
    usual = result(model, given)
    cpu_layers.replace(model, cache)
    first = result(model, given)
    with torch.no_grad():
        assert float(model.eval()(**given).loss) == pytest.approx(first[0], rel=1e-5)
    again = result(model.train(), given)
    assert again[0] == first[0] == pytest.approx(usual[0], rel=1e-5)
    assert_same([again[1]], [usual[1]])
    assert all(torch.equal(weight, saved[name]) for name, weight in model.state_dict().items())


def test_with_dropout_no_token_is_shared_and_the_adapter_drops(tmp_path: Path) -> None:
    given = batch(*ROWS)
    usual, model = result(network(tmp_path), given)[0], network(tmp_path, 0.5)
    cpu.prepare(model)
    with torch.no_grad():
        assert float(model.eval()(**given).loss) == pytest.approx(usual, rel=1e-5)
    model.train()
    assert result(model, given)[0] != result(model, given)[0]
    assert (
        model(**batch((12, 8, 0), (12, 8, 12))).logits[0].unique(dim=0).shape[0] == 8
    )  # twins, each with its own drops


def test_other_attention_and_layers_with_a_state_keep_their_padding(tmp_path: Path) -> None:
    causal = network(tmp_path).get_base_model()
    assert cpu.unfit(causal) is None
    causal.config.layer_types = ["full_attention", "linear_attention"]
    assert "linear_attention" in str(cpu.unfit(causal))
    causal.set_attn_implementation("eager")
    assert "eager" in str(cpu.unfit(causal))


def test_the_check_lets_a_recipe_with_it_evaluate_on_a_cpu() -> None:
    demo = recipe.load(recipe.find("demo-qlora"), ["test_datasets=[{path: x, type: chat_template}]"])
    assert any("spoils the gradients" in fault for fault in rules.faults(demo))
    demo.keys["plugins"] = [recipe.ON_CPU]
    assert not any("spoils the gradients" in fault for fault in rules.faults(demo))
