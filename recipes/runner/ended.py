"""How a training ended: Axolotl exits with 0 as well when a signal stops it, and when its loss watchdog does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.jsonl import write_json

FILE = "logs/ended.json"


def write(run: Path, steps: int, planned: int, told: bool) -> None:
    """Leave word that the trainer came to its end, ``told`` so by a callback; one that is stopped from outside never does.

    With more than 100,000 packed rows an epoch's batches vary by one: the last epoch may end a step before what was planned.
    """
    write_json(run / FILE, {"steps": steps, "planned": planned, "stopped": told and steps < planned})


def steps(run: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``steps`` of a training, those ``planned``, and whether it was ``stopped``, which is an ``InputError``.

    Only a recipe with ``early_stopping_patience`` wants one.
    """
    if not (run / FILE).is_file():
        raise InputError(f"{run}: found a training that something ended before its last step (see {run / 'logs'})")
    found: dict[str, Any] = json.loads((run / FILE).read_bytes())
    if found["stopped"] and not keys.get("early_stopping_patience"):
        stopped = f"stopped itself after {found['steps']} of {found['planned']} steps"
        raise InputError(f"{run}: found a training that {stopped} (see {run / 'logs'})")
    return found


def spoilt(folder: Path) -> str | None:
    """Return the name of a tensor with something in it that is no number, ``None`` where all are sound."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if not bool(file.get_tensor(name).float().isfinite().all()):
                    return str(name)
    return None
