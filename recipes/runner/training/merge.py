"""Merges an adapter into its base, restores what the merge should not have touched, and asks the gate."""

import shutil
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from converters.core.console import libraries_log_to
from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256
from recipes.runner import recipe
from recipes.runner.records import provenance
from recipes.runner.records.layout import ADAPTER, MERGED, NATIVE, RECIPE, TOKENIZER, alone, recipe_of
from recipes.runner.training import merge_gate, process
from recipes.runner.training.respell import respelt
from recipes.runner.training.restore import restore

MERGING = ".merging"


def merge(run: Path, echo: Callable[[bytes], None], gate_data: Path | None = None) -> Path:
    """Return the folder of the merged checkpoint; one below the gate's bar is an ``InputError``.

    ``gate_data`` are the rows of the gate, by default the validation split of the run's mixture.
    """
    record = provenance.sealed(run)
    if record["status"] not in ("trained", "merged"):
        raise InputError(
            f"{run}: found status {record['status']!r}, expected a run whose training ended well (make resume)"
        )
    if (run / MERGED).exists():
        raise InputError(f"{run / MERGED}: is there already; move it away to merge again")
    rows = gate_data or merge_gate.validation_file(record)
    with alone(run):
        for fault in provenance.changed_since_training(run, record):
            raise InputError(f"{fault} since {run} was trained: the merged model would be one that nobody trained")
        shutil.rmtree(run / MERGING, ignore_errors=True)  # of a merge that was killed
        try:
            _merge(run, record, rows, echo)
        finally:
            shutil.rmtree(run / MERGING, ignore_errors=True)
    return run / MERGED


def _merge(run: Path, record: Mapping[str, Any], rows: Path, echo: Callable[[bytes], None]) -> None:
    start, keys = time.monotonic(), recipe_of(run)
    base = recipe.base_folder(record["base_model"]["name"])
    trust = bool(keys.get("trust_remote_code"))
    adapter = respelt(run / ADAPTER, base, run / MERGING / ADAPTER, trust) if base else run / ADAPTER
    merged = written(run, base, adapter, run / MERGING, echo)
    with libraries_log_to(run / "logs" / "merge.log"):
        passed(run, str(base or record["base_model"]["name"]), keys, merged, rows)
    seconds = record["seconds"] | {"merge": round(time.monotonic() - start, 1)}
    # The record first: a checkpoint that is there has its hash.
    provenance.update(run, status="merged", merged_sha256=folder_sha256(merged), seconds=seconds)
    merged.rename(run / MERGED)


def written(run: Path, base: Path | None, adapter: Path, out: Path, echo: Callable[[bytes], None]) -> Path:
    """Write a run's base with ``adapter`` merged into it, the training's tokenizer beside it, in ``out``; return the folder.

    ``adapter`` is the run's own or a copy of it, with other names or weights.
    """
    keys, merged = recipe_of(run), out / "merged"  # the folder's name is Axolotl's
    process.axolotl(words(run, base, adapter, out), run / "logs" / "merge.log", echo)
    complete(merged, run / ADAPTER)
    if merge_gate.nf4(keys) and base and rounds_all():
        with libraries_log_to(run / "logs" / "merge.log"):
            restore(merged, base, run / ADAPTER, keys)
    return merged


def words(run: Path, base: Path | None, adapter: Path | None = None, out: Path | None = None) -> list[str]:
    """Return the arguments of ``axolotl`` that merge a run's adapter, or a copy of it in ``adapter``, into a folder in ``out``.

    A base from the hub is named by its folder in the cache: by its name all its files would be fetched, weights in other
    formats among them.
    """
    places = [f"--lora-model-dir={adapter or run / ADAPTER}", f"--output-dir={out or run / MERGING}"]
    return ["merge-lora", str(run / RECIPE), *places, *([f"--base-model={base}"] if base else [])]


def complete(merged: Path, adapter: Path) -> None:
    """Give the merged weights the tokenizer and template of the training; missing weights are an ``InputError``."""
    if not list(merged.glob("*.safetensors")):
        raise InputError(f"{merged}: no weights after merging (see {adapter.parent / 'logs' / 'merge.log'})")
    # The base may bring Mistral's own tokenizer: vLLM would use it, and ignore the chat template. Or templates in other files, as
    # models with an image processor have them.
    for path in (path for pattern in (*NATIVE, "chat_template*") for path in merged.glob(pattern)):
        path.unlink()
    # Axolotl copies the base's: without this, evaluation would use another template than training did.
    for path in (path for pattern in TOKENIZER for path in adapter.glob(pattern)):
        shutil.copy2(path, merged / path.name)


def rounds_all() -> bool:
    """Tell whether this Axolotl's merge rounds what training did not quantise, too; 0.21 asks bitsandbytes what it did."""
    release = metadata.version("axolotl").split(".")[:2]
    return [int(part) for part in release] < [0, 21]


def passed(run: Path, base: str, keys: Mapping[str, Any], merged: Path, gate_data: Path) -> None:
    """Record the merge's mode and the gate's verdict; merged weights below the bar are an ``InputError``."""
    verdict = merge_gate.judge(base, keys, run / ADAPTER, merged, gate_data)
    provenance.update(run, merge=mode(keys) | {"gate": verdict})
    if not verdict["passed"]:
        raise InputError(
            f"{run}: the merge failed its gate: {'; '.join(verdict['faults'])} ({verdict['likeness']['tokens']} answer "
            f"tokens of {gate_data}). No merged checkpoint was kept; the adapter is as it was"
        )


def mode(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return how ``merge-lora`` treats the base under these keys.

    >>> mode({"adapter": "qlora"})
    {'method': 'memory_efficient', 'base': 'quantised to NF4 and back, as training saw it'}
    """
    return {
        "method": str(keys.get("merge_method") or "memory_efficient"),
        "base": "quantised to NF4 and back, as training saw it" if merge_gate.nf4(keys) else "as it is",
    }
