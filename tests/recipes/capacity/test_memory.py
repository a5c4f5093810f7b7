"""The estimate of memory and time against figures that others measured and published, and against what a card holds."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from recipes.plugins import ewc, sam
from recipes.runner import recipe
from recipes.runner.capacity import hardware, memory, model_shape
from recipes.runner.capacity.memory import Plan
from recipes.runner.capacity.published import CONFIGS
from recipes.runner.preflight import check, deepspeed, report

README = Path(__file__).parents[3] / "README.md"


LLAMA2 = model_shape.Shape(4096, 11008, 32, 32, 32, 128, 32000)
LORA = memory.Plan(True, 8, memory.LINEAR, (), False, 1024, 1024, True, False, False, 0, 1)

# github.com/hiyouga/LLaMA-Factory/wiki/Performance-comparison: LLaMA-2-7B, LoRA of rank 8 on all layers, checkpointing, one A100
# 40GB; batch 1 with FlashAttention 2, batch 4 in 16 bits, and in 4 bits without it. What the base is kept in, batch, tokens of a
# row, and the peak in GB.
PUBLISHED = (
    ("NF4", 1, 1024, 6),
    ("NF4", 1, 2048, 7),
    ("NF4", 1, 4096, 9),
    ("NF4", 1, 8192, 12),
    ("NF4", 1, 16384, 19),
    ("NF4", 1, 32768, 32),
    ("bf16", 4, 1024, 17),
    ("NF4", 4, 1024, 9),
)


def estimated(base: str, batch: int, tokens: int) -> float:
    """Return the estimate of one of them, in GB."""
    plan = replace(LORA, quantised=base == "NF4", micro_tokens=batch * tokens, rows=batch)
    return sum(memory.memory(LLAMA2, plan).values()) / 1e9


@pytest.mark.parametrize(("base", "batch", "tokens", "peak"), PUBLISHED)
def test_memory_is_what_others_measured(base: str, batch: int, tokens: int, peak: float) -> None:
    assert estimated(base, batch, tokens) == pytest.approx(peak, rel=0.15)
    line = f"| {base} | {batch} x {tokens:,} | {peak} GB | {estimated(base, batch, tokens):.1f} GB |"
    assert line in README.read_text("utf-8").splitlines()


def test_the_readme_has_the_figures_of_today() -> None:
    """Of the recipes it has the model in more words; memory, speed and hours are those of the command."""
    told = README.read_text("utf-8")
    for line in list(report.recipes())[2:]:
        _, name, _, _, *figures = line.split("|")
        assert any(row.startswith(f"|{name}|") and row.endswith("|".join(figures)) for row in told.splitlines()), line


def test_the_weights_are_those_of_the_model_cards() -> None:
    billions = {name: model_shape.Shape(*shape).parameters / 1e9 for name, shape in model_shape.KNOWN.items()}
    assert billions == {
        "mistralai/Mistral-7B-Instruct-v0.3": pytest.approx(7.25, abs=0.01),
        "meta-llama/Llama-3.1-8B-Instruct": pytest.approx(8.03, abs=0.01),
        "Qwen/Qwen3-8B": pytest.approx(8.19, abs=0.01),
        "Qwen/Qwen3-1.7B": pytest.approx(1.72, abs=0.01),
        "mistralai/Ministral-3-8B-Instruct-2512-BF16": pytest.approx(8.49, abs=0.01),
        "mistralai/Ministral-3-3B-Instruct-2512-BF16": pytest.approx(3.43, abs=0.01),
        "HuggingFaceTB/SmolLM3-3B": pytest.approx(3.08, abs=0.01),
    }


@pytest.mark.parametrize("name", sorted({*model_shape.KNOWN, *CONFIGS}))
def test_the_weights_are_those_that_transformers_builds(name: str) -> None:
    """On the device meta, which holds no weights; towers are counted without their norms and biases."""
    import torch
    from transformers import AutoConfig, LlamaConfig

    from eval.inference.backends.base import auto_class

    if name in CONFIGS:
        settings = AutoConfig.for_model(**copy.deepcopy(CONFIGS[name]))
        shape = model_shape.read(CONFIGS[name])
    else:  # without Qwen3's norms of queries and keys, 28 or 36 times 256 weights
        widths = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
        keys = dict(
            zip((*widths, "head_dim", "vocab_size", "tie_word_embeddings"), model_shape.KNOWN[name], strict=True)
        )
        keys["tie_word_embeddings"] = bool(keys["tie_word_embeddings"])
        settings, shape = LlamaConfig(**keys), model_shape.Shape(*model_shape.KNOWN[name])
    with torch.device("meta"):
        network = auto_class(settings).from_config(settings)
    text = getattr(network.model, "language_model", network.model)
    head = 0 if settings.get_text_config().tie_word_embeddings else network.lm_head.weight.numel()
    assert shape and shape.parameters - shape.towers == sum(part.numel() for part in text.parameters()) + head
    assert shape.parameters == pytest.approx(network.num_parameters(), rel=1e-3)
    linear = {(n.rpartition(".")[2]) for n, part in text.named_modules() if type(part) is torch.nn.Linear}
    assert linear == {part.name for part in shape.linear}


def test_the_towers_are_of_the_published_size() -> None:
    towers = {name: model_shape.read(config).towers / 1e6 for name, config in CONFIGS.items()}  # type: ignore[union-attr]
    assert towers["google/gemma-4-E4B-it"] == pytest.approx(150 + 300, rel=0.07)
    assert 300 < towers["Qwen/Qwen3.5-4B"] < towers["Qwen/Qwen3.5-9B"] < 500


@pytest.mark.parametrize("name", ["qwen35-qlora", "gemma4-qlora"])
def test_an_adapter_of_a_model_with_towers_has_the_weights_that_peft_counts(name: str) -> None:
    """And none of them is beside a vision or audio tower."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig

    from eval.inference.backends.base import auto_class

    keys = recipe.load(recipe.find(name)).keys
    settings = AutoConfig.for_model(**copy.deepcopy(CONFIGS[keys["base_model"]]))
    with torch.device("meta"):
        network = auto_class(settings).from_config(settings)
        tuned = get_peft_model(network, LoraConfig(r=4, target_modules=keys["lora_target_modules"]))
    shape, plan = planned(name)
    assert tuned.get_nb_trainable_parameters()[0] == shape.adapter(4, list(plan.targets)) > 0
    assert all(".language_model.layers." in part for part, weights in tuned.named_parameters() if weights.requires_grad)


