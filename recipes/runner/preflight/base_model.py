"""What depends on the base model: whether it is there, its LoRA target modules, and a warm start's parent."""

import json
import os
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, nearest
from converters.io.jsonl import folder_sha256
from recipes.runner.capacity import memory
from recipes.runner.preflight.kept.trainer import import_models
from recipes.runner.recipe import Recipe, base_folder, where
from recipes.runner.records import layout, provenance

LAYERS = ("lora_target_modules", "lora_modules_to_save")
# Of these types of models transformers' own classes have these layers, by any configuration.
DENSE = ("llama", "mistral", "qwen2", "qwen3", "smollm3")
DENSE_LAYERS = frozenset((*memory.LINEAR, "embed_tokens", "lm_head"))
DEPTHS, WEIGHTS = "peft_layers_to_transform", "unfrozen_parameters"
DEMO, SMOLLM2 = (layout.RUNS / f"{name}-base" / layout.MERGED for name in ("demo", "smollm2"))
STARTS = {"lora_model_dir": "adapter", "base_model": "merged"}
# An existing adapter settles these for Axolotl, which then ignores in silence what the recipe says of them.
# fmt: off
SETTLED = {
    "lora_r": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout",
    "lora_target_modules": "target_modules", "lora_target_parameters": "target_parameters",
    "lora_modules_to_save": "modules_to_save", "lora_rank_pattern": "rank_pattern", "lora_alpha_pattern": "alpha_pattern",
    "peft_layers_to_transform": "layers_to_transform", "peft_trainable_token_indices": "trainable_token_indices",
    "peft_use_dora": "use_dora", "peft_use_rslora": "use_rslora",
}
# fmt: on


def require(recipe: Recipe) -> None:
    """Raise an ``InputError`` when the base model is a local folder that is not there; a name on the hub has one slash."""
    name = recipe.keys.get("base_model")
    if not isinstance(name, str):  # for the lint to refuse
        return
    local = name.count("/") != 1 or name.startswith((".", "/", "~", "runs/"))
    if local and not Path(name).is_dir():
        made = f", or make it: {made}" if (made := making(name)) else ""
        raise InputError(f"{where(recipe, ('base_model',))}: no folder {name!r}; name a checkpoint{made}")


def making(name: str) -> str | None:
    """Return the command that makes a base model's folder that is not there, ``None`` for a folder that none of ours makes."""
    run = Path(name).parent
    if Path(name).name == layout.MERGED and (run / layout.RECORD).is_file():
        return f"make merge-{run.name}"
    if words := fetching(name):
        return shlex.join([f".venv/bin/{words[0]}", *words[1:]])
    return "make demo" if Path(name) == DEMO else None


def fetching(name: str) -> list[str] | None:
    """Return the words of the command that fetches the base model whose folder is ``name``; ``None`` for another base model."""
    return ["ecom-train", "base", "smollm2", "--out", str(SMOLLM2)] if Path(name) == SMOLLM2 else None


def embedded(recipe: Recipe, tokens: int) -> None:
    """Raise an ``InputError`` when a tokenizer has more ``tokens`` than the base model has embeddings."""
    from transformers import AutoConfig

    try:
        settings = AutoConfig.from_pretrained(
            str(recipe.keys["base_model"]), trust_remote_code=bool(recipe.keys.get("trust_remote_code"))
        )
    except (OSError, ValueError):
        return
    if (have := settings.get_text_config().vocab_size) < tokens:
        key = next((key for key in ("tokens", "special_tokens") if recipe.keys.get(key)), "base_model")
        raise InputError(
            f"{where(recipe, (key,))}: found {tokens} tokens in the tokenizer and {have} in the base model, expected no more: "
            "Axolotl would enlarge its embeddings, and the adapter fit no base that can be had; take a token that is there"
        )


