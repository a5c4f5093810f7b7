"""The record of a run, ``run.json``: what it was made from, by what, on what, and when."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.jsonl import sha256, write_json
from recipes.runner import hardware
from recipes.runner.recipe import FOLDER, Recipe

RECORD, SEAL, PATCH = "run.json", "record_sha256", "changes.patch"
LARGE = 2**20  # bytes of a file that is no code
PACKAGES = (
    "ecom-llm-recipes",
    "axolotl",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "datasets",
    "accelerate",
    "tokenizers",
    "liger-kernel",
    "triton",
    "flash-attn",
    "deepspeed",
)


def start(
    recipe: Recipe, resolved: Path, files: Mapping[Path, str], manifests: Mapping[str, Any], started: str
) -> dict[str, Any]:
    """Return the record of a run that begins now.

    ``resolved`` is the YAML that Axolotl gets, ``files`` are its data with their hashes, ``started`` is an ISO time.
    """
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
        "deepspeed": _deepspeed(recipe.keys.get("deepspeed")),
        "git": git(FOLDER.parent),
        "packages": packages(),
        "hardware": hardware.describe(),
        "seconds": {},
    }


def _deepspeed(named: Any) -> dict[str, Any] | None:
    """Return the file that says how the model is divided; one that stands in the recipe itself is hashed with it."""
    return {"name": str(named), "sha256": sha256(Path(named))} if isinstance(named, str) else None


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
    """Return a run's record; one that was edited since it was written is an ``InputError``: it would be sealed anew."""
    record = read(run)
    if record.get(SEAL) != seal(record):
        raise InputError(
            f"{run / RECORD}: found other contents than were written, expected nobody to edit the record of a run"
        )
    return record


def read(run: Path) -> dict[str, Any]:
    """Return a run's record; a run without one is an ``InputError``."""
    path = run / RECORD
    if not path.is_file():
        raise InputError(f"{run}: found no {RECORD}, expected a run made by 'ecom-train train'")
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: found no JSON, expected the record of a run: {error}") from error
    if not isinstance(record, dict) or "status" not in record:
        raise InputError(f"{path}: found JSON with no status in it, expected the record of a run")
    return record


def base_model(name: str) -> dict[str, Any]:
    """Return a base model's name with what pins it: a hash of a local folder, the commit of a model from the hub."""
    if Path(name).is_dir():
        return {"name": name, "sha256": folder_sha256(Path(name)), "revision": None}
    folder = base_folder(name)
    return {"name": name, "sha256": None, "revision": folder.name if folder else None}


def base_folder(name: str) -> Path | None:
    """Return where a base model lies, local or in the hub's cache, as far as it was fetched."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def folder_sha256(folder: Path, without: str = ".") -> str:
    """Return one hash over the names and bytes of a folder's files, hidden ones and logs left out.

    For a checkpoint it is the one that evaluation records. A name that begins with ``without`` is left out, too.
    """
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"}
    digest = hashlib.sha256()
    for name in sorted(name for name in files if not any(part.startswith((".", without)) for part in name.parts)):
        digest.update(f"{name.as_posix()}\0{sha256(files[name])}\n".encode())
    return digest.hexdigest()


def template_sha256(folder: Path) -> str | None:
    """Return the hash of the chat template saved with a checkpoint, the one that evaluation compares; ``None`` without one."""
    file, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    template = file.read_text("utf-8") if file.is_file() else None
    if template is None and settings.is_file():
        template = json.loads(settings.read_bytes()).get("chat_template")
    return hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None


def git(folder: Path) -> dict[str, Any]:
    """Return commit and whether the tree differs from it; both ``None`` outside a checkout."""
    commit, changes = (_git(folder, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain")))
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def changes(folder: Path) -> bytes:
    """Return how a checkout's files differ from its commit, as a patch; new files are in it, but for ignored and large ones."""
    new = (_git(folder, "ls-files", "--others", "--exclude-standard", "-z") or "").split("\0")
    small = [name for name in new if name and (folder / name).is_file() and (folder / name).stat().st_size < LARGE]
    parts = [_diff(folder, "HEAD"), *(_diff(folder, "--no-index", "--", os.devnull, name) for name in small)]
    return b"".join(parts)


def _diff(folder: Path, *words: str) -> bytes:
    # what a user sets for the eye, such as a diff tool or colours, would make it no patch
    plain = ["--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"]
    try:
        done = subprocess.run(["git", "-C", str(folder), "diff", *plain, *words], capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode in (0, 1) else b""  # 1: without an index, there is a difference


def in_commit(commit: str, path: str = "") -> bytes | None:
    """Return a file of this project as a commit has it (nothing of it without a path); ``None`` where that is not here."""
    words = [
        "git",
        "-C",
        str(FOLDER.parent),
        "cat-file",
        "blob" if path else "commit",
        f"{commit}:{path}" if path else commit,
    ]
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def packages() -> dict[str, str | None]:
    """Return the versions of what decides a training's result."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
