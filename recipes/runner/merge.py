"""Merges a run's adapter into its base with Axolotl's own ``merge-lora``, which goes through the quantised base."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from converters.errors import InputError
from recipes.runner import process, provenance
from recipes.runner.train import ADAPTER, MERGED, RECIPE

TOKENIZER = ("tokenizer*", "chat_template*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt")


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
    made = run / ADAPTER / "merged"  # where Axolotl writes; what lies there is left from a merge that did not end
    shutil.rmtree(made, ignore_errors=True)
    try:
        words = ["merge-lora", str(run / RECIPE), "--lora-model-dir", str(run / ADAPTER)]
        process.axolotl(words, run / "logs" / "merge.log", echo)
        complete(made, run / ADAPTER, record["base_model"]["name"])
        made.rename(run / MERGED)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    seconds = record["seconds"] | {"merge": round(time.monotonic() - start, 1)}
    merged_sha256 = provenance.folder_sha256(run / MERGED)
    provenance.update(run, status="merged", seconds=seconds, merged_sha256=merged_sha256)
    return run / MERGED


def complete(made: Path, adapter: Path, base: str) -> None:
    """Give the merged weights the tokenizer and template of the training; weights that are not there or no others fail."""
    if not list(made.glob("*.safetensors")):
        raise InputError(f"{made}: found no weights after merging (see {adapter.parent / 'logs' / 'merge.log'})")
    original = provenance.base_folder(base)
    if original and not differs(made, original):
        raise InputError(f"{made}: found the base model's own weights, expected others; the adapter changed nothing")
    # Axolotl copies the base's: without this, evaluation would use another template than the one that was trained.
    for pattern in TOKENIZER:
        for path in adapter.glob(pattern):
            shutil.copy2(path, made / path.name)


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
