"""What a run was made from, held against what lies there now: to go on with other bytes would make a result of two halves."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from converters.jsonl import sha256
from converters.sums import folder_sha256
from recipes.runner import data, provenance
from recipes.runner.recipe import Recipe
from recipes.runner.train import ADAPTER, RECIPE


def faults(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a training began with and does not find again: recipe, rows, DeepSpeed's JSON, base model."""
    yield from _file(run / RECIPE, record["recipe"]["resolved_sha256"])
    for item in [*record["data"], *filter(None, [record.get("deepspeed")])]:
        yield from _file(Path(item["name"]), item["sha256"])
    yield from _base(record)


def asked(record: Mapping[str, Any], recipe: Recipe) -> Iterator[str]:
    """Yield in what a run that bears a name is another one than a recipe with its overrides would be now."""
    if record["recipe"]["sha256"] != sha256(recipe.path):
        yield f"{recipe.path} is another one"
    if record["overrides"] != json.loads(json.dumps(recipe.overrides)):
        yield f"its overrides were {record['overrides']}"
    recorded = {item["name"]: item["sha256"] for item in record["data"]}
    yield from (f"{path} is another one" for path in data.files(recipe) if recorded.get(str(path)) != sha256(path))


def trained(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a merge does not find as the training left it: recipe, base model, adapter."""
    yield from _file(run / RECIPE, record["recipe"]["resolved_sha256"])
    yield from _base(record)
    if folder_sha256(run / ADAPTER) != record["adapter_sha256"]:
        yield f"{run / ADAPTER}: found other bytes"


def _file(path: Path, expected: str) -> Iterator[str]:
    if not path.is_file() or sha256(path) != expected:
        yield f"{path}: found {'other bytes' if path.is_file() else 'nothing'}"


def _base(record: Mapping[str, Any]) -> Iterator[str]:
    began, base = record["base_model"], provenance.base_model(record["base_model"]["name"])
    if any(began[key] not in (None, base[key]) for key in ("sha256", "revision")):
        yield f"{base['name']}: found another base model"
