"""Trains a checked recipe: everything of a run lies under ``runs/<run>``, and its record says what made it."""

import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from filelock import FileLock, Timeout

from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256, replacing, sha256
from recipes.runner import data, ended, hardware, launch, process, provenance, said
from recipes.runner.check import Checked
from recipes.runner.recipe import FOLDER, Recipe, dump

RUNS = Path("runs")
ADAPTER, CHECKPOINTS, MERGED, RECIPE = "adapter", "checkpoints", "merged", "recipe.yaml"
CHECKED = "logs/check.txt"
PLUGIN = "recipes.runner.plugin.RunPlugin"
ONE = launch.Launch()


def folder(name: str) -> Path:
    """Return a run's folder; a name that is no plain file name is an ``InputError``."""
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise InputError(f"run name {name!r}: expected letters, digits, '-', '_', '+' and '.'")
    return RUNS / name


def vacant(name: str) -> Path:
    """Return the folder of a new run; a run is never overwritten."""
    run = folder(name)
    if run.exists():
        record = run / provenance.RECORD
        status = provenance.read(run).get("status", "unknown") if record.is_file() else "no record"
        on = f"resume it (make resume RUN={name}), " if last_checkpoint(run) else ""
        raise InputError(
            f"{run}: a run of that name is there already (status: {status}): {on}give another --run (make: RUN=...), "
            f"or move it away: mv {run} {run}.old"
        )
    return run


def resolved(recipe: Recipe, run: Path, hashes: Mapping[Path, str]) -> dict[str, Any]:
    """Return the keys as Axolotl gets them: the recipe's own, the run's folder, the cache of tokenised rows, our plugin."""
    return recipe.keys | {
        "output_dir": str(run / ADAPTER),
        "dataset_prepared_path": str(data.prepared_path(recipe, hashes)),
        "plugins": [*(recipe.keys.get("plugins") or ()), PLUGIN],
    }


def train(
    recipe: Recipe,
    name: str,
    check: Callable[[Recipe], Checked],
    echo: Callable[[bytes], None],
    launched: launch.Launch = ONE,
) -> Path:
    """Check, then train; return the run's folder. Failure and Ctrl-C leave the record saying so."""
    run = vacant(name)
    start = time.monotonic()
    checked = check(recipe)
    new = run.with_name(f".{name}.new")  # hashing a large base takes minutes, and no run is without a record
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    with replacing(new / RECIPE) as file:
        file.write(dump(resolved(recipe, run, checked.files)).encode())
    with replacing(new / CHECKED) as file:
        file.write("".join(f"{line}\n" for line in said.passed(recipe, checked)).encode())
    record = provenance.start(recipe, new / RECIPE, checked.files, checked.manifests, now())
    counts = {
        "changes_sha256": keep_changes(new),
        "rows": checked.rows,
        "rows_proven": checked.proven,
        "rows_too_long": checked.too_long,
        "parent": checked.parent,
    }
    provenance.write(new, record | counts | {"launch": asdict(launched), "seconds": {"check": _since(start)}})
    new.rename(run)
    with alone(run):
        attempt(run, launched, echo)
    return run


def keep_changes(run: Path) -> str | None:
    """Save the uncommitted changes of the code that trains and return their hash; ``None`` for a clean checkout."""
    patch = provenance.changes(FOLDER.parent)
    if not patch:
        return None
    with replacing(run / provenance.PATCH) as file:
        file.write(patch)
    return sha256(run / provenance.PATCH)


def attempt(
    run: Path,
    launched: launch.Launch,
    echo: Callable[[bytes], None],
    more: Sequence[str] = (),
    more_variables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train to the end; whatever stops it before is recorded. ``more`` are further arguments of Axolotl."""
    keys, start = recipe_of(run), time.monotonic()
    words = launch.words(run / RECIPE, keys, launched, more)
    (run / ended.OUTCOME).unlink(missing_ok=True)
    try:
        variables = launch.visible(launched, keys) if hardware.gpus() or keys.get("use_ray") else {}
        variables |= {**data.variables(keys), **more_variables}
        process.axolotl(words, run / "logs" / "train.log", echo, launch.before(launched), variables)
        finish(run, _since(start), keys)
    except (KeyboardInterrupt, InputError, OSError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        status = "interrupted" if interrupted else "failed"
        provenance.update(run, status=status, finished=now(), seconds=spent(run, _since(start)))
        if isinstance(error, OSError):
            raise
        reason = f"interrupted; log and adapter so far are in {run}" if interrupted else str(error)
        hint = f". {further(run)}" if interrupted or last_checkpoint(run) else ""
        raise InputError(f"{reason}{hint}") from error


def spent(run: Path, seconds: float) -> dict[str, float]:
    """Return the seconds of a run's stages with ``seconds`` more of training."""
    total: dict[str, float] = provenance.read(run)["seconds"]
    return total | {"train": round(total.get("train", 0) + seconds, 1)}


def join(run: Path, echo: Callable[[bytes], None]) -> None:
    """Train on a further node of a run that another node leads and records."""
    record, keys = provenance.read(run), recipe_of(run)
    launched = launch.Launch(**record["launch"])
    if launched.nodes == 1 or launched.slurm:
        raise InputError(f"{run}: only a run of several nodes outside SLURM can be joined; it has {launched.nodes}")
    log = run / "logs" / f"train.{socket.gethostname()}.log"
    words = launch.words(run / RECIPE, keys, launched, resuming(record, run))
    process.axolotl(words, log, echo, variables=data.variables(keys))


def recipe_of(run: Path) -> dict[str, Any]:
    """Return the keys of a run's recipe as Axolotl gets them."""
    keys: dict[str, Any] = yaml.safe_load((run / RECIPE).read_text("utf-8"))
    return keys


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold a run while it trains; one that another process trains is an ``InputError``."""
    try:
        with FileLock(run / ".lock", blocking=False):
            yield
    except Timeout as error:
        raise InputError(f"{run}: is being trained by another process; wait for it or stop it") from error


def further(run: Path) -> str:
    """Say how to continue a run that was stopped: from its last checkpoint, or from the start."""
    if last := last_checkpoint(run):
        return f"Continue from {last.name} with: make resume RUN={run.name}"
    return f"It has no checkpoint; to run the same command again, first move it away: mv {run} {run}.old"


def resuming(record: Mapping[str, Any], run: Path) -> list[str]:
    """Return Axolotl's argument that resumes from the checkpoint that the record names last, none at a run's first start."""
    legs = record.get("resumed") or ()
    return [f"--resume-from-checkpoint={run / ADAPTER / legs[-1]['from']}"] if legs else []


def last_checkpoint(run: Path) -> Path | None:
    """Return the last complete checkpoint: the trainer's state is the last file to be written."""
    complete = (path.parent for path in (run / ADAPTER).glob("checkpoint-*/trainer_state.json"))
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def finish(run: Path, seconds: float, keys: Mapping[str, Any]) -> None:
    """Record the result of a training; one that ended early, or whose weights are missing or not finite, is an ``InputError``.

    Checkpoints move out of the adapter's folder, so that its hash is that of the result. A model that was trained whole needs no
    merging: it is the checkpoint that is evaluated.
    """
    steps, whole = ended.read_outcome(run, keys), not keys.get("adapter")
    if not any(path.is_file() for path in (run / ADAPTER).glob("*.safetensors")):
        raise InputError(f"{run / ADAPTER}: no weights after training (see {run / 'logs' / 'train.log'})")
    if tensor := ended.non_finite(run / ADAPTER):
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


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
