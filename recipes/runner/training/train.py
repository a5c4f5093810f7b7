"""Trains a recipe: checks it, writes the run's record, starts Axolotl, judges how training ended; resumes and joins runs."""

import json
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256, replacing, sha256
from recipes.runner.capacity import hardware
from recipes.runner.preflight import data, report
from recipes.runner.preflight.check import Checked
from recipes.runner.recipe import FOLDER, Recipe, base_folder, dump
from recipes.runner.records import layout, provenance
from recipes.runner.records.layout import (
    ADAPTER,
    CHECKED,
    CHECKPOINTS,
    MERGED,
    OUTCOME,
    RECIPE,
    alone,
    last_checkpoint,
    now,
    recipe_of,
)
from recipes.runner.training import launch, process
from recipes.runner.training.launch import Launch

PLUGIN = "recipes.plugins.run.RunPlugin"
ONE = Launch()
STOPPED = ("interrupted", "failed", "started")  # a process that was killed could not record that it was


def train(
    recipe: Recipe,
    name: str,
    check: Callable[[Recipe], Checked],
    echo: Callable[[bytes], None],
    launched: Launch = ONE,
) -> Path:
    """Check, then train; return the run's folder. Failure and Ctrl-C leave the record saying so."""
    run = vacant(name)
    start = time.monotonic()
    checked = check(recipe)
    new = run.with_name(f".{name}.new")  # hashing a large base takes minutes, and no run is without a record
    shutil.rmtree(new, ignore_errors=True)
    with replacing(new / RECIPE) as file:
        file.write(dump(resolved(recipe, run, checked.files)).encode())
    with replacing(new / CHECKED) as file:
        file.write("".join(f"{line}\n" for line in report.passed(recipe, checked)).encode())
    record = provenance.start(recipe, new / RECIPE, checked.files, checked.manifests, now())
    record |= {
        "changes_sha256": save_changes(new),
        "rows": checked.rows,
        "rows_proven": checked.proven,
        "rows_too_long": checked.too_long,
        "parent": checked.parent,
        "launch": asdict(launched),
        "seconds": {"check": _since(start)},
    }
    provenance.write(new, record)
    new.rename(run)
    with alone(run):
        attempt(run, launched, echo)
    return run


def vacant(name: str) -> Path:
    """Return the folder of a new run; a run is never overwritten."""
    run = layout.folder(name)
    if run.exists():
        status = provenance.read(run)["status"] if (run / layout.RECORD).is_file() else "no record"
        resuming = f"resume it (make resume RUN={name}), " if last_checkpoint(run) else ""
        raise InputError(
            f"{run}: a run of that name is there already (status: {status}): {resuming}give another --run (make: "
            f"RUN=...), or move it away: mv {run} {run}.old"
        )
    return run


def resolved(recipe: Recipe, run: Path, hashes: Mapping[Path, str]) -> dict[str, Any]:
    """Return the keys as Axolotl gets them: the recipe's own, the run's folder, the cache of tokenised rows, our plugin."""
    return recipe.keys | {
        "output_dir": str(run / ADAPTER),
        "dataset_prepared_path": str(data.prepared_path(recipe, hashes)),
        "plugins": [*(recipe.keys.get("plugins") or ()), PLUGIN],
    }


def save_changes(run: Path) -> str | None:
    """Save the uncommitted changes of the code that trains and return their hash; ``None`` for a clean checkout."""
    patch = provenance.changes(FOLDER.parent)
    if not patch:
        return None
    with replacing(run / layout.PATCH) as file:
        file.write(patch)
    return sha256(run / layout.PATCH)


def resume(run: Path, echo: Callable[[bytes], None]) -> Path:
    """Train from the last checkpoint to the end and return the run's folder; anything that has changed is an ``InputError``."""
    provenance.read(run)  # before a lock is made in a folder that is no run
    with alone(run):
        record = provenance.sealed(run)
        if record["status"] not in STOPPED:
            raise InputError(f"{run}: found status {record['status']!r}, expected one of {', '.join(STOPPED)}")
        checkpoint = last_checkpoint(run)
        if checkpoint is None:
            raise InputError(f"{run}: no checkpoint to resume from. {continuation(run)}")
        for fault in provenance.changed_since_start(run, record):
            raise InputError(
                f"{fault} since {run} began: one half would be trained on the old, one on the new; start a new run"
            )
        machine = {
            "git": provenance.git(FOLDER.parent),
            "packages": provenance.packages(),
            "hardware": hardware.describe(),
        }
        legs = [*record.get("resumed", ()), {"from": checkpoint.name, "at": now(), **machine}]
        launched = launch.again(Launch(**record["launch"]))
        provenance.update(run, status="started", resumed=legs, launch=asdict(launched))
        # Offline, a base from the hub is the one in the cache, which was just compared; online it is whatever it is by now.
        offline = {"HF_HUB_OFFLINE": "1"} if base_folder(record["base_model"]["name"]) else {}
        attempt(run, launched, echo, resuming(provenance.read(run), run), offline)
    return run


