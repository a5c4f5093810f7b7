"""Merges a run's adapter into its base with Axolotl's own ``merge-lora``, which goes through the quantised base."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from converters.errors import InputError
from recipes.runner import process, provenance
from recipes.runner.train import ADAPTER, MERGED, RECIPE


def merge(run: Path, echo: Callable[[bytes], None]) -> Path:
    """Return the folder of the merged checkpoint; one that equals its base is an ``InputError``."""
    record = provenance.read(run)
    if record["status"] not in ("trained", "merged"):
        raise InputError(f"{run}: found status {record['status']!r}, expected a run whose training ended well")
    if (run / MERGED).exists():
        raise InputError(
            f"{run / MERGED}: found a merged checkpoint already, expected none: move it away to merge again"
        )
    start = time.monotonic()
    words = ["merge-lora", str(run / RECIPE), "--lora-model-dir", str(run / ADAPTER)]
    process.axolotl(words, run / "logs" / "merge.log", echo)
    made = run / ADAPTER / "merged"
    if not list(made.glob("*.safetensors")):
        raise InputError(f"{made}: found no weights after merging (see {run / 'logs' / 'merge.log'})")
    base = Path(record["base_model"]["name"])
    if base.is_dir() and not differs(made, base):
        raise InputError(f"{made}: found the base model's own weights, expected others; the adapter changed nothing")
    made.rename(run / MERGED)
    seconds = record["seconds"] | {"merge": round(time.monotonic() - start, 1)}
    merged_sha256 = provenance.folder_sha256(run / MERGED)
    provenance.update(run, status="merged", seconds=seconds, merged_sha256=merged_sha256)
    return run / MERGED


def differs(merged: Path, base: Path) -> bool:
    """Tell whether any weight of two local checkpoints differs."""
    first, second = _weights(merged), _weights(base)
    return first.keys() != second.keys() or any(not _equal(first[name](), second[name]()) for name in first)


def _weights(folder: Path) -> dict[str, Callable[[], Any]]:
    from safetensors import safe_open

    def reader(path: Path, name: str) -> Callable[[], Any]:
        def read() -> Any:
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name)

        return read

    found: dict[str, Callable[[], Any]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: reader(path, name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    return found


def _equal(first: Any, second: Any) -> bool:
    return first.shape == second.shape and bool((first.float() == second.float()).all())
