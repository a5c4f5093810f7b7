"""Figures of memory that others measured and published, and what the estimate says of the same training."""

from collections.abc import Iterator
from dataclasses import replace

from recipes.runner import estimate
from recipes.runner.shapes import Shape

LLAMA2 = Shape(4096, 11008, 32, 32, 32, 128, 32000)
PLAN = estimate.Plan(True, 8, estimate.LINEAR, (), False, 1024, 1024, True, False, False, 0, 1)

# github.com/hiyouga/LLaMA-Factory/wiki/Performance-comparison: LLaMA-2-7B, LoRA of rank 8 on all layers, checkpointing, one A100
# 40GB; batch 1 with FlashAttention 2, batch 4 in 16 bits, and in 4 bits without it. What the base is kept in, batch, tokens of a
# row, and the peak in GB.
FIGURES = (
    ("NF4", 1, 1024, 6),
    ("NF4", 1, 2048, 7),
    ("NF4", 1, 4096, 9),
    ("NF4", 1, 8192, 12),
    ("NF4", 1, 16384, 19),
    ("NF4", 1, 32768, 32),
    ("bf16", 4, 1024, 17),
    ("NF4", 4, 1024, 9),
)


def estimated(base: str, batch: int, tokens: int) -> float:
    """Return the estimate of one of them, in GB."""
    plan = replace(PLAN, quantised=base == "NF4", micro_tokens=batch * tokens, rows=batch)
    return sum(estimate.memory(LLAMA2, plan).values()) / 1e9


def table() -> Iterator[str]:
    """Yield published and estimated memory as a Markdown table."""
    yield "| LLaMA-2-7B, LoRA r 8 | batch x tokens | published | estimated |"
    yield "|---|---|---|---|"
    for base, batch, tokens, peak in FIGURES:
        yield f"| {base} | {batch} x {tokens:,} | {peak} GB | {estimated(base, batch, tokens):.1f} GB |"
