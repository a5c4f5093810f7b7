"""Keys of what is kept: fingerprints of the code, the packages, the machine's settings, and of files."""

import hashlib
import os
import platform
import site
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from converters.io.jsonl import sha256
from recipes.runner.recipe import FOLDER

PROJECT = ("converters", "eval", "recipes")
HASHED = 2**26  # bytes up to which a file goes by its bytes; a larger one by size, time of its last change, and inode
# What Axolotl, transformers, accelerate, PyTorch, and their kernels take from the environment begins with one of these.
# fmt: off
VARIABLES = (
    "ACCELERATE", "AXOLOTL", "BNB", "CUDA", "DS_", "FLASH", "HF_", "HUGGINGFACE", "KERNELS", "LOCAL_RANK", "NCCL",
    "NVIDIA", "PYTORCH", "RANK", "RUNPOD", "TORCH_", "TRANSFORMERS", "TRITON", "TRUST_", "USE_", "WORLD_SIZE", "XLA",
)
# fmt: on


def digest(*parts: Any) -> str:
    """Return a key of these parts and of what decides any check: this project's code, the packages, Python."""
    everywhere = (code(), packages(), sys.version, platform.platform())
    return hashlib.sha256(repr((everywhere, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def settings() -> tuple[Any, ...]:
    """Return the machine's settings: processors, and variables as they are before the trainer, which sets some, is imported."""
    return os.cpu_count(), sorted(pair for pair in os.environ.items() if pair[0].startswith(VARIABLES))


@cache
def code() -> str:
    """Return a hash of this project's own modules."""
    files = [file for name in PROJECT for file in sorted((FOLDER.parent / name).rglob("*.py"))]
    return hashlib.sha256(b"".join(str(file).encode() + b"\0" + file.read_bytes() for file in files)).hexdigest()


@cache
def packages() -> str:
    """Return a hash of what is installed: the metadata folders, whose names hold the versions, and when each was written.

    They are looked for where Python looks when it starts: some packages, setuptools for one, add to ``sys.path`` later on.
    """
    found: list[tuple[str, int]] = []
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    for place in filter(os.path.isdir, [*named, *site.getsitepackages(), site.getusersitepackages()]):
        with os.scandir(place) as entries:
            infos = (entry for entry in entries if entry.name.endswith((".dist-info", ".egg-info", ".pth")))
            found += sorted((entry.path, entry.stat().st_mtime_ns) for entry in infos)
    return hashlib.sha256(repr(found).encode()).hexdigest()


def files(paths: Iterable[Path]) -> list[tuple[str, object]]:
    """Return each file with its fingerprint, in the order of their paths."""
    return [(str(path), _fingerprint(path)) for path in sorted(paths)]


def _fingerprint(path: Path) -> object:
    stat = path.stat()
    return sha256(path) if stat.st_size <= HASHED else (stat.st_size, stat.st_mtime_ns, stat.st_ino)
