"""Checks a recipe's keys: unknown ones, which Axolotl ignores, our rules, and Axolotl's own validation.

The allowed keys are those of Axolotl's own schema, so a new Axolotl brings its new keys along.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from converters.core.errors import NEXT, InputError, nearest
from recipes.runner.capacity import hardware
from recipes.runner.capacity.hardware import Card
from recipes.runner.preflight import deepspeed, pitfalls, rules
from recipes.runner.preflight.kept import schema as schemas
from recipes.runner.preflight.kept.schema import Schema
from recipes.runner.preflight.kept.trainer import import_trainer, lightly
from recipes.runner.recipe import Place, Recipe, where

if TYPE_CHECKING:
    from pydantic import ValidationError

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


def lint(recipe: Recipe, card: Card | None = None, gpus: int = 1, oldest: tuple[str, str] | None = None) -> Any:
    """Return Axolotl's validated configuration for ``gpus`` of ``card``, by default for this machine.

    All faults in the keys are one ``InputError``. ``oldest`` is the name and compute capability of the oldest card here.
    """
    faults = [*unknown_keys(recipe), *_our_faults(recipe, card, oldest)]
    config = None
    try:
        config = validated(recipe, card, gpus)
    except InputError as error:
        faults += _untold([str(error), *_refused_alone(recipe), *_refused_together(recipe, card, gpus)], faults)
    if faults:
        raise InputError(NEXT.join(faults))
    return config


def typing(recipe: Recipe, card: Card | None = None, oldest: tuple[str, str] | None = None) -> bool:
    """Raise an ``InputError`` for keys and names that are misspelt and values of a wrong type, with all that we refuse beside.

    Axolotl is not imported: its schema is the one that an earlier check kept. Return whether there is one and nothing is wrong as
    far as it tells; what Axolotl's own rules say of several keys is for :func:`lint`.
    """
    kept = schemas.find(plugins(recipe))
    if kept is None or schemas.find(()) is None:
        return False
    misspelt, wrong = [*_unknown_keys(recipe, kept)], [*_wrong_types(recipe, kept)]
    faults = [*misspelt, *_our_faults(recipe, card, oldest)]
    if misspelt or wrong or any(rules.misnamed(recipe)):
        raise InputError(NEXT.join([*faults, *_untold(wrong, faults)]))
    return not faults


def _our_faults(recipe: Recipe, card: Card | None, oldest: tuple[str, str] | None) -> Iterator[str]:
    yield from rules.faults(recipe)
    yield from pitfalls.faults(recipe)
    yield from deepspeed.faults(recipe)
    if weakest := (card.name, card.capability) if card else oldest:
        yield from rules.incapable(recipe, *weakest)


def _wrong_types(recipe: Recipe, kept: Schema) -> Iterator[str]:
    """Yield what Axolotl's schema refuses of each key by itself, in its order."""
    for key in dict.fromkeys([*kept.required, *kept.types]):
        if key not in recipe.keys and key in kept.required:
            yield f"{where(recipe, (key,))}: {key!r}: Field required"
        elif key in recipe.keys and key in kept.types and (error := schemas.refusal(kept.types[key], recipe.keys[key])):
            yield f"{where(recipe, (key, *error[0]))}: {key!r}: {error[1]}"


def _untold(refusals: Sequence[str], faults: Sequence[str]) -> Iterator[str]:
    """Yield what Axolotl refuses, but for keys that a fault found before names already."""
    for sentence in dict.fromkeys(line for refusal in refusals for line in refusal.split(NEXT)):
        key = re.search(r": '(\w+)': ", sentence)
        if not (key and any(re.search(rf"\b{key[1]}\b", fault) for fault in faults)):
            yield sentence


def _refused_alone(recipe: Recipe) -> Iterator[str]:
    """Yield what Axolotl's schema refuses of each key by itself: where keys contradict each other, it tells of nothing else."""
    from pydantic import ValidationError

    schema = schemas.model(bool(plugins(recipe)))
    for key, value in recipe.keys.items():
        try:
            schema.model_validate({**LEAST, key: copy.deepcopy(value)})
        except ValidationError as error:
            yield from _refusals(recipe, error, key)
        except (ValueError, ImportError, AttributeError, TypeError):
            continue  # of several keys, or told by the whole


def _refused_together(recipe: Recipe, card: Card | None, gpus: int) -> Iterator[str]:
    """Yield what each rule of Axolotl about several keys refuses, in Axolotl's order: it stops at the first that does."""
    schema = schemas.model(bool(plugins(recipe)), of_machine=True)
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
    named = plugins(recipe)
    faults = [*_unloadable(recipe)] if named else []
    yield from faults
    yield from _unknown_keys(recipe, schemas.described(named) if faults else schemas.known(named))


