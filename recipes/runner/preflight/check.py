"""All that can go wrong before a GPU is paid for, in the order of its cost."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converters.core.errors import NEXT, InputError, told
from recipes.runner.capacity import hardware, memory, model_shape
from recipes.runner.capacity.hardware import Card
from recipes.runner.capacity.memory import Plan
from recipes.runner.capacity.model_shape import Shape
from recipes.runner.preflight import base_model, data, deepspeed, lint, token_counts
from recipes.runner.preflight.data import DataFile
from recipes.runner.preflight.kept import inputs, keys, store
from recipes.runner.preflight.kept import tokenizer as tokenizers
from recipes.runner.preflight.kept.trainer import import_trainer
from recipes.runner.preflight.machine import require
from recipes.runner.preflight.token_counts import Count, Measured, Packed
from recipes.runner.recipe import Recipe, load, usual
from recipes.runner.recipe import machine as header

MAX_DROPPED = 0.01  # of a task's rows may be too long for training


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe that passed: its data files with their hashes, their mixes' manifests, and counts of rows by task.

    ``proven`` rows were held against evaluation's prompts; ``too_long`` ones are over ``sequence_len`` and will be dropped.
    ``ledger`` and ``packed`` are of the training files alone; ``parent`` is the earlier run that this one goes on from.
    """

    files: Mapping[Path, str]
    manifests: dict[str, Any]
    rows: dict[str, int]
    proven: dict[str, int]
    too_long: dict[str, int]
    sequence_len: int
    ledger: dict[str, Count] = field(default_factory=dict)
    packed: Packed | None = None
    parent: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The cards that a recipe is checked for: those named, or those of this machine; ``card`` is ``None`` for an unknown one."""

    card: Card | None
    gpus: int
    named: bool


def machine(name: str | None, recipe: Recipe, gpus: int | None = None) -> Machine:
    """Return the machine to check for: the cards of ``name``, such as ``4x80gb``, or this machine.

    Of this one a recipe takes one GPU, or all if it divides the model; or ``gpus``, those of all nodes together.
    """
    if name:
        count, card = hardware.several(name)
        return Machine(card, count, True)
    cards = hardware.gpus()
    return Machine(hardware.here(cards[0]) if cards else None, gpus or usual(recipe.keys, len(cards)), False)


def step_tokens(recipe: Recipe, gpus: int) -> tuple[int, int | None]:
    """Return the tokens of an optimiser step on ``gpus``, and on the machine that the recipe's header names, if any.

    The learning rate is meant for the latter.
    """
    name = header(recipe.path)
    intended = memory.plan(load(recipe.path).keys, 0, hardware.several(name)[0]).step_tokens if name else None
    return memory.plan(recipe.keys, 0, gpus).step_tokens, intended


@dataclass(frozen=True, slots=True)
class Valid:
    """Axolotl's validated configuration, the ``key`` under which it is kept, and the machine's ``settings`` when it was made.

    ``own`` is Axolotl's object, ``None`` for a configuration that was kept. ``model`` is what
    :mod:`recipes.runner.capacity.memory` takes, none for an unknown shape.
    """

    config: Mapping[str, Any]
    model: tuple[Shape, Plan] | None
    key: str | None
    settings: tuple[Any, ...]
    own: Any = None


def validate(recipe: Recipe, on: Machine) -> Valid:
    """Check the keys; all faults in them, and all that is missing beside, are one ``InputError``."""
    card, oldest = (on.card, None) if on.named else (None, hardware.oldest())
    settings = keys.settings()
    try:
        typed = lint.typing(recipe, card, oldest)
        key = inputs.validation(recipe, (settings, card, on.gpus, hardware.gpus(), oldest))
        found = store.find("valid", key, dict[str, Any]) if typed else None
        own = None if found else store.keep("valid", key, lint.lint(recipe, card, on.gpus, oldest))
    except InputError as error:
        raise InputError(NEXT.join([str(error), *missing(recipe, on)])) from error
    shape = model_shape.find(str(recipe.keys["base_model"]))
    config: Any = found or own
    plan = memory.plan(config, deepspeed.stage(recipe), on.gpus, deepspeed.offloaded(recipe))
    return Valid(config, (shape, plan) if shape else None, key, settings, own)


def missing(recipe: Recipe, on: Machine) -> Iterator[str]:
    """Yield a sentence for everything that the recipe needs and that is not there: GPU or package, base model, data."""
    checks = (base_model.require,) if on.named else (require, base_model.require)
    yield from (fault for check in checks for fault in told(check, recipe))
    yield from data.missing(recipe)


def fits(shape: Shape, plan: Plan, on: Machine, recipe: Recipe) -> None:
    """Raise an ``InputError`` if the named card is too small; on this machine, its GPU will tell."""
    if on.named and on.card:
        verdict = memory.verdict(memory.memory(shape, plan), on.card)
        if not verdict.startswith("fits"):
            raise InputError(f"{verdict}; {memory.advice(shape, plan, on.card, header(recipe.path))}")


def check(
    recipe: Recipe, on: Machine | None = None, max_dropped: float = MAX_DROPPED, valid: Valid | None = None
) -> Checked:
    """Check keys, then all that is needed beside, then what it holds: the faults of each of the three are one ``InputError``.

    ``on`` is this machine by default, ``valid`` what :func:`validate` returns; ``max_dropped`` is the share of a task's rows
    that may be over ``sequence_len``.
    """
    on = on or machine(None, recipe)
    valid = valid or validate(recipe, on)
    model = valid.model
    faults = [*(told(fits, *model, on, recipe) if model else ()), *missing(recipe, on)]
    if faults := faults or told(base_model.adapter, recipe):
        raise InputError(NEXT.join(faults))
    files = [data.read(path) for path in data.files(recipe)]
    everything = [*files, *map(data.read, data.beside(recipe))]
    hashes = {file.path: file.sha256 for file in everything}
    manifests = data.manifests(everything)
    splits = data.splits(everything)
    store.kept(
        "contract", inputs.contract((file.path, file.sha256) for file in splits), bool, partial(data.contract, splits)
    )
    if not on.named:
        room(memory.disk(*model, int(recipe.keys.get("save_total_limit") or 4)) if model else 0.0, Path("runs"))
        held(memory.main_memory(*model) * min(1, len(hardware.gpus()) / on.gpus) if model else 0.0)
    base_model.downloadable(str(recipe.keys["base_model"]))
    base = inputs.tokenizer(recipe, hashes, valid.settings)
    key = inputs.proof(base, hashes)
    proof = store.kept("proof", key, Proof, partial(prove, recipe, on, files, valid, base))
    config, measured = valid.config, proof.measured()
    counts = token_counts.counts(measured, config["sequence_len"])
    token_counts.refuse(counts, config["sequence_len"], max_dropped)
    training = token_counts.first(measured, files[: len(config["datasets"])])
    key = key and valid.key and keys.digest("packed", key, valid.key)
    return Checked(
        hashes,
        manifests,
        {task: count.rows for task, count in counts.items()},
        proof.proven,
        {task: count.longer for task, count in counts.items() if count.longer},
        config["sequence_len"],
        token_counts.counts(training, config["sequence_len"]),
        store.kept("packed", key, Packed, partial(token_counts.pack, training.tokens, config, on.gpus)),
        base_model.parent(recipe),
    )


class Proof(msgspec.Struct, frozen=True):
    """What tokenizer, template and base say of a recipe's rows: how many were ``proven``, and each row's task and lengths."""

    proven: dict[str, int]
    tasks: list[str]
    task: bytes
    tokens: bytes
    learnt: bytes

    def measured(self) -> Measured:
        """Return the lengths as they were measured."""
        task, tokens, learnt = (np.frombuffer(part, np.int32) for part in (self.task, self.tokens, self.learnt))
        return Measured([self.tasks[number] for number in task.tolist()], tokens, learnt)


def prove(recipe: Recipe, on: Machine, files: Sequence[DataFile], valid: Valid, key: str | None = None) -> Proof:
    """Hold base and prompts against the tokenizer, and count tokens; the first thing that is wrong is an ``InputError``.

    ``key`` is that of the tokenizer.
    """
    config, tokenizer = tokenizers.read(store.find("tokenizer", key, bytes)) or load_tokenizer(recipe, on, valid, key)
    config["sequence_len"] = valid.config["sequence_len"]  # on which the key does not depend
    from recipes.runner.preflight import prompt_parity

    proven = prompt_parity.prove(config, tokenizer, files)
    measured = token_counts.measure(files, tokenizer)
    tasks, task = np.unique(measured.tasks, return_inverse=True)
    return Proof(
        proven, tasks.tolist(), *(part.astype(np.int32).tobytes() for part in (task, measured.tokens, measured.learnt))
    )


def load_tokenizer(recipe: Recipe, on: Machine, valid: Valid, key: str | None = None) -> tuple[Any, Any]:
    """Return Axolotl's configuration and the tokenizer that it loads by it, after holding the base against both; keep them."""
    import_trainer()
    from recipes.runner.preflight import prompt_parity

    config = valid.own or lint.validated(recipe, on.card if on.named else None, on.gpus)
    tokenizer = prompt_parity.load_tokenizer(config)
    base_model.layers(recipe, config)
    base_model.embedded(recipe, len(tokenizer))
    store.keep("tokenizer", key, tokenizers.written(config, tokenizer))
    return config, tokenizer


def room(need: float, folder: Path) -> None:
    """Raise an ``InputError`` when there is less disk under ``folder`` than a run writes, in bytes."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < need:
        raise InputError(
            f"{folder}: found {free / 1e9:.0f} GB of free disk, expected {need / 1e9:.0f} GB for checkpoints, adapter and merged "
            "model; a lower save_total_limit needs less"
        )


def held(need: float) -> None:
    """Raise an ``InputError`` when this machine has less main memory than what DeepSpeed offloads to it takes, in bytes."""
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if have < need:
        raise InputError(
            f"this machine: found {have / memory.GIB:.0f} GiB of main memory, expected {need / memory.GIB:.0f} GiB for what "
            "'deepspeed' offloads to it; more GPUs and recipes/deepspeed/zero3.json need none"
        )
