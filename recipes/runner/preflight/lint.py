"""Checks a recipe's keys: unknown ones, which Axolotl ignores, our rules, and Axolotl's own validation.

The allowed keys are those of Axolotl's own schema, so a new Axolotl brings its new keys along.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from converters.core.errors import NEXT, InputError, nearest
from converters.core.hidden import hidden
from recipes.runner.capacity import hardware
from recipes.runner.capacity.hardware import Card
from recipes.runner.preflight import deepspeed, pitfalls, rules
from recipes.runner.recipe import Place, Recipe, where

# PEFT and transformers import these only to ask later what they can do; on a CPU bitsandbytes fetches a kernel as well.
UNUSED = ("bitsandbytes", "sklearn")
LISTED = 60  # names that a sentence may list; Axolotl has hundreds of keys
# keys that pass, whatever one other says
LEAST = {
    "base_model": "x",
    "datasets": [{"path": "x"}],
    "learning_rate": 1,
    "micro_batch_size": 1,
    "gradient_accumulation_steps": 1,
}
NO_GPU: dict[str, Any] = {"bf16": False, "fp8": False, "tf32": False, "n_gpu": 1, "compute_capability": None}


def import_trainer() -> None:
    """Import transformers' trainer, which Axolotl's schema needs, 2 s faster: packages that no check uses are hidden meanwhile.

    Whatever decides a check (plugins, a base's own code, Axolotl's validation) still finds them.
    """
    with hidden(*UNUSED):
        import_module("transformers.trainer_utils")


def lint(recipe: Recipe, card: Card | None = None, gpus: int = 1, oldest: tuple[str, str] | None = None) -> Any:
    """Return Axolotl's validated configuration for ``gpus`` of ``card``, by default for this machine.

    All faults in the keys are one ``InputError``. ``oldest`` is the name and compute capability of the oldest card here.
    """
    weakest = (card.name, card.capability) if card else oldest
    faults = [*unknown_keys(recipe), *rules.faults(recipe), *pitfalls.faults(recipe)]
    faults += deepspeed.faults(recipe)
    if weakest:
        faults += rules.incapable(recipe, *weakest)
    config = None
    try:
        config = validated(recipe, card, gpus)
    except InputError as error:
        faults += _untold([str(error), *_refused_alone(recipe), *_refused_together(recipe, card, gpus)], faults)
    if faults:
        raise InputError(NEXT.join(faults))
    return config


def _untold(refusals: Sequence[str], faults: Sequence[str]) -> Iterator[str]:
    """Yield what Axolotl refuses, but for keys that a fault found before names already."""
    for sentence in dict.fromkeys(line for refusal in refusals for line in refusal.split(NEXT)):
        key = re.search(r": '(\w+)': ", sentence)
        if not (key and any(re.search(rf"\b{key[1]}\b", fault) for fault in faults)):
            yield sentence


def _refused_alone(recipe: Recipe) -> Iterator[str]:
    """Yield what Axolotl's schema refuses of each key by itself: where keys contradict each other, it tells of nothing else."""
    schema = _schema(recipe)
    for key, value in recipe.keys.items():
        try:
            schema.model_validate({**LEAST, key: copy.deepcopy(value)})
        except ValidationError as error:
            yield from _refusals(recipe, error, key)
        except (ValueError, ImportError, AttributeError, TypeError):
            continue  # of several keys, or told by the whole


def _refused_together(recipe: Recipe, card: Card | None, gpus: int) -> Iterator[str]:
    """Yield what each rule of Axolotl about several keys refuses, in Axolotl's order: it stops at the first that does."""
    schema = _schema(recipe, of_machine=True)
    capabilities, environment = _capabilities(card, gpus)
    keys = copy.deepcopy(dict(recipe.keys)) | {"capabilities": capabilities, "env_capabilities": environment}
    rules_of = schema.__pydantic_decorators__.model_validators.values()
    for mode in ("before", "after"):
        subject: Any = keys if mode == "before" else schema.model_construct(**keys)
        for rule in [rule for rule in reversed(rules_of) if rule.info.mode == mode]:
            try:
                rule.func(subject)
            except ValueError as error:
                yield f"{recipe.path}: Value error, {' '.join(str(error).split())}"
            except (ImportError, AttributeError, TypeError, KeyError):
                continue  # it looks at a value that was refused by itself


