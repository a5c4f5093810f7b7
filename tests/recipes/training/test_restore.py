"""What a merge in four bits rounds and training did not touch comes back bit for bit, whatever it is; the rest stays."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from converters.core.errors import InputError
from eval.inference.backends.base import auto_class
from recipes.runner import recipe
from recipes.runner.training import merge, merge_gate
from recipes.runner.training.restore import restore
from tests.recipes._families import RECIPES, stand_in

pytestmark = pytest.mark.skipif(not merge.rounds_all(), reason="this Axolotl rounds only what training had quantised")
FILE = "model.safetensors"
# What Axolotl 0.19 rounds and bitsandbytes had not quantised, by the last parts of the names.
ROUNDED = {
    "mistral": {"model.embed_tokens.weight", "lm_head.weight"},
    "qwen35": {
        "model.language_model.embed_tokens.weight", "lm_head.weight", "linear_attn.conv1d.weight", "mtp.fc.weight",
        "model.visual.patch_embed.proj.weight", "model.visual.pos_embed.weight",
    },
    "gemma4": {
        "model.language_model.embed_tokens.weight", "model.language_model.embed_tokens_per_layer.weight",
        "model.vision_tower.patch_embedder.position_embedding_table", "lconv1d.depthwise_conv1d.weight",
        "subsample_conv_projection.layer0.conv.weight", "subsample_conv_projection.layer1.conv.weight",
    },
}  # fmt: skip


def base_and_merged(
    family: str, place: Path, target: Any = None, **kwargs: Any
) -> tuple[Path, Path, Path, dict[str, Any]]:
    """Return base, merged and adapter folders, merged by Axolotl from an adapter with random weights, and the recipe's keys."""
    from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig

    base, adapter, merged = place / "base", place / "adapter", place / "merged"
    if not base.is_dir():
        stand_in(base, family)
    keys = recipe.load(recipe.find(RECIPES[family])).keys
    network = auto_class(AutoConfig.from_pretrained(base)).from_pretrained(base)
    settings = LoraConfig(r=2, lora_alpha=4, target_modules=target or keys["lora_target_modules"], **kwargs)
    tuned = get_peft_model(network, settings)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights)
    tuned.save_pretrained(adapter)
    merge_lora_sharded_efficient(base, adapter, merged, device="cpu", simulate_nf4=True)
    return base, merged, adapter, keys


def differing(base: Path, merged: Path) -> set[str]:
    before, after = load_file(base / FILE), load_file(merged / FILE)
    assert before.keys() == after.keys()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def in_four_bits(base: Path, keys: dict[str, Any]) -> set[str]:
    """Return the weights that are quantised in the base as training loads it."""
    from bitsandbytes.nn import Linear4bit
    from transformers import AutoConfig

    auto, how = auto_class(AutoConfig.from_pretrained(base)), merge_gate.quantisation(keys)
    network = auto.from_pretrained(base, quantization_config=how)
    return {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, Linear4bit)}


@pytest.mark.parametrize("family", sorted(ROUNDED))
def test_what_was_neither_quantised_nor_trained_is_the_bases_own(family: str, tmp_path: Path) -> None:
    base, merged, adapter, keys = base_and_merged(family, tmp_path)
    quantised, before = in_four_bits(base, keys), differing(base, merged)
    assert {
        next((end for end in ROUNDED[family] if name.endswith(end)), name) for name in before - quantised
    } == ROUNDED[family]
    assert set(restore(merged, base, adapter, keys)) == before - quantised
    assert differing(base, merged) == before & quantised and len(before & quantised) > 10
    assert not restore(merged, base, adapter, keys)  # nothing is left to restore, and nothing is written
    assert {path.name for path in merged.iterdir()} >= {FILE, "config.json"} and not list(merged.glob("*.part"))


def test_skipped_modules_and_trained_ones_are_told_apart(tmp_path: Path) -> None:
    """Modules that the recipe leaves at full precision come back; embeddings that were trained whole stay as trained."""
    base, merged, adapter, keys = base_and_merged("qwen35", tmp_path, modules_to_save=["embed_tokens"])
    keys |= {
        "bnb_config_kwargs": {
            **keys["bnb_config_kwargs"],
            "llm_int8_skip_modules": ["model.visual", "lm_head", "gate_proj"],
        }
    }
    trained = load_file(merged / FILE)
    trained["model.language_model.embed_tokens.weight"] += 1
    save_file(trained, merged / FILE, {"format": "pt"})
    restored = set(restore(merged, base, adapter, keys))
    assert any(name.startswith("model.visual.") and name.endswith("qkv.weight") for name in restored)
    assert not any("embed_tokens" in name or "gate_proj" in name for name in restored)  # LoRA is on gate_proj
    assert "lm_head.weight" in restored and not differing(base, merged) & restored


def test_names_may_differ_as_transformers_renames_them(tmp_path: Path) -> None:
    """An older checkpoint of a text model has no model. in front, the merged one has it, or the other way round."""
    base, merged, adapter, keys = base_and_merged("mistral", tmp_path)
    old = {name.removeprefix("model."): tensor for name, tensor in load_file(base / FILE).items()}
    save_file(old, base / FILE, {"format": "pt"})
    assert set(restore(merged, base, adapter, keys)) == ROUNDED["mistral"]


def test_a_base_without_a_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps({"model_type": "unheard_of"}))
    with pytest.raises(InputError, match="no configuration of a model that transformers knows"):
        restore(tmp_path, tmp_path / "base", tmp_path, {"adapter": "qlora"})


def test_no_template_of_the_base_is_left_beside_that_of_the_training(tmp_path: Path) -> None:
    for name in (
        "merged/model.safetensors",
        "merged/chat_template.json",
        "merged/chat_template.jinja",
        "adapter/chat_template.jinja",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    merge.complete(tmp_path / "merged", tmp_path / "adapter")
    assert [path.name for path in sorted((tmp_path / "merged").iterdir())] == [
        "chat_template.jinja",
        "model.safetensors",
    ]
    assert (tmp_path / "merged" / "chat_template.jinja").read_text() == "adapter/chat_template.jinja"