def test_nf4_takes_what_its_paper_says() -> None:
    """Dettmers et al. 2023, section 3: double quantisation brings the constants from 0.5 to 0.127 bits a weight."""
    assert pytest.approx(4.127, abs=0.001) == memory.NF4 * 8


def test_an_adapter_has_the_weights_that_peft_counts() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Qwen3Config

    config = Qwen3Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
    )
    model = AutoModelForCausalLM.from_config(config)
    shape = model_shape.read(config.to_dict())
    assert shape and shape.parameters - model.num_parameters() == -2 * 3 * 16  # Qwen's norms of queries and keys
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"]))
    assert tuned.get_nb_trainable_parameters()[0] == shape.adapter(4, ["q_proj", "down_proj"])


def planned(name: str, gpus: int = 1, stage: int = 0) -> tuple[model_shape.Shape, Plan]:
    keys: dict[str, Any] = recipe.load(recipe.find(name)).keys
    shape = model_shape.find(keys["base_model"])
    assert shape
    return shape, memory.plan(keys, stage, gpus)


@pytest.mark.parametrize(
    ("name", "machine", "smaller"),
    [
        ("mistral-qlora", "12gb", "8gb"),
        ("mistral-qlora-80gb", "80gb", "40gb"),
        ("mistral-lora", "80gb", "40gb"),
        ("llama-qlora", "16gb", "8gb"),
        ("qwen-qlora", "16gb", "8gb"),
        ("qwen-small-qlora", "8gb", None),
        ("ministral-qlora", "16gb", "8gb"),
        ("ministral-small-qlora", "12gb", None),
        ("smollm3-qlora", "8gb", None),
        ("qwen35-qlora", "24gb", "12gb"),
        ("qwen35-small-qlora", "12gb", "8gb"),
        ("gemma4-qlora", "16gb", "8gb"),
    ],
)
def test_a_recipe_fits_the_card_that_its_header_names(name: str, machine: str, smaller: str | None) -> None:
    parts = memory.memory(*planned(name))
    assert f" {machine[:-2]} GB" in recipe.find(name).read_text().splitlines()[0]
    assert memory.verdict(parts, hardware.find(machine)).startswith("fits: ")
    if smaller:
        said = memory.verdict(parts, hardware.find(smaller))
        assert said.startswith("does not fit: needs ") and "most of it " in said