def _unknown_keys(recipe: Recipe, kept: Schema) -> Iterator[str]:
    yield from _unknown(recipe, recipe.keys, kept, [kept.whole], ())
    # Axolotl takes any keys here, and bitsandbytes ignores wrong ones.
    quantisation = recipe.keys.get("bnb_config_kwargs")
    if isinstance(quantisation, Mapping):
        known = kept.quantisation
        yield from (_sentence(recipe, ("bnb_config_kwargs", key), known) for key in quantisation if key not in known)


def plugins(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of a recipe's plugins; what is no list of names is for Axolotl to refuse."""
    names = recipe.keys.get("plugins")
    return tuple(map(str, names)) if isinstance(names, list) else (str(names),) if names else ()


def _unloadable(recipe: Recipe) -> Iterator[str]:
    """Load a recipe's plugins, whose keys its schema has then, too; yield a sentence if one cannot be loaded."""
    import_trainer()
    from axolotl.utils.config import prepare_plugins
    from axolotl.utils.dict import DictDefault

    try:
        prepare_plugins(DictDefault(dict(recipe.keys)))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"{where(recipe, ('plugins',))}: a plugin cannot be loaded: {error}"


def _unknown(recipe: Recipe, tree: Any, kept: Schema, parts: Sequence[str], place: Place) -> Iterator[str]:
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from _unknown(recipe, item, kept, parts, (*place, number))
    elif isinstance(tree, Mapping) and parts:
        # An entry is of one kind, and the others' keys are lost on it: with no ``rl`` the first kind, supervised, is read.
        known = kept.keys[parts[0]]
        for key, value in tree.items():
            if key in known:
                yield from _unknown(recipe, value, kept, known[key], (*place, key))
            elif not rules.told((*place, key)):
                yield _sentence(recipe, (*place, key), sorted(known))


def _sentence(recipe: Recipe, place: Place, known: list[str]) -> str:
    *inside, key = place
    names = [part for part in inside if isinstance(part, str)]
    of = f" in {names[-1]!r}" if names else ""
    hint = nearest(str(key), known)
    if len(known) > LISTED and not hint.startswith("; did"):
        hint = f"; none of the {len(known)} keys of Axolotl that may stand there is like it"
    return f"{where(recipe, place)}: unknown key {key!r}{of}{hint}"


def validated(recipe: Recipe, card: Card | None = None, gpus: int = 1) -> Any:
    """Return Axolotl's own validated configuration; what it refuses becomes one sentence."""
    capabilities, environment = _capabilities(card, gpus)
    accepted = None if plugins(recipe) else _accepted(recipe, capabilities, environment)
    return accepted or _validated(recipe, capabilities, environment)


def _accepted(recipe: Recipe, capabilities: Mapping[str, Any], environment: Mapping[str, Any]) -> Any:
    """Return the validated configuration of a recipe without plugins that the schema accepts, else ``None``.

    It is what Axolotl's own function gives, whose module imports the models' classes first, for 2 s.
    """
    lightly("axolotl.utils.schemas.config")
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlConfigWCapabilities
    from axolotl.utils.schemas.datasets import SFTDataset

    keys = DictDefault(copy.deepcopy(dict(recipe.keys)))
    try:
        if keys.datasets:
            keys["datasets"] = [SFTDataset(**dict(entry)) for entry in keys.datasets]
        found = AxolotlConfigWCapabilities(
            **{**keys.to_dict(), "capabilities": capabilities, "env_capabilities": environment}
        )
    except (ValueError, ImportError, AttributeError, TypeError):
        return None
    return DictDefault(dict(found.model_dump(exclude_none=True)))


def _validated(recipe: Recipe, capabilities: dict[str, Any], environment: dict[str, Any]) -> Any:
    import_trainer()
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault
    from pydantic import ValidationError

    keys = DictDefault(copy.deepcopy(dict(recipe.keys)))
    try:
        return validate_config(keys, capabilities=capabilities, env_capabilities=environment)
    except ValidationError as error:
        raise InputError(NEXT.join(_refusals(recipe, error))) from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{recipe.path}: {' '.join(str(error).split())}") from error
    except (AttributeError, TypeError) as error:  # Axolotl looks at some values before it has checked their types
        raise InputError(f"{recipe.path}: found a value of a type that Axolotl does not take: {error}") from error


def _refusals(recipe: Recipe, error: "ValidationError", only: str | None = None) -> Iterator[str]:
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
