"""The shape of a dense decoder (Mistral, Llama, Qwen): what its weights and activations count, from ``config.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipes.runner import recipe

# Of the recipes' base models, as their config.json has them: an estimate must not wait for a download.
KNOWN: dict[str, tuple[int, ...]] = {
    "mistralai/Mistral-7B-Instruct-v0.3": (4096, 14336, 32, 32, 8, 128, 32768, 0),
    "meta-llama/Llama-3.1-8B-Instruct": (4096, 14336, 32, 32, 8, 128, 128256, 0),
    "Qwen/Qwen3-8B": (4096, 12288, 36, 32, 8, 128, 151936, 0),
    "Qwen/Qwen3-1.7B": (2048, 6144, 28, 16, 8, 128, 151936, 1),
    "mistralai/Ministral-3-8B-Instruct-2512-BF16": (4096, 14336, 34, 32, 8, 128, 131072, 0),
    "mistralai/Ministral-3-3B-Instruct-2512-BF16": (3072, 9216, 26, 32, 8, 128, 131072, 1),
    "HuggingFaceTB/SmolLM3-3B": (2048, 11008, 36, 16, 4, 128, 128256, 1),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and counts of a model; ``tied`` is 1 where input and output embeddings are the same weights."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head: int
    vocabulary: int
    tied: int = 0

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of one block."""
        queries, keys = self.heads * self.head, self.key_heads * self.head
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.inner),
            "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }

    @property
    def blocks(self) -> int:
        """Weights of the linear layers of all blocks: those that are quantised."""
        return self.layers * sum(a * b for a, b in self.linear.values())

    @property
    def embeddings(self) -> int:
        """Weights of input and output embeddings and of the norms, which stay in bf16."""
        return (2 - self.tied) * self.vocabulary * self.hidden + (2 * self.layers + 1) * self.hidden

    @property
    def parameters(self) -> int:
        """All weights.

        >>> f"{Shape(*KNOWN['mistralai/Mistral-7B-Instruct-v0.3']).parameters:,}"
        '7,248,023,552'
        """
        return self.blocks + self.embeddings

    def adapter(self, rank: int, targets: list[str]) -> int:
        """Return the weights of a LoRA adapter: two matrices beside each layer named in ``targets``."""
        return self.layers * sum(rank * sum(size) for name, size in self.linear.items() if name in targets)


def find(name: str) -> Shape | None:
    """Return the shape of a base model: a local one, one in the hub's cache, or one of the recipes'; else ``None``."""
    folder = recipe.base_folder(name)
    if folder and (folder / "config.json").is_file():
        return read(json.loads((folder / "config.json").read_bytes()))
    return Shape(*KNOWN[name]) if name in KNOWN else None


def read(config: Mapping[str, Any]) -> Shape | None:
    """Return the shape that a ``config.json`` tells of; ``None`` where the model is not a dense decoder."""
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return Shape(
            hidden,
            config["intermediate_size"],
            config["num_hidden_layers"],
            heads,
            config.get("num_key_value_heads") or heads,
            config.get("head_dim") or hidden // heads,
            config["vocab_size"],
            int(config.get("tie_word_embeddings", False)),
        )
    except KeyError:
        return None
