"""The shape of a decoder (Mistral, Llama, Qwen, Gemma): what its weights and activations count, from ``config.json``.

Dense ones, Qwen3.5's with linear attention, Gemma 4's with per-layer embeddings and shared keys and values; with the vision and
audio parts that Axolotl loads beside the text model.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from recipes.runner import recipe
from recipes.runner.capacity.published import CONFIGS

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
class Linear:
    """Linear layers of one name and size in the text model."""

    name: str
    inputs: int
    outputs: int
    count: int

    @property
    def weights(self) -> int:
        """Weights of all of them."""
        return self.inputs * self.outputs * self.count


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and counts of a model; ``tied`` is 1 where input and output embeddings are the same weights.

    Of models that are not dense, ``parts`` are the linear layers, ``rest`` the weights in bf16 beside word embeddings and two
    norms a block, ``towers`` those of the vision and audio parts, ``mixer`` the values that attention keeps of a token, and
    ``inputs`` those of all per-layer embeddings.
    """

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head: int
    vocabulary: int
    tied: int = 0
    _: KW_ONLY
    parts: tuple[Linear, ...] = ()
    rest: int = 0
    towers: int = 0
    mixer: int = 0
    inputs: int = 0

    @property
    def linear(self) -> tuple[Linear, ...]:
        """The linear layers of all blocks."""
        attention = _attention(
            self.hidden, self.heads * self.head, self.key_heads * self.head, self.layers, self.layers
        )
        return self.parts or (*attention, *_mlp(self.hidden, self.inner, self.layers))

    @property
    def blocks(self) -> int:
        """Weights of the linear layers of all blocks: those that are quantised."""
        return sum(part.weights for part in self.linear)

    @property
    def kept(self) -> int:
        """Values that attention keeps of one token for the backward pass, in the block that keeps most."""
        return self.mixer or 2 * self.heads * self.head + 2 * self.key_heads * self.head

    @property
    def embeddings(self) -> int:
        """Weights of embeddings and norms and whatever else stays in bf16."""
        return (2 - self.tied) * self.vocabulary * self.hidden + (2 * self.layers + 1) * self.hidden + self.rest

    @property
    def parameters(self) -> int:
        """All weights.

        >>> f"{Shape(*KNOWN['mistralai/Mistral-7B-Instruct-v0.3']).parameters:,}"
        '7,248,023,552'
        """
        return self.blocks + self.towers + self.embeddings

    def adapter(self, rank: int, targets: list[str]) -> int:
        """Return the weights of a LoRA adapter: two matrices beside each layer named in ``targets``."""
        return sum(part.count * rank * (part.inputs + part.outputs) for part in self.linear if part.name in targets)


def _attention(hidden: int, queries: int, keys: int, layers: int, own: int, gates: int = 0) -> Iterator[Linear]:
    """Yield the projections of so many layers, ``own`` of which have keys and values of their own."""
    yield Linear("q_proj", hidden, queries + gates, layers)
    yield from (Linear(name, hidden, keys, own) for name in ("k_proj", "v_proj"))
    yield Linear("o_proj", queries, hidden, layers)


def _mlp(hidden: int, inner: int, layers: int) -> Iterator[Linear]:
    yield from (Linear(name, hidden, inner, layers) for name in ("gate_proj", "up_proj"))
    yield Linear("down_proj", inner, hidden, layers)


def find(name: str) -> Shape | None:
    """Return the shape of a base model: a local one, one in the hub's cache, or one of the recipes'; else ``None``."""
    folder = recipe.base_folder(name)
    if folder and (folder / "config.json").is_file():
        return read(json.loads((folder / "config.json").read_bytes()))
    return Shape(*KNOWN[name]) if name in KNOWN else read(CONFIGS.get(name, {}))


def recurrent(name: str) -> bool:
    """Tell whether a base model, as far as its configuration is known, has layers that carry a state from token to token."""
    folder = recipe.base_folder(name)
    path = folder / "config.json" if folder else None
    config = json.loads(path.read_bytes()) if path and path.is_file() else CONFIGS.get(name, {})
    return bool({*_kinds(config.get("text_config") or config)} & STATES)


STATES = {"linear_attention", "mamba", "conv"}  # as transformers names the types of layers


def _kinds(text: Mapping[str, Any]) -> list[str]:
    """Return the type of each layer, full attention where the configuration names none."""
    layers = int(text.get("num_hidden_layers") or 0)
    every = text.get("full_attention_interval") or (4 if text.get("model_type") == "qwen3_5_text" else 1)
    alternating = ["full_attention" if (n + 1) % every == 0 else "linear_attention" for n in range(layers)]
    return list(text.get("layer_types") or alternating)


