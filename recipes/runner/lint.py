"""What Axolotl passes over in silence is an error here: unknown keys anywhere, and keys that exclude or spoil each other.

The allowed keys are those of Axolotl's own schema, so a new Axolotl brings its new keys along.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from converters.errors import InputError
from converters.registry import nearest
from recipes.runner import bounds, choices, hardware, refused, whole_answer, zero
from recipes.runner.cards import Card
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
# What both would do, or what the second leaves nothing to do for.
BESIDE = (
    ("attn_implementation", LEGACY_ATTENTION),
    ("lora_dropout", KERNELS),
    ("lora_mlp_kernel", ("liger_glu_activation",)),
    ("adapter", ("unfrozen_parameters",)),  # it freezes the adapter, and what it trains instead no adapter keeps
)
NO_GPU: dict[str, Any] = {"bf16": False, "fp8": False, "tf32": False, "n_gpu": 1, "compute_capability": None}
CROSS_ENTROPY = (
    "liger_fused_linear_cross_entropy",
    "cut_cross_entropy",
    "chunked_cross_entropy",
    "liger_cross_entropy",
)


def lint(recipe: Recipe, card: Card | None = None, gpus: int = 1, oldest: tuple[str, str] | None = None) -> Any:
    """Return Axolotl's validated configuration; all that is wrong with the keys is one ``InputError``.

    It is validated for ``gpus`` cards of the kind named, for this machine if none is. ``oldest`` is name and compute capability
    of the oldest card here.
    """
    old = (card.name, card.capability) if card else oldest
    faults = [*unknown_keys(recipe), *conflicts(recipe), *(incapable(recipe, *old) if old else ())]
    if faults:
        raise InputError("\n       ".join(faults))
    return validated(recipe, card, gpus)


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
    if not recipe.keys.get("plugins"):
        from axolotl.utils.schemas.config import AxolotlInputConfig

        return AxolotlInputConfig  # type: ignore[no-any-return]
    from axolotl.utils.config import merge_input_args, prepare_plugins
    from axolotl.utils.dict import DictDefault

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
        # An entry is of one kind, and the others' keys are lost on it: with no ``rl`` the first kind, supervised, is read.
        fields = _fields(schemas[0])
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
    for first, others in BESIDE:
        for other in others:
            if first in on and other in on and recipe.keys[first] != 0:
                yield f"{where(recipe, (other,))}: found {other!r} beside {first!r}, expected one of them"
    chosen = [key for key in CROSS_ENTROPY if key in on]
    if len(chosen) > 1:
        yield f"{where(recipe, (chosen[1],))}: found {' and '.join(map(repr, chosen))}, expected one cross-entropy option"
    whys = refused.KEYS | ({} if gpu_needs(recipe) else _on_a_cpu(on))
    yield from (f"{where(recipe, (key,))}: found {key!r}, expected none: {whys[key]}" for key in on if key in whys)
    yield from _missing(recipe)
    yield from bounds.faults(recipe)
    yield from choices.faults(recipe)
    yield from _entries(recipe)
    yield from zero.faults(recipe)


def _on_a_cpu(on: Sequence[str]) -> dict[str, str]:
    whys = dict.fromkeys(KERNELS, "it calls CUDA, and the recipe is for a CPU")
    if "load_in_4bit" in on:
        # bitsandbytes repacks 4-bit weights for inference on a CPU and keeps them so: its packed product has no gradient.
        whys["test_datasets"] = "evaluating spoils the gradients of 4-bit training on a CPU"
    return whys


def _missing(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every key that Axolotl would fill in with what nobody wants."""
    if not isinstance(base := recipe.keys.get("base_model"), str):
        yield f"{where(recipe, ('base_model',))}: found base_model {base}, expected a folder or a model's name on the hub"
    if not recipe.keys.get("sequence_len"):
        yield f"{recipe.path}: found no sequence_len, expected one: Axolotl would take 512 and drop all longer rows"
    if recipe.keys.get("adapter") and not gpu_needs(recipe) and all(recipe.keys.get(key) is None for key in KERNELS):
        yield (
            f"{recipe.path}: found no {KERNELS[0]}, expected false: with none of the LoRA kernels set, all of them switch "
            "themselves on and call CUDA"
        )
    if (start := recipe.keys.get("peft_init_lora_weights")) not in (None, True, False, "gaussian"):
        found = f"{where(recipe, ('peft_init_lora_weights',))}: found peft_init_lora_weights {start!r}"
        yield f"{found}, expected true or gaussian: Axolotl's merge knows no other start"
    quantised = recipe.keys.get("bnb_config_kwargs")
    kind = quantised.get("bnb_4bit_quant_type", "nf4") if isinstance(quantised, Mapping) else "nf4"
    if kind != "nf4":
        at = where(recipe, ("bnb_config_kwargs", "bnb_4bit_quant_type"))
        yield f"{at}: found bnb_4bit_quant_type {kind!r}, expected nf4: Axolotl's merge goes through it alone"
    if str(strategy := recipe.keys.get("excess_length_strategy")).lower() == "truncate":
        found = f"{where(recipe, ('excess_length_strategy',))}: found excess_length_strategy {strategy!r}"
        yield f"{found}, expected none: it cuts answers off, and their end tokens with them"


