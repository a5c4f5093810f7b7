"""What Axolotl passes over in silence is an error here: unknown keys anywhere, and keys that exclude or spoil each other.

The allowed keys are those of Axolotl's own schema, so a new Axolotl brings its new keys along.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from converters.errors import InputError
from converters.registry import nearest
from recipes.runner import whole_answer
from recipes.runner.hardware import gpu_needs
from recipes.runner.recipe import Place, Recipe, where

LEGACY_ATTENTION = (
    "flash_attention",
    "sdp_attention",
    "xformers_attention",
    "flex_attention",
    "eager_attention",
    "sage_attention",
)
KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
OURS = {"output_dir": "a run's folder is set by --run", "dataset_prepared_path": "it follows from the data's bytes"}
CROSS_ENTROPY = (
    "liger_fused_linear_cross_entropy",
    "cut_cross_entropy",
    "chunked_cross_entropy",
    "liger_cross_entropy",
)


def lint(recipe: Recipe) -> None:
    """Raise ``InputError`` for the first unknown key, the first conflict, or what Axolotl's own validation refuses."""
    for finding in (*unknown_keys(recipe), *conflicts(recipe)):
        raise InputError(finding)
    validated(recipe)


def unknown_keys(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every key that Axolotl's schema does not have, with the nearest one that it has."""
    yield from _unknown(recipe, recipe.keys, (_schema(recipe),), ())
    quantisation = recipe.keys.get(
        "bnb_config_kwargs"
    )  # to Axolotl any keys; bitsandbytes' own settings pass over wrong ones
    if isinstance(quantisation, Mapping):
        from transformers import BitsAndBytesConfig

        known = list(signature(BitsAndBytesConfig).parameters)
        yield from (_sentence(recipe, ("bnb_config_kwargs", key), known) for key in quantisation if key not in known)


def _schema(recipe: Recipe) -> type[BaseModel]:
    from axolotl.utils.config import merge_input_args, prepare_plugins
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    if not recipe.keys.get("plugins"):
        return AxolotlInputConfig  # type: ignore[no-any-return]
    try:
        prepare_plugins(DictDefault(dict(recipe.keys)))
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{where(recipe, ('plugins',))}: found a plugin that cannot be loaded: {error}") from error
    merged: type[BaseModel] = merge_input_args()[1]
    return merged


def _unknown(recipe: Recipe, tree: Any, schemas: tuple[type[BaseModel], ...], place: Place) -> Iterator[str]:
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from _unknown(recipe, item, schemas, (*place, number))
    elif isinstance(tree, Mapping) and schemas:
        # An entry is of one kind and the others' keys are lost on it: the kind that knows most of its keys was meant.
        fields = min(map(_fields, schemas), key=lambda known: len(tree.keys() - known.keys()))
        for key, value in tree.items():
            if key in fields:
                yield from _unknown(recipe, value, fields[key], (*place, key))
            else:
                yield _sentence(recipe, (*place, key), sorted(fields))


def _sentence(recipe: Recipe, place: Place, known: list[str]) -> str:
    *inside, key = place
    names = [part for part in inside if isinstance(part, str)]
    of = f" in {names[-1]!r}" if names else ""
    return f"{where(recipe, place)}: unknown key {key!r}{of}{nearest(str(key), known)}"


@cache
def _fields(schema: type[BaseModel]) -> dict[str, tuple[type[BaseModel], ...]]:
    return {
        spelling: tuple(_models(field.annotation))
        for name, field in schema.model_fields.items()
        for spelling in filter(None, (name, field.alias))
    }


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the schema classes inside an annotation; none means that any keys go, as for ``optim_args``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, list, tuple):
        for part in get_args(annotation):
            yield from _models(part)


def conflicts(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every key that excludes another, that the runner sets itself, or that spoils the training."""
    on = [key for key, value in recipe.keys.items() if value not in (None, False)]
    for first, others in (("attn_implementation", LEGACY_ATTENTION), ("lora_dropout", KERNELS)):
        for other in others:
            if first in on and other in on and recipe.keys[first] != 0:
                yield f"{where(recipe, (other,))}: found {other!r} beside {first!r}, expected one of them"
    chosen = [key for key in CROSS_ENTROPY if key in on]
    if len(chosen) > 1:
        yield f"{where(recipe, (chosen[1],))}: found {' and '.join(map(repr, chosen))}, expected one cross-entropy option"
    refused = dict(OURS)
    if "load_in_4bit" in on and not gpu_needs(recipe):
        # bitsandbytes repacks 4-bit weights for inference on a CPU and keeps them so: its packed product has no gradient.
        refused |= dict.fromkeys(
            ("test_datasets", "val_set_size"), "evaluating spoils the gradients of 4-bit training on a CPU"
        )
    yield from (
        f"{where(recipe, (key,))}: found {key!r}, expected none: {refused[key]}" for key in on if key in refused
    )
    yield from _entries(recipe)


def _entries(recipe: Recipe) -> Iterator[str]:
    for group in ("datasets", "test_datasets"):
        entries = recipe.keys.get(group) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            yield f"{where(recipe, (group,))}: found {entries!r}, expected a list of entries with path and type"
            return
        for number, entry in enumerate(entries):
            if entry.get("type") == whole_answer.__name__:
                for key in sorted(whole_answer.UNSEARCHED.keys() & entry.keys()):
                    at = where(recipe, (group, number, key))
                    yield f"{at}: found {key!r} beside type {entry['type']}, expected none: the type decides what is learnt"


def validated(recipe: Recipe) -> Any:
    """Return Axolotl's own validated configuration; what it refuses becomes one sentence."""
    import copy

    from axolotl.cli.config import gpu_capabilities
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    capabilities, environment = gpu_capabilities()
    keys = DictDefault(copy.deepcopy(dict(recipe.keys)))
    try:
        return validate_config(keys, capabilities=capabilities, env_capabilities=environment)
    except ValidationError as error:
        first = error.errors()[0]
        place = tuple(part for part in first["loc"] if isinstance(part, str | int))
        named = f"{place[0]!r}: " if place else ""
        raise InputError(f"{where(recipe, place)}: {named}{' '.join(first['msg'].split())}") from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{recipe.path}: {' '.join(str(error).split())}") from error
