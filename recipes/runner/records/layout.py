"""A run's folder: where each file lies, its lock, its checkpoints, how its training ended."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from converters.core.errors import InputError
from converters.io.jsonl import locked, write_json

RUNS = Path("runs")
ADAPTER, CHECKPOINTS, MERGED, RECIPE = "adapter", "checkpoints", "merged", "recipe.yaml"
RECORD, SEAL, PATCH = "run.json", "record_sha256", "changes.patch"
CHECKED, OUTCOME, HISTORY, PICTURE = "logs/check.txt", "logs/ended.json", "logs/history.jsonl", "loss.svg"

# Files of a checkpoint that decide how text becomes tokens: Mistral's own, and all.
NATIVE = ("tekken.json", "tokenizer.model.v*")
TOKENIZER = (
    *("tokenizer*", "chat_template*", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.*", "merges.txt", NATIVE[0]),
)


def folder(name: str) -> Path:
    """Return a run's folder; a name that is no plain file name is an ``InputError``."""
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise InputError(f"run name {name!r}: expected letters, digits, '-', '_', '+' and '.'")
    return RUNS / name


def recipe_of(run: Path) -> dict[str, Any]:
    """Return the keys of a run's recipe as Axolotl gets them."""
    keys: dict[str, Any] = yaml.safe_load((run / RECIPE).read_text("utf-8"))
    return keys


def alone(run: Path) -> AbstractContextManager[None]:
    """Hold a run while it trains; one that another process trains is an ``InputError``."""
    return locked(run / ".lock", run, "trained")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield the path of a temporary neighbour of ``folder``; it takes the name only when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        yield Path(place) / folder.name
        shutil.rmtree(folder, ignore_errors=True)
        (Path(place) / folder.name).rename(folder)


def last_checkpoint(run: Path) -> Path | None:
    """Return the last complete checkpoint: the trainer's state is the last file to be written."""
    complete = (path.parent for path in (run / ADAPTER).glob("checkpoint-*/trainer_state.json"))
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def write_outcome(run: Path, steps: int, planned: int, by_callback: bool) -> None:
    """Record how training ended, and whether a callback stopped it early; one that is killed records nothing.

    With more than 100,000 packed rows an epoch's batches vary by one: the last epoch may end a step before what was planned.
    """
    write_json(run / OUTCOME, {"steps": steps, "planned": planned, "stopped": by_callback and steps < planned})


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
