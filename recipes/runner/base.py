"""The base model of a recipe: a folder, in the hub's cache, or on the hub and open to this machine."""

import os
from pathlib import Path

from converters.errors import InputError
from recipes.runner import provenance
from recipes.runner.recipe import Recipe, where


def require(recipe: Recipe) -> None:
    """Raise an ``InputError`` when the base model is a local folder that is not there; a name on the hub has one slash."""
    name = str(recipe.keys.get("base_model"))
    local = name.count("/") != 1 or name.startswith((".", "/", "~", "runs/"))
    if local and not Path(name).is_dir():
        at = where(recipe, ("base_model",))
        raise InputError(f"{at}: found no folder {name!r}, expected a checkpoint (the demo's is made by 'make demo')")


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
    if provenance.base_folder(name):
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
        off = (
            "the hub is switched off by HF_HUB_OFFLINE"
            if os.environ.get("HF_HUB_OFFLINE")
            else "the hub cannot be reached"
        )
        raise InputError(
            f"base_model {name}: not in the hub's cache, and {off}; fetch it where there is a network: "
            f".venv/bin/hf download {name}"
        ) from error
