"""GPUs: what is known of each model, and those of this machine."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
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
    exact = SIZES.get(key, key)
    names = [exact] if exact in CARDS else [card for card in CARDS if card.startswith(f"{key}-")]
    if len(names) > 1:
        raise InputError(f"card {name!r}: found {', '.join(names)}, expected one of them")
    if not names:
        raise InputError(f"no card {name!r}{nearest(key, [*SIZES, *CARDS])}")
    return CARDS[names[0]]


def several(name: str) -> tuple[int, Card]:
    """Return how many of which card.

    >>> several("4x80gb")[0], several("12gb")[1].name
    (4, 'rtx3060-12gb')
    """
    count, times, rest = name.lower().partition("x")
    return (int(count), find(rest)) if times and count.isdigit() else (1, find(name))


def here(reported: str) -> Card | None:
    """Return the card that ``nvidia-smi`` reports as ``name, memory MiB``; ``None`` for one that is not in the table.

    >>> here("NVIDIA H100 80GB HBM3, 81559 MiB").name, here("Tesla V100-SXM2-16GB, 16384 MiB"), here("NVIDIA GB10, [N/A]")
    ('h100-80gb', None, None)
    """
    words, _, memory = reported.lower().rpartition(", ")
    if not re.match(r"\d+ mib", memory):
        return None  # one that shares the computer's memory has none of its own
    size, words = float(memory.split()[0]) / 1024, words.replace("geforce ", "").replace(" ", "")
    named = (card for card in CARDS.values() if card.name.partition("-")[0] in words)
    return next((card for card in named if abs(size - card.memory) < 2), None)


def gpus(also: str = "memory.total") -> list[str]:
    """Return name and memory of each NVIDIA GPU that a program sees, such as ``"NVIDIA H100 80GB HBM3, 81559 MiB"``.

    ``also`` is what else ``nvidia-smi`` is asked for beside the name.
    """
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    command = [tool, f"--query-gpu=index,uuid,name,{also}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
    return visible(lines, os.environ.get("CUDA_VISIBLE_DEVICES"))


def oldest() -> tuple[str, str] | None:
    """Return name and compute capability of the oldest card that a program sees, such as ``("Tesla T4", "7.5")``."""
    cards = [(name, version) for name, _, version in (line.rpartition(", ") for line in gpus("compute_cap"))]
    return min((card for card in cards if re.fullmatch(r"\d+\.\d+", card[1])), key=lambda c: float(c[1]), default=None)


def visible(lines: Sequence[str], variable: str | None) -> list[str]:
    """Return the cards (``index, uuid, name, memory``) that ``CUDA_VISIBLE_DEVICES`` leaves; ``nvidia-smi`` passes over it.

    As CUDA reads it: numbers or beginnings of UUIDs, and what follows one that is no card does not count. A part of a card (MIG)
    goes by its own UUID, which is not listed with the cards', and how much memory it has is not told.

    >>> visible(["0, GPU-a1, H100, 81559 MiB", "1, GPU-b2, L4, 23034 MiB"], "1"), visible(["0, GPU-a1, L4, 1 MiB"], "")
    (['L4, 23034 MiB'], [])
    >>> visible(["0, GPU-a1, H100, 81559 MiB"], "MIG-c3")
    ['MIG-c3']
    """
    cards = [line.split(", ", 2) for line in lines]
    if variable is None:
        return [name for *_, name in cards]
    names: list[str] = []
    for word in map(str.strip, variable.split(",")):
        matches = (name for number, uuid, name in cards if word and (word == number or uuid.startswith(word)))
        if (name := next(matches, word if word.startswith("MIG-") else None)) is None:
            break
        names.append(name)
    return names


def describe() -> dict[str, Any]:
    """Return the machine as the run's record keeps it; memory in GiB."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": gpus(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())
