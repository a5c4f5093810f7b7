"""Measures the Mistral recipes on a GPU: tokens a second without padding and peak memory, on short and on long rows.

Nothing is downloaded: the base has Mistral-7B's architecture and random weights, which cost as much time and memory as trained
ones. The settings of Axolotl's own Mistral QLoRA example (``PLAIN``) run beside the recipes. A small run has a base of 0.5M
parameters and runs on the CPU: to see that it works, not how fast it is.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from converters.core.errors import InputError, nearest
from converters.io.jsonl import replacing, write_lines
from converters.schema import Row, Turn
from recipes.runner import recipe
from recipes.runner.capacity import hardware, memory, model_shape
from recipes.runner.capacity.memory import GIB
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import machine
from recipes.runner.records import layout
from recipes.runner.training import launch, process

VARIANTS = ("mistral-qlora", "mistral-qlora-80gb", "mistral-lora")
ROWS = {"short": (20, 120), "long": (700, 1900)}  # words a row, from and to: about as many tokens
WORDS = [consonant + vowel for consonant in "bcdfghjklmnpqrstvwxz" for vowel in "aeiou"]
WARM_UP = 3  # steps that compile kernels and are left out
# What examples/mistral/qlora.yml of Axolotl sets.
PLAIN: dict[str, Any] = {
    **{"lora_alpha": 16, "lora_dropout": 0.05, "sequence_len": 8192, "micro_batch_size": 2},
    **{"optimizer": "adamw_bnb_8bit", "gradient_checkpointing": True, "plugins": None},
    **{"liger_fused_linear_cross_entropy": None, "sample_packing_bin_size": None},
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured training: its name, the kind of rows, the device, tokens/s without padding, their share, peak memory in GiB.

    ``expected`` is the memory that :mod:`recipes.runner.capacity.memory` predicts, in GiB.
    """

    name: str
    rows: str
    device: str
    speed: float
    share: float
    memory: float
    expected: float


def rows(kind: str, count: int, seed: int) -> Iterator[Row]:
    """Yield made-up rows of a kind; their words are one token each for the tokenizer that was trained on them."""
    draw, (least, most) = random.Random(seed), ROWS[kind]
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=draw.randint(least, most)))
        turns = [Turn("user", text), Turn("assistant", draw.choice(WORDS))]
        yield Row(id=f"{kind}:{number}", group=str(number), task="general", source="bench", messages=turns)


def base(folder: Path, small: bool) -> None:
    """Save a base with random weights: Mistral-7B's shape in bf16, or the demo's. A partial one never has the name."""
    import torch

    tokenizer = tiny_model.vocabulary(turn.content for row in rows("short", 2000, 0) for turn in row.messages)
    network = tiny_model.network(tokenizer, 0) if small else _mistral_7b(tokenizer.pad_token_id)
    with layout.replacing(folder) as new:
        network.save_pretrained(new)
        tokenizer.save_pretrained(new)
    del network
    torch.cuda.empty_cache()  # the trainings run in processes of their own


def _mistral_7b(padding: int) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, MistralConfig

    shape = model_shape.Shape(*model_shape.KNOWN["mistralai/Mistral-7B-Instruct-v0.3"])
    config = MistralConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head,
        sliding_window=None,
        max_position_embeddings=32768,
        rope_theta=1e6,
        pad_token_id=padding,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)