def join(run: Path, echo: Callable[[bytes], None]) -> None:
    """Train on a further node of a run that another node leads and records."""
    record, keys = provenance.read(run), recipe_of(run)
    launched = Launch(**record["launch"])
    if launched.nodes == 1 or launched.slurm:
        raise InputError(f"{run}: only a run of several nodes outside SLURM can be joined; it has {launched.nodes}")
    log = run / "logs" / f"train.{socket.gethostname()}.log"
    words = launch.words(run / RECIPE, keys, launched, resuming(record, run))
    process.axolotl(words, log, echo, variables=data.variables(keys))


def resuming(record: Mapping[str, Any], run: Path) -> list[str]:
    """Return Axolotl's argument that resumes from the checkpoint that the record names last, none at a run's first start."""
    legs = record.get("resumed") or ()
    return [f"--resume-from-checkpoint={run / ADAPTER / legs[-1]['from']}"] if legs else []


def attempt(
    run: Path,
    launched: Launch,
    echo: Callable[[bytes], None],
    more: Sequence[str] = (),
    more_variables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train to the end; whatever stops it before is recorded. ``more`` are further arguments of Axolotl."""
    keys, start = recipe_of(run), time.monotonic()
    words = launch.words(run / RECIPE, keys, launched, more)
    (run / OUTCOME).unlink(missing_ok=True)
    try:
        variables = launch.visible(launched, keys) if hardware.gpus() or keys.get("use_ray") else {}
        variables |= {**data.variables(keys), **({} if hardware.gpus() else launch.threads(keys)), **more_variables}
        process.axolotl(words, run / "logs" / "train.log", echo, launch.before(launched), variables)
        finish(run, _since(start), keys)
    except (KeyboardInterrupt, InputError, OSError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        status = "interrupted" if interrupted else "failed"
        provenance.update(run, status=status, finished=now(), seconds=spent(run, _since(start)))
        if isinstance(error, OSError):
            raise
        reason = f"interrupted; log and adapter so far are in {run}" if interrupted else str(error)
        hint = f". {continuation(run)}" if interrupted or last_checkpoint(run) else ""
        raise InputError(f"{reason}{hint}") from error


def continuation(run: Path) -> str:
    """Say how to continue a run that was stopped: from its last checkpoint, or from the start."""
    if last := last_checkpoint(run):
        return f"Continue from {last.name} with: make resume RUN={run.name}"
    return f"It has no checkpoint; to run the same command again, first move it away: mv {run} {run}.old"


def finish(run: Path, seconds: float, keys: Mapping[str, Any]) -> None:
    """Record the result of a training; one that ended early, or whose weights are missing or not finite, is an ``InputError``.

    Checkpoints move out of the adapter's folder, so that its hash is that of the result. A model that was trained whole needs no
    merging: it is the checkpoint that is evaluated.
    """
    steps, whole = read_outcome(run, keys), not keys.get("adapter")
    if not any(path.is_file() for path in (run / ADAPTER).glob("*.safetensors")):
        raise InputError(f"{run / ADAPTER}: no weights after training (see {run / 'logs' / 'train.log'})")
    if tensor := non_finite(run / ADAPTER):
        raise InputError(f"{run / ADAPTER}: {tensor} holds NaN or infinity: the training diverged")
    base = provenance.read(run)["base_model"]
    changes = {
        # A model from the hub is in the cache, with its commit, only now. A changed folder is refused by the merge.
        "base_model": base if base["sha256"] else provenance.base_model(base["name"]),
        "template_sha256": provenance.saved_template_sha256(run / ADAPTER),
        "merged_sha256" if whole else "adapter_sha256": folder_sha256(run / ADAPTER, without="checkpoint-"),
    }
    # Nothing moves before the hash, which takes minutes: a run that is stopped meanwhile resumes from a checkpoint.
    for path in (run / ADAPTER).glob("checkpoint-*"):
        (run / CHECKPOINTS).mkdir(exist_ok=True)
        path.rename(run / CHECKPOINTS / path.name)
    if whole:
        (run / ADAPTER).rename(run / MERGED)
    status = "merged" if whole else "trained"
    provenance.update(run, status=status, finished=now(), seconds=spent(run, seconds), steps=steps, **changes)


def read_outcome(run: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``steps`` of a training, those ``planned``, and whether it was ``stopped``, as the run's plugin recorded them.

    Axolotl exits with 0 when a signal or its loss watchdog stops it, too: then nothing was recorded, or that it stopped. Either
    is an ``InputError``, unless the recipe asks for it by ``early_stopping_patience``.
    """
    if not (run / OUTCOME).is_file():
        raise InputError(f"{run}: training ended before its last step (see {run / 'logs'})")
    outcome: dict[str, Any] = json.loads((run / OUTCOME).read_bytes())
    if outcome["stopped"] and not keys.get("early_stopping_patience"):
        steps = f"{outcome['steps']} of {outcome['planned']} steps"
        raise InputError(f"{run}: training stopped itself after {steps} (see {run / 'logs'})")
    return outcome


def non_finite(folder: Path) -> str | None:
    """Return the name of a tensor that holds NaN or infinity, ``None`` if there is none."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if not bool(file.get_tensor(name).float().isfinite().all()):
                    return str(name)
    return None


def spent(run: Path, seconds: float) -> dict[str, float]:
    """Return the seconds of a run's stages with ``seconds`` more of training."""
    total: dict[str, float] = provenance.read(run)["seconds"]
    return total | {"train": round(total.get("train", 0) + seconds, 1)}


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)