def downloadable(name: str, endpoint: str | None = None) -> None:
    """Raise an ``InputError`` when a model is neither here nor to be had; a gated one says what has to be done for it.

    ``endpoint`` is the hub's address, its own if none is given.
    """
    if base_folder(name):
        return
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        HfApi(endpoint=endpoint).auth_check(name)
    except GatedRepoError as error:
        page = f"{endpoint or 'https://huggingface.co'}/{name}"
        raise InputError(
            f"base_model {name}: found a gated model that this machine may not fetch; accept its terms at {page}, "
            "then log in once: .venv/bin/hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"base_model {name}: found no such model on the hub, or a private one; log in: .venv/bin/hf auth login"
        ) from error
    except (OSError, HTTPError, OfflineModeIsEnabled) as error:
        state = "is switched off by HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "cannot be reached"
        raise InputError(
            f"base_model {name}: not in the hub's cache, and the hub {state}; fetch it where there is a network: "
            f".venv/bin/hf download {name}"
        ) from error


def layers(recipe: Recipe, config: Any) -> None:
    """Raise an ``InputError`` for the first name that no layer of the base model bears; ``config`` is Axolotl's own."""
    if not any(recipe.keys.get(key) for key in ((*LAYERS, DEPTHS) if config.adapter else (WEIGHTS,))):
        return
    if _dense(recipe, config):
        return
    import_models()
    model = skeleton(str(config.base_model), bool(config.trust_remote_code))
    experts = model and any(part.dim() == 3 and "expert" in name for name, part in model.named_parameters())
    if model is not None and not experts:  # which lie in one tensor, and which PEFT knows as several
        names = {name for name, _ in model.named_modules() if name}
        for fault in (*_unknown_layers(recipe, names), *_unknown_weights(recipe, model)):
            raise InputError(fault)


def _dense(recipe: Recipe, config: Any) -> bool:
    """Tell whether a list names layers alone that are in every model of the base's type."""
    if (
        not config.adapter
        or config.model_config_type not in DENSE
        or config.trust_remote_code
        or recipe.keys.get(DEPTHS)
    ):
        return False
    named = (recipe.keys.get(key) for key in LAYERS)
    return all(DENSE_LAYERS.issuperset(names) for names in named if isinstance(names, list))


def skeleton(base: str, trust: bool = False) -> Any:
    """Return a model without its weights, from its configuration; ``None`` for a missing or unknown one."""
    import torch
    from transformers import AutoConfig

    from eval.inference.backends.base import auto_class

    try:
        settings = AutoConfig.from_pretrained(base, trust_remote_code=trust)
        with torch.device("meta"):
            return auto_class(settings).from_config(settings, trust_remote_code=trust)
    except (OSError, ValueError):
        return None


def _unknown_layers(recipe: Recipe, names: Collection[str]) -> Iterator[str]:
    """Yield a sentence for every name of a list that is none of the layers' nor the end of one; a text is PEFT's to match."""
    last = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
    for key in LAYERS:
        layers = recipe.keys.get(key)
        for layer in layers if isinstance(layers, list) else ():
            if not any(f".{name}".endswith(f".{layer}") for name in names):
                at = where(recipe, (key,))
                yield f"{at}: found {layer!r} in {key}, and no such layer in the base model{nearest(str(layer), last)}"
    depth = sum(name.rpartition(".")[2].isdigit() for name in names)
    for number in recipe.keys.get(DEPTHS) or ():
        if not 0 <= number < depth:
            yield f"{where(recipe, (DEPTHS,))}: found {number} in {DEPTHS}, expected 0 to {depth - 1}: the base model's layers"


def _unknown_weights(recipe: Recipe, model: Any) -> Iterator[str]:
    from axolotl.utils.freeze import LayerNamePattern

    names = [name for name, _ in model.named_parameters()]
    for pattern in recipe.keys.get(WEIGHTS) or ():
        if not any(map(LayerNamePattern(pattern).match, names)):
            at = where(recipe, (WEIGHTS,))
            yield f"{at}: found {pattern!r} in {WEIGHTS}, which no weights of the base model match, such as {names[-1]}"