def unknown_keys(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every key that Axolotl's schema does not have, with the nearest one that it has."""
    yield from _plugins(recipe)
    yield from _unknown(recipe, recipe.keys, (_schema(recipe),), ())
    # Axolotl takes any keys here, and bitsandbytes ignores wrong ones.
    quantisation = recipe.keys.get("bnb_config_kwargs")
    if isinstance(quantisation, Mapping):
        from transformers import BitsAndBytesConfig

        known = list(signature(BitsAndBytesConfig).parameters)
        yield from (_sentence(recipe, ("bnb_config_kwargs", key), known) for key in quantisation if key not in known)


def _schema(recipe: Recipe, of_machine: bool = False) -> type[BaseModel]:
    """Return Axolotl's schema with the keys of the recipe's plugins; that of a machine has rules about its GPUs, too."""
    from axolotl.integrations.config import merge_input_args
    from axolotl.utils.schemas.config import AxolotlConfigWCapabilities, AxolotlInputConfig

    plain = (AxolotlConfigWCapabilities, AxolotlInputConfig)
    with_machine, own = merge_input_args() if recipe.keys.get("plugins") else plain
    schema: type[BaseModel] = with_machine if of_machine else own
    return schema


def _plugins(recipe: Recipe) -> Iterator[str]:
    """Load a recipe's plugins, whose keys its schema has then, too; yield a sentence if one cannot be loaded."""
    from axolotl.utils.config import prepare_plugins
    from axolotl.utils.dict import DictDefault

    try:
        prepare_plugins(DictDefault(dict(recipe.keys)))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"{where(recipe, ('plugins',))}: a plugin cannot be loaded: {error}"


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
            elif not rules.told((*place, key)):
                yield _sentence(recipe, (*place, key), sorted(fields))


def _sentence(recipe: Recipe, place: Place, known: list[str]) -> str:
    *inside, key = place
    names = [part for part in inside if isinstance(part, str)]
    of = f" in {names[-1]!r}" if names else ""
    hint = nearest(str(key), known)
    if len(known) > LISTED and not hint.startswith("; did"):
        hint = f"; none of the {len(known)} keys of Axolotl that may stand there is like it"
    return f"{where(recipe, place)}: unknown key {key!r}{of}{hint}"


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


def validated(recipe: Recipe, card: Card | None = None, gpus: int = 1) -> Any:
    """Return Axolotl's own validated configuration; what it refuses becomes one sentence."""
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    capabilities, environment = _capabilities(card, gpus)
    keys = DictDefault(copy.deepcopy(dict(recipe.keys)))
    try:
        return validate_config(keys, capabilities=capabilities, env_capabilities=environment)
    except ValidationError as error:
        raise InputError(NEXT.join(_refusals(recipe, error))) from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{recipe.path}: {' '.join(str(error).split())}") from error
    except (AttributeError, TypeError) as error:  # Axolotl looks at some values before it has checked their types
        raise InputError(f"{recipe.path}: found a value of a type that Axolotl does not take: {error}") from error


def _refusals(recipe: Recipe, error: ValidationError, only: str | None = None) -> Iterator[str]:
    """Yield the first error of Axolotl's schema for each key, or for one only: a union has one for every member."""
    refused: set[str | int] = set()
    for item in error.errors():
        place = tuple(part for part in item["loc"] if isinstance(part, str | int))
        if not refused.intersection(place[:1]) and only in (None, *place[:1]):
            key = f"{place[0]!r}: " if place else ""
            yield f"{where(recipe, place)}: {key}{' '.join(item['msg'].split())}"
        refused.update(place[:1])


def _capabilities(card: Card | None, gpus: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Axolotl would detect of GPUs and PyTorch, without importing it where there is no GPU."""
    environment = {"torch_version": metadata.version("torch").partition("+")[0]}
    if card or not hardware.gpus():
        return (card.capabilities(gpus) if card else NO_GPU), environment
    from axolotl.cli.config import gpu_capabilities

    detected: tuple[dict[str, Any], dict[str, Any]] = gpu_capabilities()
    return detected
