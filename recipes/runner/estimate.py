"""What a recipe needs on a card, before anything is loaded: memory by part, hours, gigabytes of checkpoints.

Memory, in bytes (h hidden, i inner, k width of all key heads, q of all query heads, V vocabulary, n tokens of a micro-batch):

* Weights: 4.127 bits in NF4 with double quantisation (QLoRA, Dettmers et al. 2023: 64 weights share an 8-bit constant, 256 of
  those a 32-bit one), 16 in bf16. Embeddings, output layer and norms are never quantised.
* Adapter: r (inputs + outputs) for each target, 4 bytes; its gradients another 4.
* Optimiser: two moments, 8 bytes a trained weight, 2 with 8 bits. Full fine-tuning: 2 for weights, 2 for gradients, 12 for the
  fp32 copy and its moments; each divided by the GPUs from its stage on (ZeRO, Rajbhandari et al. 2020), nothing where it is
  offloaded to the computer's memory (ZeRO-Offload, Ren et al. 2021).
* Activations: a block keeps for its backward pass, of each token, its input, both normed inputs, q, k, v, the attention's output
  and the two inner products, 2 (4h + 2q + 2k + 2i); the plain RMSNorm keeps fp32 copies of its inputs beside, 8h. With
  checkpointing it is 2h a block, and one block whole with its gradients.
* Logits: 10 V a token (bf16, an fp32 copy and its gradient), for all n or, with Liger's fused loss, for a chunk of n h / V tokens
  (Hsu et al. 2024, Liger Kernel).
* Plugins: EWC keeps two fp32 copies of the trained weights and makes two more within a step, SAM keeps two.
* Buffers and context: the bf16 copies of the largest layers that are unpacked, what CUDA takes, and what the allocator wastes.

Time: 2 operations a weight and token forward, 2 backward to the activations, 2 more to trained weights, 2 for each block computed
again with checkpointing; the weights of the blocks and the output layer count. SAM does all of it twice. A card reaches
``REACHED`` of its peak: LLaMA-Factory's wiki has 3,128 tokens/s for a 4-bit LLaMA-2-7B on an A100, 0.40 of it.

tests/recipes/test_estimate.py compares the memory with figures that others published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipes.runner.cards import Card
from recipes.runner.shapes import Shape

GIB = 2**30
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
CONTEXT = 0.6 * GIB  # CUDA's own, cuBLAS and Triton's kernels
SLACK = 1.06  # what the allocator holds and nobody uses
REACHED = 0.35
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
EWC, SAM = "recipes.plugins.ewc.EWC", "recipes.plugins.sam.SAM"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe asks for, in plain numbers; ``targets`` is empty for full fine-tuning, ``stage`` is ZeRO's, 0 for none."""

    quantised: bool
    rank: int
    targets: tuple[str, ...]
    saved: tuple[str, ...]
    eight_bit: bool
    micro_tokens: int
    step_tokens: int
    checkpointing: bool
    fused_loss: bool
    fused_norm: bool
    stage: int
    gpus: int
    copies: int = 0  # fp32 ones of the trained weights, beside the optimiser's
    passes: int = 1  # forward and backward ones of a step
    rows: int = 1  # of a micro-batch
    offloaded: tuple[str, ...] = ()  # parts that lie in the computer's memory


def plan(keys: Mapping[str, Any], stage: int, gpus: int, offloaded: tuple[str, ...] = ()) -> Plan:
    """Return a recipe's plan on so many GPUs; ``keys`` are those of Axolotl's validated configuration."""
    micro = int(keys.get("micro_batch_size") or 1) * int(keys["sequence_len"])
    targets = LINEAR if keys.get("lora_target_linear") else tuple(keys.get("lora_target_modules") or ())
    plugins = keys.get("plugins") or ()
    return Plan(
        quantised=bool(keys.get("load_in_4bit")),
        rank=int(keys.get("lora_r") or 0),
        targets=targets if keys.get("adapter") else (),
        saved=tuple(keys.get("lora_modules_to_save") or ()),
        eight_bit="8bit" in str(keys.get("optimizer")),
        micro_tokens=micro,
        step_tokens=micro * int(keys.get("gradient_accumulation_steps") or 1) * gpus,
        checkpointing=bool(keys.get("gradient_checkpointing")),
        fused_loss=bool(keys.get("liger_fused_linear_cross_entropy")),
        fused_norm=bool(keys.get("liger_rms_norm")),
        stage=stage,
        gpus=gpus,
        copies=4 * (EWC in plugins) + 2 * (SAM in plugins),
        passes=1 + (SAM in plugins),
        rows=int(keys.get("micro_batch_size") or 1),
        offloaded=offloaded,
    )


def memory(shape: Shape, what: Plan) -> dict[str, float]:
    """Return the peak memory on each GPU by part, in bytes."""
    own = states(shape, what) | dict.fromkeys(what.offloaded, 0.0)
    plugins = {"plugins": 4.0 * trainable(shape, what) * what.copies} if what.copies else {}
    found = (
        own
        | plugins
        | {
            "activations": activations(shape, what),
            "logits": logits(shape, what),
            "buffers": buffers(shape, what),
        }
    )
    return found | {"context": CONTEXT + (SLACK - 1) * sum(found.values())}