def adapter(recipe: Recipe) -> None:
    """Raise an ``InputError`` where ``lora_model_dir`` is no adapter, or one of another shape or base than the recipe says."""
    if not (name := recipe.keys.get("lora_model_dir")):
        return
    at, path = where(recipe, ("lora_model_dir",)), Path(str(name)) / "adapter_config.json"
    if not path.is_file():
        raise InputError(f"{at}: no adapter in {str(name)!r}; name the folder of one, such as runs/NAME/adapter")
    try:
        saved = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: found {error}, expected JSON") from error
    settings = dict(recipe.keys)
    if recipe.keys.get("lora_target_linear"):
        value = settings.get("lora_target_modules") or ()
        settings["lora_target_modules"] = [*{*memory.LINEAR, *([value] if isinstance(value, str) else value)}]
    for key, adapter_key in SETTLED.items():
        ours, theirs = _plain(settings.get(key)), _plain(saved.get(adapter_key))
        if ours != theirs:
            raise InputError(
                f"{where(recipe, (key,))}: found {key} {ours}, and {theirs} in {path}; expected the adapter's own"
            )
    _same_base(recipe, saved.get("base_model_name_or_path"), path)


def _plain(value: Any) -> Any:
    """Return a setting so that equal ones are equal: the order of names is none, and nothing, no and 0 are one."""
    return sorted(value) if isinstance(value, list) and value else value or None


def _same_base(recipe: Recipe, theirs: str | None, path: Path) -> None:
    ours = str(recipe.keys.get("base_model"))
    if theirs in (None, ours) or _run(path.parent, "adapter"):  # of a run's the bytes are compared
        return
    folders = [folder and folder.resolve() for folder in map(base_folder, (ours, str(theirs)))]
    if None in folders or folders[0] != folders[1]:
        raise InputError(
            f"{where(recipe, ('base_model',))}: found base_model {ours!r}, and an adapter that was trained on {theirs!r} "
            f"({path}); expected the same base"
        )


def _run(folder: Path, part: str) -> bool:
    return folder.name == part and (folder.parent / layout.RECORD).is_file()


def parent(recipe: Recipe) -> dict[str, Any] | None:
    """Return a warm start's run (``None`` for an adapter of no run), part, path and hash; ``None`` without a warm start.

    One that its run recorded otherwise, or an adapter of another base, is an ``InputError``.
    """
    for key, part in STARTS.items():
        folder = Path(str(recipe.keys.get(key)))
        if _run(folder, part):
            return _from_run(recipe, key, folder)
    if name := recipe.keys.get("lora_model_dir"):
        return _start(None, "adapter", Path(str(name)))
    return None


def _start(run: str | None, part: str, folder: Path) -> dict[str, Any]:
    return {"run": run, "part": part, "path": str(folder), "sha256": folder_sha256(folder)}


def _from_run(recipe: Recipe, key: str, folder: Path) -> dict[str, Any]:
    record, digest = provenance.read(folder.parent), folder_sha256(folder)
    recorded = record.get(f"{folder.name}_sha256")
    if digest != recorded:
        raise InputError(
            f"{where(recipe, (key,))}: found other bytes in {folder} than {folder.parent / layout.RECORD} tells of "
            f"({digest[:12]}, recorded {str(recorded)[:12]}); expected the {folder.name} as its run left it"
        )
    if key == "lora_model_dir":
        theirs, ours = record["base_model"], provenance.base_model(str(recipe.keys.get("base_model")))
        if (theirs["sha256"] or theirs["name"]) != (ours["sha256"] or ours["name"]):
            raise InputError(
                f"{where(recipe, ('base_model',))}: found base_model {ours['name']!r}, and an adapter of {folder.parent} "
                f"that was trained on {theirs['name']!r}; expected the same base"
            )
    return _start(folder.parent.name, folder.name, folder)
