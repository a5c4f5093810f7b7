"""A checkpoint on disk: its folder, its hash, and what the run that made it recorded. Loads no weights.

A checkpoint is a whole model or the folder of an adapter (``adapter_config.json``), which names its base. An adapter that was
trained by QLoRA is put on a base in NF4, as in training and merging.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from converters.core.errors import InputError, first_line
from converters.io import jsonl
from converters.io.jsonl import folder_sha256

ADAPTER, MERGED = "adapter_config.json", "merged"
# Second copies of the weights in other formats, which transformers does not load.
OTHER_FORMATS = ["consolidated*", "original/*", "*.bin", "*.pth", "*.gguf", "*.onnx", "*.h5", "*.msgpack"]


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter is put on, in NF4 or whole."""

    name: str
    folder: Path
    sha256: str
    nf4: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's folder, the hash over its files, and its base if it is an adapter."""

    folder: Path
    sha256: str
    base: Base | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Return what the answers depend on, for the record."""
        base = self.base
        named = {"name": base.name, "sha256": base.sha256, "loaded": "nf4" if base.nf4 else "whole"} if base else None
        return {"checkpoint_sha256": self.sha256} | ({"adapter_base": named} if named else {})


def find(checkpoint: str) -> Checkpoint:
    """Return a checkpoint by its folder or its name on the hub; it and an adapter's base are fetched."""
    folder = locate(checkpoint)
    settings = folder / ADAPTER
    if not settings.is_file():
        return Checkpoint(folder, folder_sha256(folder))
    name = jsonl.decode(settings.read_bytes(), dict[str, Any], str(settings)).get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise InputError(f"{settings}: no base_model_name_or_path, so the adapter's base model is not known")
    base = locate(name)
    return Checkpoint(folder, folder_sha256(folder), Base(name, base, folder_sha256(base), _quantised(folder)))


def require(checkpoint: str) -> None:
    """Raise an ``InputError`` for a folder that is not there; any other name may be one on the hub.

    A name is a folder's if the folder that it would lie in is there, or if it ends as a run's merged checkpoint does.
    """
    path = Path(checkpoint)
    if path.is_dir() or not (path.name == MERGED or ("/" in checkpoint and path.parent.is_dir())):
        return
    mend = f"make it with 'make merge-{path.parent.name}'" if path.name == MERGED else "name one, or a model on the hub"
    raise InputError(f"{checkpoint}: no such folder; {mend}")


def locate(checkpoint: str) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if it is not a folder."""
    require(checkpoint)
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(checkpoint, ignore_patterns=OTHER_FORMATS))
    except (OSError, ValueError) as error:
        raise InputError(f"{checkpoint}: no such folder, nor a model on the hub: {first_line(error)}") from error


def _quantised(adapter: Path) -> bool:
    recipe = _of_run(adapter, "recipe.yaml")
    try:
        keys = yaml.safe_load(recipe.read_bytes()) if recipe else {}
    except yaml.YAMLError as error:
        raise InputError(f"{recipe}: is not valid YAML: {first_line(error)}") from error
    return isinstance(keys, dict) and bool(keys.get("load_in_4bit"))


def _of_run(folder: Path, name: str) -> Path | None:
    """Return a file of the run that a checkpoint lies in: as ``merged``, ``adapter`` or ``adapter/checkpoint-100``."""
    return next((place / name for place in folder.resolve().parents[:2] if (place / name).is_file()), None)


def dtype(folder: Path) -> str | None:
    """Return the precision that a checkpoint's ``config.json`` names, such as ``float32``; ``None`` where it names none."""
    path = folder / "config.json"
    config = jsonl.decode(path.read_bytes(), dict[str, Any], str(path)) if path.is_file() else {}
    parts = [config, config.get("text_config")]  # a model that sees, too, may name it for its parts
    named = (part.get(key) for part in parts if isinstance(part, dict) for key in ("dtype", "torch_dtype"))
    return next((name for name in named if isinstance(name, str)), None)


def check_template(folder: Path, template: str) -> None:
    """Raise an ``InputError`` if the run that a checkpoint lies in recorded another template's hash."""
    path = _of_run(folder, "run.json")
    recorded = jsonl.decode(path.read_bytes(), dict[str, Any], str(path)).get("template_sha256") if path else None
    if recorded not in (None, template):
        raise InputError(
            f"{folder}: found a chat template with hash {template[:12]}, expected the one of the training, "
            f"{str(recorded)[:12]} in {path}: the model would be asked in another way than it learnt"
        )
