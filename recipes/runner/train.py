"""Trains a checked recipe: everything of a run lies under ``runs/<run>``, and its record says what made it."""

import fcntl
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

from converters.errors import InputError
from converters.jsonl import replacing, sha256
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
        on = f"go on with it (make resume RUN={name}), " if last_checkpoint(run) else ""
        raise InputError(
            f"{run}: found a run of that name (status: {status}), expected a new one: {on}give another --run (make: RUN=...), "
            f"or move it away: mv {run} {run}.old"
        )
    return run


def resolved(recipe: Recipe, run: Path, hashes: Mapping[Path, str]) -> dict[str, Any]:
    """Return the keys as Axolotl gets them: the recipe's own, where the run lies, the cache of what it trains on, our plugin."""
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
    made = run.with_name(f".{name}.new")  # a run that is there has its record: hashing a large base takes minutes
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    with replacing(made / RECIPE) as file:
        file.write(dump(resolved(recipe, run, checked.files)).encode())
    with replacing(made / CHECKED) as file:  # Axolotl's own output scrolls it away
        file.write("".join(f"{line}\n" for line in said.passed(recipe, checked)).encode())
    record = provenance.start(recipe, made / RECIPE, checked.files, checked.manifests, now())
    counts = {
        "changes_sha256": keep_changes(made),
        "rows": checked.rows,
        "rows_proven": checked.proven,
        "rows_too_long": checked.too_long,
        "parent": checked.parent,
    }
    provenance.write(made, record | counts | {"launch": asdict(launched), "seconds": {"check": _since(start)}})
    made.rename(run)
    with alone(run):
        attempt(run, launched, echo)
    return run


def keep_changes(run: Path) -> str | None:
    """Keep what the code that trains has over its commit, and return its hash; ``None`` for a clean checkout."""
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
    """Train until the end, or until something stops it, which the record then says; ``more`` goes to Axolotl."""
    keys, start = recipe_of(run), time.monotonic()
    words = launch.words(run / RECIPE, keys, launched, more)
    (run / ended.FILE).unlink(missing_ok=True)
    try:
        variables = launch.visible(launched, keys) if hardware.gpus() or keys.get("use_ray") else {}
        variables |= {**data.variables(keys), **more_variables}
        process.axolotl(words, run / "logs" / "train.log", echo, launch.before(launched), variables)
        finish(run, _since(start), keys)
    except KeyboardInterrupt as error:
        stopped(run, "interrupted", _since(start))
        raise InputError(
            f"interrupted; the log and what there is of the adapter lie in {run}. {further(run)}"
        ) from error
    except InputError as error:
        stopped(run, "failed", _since(start))
        raise InputError(f"{error}. {further(run)}" if last_checkpoint(run) else str(error)) from error
    except OSError:
        stopped(run, "failed", _since(start))
        raise


def stopped(run: Path, status: str, seconds: float) -> None:
    """Record that a training ended before its time."""
    provenance.update(run, status=status, finished=now(), seconds=spent(run, seconds))


def spent(run: Path, seconds: float) -> dict[str, float]:
    """Return the seconds of a run's stages with ``seconds`` more of training."""
    before: dict[str, float] = provenance.read(run)["seconds"]
    return before | {"train": round(before.get("train", 0) + seconds, 1)}


def join(run: Path, echo: Callable[[bytes], None]) -> None:
    """Train on a further node of a run that another node leads and records."""
    record, keys = provenance.read(run), recipe_of(run)
    launched = launch.Launch(**record["launch"])
    if launched.nodes == 1 or launched.slurm:
        raise InputError(f"{run}: found a run of {launched.nodes} node(s), expected one of several outside SLURM")
    log = run / "logs" / f"train.{socket.gethostname()}.log"
    words = launch.words(run / RECIPE, keys, launched, resuming(record, run))
    process.axolotl(words, log, echo, variables=data.variables(keys))


def recipe_of(run: Path) -> dict[str, Any]:
    """Return the keys of a run's recipe as Axolotl gets them."""
    keys: dict[str, Any] = yaml.safe_load((run / RECIPE).read_text("utf-8"))
    return keys


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold a run while it trains; one that another command trains is an ``InputError``."""
    with (run / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{run}: found another command that trains it now, expected to be the only one") from error
        yield


def further(run: Path) -> str:
    """Say how a run that was stopped goes on: from its last checkpoint, or from the start."""
    last = last_checkpoint(run)
    if last:
        return f"It goes on from {last.name} with: make resume RUN={run.name}"
    return f"It left no checkpoint; to run the same command again, first move it away: mv {run} {run}.old"


def resuming(record: Mapping[str, Any], run: Path) -> list[str]:
    """Return Axolotl's argument that goes on from the checkpoint that the record names last, none at a run's first start."""
    legs = record.get("resumed") or ()
    return [f"--resume-from-checkpoint={run / ADAPTER / legs[-1]['from']}"] if legs else []


def last_checkpoint(run: Path) -> Path | None:
    """Return the last checkpoint that was saved to its end: the trainer's state is the last file to be written."""
    whole = (path.parent for path in (run / ADAPTER).glob("checkpoint-*/trainer_state.json"))
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def finish(run: Path, seconds: float, keys: Mapping[str, Any]) -> None:
    """Record what training left behind; an end before its time and weights that are none are ``InputError``s.

    Checkpoints move out of the adapter's folder, so that its hash is that of the result. A model that was trained whole needs no
    merging: it is the checkpoint that evaluation takes.
    """
    steps, whole = ended.steps(run, keys), not keys.get("adapter")
    if not any(path.is_file() for path in (run / ADAPTER).glob("*.safetensors")):
        raise InputError(f"{run / ADAPTER}: found no weights after training (see {run / 'logs' / 'train.log'})")
    if spoilt := ended.spoilt(run / ADAPTER):
        raise InputError(f"{run / ADAPTER}: found values in {spoilt} that are no numbers: the training diverged")
    base = provenance.read(run)["base_model"]
    changes = {
        # One from the hub has a commit only by now; a folder is as it was when training read it, or merging will refuse it.
        "base_model": base if base["sha256"] else provenance.base_model(base["name"]),
        "template_sha256": provenance.template_sha256(run / ADAPTER),
        "merged_sha256" if whole else "adapter_sha256": provenance.folder_sha256(run / ADAPTER, without="checkpoint-"),
    }
    # Hashing takes minutes, and what is stopped in them goes on from a checkpoint: so nothing has moved until now.
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