@pytest.mark.parametrize(
    ("name", "card", "said"),
    [
        ("mistral-full-zero3", "80gb", "the recipe is written for 4 cards: --gpu 4x80gb"),
        ("mistral-full-zero3", "4x24gb", "it fits with deepspeed: recipes/deepspeed/zero3-offload.json"),
        (
            "mistral-full-zero3",
            "4x8gb",
            "it fits with micro_batch_size: 1 (and gradient_accumulation_steps times 4), --gpu 32x",
        ),
        ("mistral-qlora-multi", "4x8gb", "it fits with micro_batch_size: 2 (and gradient_accumulation_steps times 2)"),
        ("mistral-qlora-80gb", "24gb", "it fits with gradient_checkpointing: true"),
        ("llama-qlora", "8gb", "it needs larger cards or a smaller base_model"),
    ],
)
def test_what_does_not_fit_is_told_what_does(name: str, card: str, said: str) -> None:
    loaded, (count, found) = recipe.load(recipe.find(name)), hardware.several(card)
    shape, plan = planned(name, count, deepspeed.stage(loaded))
    with pytest.raises(InputError, match="does not fit") as error:
        check.fits(shape, plan, check.Machine(found, count, True), loaded)
    assert f"; {said}" in str(error.value)
    check.fits(shape, plan, check.Machine(found, count, False), loaded)  # on a machine that is here, the GPU says it


def test_advice_never_names_the_headers_cards_where_they_do_not_help() -> None:
    """Without DeepSpeed four cards hold four copies of the model."""
    loaded, (count, found) = (
        recipe.load(recipe.find("mistral-full-zero3"), ["deepspeed=null"]),
        hardware.several("80gb"),
    )
    with pytest.raises(
        InputError, match=r"; it needs larger cards, an adapter or DeepSpeed's ZeRO-3 on several of them or"
    ):
        check.fits(*planned("mistral-full-zero3"), check.Machine(found, count, True), loaded)


def test_zero_divides_what_its_stage_says() -> None:
    """Rajbhandari et al. 2020: 16 bytes a weight on one card; on N, 2 + 2 + 12/N, 2 + 14/N and 16/N at stages 1, 2 and 3."""
    shape, plan = planned("mistral-full-zero3", 4, 3)
    for stage, bytes_each in ((0, 16), (1, 4 + 12 / 4), (2, 2 + 14 / 4), (3, 16 / 4)):
        parts = memory.memory(shape, replace(plan, stage=stage))
        held = sum(parts[part] for part in ("weights", "gradients", "optimiser"))
        assert held == pytest.approx(bytes_each * shape.parameters)
    assert memory.verdict(memory.memory(shape, plan), hardware.find("80gb")).startswith("fits")


def test_what_is_offloaded_takes_nothing_of_a_card() -> None:
    """ZeRO-Offload, Ren et al. 2021: states and gradients lie in the computer's memory; weights come layer by layer."""
    loaded = recipe.load(recipe.find("mistral-full-zero3"), [f"deepspeed={memory.OFFLOAD}"])
    assert sorted(deepspeed.offloaded(loaded)) == ["gradients", "optimiser", "weights"]
    assert (
        deepspeed.offloaded(recipe.load(loaded.path))
        == deepspeed.offloaded(recipe.load(recipe.find("mistral-qlora")))
        == ()
    )
    shape, plan = planned("mistral-full-zero3", 4, 3)
    here, away = (memory.memory(shape, replace(plan, offloaded=parts)) for parts in ((), deepspeed.offloaded(loaded)))
    assert not any(away[part] for part in deepspeed.offloaded(loaded)) and away["activations"] == here["activations"]
    model = check.validate(loaded, check.Machine(hardware.find("24gb"), 4, True)).model
    assert model and model[1].offloaded == deepspeed.offloaded(loaded)
    assert memory.verdict(away, hardware.find("24gb")).startswith("fits")


