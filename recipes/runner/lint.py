"""What Axolotl passes over in silence is an error here: unknown keys anywhere, and keys that exclude each other.

The allowed keys are those of Axolotl's own schema, so a new Axolotl brings its new keys along.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from converters.errors import InputError
from converters.registry import nearest
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
    schema = _schema(recipe)
    yield from _unknown(recipe, recipe.keys, schema, ())


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


def _unknown(recipe: Recipe, tree: Any, *schemas_and_place: Any) -> Iterator[str]:
    *schemas, place = schemas_and_place
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from _unknown(recipe, item, *schemas, (*place, number))
    elif isinstance(tree, Mapping) and schemas:
        fields = _fields(tuple(schemas))
        for key, value in tree.items():
            at: Place = (*place, key)
            if key not in fields:
                yield f"{where(recipe, at)}: unknown key {key!r}{_of(place)}{nearest(str(key), sorted(fields))}"
            else:
                yield from _unknown(recipe, value, *fields[key], at)


def _of(place: Place) -> str:
    inside = [str(part) for part in place if isinstance(part, str)]
    return f" in {inside[-1]!r}" if inside else ""


@cache
def _fields(schemas: tuple[type[BaseModel], ...]) -> dict[str, tuple[type[BaseModel], ...]]:
    fields: dict[str, tuple[type[BaseModel], ...]] = {}
    for schema in schemas:
        for name, field in schema.model_fields.items():
            inner = tuple(_models(field.annotation))
            for spelling in filter(None, (name, field.alias)):
                fields[spelling] = fields.get(spelling, ()) + inner
    return fields


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the schema classes inside an annotation; none means that any keys go, as for ``optim_args``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, list, tuple):
        for part in get_args(annotation):
            yield from _models(part)


def conflicts(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every pair of keys that exclude each other."""
    on = [key for key, value in recipe.keys.items() if value not in (None, False)]
    for first, others in (("attn_implementation", LEGACY_ATTENTION), ("lora_dropout", KERNELS)):
        for other in others:
            if first in on and other in on and recipe.keys[first] != 0:
                yield f"{where(recipe, (other,))}: found {other!r} beside {first!r}, expected one of them"
    chosen = [key for key in CROSS_ENTROPY if key in on]
    if len(chosen) > 1:
        yield f"{where(recipe, (chosen[1],))}: found {' and '.join(map(repr, chosen))}, expected one cross-entropy option"
    # bitsandbytes repacks 4-bit weights for inference on a CPU and keeps them so: its packed product has no gradient.
    for key in ("test_datasets", "val_set_size"):
        if key in on and "load_in_4bit" in on and not gpu_needs(recipe):
            yield f"{where(recipe, (key,))}: found {key!r} in 4-bit training on a CPU, expected none: it spoils the gradients"
    if recipe.keys.get("output_dir") is not None:
        yield f"{where(recipe, ('output_dir',))}: found 'output_dir', expected none: a run's folder is set by --run"


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
