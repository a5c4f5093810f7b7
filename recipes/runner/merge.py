"""Merges a run's adapter into its base with Axolotl's own ``merge-lora``, which goes through the quantised base."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from converters.console import libraries_log_to
from converters.errors import InputError
from converters.sums import folder_sha256
from recipes.runner import gate, process, provenance, restore, unchanged
from recipes.runner.train import ADAPTER, MERGED, RECIPE, alone, recipe_of

MERGING = ".merging"
NATIVE = ("tekken.json", "tokenizer.model.v*")
TOKENIZER = (
    "tokenizer*",
    "chat_template*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "tekken.json",
)


def merge(run: Path, echo: Callable[[bytes], None], held: Path | None = None) -> Path:
    """Return the folder of the merged checkpoint; one below the gate's bar is an ``InputError``.

    ``held`` are the rows of the gate, by default the validation split of the run's mix.
    """
    record = provenance.sealed(run)
    if record["status"] not in ("trained", "merged"):
        raise InputError(f"{run}: found status {record['status']!r}, expected a run whose training ended well")
    if (run / MERGED).exists():
        raise InputError(
            f"{run / MERGED}: found a merged checkpoint already, expected none: move it away to merge again"
        )
    rows = held or gate.held_file(record)
    with alone(run):
        for fault in unchanged.trained(run, record):
            raise InputError(
                f"{fault}, expected what the training of {run} left; merged, it would be a model that nobody trained"
            )
        shutil.rmtree(run / MERGING, ignore_errors=True)  # of a merge that did not end
        try:
            _merge(run, record, rows, echo)
        finally:
            shutil.rmtree(run / MERGING, ignore_errors=True)
    return run / MERGED


def _merge(run: Path, record: Mapping[str, Any], rows: Path, echo: Callable[[bytes], None]) -> None:
    start, made = time.monotonic(), run / MERGING / "merged"  # Axolotl's name for it
    keys = recipe_of(run)
    original = provenance.base_folder(record["base_model"]["name"])
    process.axolotl(words(run, original), run / "logs" / "merge.log", echo)
    complete(made, run / ADAPTER)
    if gate.nf4(keys) and original:
        restore.restore(made, original, run / ADAPTER)
    with libraries_log_to(run / "logs" / "merge.log"):
        passed(run, str(original or record["base_model"]["name"]), keys, made, rows)
    merged_sha256 = folder_sha256(made)
    seconds = record["seconds"] | {"merge": round(time.monotonic() - start, 1)}
    # The record first: a checkpoint that is there has its hash.
    provenance.update(run, status="merged", seconds=seconds, merged_sha256=merged_sha256)
    made.rename(run / MERGED)


def words(run: Path, original: Path | None) -> list[str]:
    """Return the arguments of ``axolotl`` that merge a run beside its adapter.

    A base of the hub is named by its folder in the cache: by its name, all files of it would be fetched, weights in other
    formats among them.
    """
    base = [f"--base-model={original}"] if original else []
    return [
        "merge-lora",
        str(run / RECIPE),
        f"--lora-model-dir={run / ADAPTER}",
        f"--output-dir={run / MERGING}",
        *base,
    ]


def passed(run: Path, base: str, keys: Mapping[str, Any], made: Path, held: Path) -> None:
    """Record the merge's mode and how its gate was passed; merged weights below the bar are an ``InputError``."""
    found = gate.judge(base, keys, run / ADAPTER, made, held)
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
    # Of the base's files there may be Mistral's own tokenizer: vLLM would take it, and leave the chat template alone.
    for path in (path for pattern in NATIVE for path in made.glob(pattern)):
        path.unlink()
    # Axolotl copies the base's: without this, evaluation would use another template than the one that was trained.
    for pattern in TOKENIZER:
        for path in adapter.glob(pattern):
            shutil.copy2(path, made / path.name)
