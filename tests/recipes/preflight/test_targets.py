"""Names of layers that the base model has not: PEFT passes over them as long as one other is there."""

from pathlib import Path
from typing import Any

import pytest
from axolotl.utils.dict import DictDefault
from transformers import AutoConfig, LlamaConfig, MistralConfig, MixtralConfig, Qwen3Config

from converters.core.errors import InputError
from recipes.runner import recipe
from recipes.runner.preflight import base_model
from tests.recipes._families import SMALL

KINDS = {"mistral": MistralConfig, "llama": LlamaConfig, "qwen": Qwen3Config}


def required(base: Path, adapter: str | None = "lora", **keys: Any) -> None:
    """Hold keys of a recipe against the model whose configuration lies in ``base``."""
    found = recipe.Recipe(Path("mine.yaml"), keys, {(key,): f"mine.yaml:{n}" for n, key in enumerate(keys, 1)}, {})
    base_model.layers(found, DictDefault({"base_model": str(base), "adapter": adapter}))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"lora_target_modules": ["q_proj", "gate_porj"]},
            "mine.yaml:1: found 'gate_porj' in lora_target_modules, and no such layer in the base model; did you mean "
            "'gate_proj'",
        ),
        ({"lora_target_modules": ["q_proj", "proj"]}, "found 'proj' in lora_target_modules"),
        (
            {"lora_target_modules": ["q_proj"], "lora_modules_to_save": ["embed_tokenz"]},
            "mine.yaml:2: found 'embed_tokenz' in lora_modules_to_save, and no such layer in the base model; did you mean "
            "'embed_tokens'",
        ),
        (
            {"lora_target_modules": ["q_proj"], "peft_layers_to_transform": [0, 2]},
            "mine.yaml:2: found 2 in peft_layers_to_transform, expected 0 to 1: the base model's layers",
        ),
        (
            {"adapter": None, "unfrozen_parameters": ["model.norm.weight", "^lm_haed.weight$"]},
            r"mine.yaml:1: found '\^lm_haed.weight\$' in unfrozen_parameters, which no weights of the base model match, such as "
            "lm_head.weight",
        ),
    ],
)
def test_a_layer_that_the_model_has_not_is_named(keys: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    MistralConfig(vocab_size=100, **SMALL).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=sentence):
        required(tmp_path, **keys)


@pytest.mark.parametrize("family", sorted(KINDS))
def test_the_layers_of_the_recipes_are_there(family: str, tmp_path: Path) -> None:
    KINDS[family](vocab_size=100, **SMALL).save_pretrained(tmp_path)
    names = recipe.load(recipe.find("mistral-qlora")).keys["lora_target_modules"]
    assert len(names) == 7
    required(tmp_path, lora_target_modules=names, lora_modules_to_save=["embed_tokens", "lm_head"])
    required(
        tmp_path, lora_target_modules=["layers.1.self_attn.q_proj", "self_attn.v_proj"], peft_layers_to_transform=[0, 1]
    )
    weights = ["^lm_head.weight$", "model.layers.[0-9]+.mlp", "model.embed_tokens.weight$[:50]"]
    required(tmp_path, None, unfrozen_parameters=weights)


@pytest.mark.parametrize("kind", base_model.DENSE)
def test_every_model_of_a_dense_type_has_the_layers_that_need_no_model_to_be_told(kind: str, tmp_path: Path) -> None:
    AutoConfig.for_model(kind, vocab_size=100, pad_token_id=0, **SMALL).save_pretrained(tmp_path)
    model = base_model.skeleton(str(tmp_path))
    assert {name.rpartition(".")[2] for name, _ in model.named_modules()} >= base_model.DENSE_LAYERS
    (tmp_path / "config.json").unlink()  # no model can be made, and none need be
    config = DictDefault({"base_model": str(tmp_path), "adapter": "lora", "model_config_type": kind})
    for names, told in (
        (["q_proj", "down_proj"], True),
        (["q_proj", "self_attn.q_proj"], False),
        (r".*\.q_proj", True),
    ):
        keys = {"lora_target_modules": names, "lora_modules_to_save": ["lm_head"]}
        assert base_model._dense(recipe.Recipe(Path("mine.yaml"), keys, {}, {}), config) is told
    for more in ({"model_config_type": "mixtral"}, {"adapter": None}, {"trust_remote_code": True}):
        assert not base_model._dense(recipe.Recipe(Path("mine.yaml"), keys, {}, {}), DictDefault({**config, **more}))
    deep = recipe.Recipe(Path("mine.yaml"), keys | {"peft_layers_to_transform": [0]}, {}, {})
    assert not base_model._dense(deep, config)


def test_what_peft_itself_has_to_match_is_left_to_it(tmp_path: Path) -> None:
    required(tmp_path / "nowhere", lora_target_modules=["w1"])  # a configuration that is not here
    MixtralConfig(vocab_size=100, num_local_experts=2, **SMALL).save_pretrained(tmp_path)
    required(tmp_path, lora_target_modules=["w1", "w2"])  # PEFT's names for parts of the experts' tensors
    MistralConfig(vocab_size=100, **SMALL).save_pretrained(tmp_path)
    required(tmp_path, lora_target_modules=r".*\.(q|v)_proj")
