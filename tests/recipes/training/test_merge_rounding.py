"""What Axolotl's own merge rounds to four bits decides whether anything is put back after it."""

from importlib import metadata
from pathlib import Path

from safetensors.torch import load_file

from recipes.runner.training import merge

HEAD, EMBED = "lm_head.weight", "model.embed_tokens.weight"


def test_what_training_did_not_quantise_is_put_back_only_where_the_merge_rounds_it(tmp_path: Path) -> None:
    """0.19 rounds every matrix; 0.21 those that bitsandbytes quantised in training, and ours must not do it again."""
    from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient
    from peft import LoraConfig, get_peft_model
    from transformers import MistralConfig, MistralForCausalLM

    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = MistralForCausalLM(MistralConfig(vocab_size=64, num_key_value_heads=2, **shape))
    model.save_pretrained(tmp_path / "base")
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    made = tmp_path / "made"
    merge_lora_sharded_efficient(tmp_path / "base", tmp_path / "adapter", made, simulate_nf4=True, device="cpu")
    before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path / "base", made))
    changed = {name for name, weight in after.items() if not bool((weight == before[name]).all())}
    assert changed >= {name for name in before if "proj" in name}
    rounded = {EMBED, HEAD} <= changed
    assert rounded == merge.rounds_all() == (metadata.version("axolotl") == "0.19.0")
    assert rounded or not changed & {EMBED, HEAD}
