"""Memory and time of a training, estimated from shapes, and what would make it fit."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recipes.runner.capacity.hardware import Card, several
from recipes.runner.capacity.model_shape import Shape

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
    targets = LINEAR if keys.get("lora_target_linear") else _targets(keys.get("lora_target_modules") or ())
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


def _targets(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the layers that LoRA gets; a text is a regular expression for their whole names."""
    if not isinstance(value, str):
        return tuple(value)
    rooms = [f"{model}.layers.0.{room}" for model in ("model", "model.language_model") for room in ("self_attn", "mlp")]
    return tuple(name for name in LINEAR if any(re.fullmatch(value, f"{room}.{name}") for room in rooms))


def memory(shape: Shape, what: Plan) -> dict[str, float]:
    """Return the peak memory on each GPU by part, in bytes."""
    own = states(shape, what) | dict.fromkeys(what.offloaded, 0.0)
    plugins = {"plugins": 4.0 * trainable(shape, what) * what.copies} if what.copies else {}
    parts = own | plugins | {name: part(shape, what) for name, part in TRANSIENT.items()}
    return parts | {"context": CONTEXT + (SLACK - 1) * sum(parts.values())}


def states(shape: Shape, what: Plan) -> dict[str, float]:
    """Return the bytes of weights, adapter, gradients and optimiser that each GPU has to keep, on it or in main memory."""
    trained = trainable(shape, what)
    if what.targets:
        weights = (shape.blocks + shape.towers) * (NF4 if what.quantised else 2) + shape.embeddings * 2
        moments: float = trained * (2 if what.eight_bit else 8)
        gradients: float = trained * 4
        own = {"weights": weights, "adapter": trained * 4, "gradients": gradients, "optimiser": moments}
    else:
        own = {"weights": trained * 2, "gradients": trained * 2, "optimiser": trained * (6 if what.eight_bit else 12)}
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
    values = 4 * shape.hidden + shape.kept + 2 * shape.inner
    # Without the LoRA kernels, which compute them again, the activated gate and its product are kept as well.
    values += 0 if what.targets else 2 * shape.inner
    return 2 * values + (0 if what.fused_norm else 8 * shape.hidden)


def activations(shape: Shape, what: Plan) -> float:
    """Return the bytes of activations: of every block, or its input and one block whole, gradients included."""
    if not what.checkpointing:
        return float(what.micro_tokens * shape.layers * block(shape, what))
    return what.micro_tokens * (2.0 * (shape.hidden * shape.layers + 2 * shape.inputs) + 1.5 * block(shape, what))


def logits(shape: Shape, what: Plan) -> float:
    """Return the bytes of the logits with their gradients."""
    tokens = float(what.micro_tokens)
    if what.fused_loss:
        tokens = min(tokens, max(1.0, tokens * shape.hidden / shape.vocabulary))
    return 10.0 * tokens * shape.vocabulary


def buffers(shape: Shape, what: Plan) -> float:
    """Return the bytes of weights that are unpacked or gathered for the moment, two of the largest layer or block."""
    largest = max(part.inputs * part.outputs for part in shape.linear)
    if what.stage == 3:
        return 2 * 2.0 * (shape.blocks / shape.layers + shape.vocabulary * shape.hidden)
    return 2 * 2.0 * largest if what.quantised else 0.0


TRANSIENT = {"activations": activations, "logits": logits, "buffers": buffers}


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
    size = f"{need / GIB:.1f} of {card.memory:g} GiB on {card.name}"
    share = f"most of it {most} with {parts[most] / GIB:.1f} GiB"
    return f"fits: {size}" if need <= card.memory * GIB else f"does not fit: needs {size}, {share}"


OFFLOAD = "recipes/deepspeed/zero3-offload.json"


def advice(shape: Shape, what: Plan, card: Card, meant: str | None = None) -> str:
    """Return what makes a plan fit that does not, the cheapest of what the same estimate shows to be enough.

    ``meant`` are the cards of the recipe's header, such as ``4x80gb``.
    """
    count, own = several(meant) if meant else (1, card)
    if what.gpus < count and _fits(shape, replace(what, gpus=count), own):
        return f"the recipe is written for {count} cards: --gpu {meant}"
    enough = (
        f"it fits with {', '.join(words)}" for words, changed in _smaller(what, card) if _fits(shape, changed, card)
    )
    alone = "" if what.targets or what.stage == 3 else ", an adapter or DeepSpeed's ZeRO-3 on several of them"
    return next(enough, f"it needs larger cards{alone} or a smaller base_model")


def _smaller(what: Plan, card: Card) -> Iterator[tuple[Sequence[str], Plan]]:
    """Yield changes and the plan that they make, each with those before it, but for what takes the place of another."""
    words: list[str] = []
    if not what.checkpointing:
        what, words = replace(what, checkpointing=True), ["gradient_checkpointing: true"]
        yield words, what
    before, tokens = list(words), what.micro_tokens // what.rows
    for halved in range(1, what.rows.bit_length()):
        rows, times = what.rows >> halved, 2**halved
        words = [*before, f"micro_batch_size: {rows} (and gradient_accumulation_steps times {times})"]
        yield words, replace(what, rows=rows, micro_tokens=tokens * rows)
    if what.stage == 3:
        yield [*before, f"deepspeed: {OFFLOAD}"], replace(what, offloaded=("weights", "gradients", "optimiser"))
    what = replace(what, rows=1, micro_tokens=tokens)
    for gpus in (what.gpus * times for times in (2, 4, 8) if what.stage):
        yield [*words, f"--gpu {gpus}x{card.name}"], replace(what, gpus=gpus)
    if what.targets and not what.quantised:
        yield [*words, "adapter: qlora", "load_in_4bit: true"], replace(what, quantised=True)


def _fits(shape: Shape, what: Plan, card: Card) -> bool:
    return sum(memory(shape, what).values()) <= card.memory * GIB
