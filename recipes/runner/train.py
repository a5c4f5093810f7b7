"""Trains a checked recipe: everything of a run lies under ``runs/<run>``, and its record says what made it."""

import re
import time
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
            f"{run}: found a run of that name (status: {status}), expected a new one: give another --run (make: RUN=...), "
            f"or move it away: mv {run} {run}.old"
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
    start = time.monotonic()
    checked = check(recipe)
    run.mkdir(parents=True)
    with replacing(run / RECIPE) as file:
        file.write(dump(resolved(recipe, run)).encode())
    record = provenance.start(recipe, run / RECIPE, checked.files, checked.manifests, now())
    counts = {
        "rows": checked.rows,
        "rows_proven": checked.proven,
        "rows_too_long": checked.too_long,
        "parent": checked.parent,
    }
    write_json(run / provenance.RECORD, record | counts | {"seconds": {"check": _since(start)}})
    try:
        start = time.monotonic()
        process.axolotl(launch(recipe, run), run / "logs" / "train.log", echo)
        finish(run, _since(start))
    except KeyboardInterrupt as error:
        provenance.update(run, status="interrupted", finished=now())
        raise InputError(
            f"interrupted; the log and what there is of the adapter lie in {run}. To run the same command again, "
            f"first move it away: mv {run} {run}.old"
        ) from error
    except (InputError, OSError):
        provenance.update(run, status="failed", finished=now())
        raise
    return run


def launch(recipe: Recipe, run: Path) -> list[str]:
    """Return Axolotl's arguments; several GPUs go through its own launcher, one or none need no launcher at all."""
    several = bool(recipe.keys.get("deepspeed") or recipe.keys.get("fsdp_config")) and len(hardware.gpus()) > 1
    return ["train", str(run / RECIPE), "--launcher", "accelerate" if several else "python"]


def finish(run: Path, seconds: float) -> None:
    """Record what training left behind; an adapter that is not there is an ``InputError``."""
    if not any(path.is_file() for path in (run / ADAPTER).glob("*.safetensors")):
        raise InputError(f"{run / ADAPTER}: found no weights after training (see {run / 'logs' / 'train.log'})")
    record = provenance.read(run)
    provenance.update(
        run,
        status="trained",
        finished=now(),
        seconds=record["seconds"] | {"train": seconds},
        base_model=provenance.base_model(record["base_model"]["name"]),  # one from the hub has a commit only by now
        adapter_sha256=provenance.folder_sha256(run / ADAPTER),
        template_sha256=provenance.template_sha256(run / ADAPTER),
    )


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
