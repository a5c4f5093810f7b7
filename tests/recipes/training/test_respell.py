"""An adapter is given to the merge under the names of the base's files, whatever transformers calls its layers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Ministral3Config,
    Mistral3Config,
    MistralConfig,
    PixtralVisionConfig,
)

from recipes.runner.training.respell import CONFIG, WEIGHTS, respelt
from tests.recipes._families import SMALL

PARTS = ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")


def adapter(folder: Path, layer: str) -> Path:
    folder.mkdir()
    save_file(
        {f"base_model.model.{layer}.{part}": torch.full((2, 2), n) for n, part in enumerate(PARTS)}, folder / WEIGHTS
    )
    (folder / CONFIG).write_text("{}")
    return folder


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in the wrapper of Ministral 3."""
    folder = tmp_path_factory.mktemp("base")
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    parts = {"text_config": Ministral3Config(vocab_size=100, **SMALL), "vision_config": PixtralVisionConfig(**sizes)}
    config = Mistral3Config(**parts, tie_word_embeddings=False)
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    return folder


def test_layers_are_named_as_in_the_files_of_the_base(wrapped: Path, tmp_path: Path) -> None:
    layer, stored = "model.language_model.layers.1.mlp.up_proj", "language_model.model.layers.1.mlp.up_proj"
    assert f"{stored}.weight" in load_file(wrapped / "model.safetensors")
    own = adapter(tmp_path / "own", layer)
    found = respelt(own, wrapped, tmp_path / "other")
    assert found == tmp_path / "other" and (found / CONFIG).read_text() == "{}"
    spelt = load_file(found / WEIGHTS)
    assert {name: int(tensor[0, 0]) for name, tensor in spelt.items()} == {
        f"base_model.model.{stored}.{part}": n for n, part in enumerate(PARTS)
    }


def test_an_adapter_with_the_names_of_its_base_is_taken_as_it_is(wrapped: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_config(MistralConfig(vocab_size=100, **SMALL)).save_pretrained(tmp_path / "base")
    own = adapter(tmp_path / "own", "model.layers.1.mlp.up_proj")
    assert respelt(own, tmp_path / "base", tmp_path / "other") == own
    assert respelt(own, tmp_path / "nowhere", tmp_path / "other") == own
    assert not (tmp_path / "other").exists()
