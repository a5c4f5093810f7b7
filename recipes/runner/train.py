"""Trains a checked recipe: everything of a run lies under ``runs/<run>``, and its record says what made it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.jsonl import replacing, write_json
from recipes.runner import data, hardware, process, provenance
from recipes.runner.check import Checked
from recipes.runner.recipe import Recipe, dump

RUNS = Path("runs")
ADAPTER, MERGED, RECIPE = "adapter", "merged", "recipe.yaml"


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
        raise InputError(
            f"{run}: found a run of that name (status: {status}), expected a new one: give RUN=another-name, or move it away"
        )
    return run


def resolved(recipe: Recipe, run: Path) -> dict[str, Any]:
    """Return the keys as Axolotl gets them: the recipe's own, where the run lies, and the cache of these very bytes."""
    files = data.files(recipe)
    return recipe.keys | {"output_dir": str(run / ADAPTER), "dataset_prepared_path": str(data.prepared_path(files))}


def train(recipe: Recipe, name: str, check: Callable[[Recipe], Checked], echo: Callable[[bytes], None]) -> Path:
    """Check, then train; return the run's folder. Failure and Ctrl-C leave the record saying so."""
    hardware.require(recipe)
    run = vacant(name)
    checked = check(recipe)
    run.mkdir(parents=True)
    begin = datetime.now(UTC)
    with replacing(run / RECIPE) as file:
        file.write(dump(resolved(recipe, run)).encode())
    write_json(run / provenance.RECORD, _record(recipe, checked, begin))
    try:
        process.axolotl(launch(recipe, run), run / "logs" / "train.log", echo)
    except (InputError, KeyboardInterrupt) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        provenance.update(run, status="interrupted" if interrupted else "failed", finished=now())
        if interrupted:
            raise InputError(
                f"interrupted; what there is lies in {run}. Move it away, then run the same command again"
            ) from error
        raise
    finish(run, begin)
    return run


def _record(recipe: Recipe, checked: Checked, begin: datetime) -> dict[str, Any]:
    record = provenance.start(recipe, checked.files, checked.manifests, begin.isoformat(timespec="seconds"))
    return record | {"prompt_identity": checked.proven}


def launch(recipe: Recipe, run: Path) -> list[str]:
    """Return Axolotl's arguments; several GPUs go through its own launcher, one or none need no launcher at all."""
    several = bool(recipe.keys.get("deepspeed") or recipe.keys.get("fsdp_config")) and len(hardware.gpus()) > 1
    return ["train", str(run / RECIPE), "--launcher", "accelerate" if several else "python"]


def finish(run: Path, begin: datetime) -> None:
    """Record what training left behind; an adapter that is not there is an ``InputError``."""
    weights = [path for path in (run / ADAPTER).glob("*.safetensors") if path.is_file()]
    if not weights:
        provenance.update(run, status="failed", finished=now())
        raise InputError(f"{run / ADAPTER}: found no weights after training (see {run / 'logs' / 'train.log'})")
    seconds = provenance.read(run)["seconds"] | {"train": round((datetime.now(UTC) - begin).total_seconds(), 1)}
    sha256 = provenance.folder_sha256(run / ADAPTER)
    provenance.update(run, status="trained", finished=now(), seconds=seconds, adapter_sha256=sha256)


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
