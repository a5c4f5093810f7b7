"""What makes a recipe fit a card that is too small for it; every change is estimated as the recipe itself is."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from recipes.runner import estimate
from recipes.runner.cards import Card, several
from recipes.runner.estimate import Plan
from recipes.runner.shapes import Shape

OFFLOAD = "recipes/deepspeed/zero3-offload.json"


def advice(shape: Shape, what: Plan, card: Card, meant: str | None = None) -> str:
    """Return what makes a plan fit that does not, the cheapest of what the same estimate shows to be enough.

    ``meant`` are the cards of the recipe's header, such as ``4x80gb``.
    """
    count, own = several(meant) if meant else (1, card)
    if what.gpus < count and _fits(shape, replace(what, gpus=count), own):
        return f"the recipe is written for {count} cards: --card {meant}"
    enough = (said for said, changed in _smaller(what, card) if _fits(shape, changed, card))
    alone = "" if what.targets or what.stage == 3 else ", an adapter or DeepSpeed's ZeRO-3 on several of them"
    return next(enough, f"it needs larger cards{alone} or a smaller base_model")


def _smaller(what: Plan, card: Card) -> Iterator[tuple[str, Plan]]:
    """Yield changes and the plan that they make, each with those before it, but for what takes the place of another."""
    words: list[str] = []
    if not what.checkpointing:
        what, words = replace(what, checkpointing=True), ["gradient_checkpointing: true"]
        yield _told(words), what
    before, tokens = list(words), what.micro_tokens // what.rows
    for halved in range(1, what.rows.bit_length()):
        rows, times = what.rows >> halved, 2**halved
        words = [*before, f"micro_batch_size: {rows} (and gradient_accumulation_steps times {times})"]
        yield _told(words), replace(what, rows=rows, micro_tokens=tokens * rows)
    if what.stage == 3:
        yield _told([*before, f"deepspeed: {OFFLOAD}"]), replace(what, offloaded=("weights", "gradients", "optimiser"))
    what = replace(what, rows=1, micro_tokens=tokens)
    for gpus in (what.gpus * times for times in (2, 4, 8) if what.stage):
        yield _told([*words, f"--card {gpus}x{card.name}"]), replace(what, gpus=gpus)
    if what.targets and not what.quantised:
        yield _told([*words, "adapter: qlora", "load_in_4bit: true"]), replace(what, quantised=True)


def _told(words: Sequence[str]) -> str:
    return f"it fits with {', '.join(words)}"


def _fits(shape: Shape, what: Plan, card: Card) -> bool:
    return sum(estimate.memory(shape, what).values()) <= card.memory * estimate.GIB
