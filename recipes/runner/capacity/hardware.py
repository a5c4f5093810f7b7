"""What a recipe needs of the machine, and what the machine has."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


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
    return seen(lines, os.environ.get("CUDA_VISIBLE_DEVICES"))


def oldest() -> tuple[str, str] | None:
    """Return name and compute capability of the oldest card that a program sees, such as ``("Tesla T4", "7.5")``."""
    found = [(name, version) for name, _, version in (line.rpartition(", ") for line in gpus("compute_cap"))]
    return min((one for one in found if re.fullmatch(r"\d+\.\d+", one[1])), key=lambda one: float(one[1]), default=None)


def seen(lines: Sequence[str], variable: str | None) -> list[str]:
    """Return the cards (``index, uuid, name, memory``) that ``CUDA_VISIBLE_DEVICES`` leaves; ``nvidia-smi`` passes over it.

    As CUDA reads it: numbers or beginnings of UUIDs, and what follows one that is no card does not count. A part of a card (MIG)
    goes by its own UUID, which is not listed with the cards', and how much memory it has is not told.

    >>> seen(["0, GPU-a1, H100, 81559 MiB", "1, GPU-b2, L4, 23034 MiB"], "1"), seen(["0, GPU-a1, L4, 1 MiB"], "")
    (['L4, 23034 MiB'], [])
    >>> seen(["0, GPU-a1, H100, 81559 MiB"], "MIG-c3")
    ['MIG-c3']
    """
    cards = [line.split(", ", 2) for line in lines]
    if variable is None:
        return [name for *_, name in cards]
    found = []
    for word in map(str.strip, variable.split(",")):
        mine = (name for number, uuid, name in cards if word and (word == number or uuid.startswith(word)))
        if (name := next(mine, word if word.startswith("MIG-") else None)) is None:
            break
        found.append(name)
    return found


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
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
