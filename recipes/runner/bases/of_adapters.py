"""The base that adapters are served on: the merged model of a run is this base and its adapter, up to rounding.

An adapter that was trained on a base in four bits has learnt on weights that are rounded to NF4, and its merge rounds them, too:
the base's own weights are another model to it. So this base is what the run's own merge makes of an adapter that changes nothing.
Without quantisation it is the base itself, by links. Both have the tokenizer and the chat template of the training, as a merged
checkpoint has them.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.io.jsonl import decode, files_sha256, locked
from eval.inference.checkpoint import OTHER_FORMATS
from recipes.runner.recipe import base_folder
from recipes.runner.records import provenance
from recipes.runner.records.layout import ADAPTER, RUNS, TOKENIZER, recipe_of, replacing
from recipes.runner.training import merge, merge_gate
from recipes.runner.training.respell import CONFIG, WEIGHTS, respelt

BASES = RUNS / ".bases"
NF4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}  # Axolotl's defaults
SETTINGS = "tokenizer_config.json"
LOADED = ("local_files_only", "is_local", "name_or_path", "chat_template")  # transformers writes how it was loaded


def identity(run: Path) -> dict[str, str]:
    """Return what decides the base that a run's adapter is served on; adapters of one base agree in all of it."""
    base, keys, adapter = provenance.read(run)["base_model"], recipe_of(run), run / ADAPTER
    rounded = NF4 | (keys.get("bnb_config_kwargs") or {}) | {"experts": bool(keys.get("quantize_moe_experts"))}
    kind = ", ".join(f"{key}={value}" for key, value in sorted(rounded.items()))
    return {
        "base model": base["sha256"] or f"{base['name']} at {base['revision']}",
        "precision in training": f"in four bits ({kind})" if merge_gate.nf4(keys) else "as it is",
        "tokenizer": _tokenizer_digest(adapter),
        "chat template": str(provenance.saved_template_sha256(adapter)),
    }


def made(run: Path, echo: Callable[[bytes], None]) -> Path:
    """Return the folder of the base; it is made once for all runs of one :func:`identity`.

    A base that is not on this machine, or whose weights are no safetensors, is an ``InputError``.
    """
    name = provenance.read(run)["base_model"]["name"]
    base = base_folder(name)
    if base is None or not any(base.glob("*.safetensors")):
        raise InputError(f"{name}: the base model's weights (*.safetensors) are not on this machine; fetch them first")
    folder = BASES / digest(sorted(identity(run).items()))
    BASES.mkdir(parents=True, exist_ok=True)
    with locked(BASES / f"{folder.name}.lock", folder, "made"):
        if not folder.is_dir():
            write = _rounded if merge_gate.nf4(recipe_of(run)) else _linked
            with replacing(folder) as new:
                write(run, base, new, echo)
    return folder


def _rounded(run: Path, base: Path, new: Path, echo: Callable[[bytes], None]) -> None:
    place = new.parent
    named = respelt(run / ADAPTER, base, place / "named", bool(recipe_of(run).get("trust_remote_code")))
    merge.written(run, base, _neutral(named, place / "neutral"), place, echo).rename(new)


def _neutral(adapter: Path, folder: Path) -> Path:
    """Return a copy of an adapter that changes nothing: every B is 0."""
    import torch
    from safetensors.torch import load_file, save_file

    own = load_file(adapter / WEIGHTS)
    folder.mkdir()
    shutil.copy2(adapter / CONFIG, folder)
    save_file(
        {name: torch.zeros_like(own[name]) if ".lora_B." in name else own[name] for name in own}, folder / WEIGHTS
    )
    return folder


def _linked(run: Path, base: Path, new: Path, echo: Callable[[bytes], None]) -> None:
    new.mkdir()
    ours = {path.name for path in _tokenizer(run / ADAPTER)}
    for path in base.iterdir():
        if path.is_file() and path.name not in ours and not any(map(path.match, OTHER_FORMATS)):
            (new / path.name).symlink_to(path.resolve())
    merge.complete(new, run / ADAPTER)


def _tokenizer_digest(adapter: Path) -> str:
    """Return a hash of what decides the tokens: all but the template, which is compared apart, and how it was loaded."""
    settings = adapter / SETTINGS
    keys = decode(settings.read_bytes(), dict[str, Any], str(settings)) if settings.is_file() else {}
    told = sorted((key, str(value)) for key, value in keys.items() if key not in LOADED)
    others = [path for path in _tokenizer(adapter) if path != settings and not path.name.startswith("chat_template")]
    return digest(told, files_sha256(adapter, others))


def _tokenizer(adapter: Path) -> set[Path]:
    return {path for pattern in TOKENIZER for path in adapter.glob(pattern)}
