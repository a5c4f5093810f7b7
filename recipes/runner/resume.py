"""Resumes an interrupted run from its last checkpoint: the same recipe, the same rows in the same order, the same base."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from recipes.runner import hardware, provenance, unchanged
from recipes.runner.launch import Launch, again
from recipes.runner.recipe import FOLDER
from recipes.runner.train import alone, attempt, further, last_checkpoint, now, resuming

STOPPED = ("interrupted", "failed", "started")  # a process that was killed could not write that it was


def resume(run: Path, echo: Callable[[bytes], None]) -> Path:
    """Train from the last checkpoint to the end and return the run's folder; anything that has changed is an ``InputError``."""
    provenance.read(run)
    with alone(run):
        _resume(run, provenance.sealed(run), echo)
    return run


def _resume(run: Path, record: dict[str, Any], echo: Callable[[bytes], None]) -> None:
    if record["status"] not in STOPPED:
        raise InputError(f"{run}: found status {record['status']!r}, expected one of {', '.join(STOPPED)}")
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        raise InputError(f"{run}: no checkpoint to resume from. {further(run)}")
    for fault in unchanged.faults(run, record):
        raise InputError(
            f"{fault} since {run} began: one half would be trained on the old, one on the new; start a new run"
        )
    here = {"git": provenance.git(FOLDER.parent), "packages": provenance.packages(), "hardware": hardware.describe()}
    launched = again(Launch(**record["launch"]))
    legs = [*record.get("resumed", ()), {"from": checkpoint.name, "at": now(), **here}]
    provenance.update(run, status="started", resumed=legs, launch=asdict(launched))
    # Offline, a base from the hub is the one in the cache, which was just compared; online it is whatever it is by now.
    offline = {"HF_HUB_OFFLINE": "1"} if provenance.base_folder(record["base_model"]["name"]) else {}
    attempt(run, launched, echo, resuming(provenance.read(run), run), offline)
