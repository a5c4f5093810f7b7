"""The stages of ``make demo``, each of which is redone only when its inputs, its code or its result changed."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import converters
import eval as evaluation
from converters import tasks
from converters.core.errors import InputError
from converters.io.jsonl import sha256, write_json
from eval.inference import predict
from recipes import plugins
from recipes.runner.demo import raw_files, tiny_model
from recipes.runner.records import layout
from recipes.runner.training import merge, train

STAMPS = Path("runs/.demo")
RAW, MIX = "data/raw/demo", "data/demo"
BASE, TUNED, REPORT = "runs/demo-base", "runs/demo-qlora", "reports/demo"
TRAIN, TEST = f"{MIX}/train.jsonl", f"{MIX}/test.jsonl"
# Otherwise as make eval scores a run, so that a run of one's own can be compared with the demo's.
GENERATE = ("--batch-size", "64")


@dataclass(frozen=True, slots=True)
class Stage:
    """One command, the files it reads, the modules that shape its output, and what it leaves.

    A module stands for the room that it lies in: every file of that folder and the folders below.
    """

    name: str
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    code: tuple[ModuleType, ...]
    outputs: tuple[str, ...]


def stages(seed: int) -> tuple[Stage, ...]:
    """Return the demo's stages in order; ``seed`` drives the products, the mixture, the base model and the training."""
    number, tuned = str(seed), Path(TUNED).name
    return (
        Stage("raw files", ("ecom-train", "demo-raw", "--out", RAW, "--seed", number), (), (raw_files,), (RAW,)),
        Stage(
            "mix",
            ("ecom-data", "build", "recipes/mixes/demo.yaml", "--out", MIX, "--seed", number),
            (RAW, "recipes/mixes/demo.yaml"),
            (converters,),
            (f"{MIX}/manifest.json", TEST),
        ),
        Stage(
            "base model",
            ("ecom-train", "tiny-base", "--data", MIX, "--out", f"{BASE}/merged", "--seed", number),
            (TRAIN,),
            (tiny_model,),
            (f"{BASE}/merged/config.json",),
        ),
        Stage(
            "train",
            ("ecom-train", "train", "demo-qlora", "--run", tuned, "--set", f"seed={number}"),
            ("recipes/demo-qlora.yaml", TRAIN, f"{BASE}/merged"),
            (train, plugins),
            (f"{TUNED}/run.json", f"{TUNED}/adapter"),
        ),
        Stage(
            "merge",
            ("ecom-train", "merge", tuned),
            (f"{TUNED}/adapter", f"{BASE}/merged"),
            (merge,),
            (f"{TUNED}/merged/config.json",),
        ),
        *_evaluation(BASE),
        *_evaluation(TUNED),
        Stage(
            "compare",
            ("ecom-eval", "compare", BASE, TUNED, "--out", REPORT),
            (f"{BASE}/eval", f"{TUNED}/eval"),
            (evaluation, converters),
            tuple(f"{REPORT}/compare.{kind}" for kind in ("json", "md", "html")),
        ),
    )


def _evaluation(run: str) -> Iterator[Stage]:
    name, predictions = Path(run).name, f"{run}/eval/predictions.jsonl"
    yield Stage(
        f"predict {name}",
        ("ecom-eval", "predict", "--checkpoint", f"{run}/merged", "--data", TEST, "--out", f"{run}/eval", *GENERATE),
        (f"{run}/merged", TEST),
        (predict, tasks),
        (predictions,),
    )
    yield Stage(
        f"score {name}",
        ("ecom-eval", "score", "--data", TEST, "--predictions", predictions, "--out", f"{run}/eval", "--train", TRAIN),
        (TEST, TRAIN, predictions),
        (evaluation, converters),
        (f"{run}/eval/scores.json",),
    )


def fingerprint(stage: Stage) -> str:
    """Return a hash of all that the stage's result depends on."""
    inputs = [(str(path), sha256(path)) for name in stage.inputs for path in _files(Path(name))]
    rooms = [(module.__name__, Path(str(module.__file__)).parent) for module in stage.code]
    code = [(name, str(path.relative_to(room)), sha256(path)) for name, room in rooms for path in _files(room)]
    return hashlib.sha256(json.dumps([stage.command, inputs, code]).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.parent.name != "__pycache__")


def fresh(stage: Stage) -> bool:
    """Tell whether the stage's result is there and nothing that it depends on has changed."""
    path = stamp(stage)
    present = path.is_file() and all(Path(name).exists() for name in (*stage.inputs, *stage.outputs))
    return present and json.loads(path.read_bytes()) == fingerprint(stage)


def stamp(stage: Stage) -> Path:
    """Return the file that holds the fingerprint of a stage that was done."""
    return STAMPS / f"{stage.name.replace(' ', '-')}.json"


def run(stage: Stage) -> None:
    """Run a stage's command in front of the user; an earlier run of the name is moved aside. A failure stops the demo."""
    if stage.name == "train":
        step_aside(Path(TUNED))
    # One thread: the model is so small that a second one costs more than it gives, many times more on a busy machine.
    # The commands lie beside the interpreter that runs this one, whatever PATH says.
    words = [str(Path(sys.executable).with_name(stage.command[0])), *stage.command[1:]]
    if subprocess.run(words, check=False, env={"OMP_NUM_THREADS": "1", **os.environ}).returncode:
        raise InputError(f"the demo stopped at '{stage.name}' (the reason is above); make demo continues from there")
    write_json(stamp(stage), fingerprint(stage))


def step_aside(run_folder: Path) -> None:
    """Rename an earlier run, so that it is neither overwritten nor lost; one that trains now is an ``InputError``."""
    if run_folder.exists():
        number = 1
        while (aside := run_folder.with_name(f"{run_folder.name}.{number}")).exists():
            number += 1
        with layout.alone(run_folder):
            run_folder.rename(aside)