def plans(small: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and keys of every training: the plain one, then the recipes'."""
    recipes = [machine.fitted(recipe.load(recipe.find(name)), hardware.gpus()) for name in VARIANTS]
    yield "axolotl's example", _keys(recipes[0], PLAIN, small)
    yield from ((name, _keys(loaded, {}, small)) for name, loaded in zip(VARIANTS, recipes, strict=True))


def _keys(loaded: recipe.Recipe, changes: dict[str, Any], small: bool) -> dict[str, Any]:
    changed = {key: value for key, value in (loaded.keys | changes).items() if value is not None}
    fitting = recipe.Recipe(loaded.path, changed, loaded.lines, {})
    keys = dict((machine.on_cpu(fitting) if small else fitting).keys)
    for key in ("test_datasets", "eval_sample_packing", "evals_per_epoch", "saves_per_epoch", "save_total_limit"):
        keys.pop(key, None)
    return keys


def run(
    out: Path,
    steps: int,
    small: bool,
    only: Sequence[str],
    report: Callable[[Figure], object],
    echo: Callable[[bytes], None],
) -> list[Figure]:
    """Measure every plan on every kind of rows under ``out``; ``report`` gets each figure as it is measured.

    ``only`` are the names of plans and kinds to take, all if there is none; another one is an ``InputError``.
    """
    names = [name for name, _ in plans(small)]
    for name in only:
        if name not in (*names, *ROWS):
            raise InputError(f"--only {name!r}: no such recipe and no such rows{nearest(name, [*names, *ROWS])}")
    if not (_base(out, small) / "config.json").is_file():
        base(_base(out, small), small)
    figures = []
    for kind in [kind for kind in ROWS if kind in only] or ROWS:
        for name, keys in plans(small):
            if name in only or not set(names) & set(only):
                figures.append(_measure(out, name, keys, kind, steps, small, echo))
                report(figures[-1])
    return figures


def _base(out: Path, small: bool) -> Path:
    return out / ("tiny-base" if small else "base")


def _measure(
    out: Path, name: str, keys: dict[str, Any], kind: str, steps: int, small: bool, echo: Callable[[bytes], None]
) -> Figure:
    place = out / f"{name.replace(' ', '-').replace(chr(39), '')}-{kind}"
    if small:
        length = 2048 if kind == "long" else 256
        keys |= {"sequence_len": length, "micro_batch_size": 1, "gradient_accumulation_steps": 1}
    tokens = steps * keys["micro_batch_size"] * keys.get("gradient_accumulation_steps", 1) * keys["sequence_len"]
    count = 2 * tokens // sum(ROWS[kind]) + 50
    write_lines(out / f"{kind}.jsonl", rows(kind, count + count // 5, 1))
    entry = {key: value for key, value in keys["datasets"][0].items() if key != "path"}
    keys |= {
        "base_model": str(_base(out, small)),
        "datasets": [entry | {"path": str(out / f"{kind}.jsonl")}],
        "max_steps": steps,
        "save_strategy": "no",
        "logging_steps": steps,
        "output_dir": str(place / "adapter"),
        "dataset_prepared_path": str(place / "prepared"),
        "plugins": [*keys.get("plugins", []), "recipes.plugins.run.Meter"],
        "meter_file": str(place / "meter.json"),
    }
    shutil.rmtree(place / "prepared", ignore_errors=True)  # of other rows, or tokenised for the other base
    place.mkdir(parents=True, exist_ok=True)
    with replacing(place / "recipe.yaml") as file:
        file.write(recipe.dump(keys).encode())
    words = launch.words(place / "recipe.yaml", keys, alone := launch.Launch())
    process.axolotl(words, place / "train.log", echo, variables=launch.visible(alone, keys))
    return figure(name, kind, json.loads((place / "meter.json").read_bytes()), keys)


def figure(name: str, kind: str, meter: Mapping[str, Any], keys: Mapping[str, Any]) -> Figure:
    """Return the figures of a meter's file, of the steps after the warm-up; of a shorter training, of its last step."""
    steps: Sequence[Mapping[str, float]] = meter["steps"][WARM_UP:] or meter["steps"][-1:]
    speeds = median(step["tokens"] / step["seconds"] for step in steps)
    share = sum(step["tokens"] for step in steps) / sum(step["slots"] for step in steps)
    shape = model_shape.find(str(keys["base_model"]))
    expected = sum(memory.memory(shape, memory.plan(keys, 0, 1)).values()) / GIB if shape else 0.0
    return Figure(name, kind, meter["device"], speeds, share, meter["memory"] / GIB, expected)


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the figures as lines of a Markdown table."""
    yield f"| {figures[0].device} | rows | tokens/s without padding | no padding | peak memory | estimated |"
    yield "|---|---|---|---|---|---|"
    for f in figures:
        yield f"| {f.name} | {f.rows} | {f.speed:,.0f} | {f.share:.3f} | {f.memory:.1f} GiB | {f.expected:.1f} GiB |"
