"""Graphics cards by name: memory, compute capability and peak speed, from NVIDIA's data sheets and architecture papers.

The speed is that of dense bf16 matrix products with fp32 sums, in 10^12 operations a second. A size alone, such as ``24gb``,
stands for a common card of that size.
"""

import re
from dataclasses import dataclass
from typing import Any

from converters.core.errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class Card:
    """A card: its name, memory in GiB as the driver reports it, compute capability such as ``8.6``, and peak TFLOP/s."""

    name: str
    memory: float
    capability: str
    speed: float

    @property
    def bf16(self) -> bool:
        """Whether it computes in bf16: Ampere and newer do."""
        return float(self.capability) >= 8

    def capabilities(self, gpus: int) -> dict[str, Any]:
        """Return what Axolotl would find on a machine with so many of these cards."""
        version = "sm_" + self.capability.replace(".", "")
        eight = float(self.capability) >= 8.9
        return {"bf16": self.bf16, "tf32": self.bf16, "fp8": eight, "n_gpu": gpus, "compute_capability": version}


CARDS = {
    card.name: card
    for card in (
        Card("rtx4060-8gb", 8.0, "8.9", 30),
        Card("rtx3060-12gb", 12.0, "8.6", 25),
        Card("t4-16gb", 15.0, "7.5", 65),
        Card("rtx4060ti-16gb", 16.0, "8.9", 44),
        Card("rtx3090-24gb", 24.0, "8.6", 71),
        Card("rtx4090-24gb", 24.0, "8.9", 165),
        Card("l4-24gb", 22.5, "8.9", 121),
        Card("a10g-24gb", 22.5, "8.6", 70),
        Card("rtx5090-32gb", 31.8, "12.0", 210),
        Card("a6000-48gb", 48.0, "8.6", 155),
        Card("l40s-48gb", 45.0, "8.9", 362),
        Card("a100-40gb", 40.0, "8.0", 312),
        Card("a100-80gb", 80.0, "8.0", 312),
        Card("h100-80gb", 79.6, "9.0", 989),
        Card("h200-141gb", 140.4, "9.0", 989),
    )
}
SIZES = {"8gb": "rtx4060-8gb", "12gb": "rtx3060-12gb", "16gb": "rtx4060ti-16gb", "24gb": "rtx3090-24gb"}
SIZES |= {"40gb": "a100-40gb", "80gb": "a100-80gb"}


def find(name: str) -> Card:
    """Return a card by its name or its size alone; an unknown one is an ``InputError`` with the nearest right name.

    >>> find("24gb").name, find("A100-80GB").capability, find("T4").memory
    ('rtx3090-24gb', '8.0', 15.0)
    """
    key = re.sub(r"[\s_]", "", name.lower())
    known = [card for card in CARDS if card == SIZES.get(key, key)] or [
        card for card in CARDS if card.startswith(f"{key}-")
    ]
    if len(known) > 1:
        raise InputError(f"card {name!r}: found {', '.join(known)}, expected one of them")
    if not known:
        raise InputError(f"no card {name!r}{nearest(key, [*SIZES, *CARDS])}")
    return CARDS[known[0]]


def several(name: str) -> tuple[int, Card]:
    """Return how many of which card.

    >>> several("4x80gb")[0], several("12gb")[1].name
    (4, 'rtx3060-12gb')
    """
    count, times, rest = name.lower().partition("x")
    return (int(count), find(rest)) if times and count.isdigit() else (1, find(name))


def here(found: str) -> Card | None:
    """Return the card that ``nvidia-smi`` reports as ``name, memory MiB``; ``None`` for one that is not in the table.

    >>> here("NVIDIA H100 80GB HBM3, 81559 MiB").name, here("Tesla V100-SXM2-16GB, 16384 MiB"), here("NVIDIA GB10, [N/A]")
    ('h100-80gb', None, None)
    """
    words, _, memory = found.lower().rpartition(", ")
    if not re.match(r"\d+ mib", memory):
        return None  # one that shares the computer's memory has none of its own
    size = float(memory.split()[0]) / 1024
    for card in CARDS.values():
        if (
            card.name.partition("-")[0] in words.replace("geforce ", "").replace(" ", "")
            and abs(size - card.memory) < 2
        ):
            return card
    return None
