"""What a merge rounded and training did not comes back; what the adapter trained stays."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from recipes.runner.training.merge import restore

EMBED, HEAD, LAYER = "model.embed_tokens.weight", "lm_head.weight", "model.layers.0.mlp.up_proj.weight"


def checkpoint(folder: Path, value: float, *names: str) -> Path:
    folder.mkdir()
    tensors = {name: torch.full((2, 2), value) for name in names}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (f"base_model.model.{LAYER.removesuffix('weight')}lora_A.weight", {EMBED, HEAD}),
        (f"base_model.model.{EMBED}", {HEAD}),
        ("base_model.model.lm_head.lora_A.weight", {EMBED}),
        ("base_model.model.model.embed_tokens.lora_embedding_A", {HEAD}),
    ],
)
def test_embeddings_and_output_layer_are_the_bases_own(trained: str, expected: set[str], tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base", 1.0, EMBED, HEAD, LAYER)
    made = checkpoint(tmp_path / "made", 0.5, EMBED, HEAD, LAYER)
    adapter = checkpoint(tmp_path / "adapter", 2.0, trained)
    assert set(restore(made, base, adapter)) == expected
    found = load_file(made / "model.safetensors")
    assert {name for name, tensor in found.items() if bool((tensor == 1).all())} == expected
    assert found.keys() == {EMBED, HEAD, LAYER} and [path.name for path in made.iterdir()] == ["model.safetensors"]
