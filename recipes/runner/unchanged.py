"""Compares what a run was made from with what is there now: resumed with other bytes, its two halves would not match."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from converters.io.jsonl import folder_sha256, sha256
from recipes.runner import data, provenance
from recipes.runner.recipe import Recipe
from recipes.runner.train import ADAPTER, RECIPE


def faults(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has changed since a training began: recipe, rows, DeepSpeed's JSON, base model."""
    yield from _unlike(run / RECIPE, record["recipe"]["resolved_sha256"])
    for item in [*record["data"], *filter(None, [record.get("deepspeed")])]:
        yield from _unlike(Path(item["name"]), item["sha256"])
    yield from _base_unlike(record)


def asked(record: Mapping[str, Any], recipe: Recipe) -> Iterator[str]:
    """Yield how a run differs from the one that a recipe with its overrides would start now."""
    recorded = {item["name"]: item["sha256"] for item in record["data"]}
    recorded[str(recipe.path)] = record["recipe"]["sha256"]
    for path in (recipe.path, *data.files(recipe)):
        if recorded.get(str(path)) != sha256(path):
            yield f"{path} has changed"
    if record["overrides"] != json.loads(json.dumps(recipe.overrides)):
        yield f"its overrides were {record['overrides']}"


def trained(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has changed since training ended: recipe, base model, adapter."""
    yield from _unlike(run / RECIPE, record["recipe"]["resolved_sha256"])
    yield from _base_unlike(record)
    if folder_sha256(run / ADAPTER) != record["adapter_sha256"]:
        yield f"{run / ADAPTER}: has changed"


def _unlike(path: Path, expected: str) -> Iterator[str]:
    if not path.is_file() or sha256(path) != expected:
        yield f"{path}: {'has changed' if path.is_file() else 'is gone'}"


def _base_unlike(record: Mapping[str, Any]) -> Iterator[str]:
    recorded, base = record["base_model"], provenance.base_model(record["base_model"]["name"])
    if any(recorded[key] not in (None, base[key]) for key in ("sha256", "revision")):
        yield f"{base['name']}: the base model has changed"
