"""Merges a run's adapter into its base with Axolotl's own ``merge-lora``, which goes through the quantised base."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from converters.errors import InputError
from recipes.runner import gate, process, provenance, restore, unchanged
from recipes.runner.train import ADAPTER, MERGED, RECIPE

TOKENIZER = ("tokenizer*", "chat_template*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt")


def merge(run: Path, echo: Callable[[bytes], None], held: Path | None = None) -> Path:
    """Return the folder of the merged checkpoint; one below the gate's bar is an ``InputError``.

    ``held`` are the rows of the gate, by default the validation split of the run's mix.
    """
    record = provenance.read(run)
    if record["status"] not in ("trained", "merged"):
        raise InputError(f"{run}: found status {record['status']!r}, expected a run whose training ended well")
    if (run / MERGED).exists():
        raise InputError(
            f"{run / MERGED}: found a merged checkpoint already, expected none: move it away to merge again"
        )
    rows = held or gate.held_file(record)
    start = time.monotonic()
    made = run / ADAPTER / "merged"  # where Axolotl writes; what lies there is left from a merge that did not end
    shutil.rmtree(made, ignore_errors=True)
    for fault in unchanged.trained(run, record):
        raise InputError(
            f"{fault}, expected what the training of {run} left; merged, it would be a model that nobody trained"
        )
    try:
        words = ["merge-lora", str(run / RECIPE), "--lora-model-dir", str(run / ADAPTER)]
        process.axolotl(words, run / "logs" / "merge.log", echo)
        keys = yaml.safe_load((run / RECIPE).read_text("utf-8"))
        complete(made, run / ADAPTER)
        if gate.nf4(keys) and (original := provenance.base_folder(record["base_model"]["name"])):
            restore.restore(made, original, run / ADAPTER)
        passed(run, keys, made, rows)
        made.rename(run / MERGED)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    seconds = record["seconds"] | {"merge": round(time.monotonic() - start, 1)}
    merged_sha256 = provenance.folder_sha256(run / MERGED)
    provenance.update(run, status="merged", seconds=seconds, merged_sha256=merged_sha256)
    return run / MERGED


def passed(run: Path, keys: Mapping[str, Any], made: Path, held: Path) -> None:
    """Record the merge's mode and how its gate was passed; merged weights below the bar are an ``InputError``."""
    found = gate.judge(provenance.read(run), keys, run / ADAPTER, made, held)
    provenance.update(run, merge=mode(keys) | {"gate": found})
    if not found["passed"]:
        raise InputError(
            f"{run}: the merge gate is not passed: {'; '.join(found['faults'])} ({found['likeness']['tokens']} answer "
            f"tokens of {held}). No merged checkpoint was kept; the adapter is as it was"
        )


def mode(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return how ``merge-lora`` treats the base under these keys.

    >>> mode({"adapter": "qlora"})
    {'method': 'memory_efficient', 'base': 'quantised to NF4 and back, as training saw it'}
    """
    return {
        "method": str(keys.get("merge_method") or "memory_efficient"),
        "base": "quantised to NF4 and back, as training saw it" if gate.nf4(keys) else "as it is",
    }


def complete(made: Path, adapter: Path) -> None:
    """Give the merged weights the tokenizer and template of the training; weights that are not there are an ``InputError``."""
    if not list(made.glob("*.safetensors")):
        raise InputError(f"{made}: found no weights after merging (see {adapter.parent / 'logs' / 'merge.log'})")
    # Axolotl copies the base's: without this, evaluation would use another template than the one that was trained.
    for pattern in TOKENIZER:
        for path in adapter.glob(pattern):
            shutil.copy2(path, made / path.name)
