"""The base of adapters trained in four bits: with the adapter's product added it is the merged model, and no other base is."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from recipes.runner.bases import of_adapters
from recipes.runner.records import provenance
from recipes.runner.training import restore
from tests.recipes._families import stand_in
from tests.recipes.conftest import recipe_keys

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with an adapter of random weights on a tiny Mistral, as QLoRA leaves it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.chdir(tmp_path)
    found, base = Path("runs/mine"), Path("base")
    stand_in(base, "mistral")
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=LAYERS, use_rslora=True)
    tuned: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    torch.manual_seed(0)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    tuned.save_pretrained(found / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(found / "adapter")
    keys = recipe_keys(str(base), "data/mix", lora_modules_to_save=None, lora_r=4, lora_alpha=8, peft_use_rslora=True)
    (found / "recipe.yaml").write_text(yaml.safe_dump(keys))
    provenance.write(found, {"status": "trained", "base_model": provenance.base_model(str(base)), "data": []})
    return found


def test_the_base_of_four_bits_and_the_adapter_are_the_merged_model(run: Path) -> None:
    from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient

    folder = of_adapters.made(run, lambda _: None)
    assert of_adapters.made(run, lambda _: None) == folder and folder.parent == of_adapters.BASES
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f"{folder.name}.lock"}, "nothing half-made"
    base, served = load_file("base/model.safetensors"), load_file(folder / "model.safetensors")
    merge_lora_sharded_efficient(Path("base"), run / "adapter", Path("merged"), device="cpu", simulate_nf4=True)
    merged = load_file("merged/model.safetensors")
    adapter = load_file(run / "adapter" / "adapter_model.safetensors")
    deltas = {}
    for name, tensor in adapter.items():
        if ".lora_A." in name:
            deltas[f"{restore.layer_of(name)}.weight"] = (
                adapter[name.replace("lora_A", "lora_B")] @ tensor * (8 / 4**0.5)
            )
    assert base.keys() == served.keys() >= deltas.keys() and deltas
    for name, tensor in served.items():
        # What was not quantised is the base's own, bit for bit.
        assert torch.equal(tensor, base[name]) == (name not in deltas), name
    for name, delta in deltas.items():
        torch.testing.assert_close(served[name] + delta, merged[name])
        assert (served[name] + delta - merged[name]).norm() < (base[name] + delta - merged[name]).norm() / 1000, name
    assert (folder / "chat_template.jinja").read_bytes() == (run / "adapter" / "chat_template.jinja").read_bytes()
