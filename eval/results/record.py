"""What a trained run's folder says of the run: its record, its recipe, its loss curve, and the mixture it was trained on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from converters.core.errors import InputError, nearest, unreadable
from converters.core.hashing import digest
from converters.io import jsonl

RUNS = Path("runs")
RECORD, RECIPE, HISTORY = "run.json", "recipe.yaml", "logs/history.jsonl"
# The keys that say how a model was trained. No others leave this machine: they may name folders, people or secrets.
TOLD = re.compile(
    r"adapter|load_in_(4|8)bit|(lora|peft)_(?!.*path).*|sequence_len|sample_packing|train_on_inputs|micro_batch_size"
    r"|gradient_(accumulation_steps|checkpointing)|num_epochs|max_steps|learning_rate|lr_scheduler|warmup_\w+|optimizer"
    r"|adam_\w+|weight_decay|max_grad_norm|neftune_\w+|embeddings_skip_upcast|bf16|fp16|tf32|attn_implementation|seed"
    r"|early_stopping_patience|val_set_size"
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained run: its folder, its record, its recipe's keys, and its loss history, one mapping a logging step."""

    folder: Path
    record: Mapping[str, Any]
    recipe: Mapping[str, Any]
    history: list[dict[str, Any]]


def folder_of(name: str) -> Path:
    """Return a run's folder, by its name under ``runs`` or by its path; an unknown one is an ``InputError``."""
    folder = Path(name) if "/" in name else RUNS / name
    if not (folder / RECORD).is_file():
        known = sorted(path.parent.name for path in RUNS.glob(f"*/{RECORD}"))
        raise InputError(f"{folder}: no such run{nearest(folder.name, known) if known else '; none is trained yet'}")
    return folder


def settings(trained: Trained) -> dict[str, Any]:
    """Return the recipe's keys that say how the model was trained, without paths and names."""
    return {key: value for key, value in trained.recipe.items() if TOLD.fullmatch(key) and value is not None}


def hub_name(trained: Trained) -> str | None:
    """Return the base model's name on the hub, ``None`` for a folder of the machine that trained, which the record hashes."""
    base = trained.record.get("base_model", {})
    name = str(base.get("name") or "")
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not base.get("sha256") else None


def identity(trained: Trained) -> str:
    """Return a name of this run alone: another run of the same name began at another time."""
    return f"{trained.folder.resolve().name}-{digest(trained.record.get('started'))[:8]}"


def read(folder: Path) -> Trained:
    """Return what is known of a trained run; a folder without a record is an :class:`InputError`."""
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the folder of a run that 'ecom-train train' made")
    record = jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
    if not isinstance(record.get("started"), str):
        raise InputError(f"{path}: has no start, expected the record of a run")
    history = folder / HISTORY
    lines = [*jsonl.stream(history, dict[str, Any])] if history.is_file() and history.stat().st_size else []
    return Trained(folder, record, _recipe(folder / RECIPE), lines)


def _recipe(path: Path) -> dict[str, Any]:
    expected = "a run's recipe, keys with their values"
    try:
        keys = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise unreadable(path, error, expected) from error
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys):
        raise InputError(f"{path}: found other YAML, expected {expected}")
    return keys


def manifests(trained: Trained) -> dict[str, dict[str, Any] | None]:
    """Return the mixtures' accounts by path, ``None`` where one is no longer on this disk; another one is an ``InputError``."""
    return {str(mix["manifest"]): _manifest(mix) for mix in trained.record.get("mixes", ())}


def _manifest(mix: Mapping[str, Any]) -> dict[str, Any] | None:
    path = Path(mix["manifest"])
    if not path.is_file():
        return None
    if jsonl.sha256(path) != mix["sha256"]:
        raise InputError(
            f"{path}: is not the manifest that the run was trained with; 'ecom-train verify' says what changed"
        )
    return jsonl.decode(path.read_bytes(), dict[str, Any], str(path))