def incapable(recipe: Recipe, card: str, capability: str) -> Iterator[str]:
    """Yield a sentence for every number format that a card can only emulate, which Axolotl takes for having it."""
    for key in ("bf16", "tf32"):
        if float(capability) < 8 and recipe.keys.get(key):
            yield (
                f"{where(recipe, (key,))}: found {key}, and {card} of compute capability {capability}; "
                "expected 8.0 or higher for it (Ampere and newer)"
            )


def _entries(recipe: Recipe) -> Iterator[str]:
    seen: set[str] = set()
    for group in ("datasets", "test_datasets"):
        entries = recipe.keys.get(group) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            yield f"{where(recipe, (group,))}: found {entries!r}, expected a list of entries with path and type"
            return
        for number, entry in enumerate(entries):
            path = os.path.realpath(named := str(entry.get("path")))  # however it is spelt
            if path in seen:
                yield f"{where(recipe, (group, number, 'path'))}: found {named!r} again, expected every file once"
            seen.add(path)
            yield from _entry(recipe, (group, number), entry)


def _entry(recipe: Recipe, place: Place, entry: Mapping[str, Any]) -> Iterator[str]:
    plain = entry.get("type") in ("chat_template", whole_answer.__name__)
    for key, why in (refused.ENTRY | (refused.UNREAD if plain else {})).items():
        if entry.get(key) is not None and (key, entry[key]) != refused.ALL:
            yield f"{where(recipe, (*place, key))}: found {key} {entry[key]!r}, expected none: {why}"
    if entry.get("type") == whole_answer.__name__:
        for key in sorted(whole_answer.UNSEARCHED.keys() & entry.keys()):
            at = where(recipe, (*place, key))
            yield f"{at}: found {key!r} beside type {entry['type']}, expected none: the type decides what is learnt"


def validated(recipe: Recipe, card: Card | None = None, gpus: int = 1) -> Any:
    """Return Axolotl's own validated configuration; what it refuses becomes one sentence."""
    import copy

    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    capabilities, environment = _capabilities(card, gpus)
    keys = DictDefault(copy.deepcopy(dict(recipe.keys)))
    try:
        return validate_config(keys, capabilities=capabilities, env_capabilities=environment)
    except ValidationError as error:
        raise InputError("\n       ".join(_refusals(recipe, error))) from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{recipe.path}: {' '.join(str(error).split())}") from error
    except (AttributeError, TypeError) as error:  # Axolotl looks at some values before it has checked their types
        raise InputError(f"{recipe.path}: found a value of a type that Axolotl does not take: {error}") from error


def _refusals(recipe: Recipe, error: ValidationError) -> Iterator[str]:
    """Yield the first thing that Axolotl's schema says of each key: of a union it says one for every member."""
    named: set[str | int] = set()
    for item in error.errors():
        place = tuple(part for part in item["loc"] if isinstance(part, str | int))
        if not named.intersection(place[:1]):
            key = f"{place[0]!r}: " if place else ""
            yield f"{where(recipe, place)}: {key}{' '.join(item['msg'].split())}"
        named.update(place[:1])


def _capabilities(card: Card | None, gpus: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Axolotl would find out about GPUs and PyTorch; where there is no GPU it is not imported for that."""
    environment = {"torch_version": metadata.version("torch").partition("+")[0]}
    if card or not hardware.gpus():
        return (card.capabilities(gpus) if card else NO_GPU), environment
    from axolotl.cli.config import gpu_capabilities

    detected: tuple[dict[str, Any], dict[str, Any]] = gpu_capabilities()
    return detected