def read(config: Mapping[str, Any]) -> Shape | None:
    """Return the shape that a ``config.json`` tells of; ``None`` where the model is none of those above."""
    text = config.get("text_config") or config
    try:
        hidden, heads = text["hidden_size"], text["num_attention_heads"]
        dense = Shape(
            hidden,
            text["intermediate_size"],
            text["num_hidden_layers"],
            heads,
            text.get("num_key_value_heads") or heads,
            text.get("head_dim") or hidden // heads,
            text["vocab_size"],
            int(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        )
        own = TEXT.get(str(text.get("model_type")))
        return replace(own(text, dense), towers=_towers(config, hidden)) if own else dense
    except (KeyError, StopIteration):
        return None


def _qwen35(text: Mapping[str, Any], dense: Shape) -> Shape:
    """Qwen3.5: full attention with a gate for its output in some layers, gated delta nets in the others."""
    kinds = _kinds(text)
    full, other = kinds.count("full_attention"), kinds.count("linear_attention")
    hidden, values = dense.hidden, text["linear_num_value_heads"]
    width, per_head = text["linear_num_key_heads"] * text["linear_key_head_dim"], text["linear_value_head_dim"]
    queries, keys, out = dense.heads * dense.head, dense.key_heads * dense.head, values * per_head
    net = {"in_proj_qkv": 2 * width + out, "in_proj_z": out, "in_proj_b": values, "in_proj_a": values}
    parts = (
        *_attention(hidden, queries, keys, full, full, queries),
        *(Linear(name, hidden, size, other) for name, size in net.items()),
        Linear("out_proj", out, hidden, other),
        *_mlp(hidden, dense.inner, dense.layers),
    )
    convolution = (2 * width + out) * text["linear_conv_kernel_dim"]
    rest = 2 * dense.head * full + (convolution + 2 * values + per_head) * other
    return replace(dense, parts=parts, rest=rest, mixer=max(3 * queries + 2 * keys, 2 * (2 * width + out) + 3 * out))


def _gemma4(text: Mapping[str, Any], dense: Shape) -> Shape:
    """Gemma 4, dense: wider heads in full attention, keys and values shared by the last layers, per-layer embeddings."""
    if text.get("enable_moe_block") or text.get("attention_k_eq_v"):
        raise KeyError("experts, and keys that are the values")
    hidden, layers, kinds, size = dense.hidden, dense.layers, _kinds(text), text["hidden_size_per_layer_input"]
    own, norms, head = layers - (text.get("num_kv_shared_layers") or 0), 0, {}
    parts: list[Linear] = []
    saved = (text.get("per_layer_config") or {}).values()  # as transformers writes it
    wider = text.get("global_head_dim") or next(layer["head_dim"] for layer in saved)
    for kind in dict.fromkeys(kinds):
        head[kind] = wider if kind == "full_attention" else dense.head
        times, with_keys = kinds.count(kind), kinds[:own].count(kind)
        parts += _attention(hidden, dense.heads * head[kind], dense.key_heads * head[kind], times, with_keys)
        norms += (times + with_keys) * head[kind]
    wide = layers - own if text.get("use_double_wide_mlp") else 0
    parts += [*_mlp(hidden, dense.inner, layers - wide), *(_mlp(hidden, 2 * dense.inner, wide) if wide else ())]
    parts += [
        Linear("per_layer_input_gate", hidden, size, layers),
        Linear("per_layer_projection", size, hidden, layers),
    ]
    parts.append(Linear("per_layer_model_projection", hidden, layers * size, 1))
    rest = text["vocab_size_per_layer_input"] * layers * size + norms + 3 * layers * hidden + size
    most = max(head.values())
    return replace(
        dense, parts=tuple(parts), rest=rest, mixer=2 * (dense.heads + dense.key_heads) * most, inputs=layers * size
    )


TEXT = {"qwen3_5_text": _qwen35, "gemma4_text": _gemma4}


def _towers(config: Mapping[str, Any], hidden: int) -> int:
    """Return the weights of the vision and audio parts, without biases and norms."""
    vision, audio = (config.get(f"{part}_config") or {} for part in ("vision", "audio"))
    return (_vision(vision, hidden) if vision else 0) + (_audio(audio, hidden) if audio else 0)


def _vision(part: Mapping[str, Any], hidden: int) -> int:
    width, inner, patch = part["hidden_size"], part["intermediate_size"], 3 * part["patch_size"] ** 2
    if "depth" in part:  # Qwen's, which joins several patches
        joined = width * part["spatial_merge_size"] ** 2
        places = part["num_position_embeddings"] + patch * part["temporal_patch_size"]
        blocks = part["depth"] * (4 * width**2 + 2 * width * inner)
        return int(blocks + width * places + joined * (joined + part["out_hidden_size"]))
    heads = part["num_attention_heads"] * part["head_dim"]
    layers = part["num_hidden_layers"] * (4 * width * heads + 3 * width * inner)
    return int(layers + width * (patch + 2 * part["position_embedding_size"] + hidden))


def _audio(part: Mapping[str, Any], hidden: int) -> int:
    """Of Gemma 4's conformer: two feed-forward layers of four widths, attention with relative positions, a convolution."""
    width, out = part["hidden_size"], part["output_proj_dims"]
    return int(24 * part["num_hidden_layers"] * width**2 + out * (width + hidden))
