"""How a training ended: Axolotl exits with 0 as well when a signal stops it, and when its loss watchdog does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import write_json

OUTCOME = "logs/ended.json"


def write_outcome(run: Path, steps: int, planned: int, by_callback: bool) -> None:
    """Record how training ended, and whether a callback stopped it early; one that is killed records nothing.

    With more than 100,000 packed rows an epoch's batches vary by one: the last epoch may end a step before what was planned.
    """
    write_json(run / OUTCOME, {"steps": steps, "planned": planned, "stopped": by_callback and steps < planned})


def read_outcome(run: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``steps`` of a training, those ``planned``, and whether it was ``stopped``.

    One that stopped early is an ``InputError``, unless the recipe asks for it by ``early_stopping_patience``.
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
