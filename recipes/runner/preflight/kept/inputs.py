"""What decides each thing that is kept, of a recipe: its keys, the files that they name, and its base model.

``None`` is the key of what must not be kept: code from elsewhere has a say in it (``trust_remote_code``, a plugin or prompt
strategy of the user's own), or the base model is not here yet.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from recipes.plugins import completion_only
from recipes.runner.preflight.kept import keys
from recipes.runner.preflight.kept.schema import nameable
from recipes.runner.recipe import Recipe, base_folder, named_files

# No token of a row depends on the value of these, nor what base and prompts are held against; a wrong type may fail before.
# Axolotl cuts or drops rows that are over sequence_len once they are encoded.
# fmt: off
APART = (
    "adam_beta1", "adam_beta2", "adam_epsilon", "eval_steps", "eval_strategy", "evals_per_epoch", "gradient_accumulation_steps",
    "gradient_checkpointing", "learning_rate", "logging_steps", "lora_alpha", "lora_dropout", "lora_r", "lr_scheduler",
    "max_grad_norm", "max_steps", "micro_batch_size", "num_epochs", "optimizer", "save_steps", "save_strategy",
    "save_total_limit", "saves_per_epoch", "seed", "sequence_len", "warmup_ratio", "warmup_steps", "weight_decay",
)
# fmt: on


def validation(recipe: Recipe, machine: tuple[Any, ...]) -> str | None:
    """Return the key of Axolotl's validated configuration for a machine: its settings, and its cards or those that were named."""
    base = _base(recipe)
    rows = ("datasets", "test_datasets", "ewc_data")  # whose bytes no validation reads
    named = keys.files(named_files({key: value for key, value in recipe.keys.items() if key not in rows}))
    return None if base is None else keys.digest("valid", recipe.keys, machine, named, base)


def contract(splits: Iterable[tuple[Path, str]]) -> str:
    """Return the key of rows that keep their contract, by the files' hashes."""
    return keys.digest("contract", [(str(path), sha256) for path, sha256 in splits])


def tokenizer(recipe: Recipe, rows: Collection[Path], settings: tuple[Any, ...]) -> str | None:
    """Return the key of the tokenizer, and of what it and the recipe say of the base; neither reads the ``rows``."""
    base = _base(recipe)
    decides = {key: _kind(value) if key in APART else value for key, value in recipe.keys.items()}
    named = keys.files(path for path in named_files(decides) if path not in rows)
    return None if base is None else keys.digest("tokenizer", settings, decides, named, base)


def proof(key: str | None, hashes: Mapping[Path, str]) -> str | None:
    """Return the key of what a tokenizer and its template say of rows; ``hashes`` are those of the files that hold them."""
    return key and keys.digest("proof", key, sorted((str(path), sha256) for path, sha256 in hashes.items()))


def _kind(value: object) -> str:
    """Return a value's type, that of a number that YAML leaves a text (2e-3) and of any other number the same."""
    try:
        return "number" if value and float(str(value)) else type(value).__name__
    except ValueError:
        return type(value).__name__


def _base(recipe: Recipe) -> list[tuple[str, object]] | None:
    name = str(recipe.keys.get("base_model"))
    folder = base_folder(name)
    if folder is None or any(_from_elsewhere(recipe)) or not (Path(name).is_dir() or _newest(name, folder.name)):
        return None
    return keys.files(path for path in folder.rglob("*") if path.is_file())


def _from_elsewhere(recipe: Recipe) -> Iterator[bool]:
    plugins = recipe.keys.get("plugins") or []
    yield bool(recipe.keys.get("trust_remote_code"))
    yield not isinstance(plugins, list) or not all(map(nameable, plugins))
    for group in ("datasets", "test_datasets"):
        entries = recipe.keys.get(group) or []
        yield not isinstance(entries, list)
        types = [entry.get("type") if isinstance(entry, dict) else None for entry in entries]
        yield not all(kind in ("chat_template", completion_only.__name__) for kind in types)


def _newest(name: str, commit: str) -> bool:
    """Tell whether a model from the hub is here as the hub has it now; without a network, the one that is here is taken."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return bool(HfApi().model_info(name, timeout=10).sha == commit)
    except HfHubHTTPError:
        return False
    except OSError:  # no network, or HF_HUB_OFFLINE
        return True