def test_what_is_offloaded_takes_main_memory() -> None:
    """DeepSpeed's estimators: 18 bytes a weight in stage 3, 16 in stage 2 whose weights stay on the GPUs."""
    shape, plan = planned("mistral-full-zero3", 4, 3)
    away = replace(plan, offloaded=("weights", "gradients", "optimiser"))
    assert memory.main_memory(shape, plan) == 0
    assert memory.main_memory(shape, away) == pytest.approx(18 * shape.parameters)
    two = replace(plan, stage=2, offloaded=("gradients", "optimiser"))
    assert memory.main_memory(shape, two) == pytest.approx(16 * shape.parameters)
    lines = list(report.memory(shape, away, hardware.find("24gb")))
    assert any(line.startswith("offload  estimated: 122 GiB of main memory") for line in lines)
    check.held(1e9)
    with pytest.raises(
        InputError, match=r"found \d+ GiB of main memory, expected 931323 GiB for what 'deepspeed' offloads"
    ):
        check.held(1e15)


def test_what_a_run_writes_is_counted() -> None:
    shape, plan = planned("mistral-full-zero3", 4, 3)
    assert memory.checkpoint(shape, plan) == 14 * shape.parameters
    assert memory.disk(shape, plan, 1) == 2 * 14 * shape.parameters + 2 * shape.parameters
    small, adapter = planned("mistral-qlora")
    assert memory.trainable(small, adapter) == 83_886_080
    assert memory.disk(small, adapter, 2) == 3 * 6 * 83_886_080 + 4 * 83_886_080 + 2 * small.parameters


def test_plugins_against_forgetting_cost_what_their_heads_say() -> None:
    """EWC: four fp32 copies of the trained weights at the most. SAM: two, and every step twice."""
    shape, plain = planned("mistral-qlora")
    keys, card = recipe.load(recipe.find("mistral-qlora")).keys, hardware.find("24gb")
    for name, copies, times in ((memory.EWC, 4, 1), (memory.SAM, 2, 2)):
        with_it = memory.plan(keys | {"plugins": [*keys["plugins"], name]}, 0, 1)
        assert memory.memory(shape, with_it)["plugins"] == copies * 4 * 83_886_080
        assert memory.speed(shape, plain, card) == pytest.approx(times * memory.speed(shape, with_it, card))
    assert "plugins" not in memory.memory(shape, plain)
    assert (memory.EWC, memory.SAM) == (ewc.NAME, sam.NAME)


def test_checkpointing_costs_a_third_of_the_speed() -> None:
    shape, plan = planned("mistral-qlora")
    card = hardware.find("h100-80gb")
    ratio = memory.speed(shape, plan, card) / memory.speed(shape, replace(plan, checkpointing=False), card)
    assert 0.62 < ratio < 0.72


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("25gb", "did you mean '2"),
        ("A100", "card 'A100': found a100-40gb, a100-80gb,"),
        ("h20", "no card 'h20'"),
        ("4x", "no card ''"),
    ],
)
def test_an_unknown_card_gets_a_hint(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        hardware.several(name)


def test_cards_are_told_apart_by_what_the_driver_says() -> None:
    said = {
        "NVIDIA A100-SXM4-80GB, 81920 MiB": "a100-80gb",
        "NVIDIA A100-PCIE-40GB, 40960 MiB": "a100-40gb",
        "NVIDIA GeForce RTX 4060 Ti, 16380 MiB": "rtx4060ti-16gb",
        "NVIDIA GeForce RTX 4060, 8188 MiB": "rtx4060-8gb",
        "NVIDIA L4, 23034 MiB": "l4-24gb",
        "NVIDIA L40S, 46068 MiB": "l40s-48gb",
        "NVIDIA A10G, 23028 MiB": "a10g-24gb",
        "NVIDIA RTX A6000, 49140 MiB": "a6000-48gb",
        "NVIDIA GeForce RTX 5090, 32607 MiB": "rtx5090-32gb",
    }
    assert {line: getattr(hardware.here(line), "name", None) for line in said} == said