def states(shape: Shape, what: Plan) -> dict[str, float]:
    """Return the bytes of weights, adapter, gradients and optimiser that each GPU has to keep, on it or in main memory."""
    trained = trainable(shape, what)
    if what.targets:
        weights = shape.blocks * (NF4 if what.quantised else 2) + shape.embeddings * 2
        moments: float = trained * (2 if what.eight_bit else 8)
        gradients: float = trained * 4
        own = {"weights": weights, "adapter": trained * 4, "gradients": gradients, "optimiser": moments}
    else:
        own = {
            "weights": trained * 2,
            "gradients": trained * 2,
            "optimiser": trained * (12 if not what.eight_bit else 6),
        }
    shared = {"optimiser": 1, "gradients": 2, "weights": 3}
    return {part: size / (what.gpus if shared.get(part, 9) <= what.stage else 1) for part, size in own.items()}


def main_memory(shape: Shape, what: Plan) -> float:
    """Return the bytes of the computers' memory that hold what all GPUs together offload.

    Gradients of two bytes take four there: 16 bytes a weight in stage 2 and 18 in stage 3, as DeepSpeed's own estimators have it
    (deepspeed.readthedocs.io/en/latest/memory.html) before they add half of it for buffers.
    """
    parts = states(shape, what)
    away = [*what.offloaded, *(["gradients"] if "gradients" in what.offloaded and not what.targets else [])]
    return what.gpus * sum(parts[part] for part in away)


def trainable(shape: Shape, what: Plan) -> int:
    """Return how many weights are trained."""
    if not what.targets:
        return shape.parameters
    whole = sum(name in ("embed_tokens", "lm_head") for name in what.saved) * shape.vocabulary * shape.hidden
    return shape.adapter(what.rank, list(what.targets)) + whole


def block(shape: Shape, what: Plan) -> int:
    """Return the bytes that one block keeps of one token for its backward pass."""
    queries, keys = shape.heads * shape.head, shape.key_heads * shape.head
    kept = 4 * shape.hidden + 2 * queries + 2 * keys + 2 * shape.inner
    # Without the LoRA kernels, which compute them again, the activated gate and its product are kept as well.
    kept += 0 if what.targets else 2 * shape.inner
    return 2 * kept + (0 if what.fused_norm else 8 * shape.hidden)


def activations(shape: Shape, what: Plan) -> float:
    """Return the bytes of activations: of every block, or its input and one block whole, gradients included."""
    if not what.checkpointing:
        return float(what.micro_tokens * shape.layers * block(shape, what))
    return what.micro_tokens * (2.0 * shape.hidden * shape.layers + 1.5 * block(shape, what))


def logits(shape: Shape, what: Plan) -> float:
    """Return the bytes of the logits with their gradients."""
    tokens = float(what.micro_tokens)
    if what.fused_loss:
        tokens = min(tokens, max(1.0, tokens * shape.hidden / shape.vocabulary))
    return 10.0 * tokens * shape.vocabulary


def buffers(shape: Shape, what: Plan) -> float:
    """Return the bytes of weights that are unpacked or gathered for the moment, two of the largest layer or block."""
    largest = max(a * b for a, b in shape.linear.values())
    if what.stage == 3:
        return 2 * 2.0 * (shape.blocks / shape.layers + shape.vocabulary * shape.hidden)
    return 2 * 2.0 * largest if what.quantised else 0.0


def operations(shape: Shape, what: Plan) -> float:
    """Return the floating-point operations of training on one token."""
    counted = shape.blocks + shape.vocabulary * shape.hidden
    trained = 2 * (trainable(shape, what) if what.targets else counted)
    return 4.0 * counted + trained + (2.0 * shape.blocks if what.checkpointing else 0)


def speed(shape: Shape, what: Plan, card: Card) -> float:
    """Return the tokens a second of all GPUs together, if the card reaches ``REACHED`` of its peak."""
    return REACHED * card.speed * 1e12 * what.gpus / (operations(shape, what) * what.passes)


def checkpoint(shape: Shape, what: Plan) -> float:
    """Return the bytes of one checkpoint: the trained weights and the optimiser's states."""
    trained = trainable(shape, what)
    return float(trained * ((4 + (2 if what.eight_bit else 8)) if what.targets else 14))


def disk(shape: Shape, what: Plan, keep: int) -> float:
    """Return the bytes that a run writes: ``keep`` checkpoints and one while it is written, the adapter, the merged model."""
    last = trainable(shape, what) * 4 + shape.parameters * 2 if what.targets else shape.parameters * 2
    return (keep + 1) * checkpoint(shape, what) + last


def verdict(parts: Mapping[str, float], card: Card) -> str:
    """Return whether it fits, and because of what, in one sentence."""
    need, most = sum(parts.values()), max(parts, key=lambda part: parts[part])
    said = f"{need / GIB:.1f} of {card.memory:g} GiB on {card.name}"
    share = f"most of it {most} with {parts[most] / GIB:.1f} GiB"
    return f"fits: {said}" if need <= card.memory * GIB else f"does not fit: needs {said}, {share}"
