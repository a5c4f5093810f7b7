"""A run's record: what made it, written at its start and after each stage."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import decode, folder_sha256, sha256, template_sha256, write_json
from recipes.runner.capacity import hardware
from recipes.runner.recipe import FOLDER, Recipe, base_folder
from recipes.runner.records.layout import ADAPTER, RECIPE, RECORD, SEAL

LARGE = 2**20  # bytes of a file that is no code
PACKAGES = (
    *("ecom-llm-recipes", "axolotl", "torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate"),
    *("tokenizers", "liger-kernel", "triton", "flash-attn", "deepspeed"),
)


def start(
    recipe: Recipe, resolved: Path, files: Mapping[Path, str], manifests: Mapping[str, Any], started: str
) -> dict[str, Any]:
    """Return the record of a run that begins now.

    ``resolved`` is the YAML that Axolotl gets, ``files`` are its data with their hashes, ``started`` is an ISO time.
    """
    deepspeed = recipe.keys.get("deepspeed")
    return {
        "status": "started",
        "started": started,
        "recipe": {
            "name": recipe.path.stem,
            "path": str(recipe.path),
            "sha256": sha256(recipe.path),
            "resolved_sha256": sha256(resolved),
        },
        "overrides": dict(recipe.overrides),
        "seed": recipe.keys.get("seed"),
        "base_model": base_model(str(recipe.keys.get("base_model"))),
        "data": [{"name": str(path), "sha256": digest, "bytes": path.stat().st_size} for path, digest in files.items()],
        "mixes": [
            {"manifest": name, "sha256": sha256(Path(name)), "seed": mix["seed"], "inputs": mix["inputs"]}
            for name, mix in manifests.items()
        ],
        # Settings in the recipe itself are hashed with it.
        "deepspeed": {"name": deepspeed, "sha256": sha256(Path(deepspeed))} if isinstance(deepspeed, str) else None,
        "git": git(FOLDER.parent),
        "packages": packages(),
        "hardware": hardware.describe(),
        "seconds": {},
    }


def write(run: Path, record: Mapping[str, Any]) -> None:
    """Write a run's record with the hash of all the rest of it."""
    write_json(run / RECORD, dict(record) | {SEAL: seal(record)})


def seal(record: Mapping[str, Any]) -> str:
    """Return the hash of a record, its own left out; the order of keys does not matter."""
    rest = {key: value for key, value in record.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def update(run: Path, **changes: Any) -> None:
    """Change keys of a run's record."""
    write(run, sealed(run) | changes)


def sealed(run: Path) -> dict[str, Any]:
    """Return a run's record; one that was edited by hand is an ``InputError``, as its seal would be renewed."""
    record = read(run)
    if record.get(SEAL) != seal(record):
        raise InputError(f"{run / RECORD}: was edited by hand; put back what the runner wrote")
    return record


def read(run: Path) -> dict[str, Any]:
    """Return a run's record; a run without one is an ``InputError``."""
    path = run / RECORD
    if not path.is_file():
        raise InputError(f"{run}: has no {RECORD}; expected a run made by 'ecom-train train'")
    record = decode(path.read_bytes(), dict[str, Any], str(path))
    if "status" not in record:
        raise InputError(f"{path}: has no status, expected the record of a run")
    return record


def training_rows(record: Mapping[str, Any]) -> Path:
    """Return the rows that calibrate: the first file that the run was trained on."""
    return Path(record["data"][0]["name"])


def test_rows(run: Path) -> Path:
    """Return the test split of the mixture that a run was trained on."""
    return training_rows(read(run)).with_name("test.jsonl")


def base_model(name: str) -> dict[str, Any]:
    """Return a base model's name with what pins it: a hash of a local folder, the commit of a model from the hub."""
    if Path(name).is_dir():
        return {"name": name, "sha256": folder_sha256(Path(name)), "revision": None}
    folder = base_folder(name)
    return {"name": name, "sha256": None, "revision": folder.name if folder else None}


def saved_template_sha256(folder: Path) -> str | None:
    """Return the hash of the chat template saved with a checkpoint, the one that evaluation compares; ``None`` without one."""
    file, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    template = file.read_text("utf-8") if file.is_file() else None
    if template is None and settings.is_file():
        template = json.loads(settings.read_bytes()).get("chat_template")
    return template_sha256(template) if isinstance(template, str) else None


def git(folder: Path) -> dict[str, Any]:
    """Return commit and whether the tree differs from it; both ``None`` outside a checkout."""
    commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain")
    return {"commit": commit and commit.decode().strip(), "dirty": None if changes is None else bool(changes)}


def changes(folder: Path) -> bytes:
    """Return a patch of a checkout's uncommitted changes, new files included unless they are ignored or large."""
    new = (_git(folder, "ls-files", "--others", "--exclude-standard", "-z") or b"").decode().split("\0")
    small = [name for name in new if name and (folder / name).is_file() and (folder / name).stat().st_size < LARGE]
    return b"".join([_diff(folder, "HEAD"), *(_diff(folder, "--no-index", "--", os.devnull, name) for name in small)])


def _diff(folder: Path, *words: str) -> bytes:
    # Settings for people, such as a diff tool or colours, would make it no patch.
    plain = ["--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"]
    return _git(folder, "diff", *plain, *words, ends=(0, 1)) or b""  # 1: with --no-index, files differ


def in_commit(commit: str, path: str = "") -> bytes | None:
    """Return a file of this project at a commit, or the commit itself without a path; ``None`` if it is not in this checkout."""
    words = ("blob", f"{commit}:{path}") if path else ("commit", commit)
    return _git(FOLDER.parent, "cat-file", *words)


def _git(folder: Path, *words: str, ends: Sequence[int] = (0,)) -> bytes | None:
    """Return git's output; ``None`` without git, or if it exits with another code than ``ends``."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode in ends else None


def packages() -> dict[str, str | None]:
    """Return the versions of the packages that decide a training's result."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def changed_since_start(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each change since a training began: of recipe, rows, DeepSpeed's JSON, base model."""
    for item in [*record["data"], *filter(None, [record.get("deepspeed")])]:
        yield from _changed(Path(item["name"]), item["sha256"])
    yield from _changed_model(run, record)


def changed_since_training(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each change since training ended: of recipe, base model, adapter."""
    yield from _changed_model(run, record)
    if folder_sha256(run / ADAPTER) != record["adapter_sha256"]:
        yield f"{run / ADAPTER}: has changed"


def _changed_model(run: Path, record: Mapping[str, Any]) -> Iterator[str]:
    yield from _changed(run / RECIPE, record["recipe"]["resolved_sha256"])
    recorded, base = record["base_model"], base_model(record["base_model"]["name"])
    if any(recorded[key] not in (None, base[key]) for key in ("sha256", "revision")):
        yield f"{base['name']}: the base model has changed"


def _changed(path: Path, expected: str) -> Iterator[str]:
    if not path.is_file() or sha256(path) != expected:
        yield f"{path}: {'has changed' if path.is_file() else 'is gone'}"
