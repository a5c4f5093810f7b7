"""The demo as a chain of stages: each is an ordinary command, done again only when something it depends on has changed.

What a stage depends on is its command line, the bytes of its inputs and the code that shapes its output; the stamp of all that
lies under ``runs/.demo``. A changed recipe trains again, an unchanged one does not.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.errors import InputError
from converters.jsonl import write_json
from recipes.runner.train import alone

ROOT = Path(__file__).resolve().parents[2]
STAMPS = Path("runs/.demo")
RAW, MIX = "data/raw/demo", "data/demo"
BASE, TUNED, REPORT = "runs/demo-base", "runs/demo-qlora", "reports/demo"
TRAIN, TEST = f"{MIX}/train.jsonl", f"{MIX}/test.jsonl"
# All else as make eval does it, so that a run of one's own can be compared with the demo's.
GENERATE = ("--batch-size", "64")


@dataclass(frozen=True, slots=True)
class Stage:
    """One command, the files it reads, the code that matters to it (globs from the project's root) and what it leaves."""

    name: str
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    outputs: tuple[str, ...]


def stages(seed: int) -> tuple[Stage, ...]:
    """Return the demo's stages in order; ``seed`` drives the products, the mix, the base model and the training."""
    number = str(seed)
    return (
        Stage(
            "raw files",
            ("ecom-data", "demo-raw", "--out", RAW, "--seed", number),
            (),
            ("converters/demo/*.py",),
            (RAW,),
        ),
        Stage(
            "mix",
            ("ecom-data", "build", "recipes/mixes/demo.yaml", "--out", MIX, "--seed", number),
            (RAW, "recipes/mixes/demo.yaml"),
            ("converters/*.py", "converters/tasks/*.py", "converters/sources/*.py"),
            (f"{MIX}/manifest.json", TEST),
        ),
        Stage(
            "base model",
            ("ecom-train", "tiny-base", "--data", MIX, "--out", f"{BASE}/merged", "--seed", number),
            (TRAIN,),
            ("recipes/runner/tiny.py",),
            (f"{BASE}/merged/config.json",),
        ),
        Stage(
            "train",
            ("ecom-train", "train", "demo-qlora", "--run", Path(TUNED).name, "--set", f"seed={number}"),
            ("recipes/demo-qlora.yaml", TRAIN, f"{BASE}/merged"),
            ("recipes/runner/train.py",),
            (f"{TUNED}/run.json", f"{TUNED}/adapter"),
        ),
        Stage(
            "merge",
            ("ecom-train", "merge", Path(TUNED).name),
            (f"{TUNED}/adapter", f"{BASE}/merged"),
            ("recipes/runner/merge.py", "recipes/runner/gate.py", "recipes/runner/restore.py"),
            (f"{TUNED}/merged/config.json",),
        ),
        *(stage for run in (BASE, TUNED) for stage in _evaluation(run)),
        Stage(
            "compare",
            ("ecom-eval", "compare", BASE, TUNED, "--out", REPORT),
            (f"{BASE}/eval", f"{TUNED}/eval"),
            ("eval/*.py", "eval/templates/*"),
            tuple(f"{REPORT}/compare.{kind}" for kind in ("json", "md", "html")),
        ),
    )


def _evaluation(run: str) -> Iterator[Stage]:
    who, found = Path(run).name, f"{run}/eval/predictions.jsonl"
    yield Stage(
        f"predict {who}",
        ("ecom-eval", "predict", "--checkpoint", f"{run}/merged", "--data", TEST, "--out", f"{run}/eval", *GENERATE),
        (f"{run}/merged", TEST),
        ("eval/predict.py", "eval/questions.py", "eval/checkpoint.py", "eval/backends/*.py"),
        (found,),
    )
    yield Stage(
        f"score {who}",
        ("ecom-eval", "score", "--data", TEST, "--predictions", found, "--out", f"{run}/eval", "--train", TRAIN),
        (TEST, TRAIN, found),
        ("eval/*.py", "eval/metrics/*.py", "eval/templates/*", "converters/tasks/*.py"),
        (f"{run}/eval/scores.json",),
    )


def fingerprint(stage: Stage) -> str:
    """Return a hash of all that the stage's result depends on."""
    code = sorted(path for pattern in stage.code for path in ROOT.glob(pattern))
    files = [path for name in stage.inputs for path in _files(Path(name))]
    parts = [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in (*files, *code)]
    return hashlib.sha256(json.dumps([stage.command, parts]).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def fresh(stage: Stage) -> bool:
    """Tell whether the stage's result is there and nothing that it depends on has changed."""
    stamp = _stamp(stage)
    there = stamp.is_file() and all(Path(name).exists() for name in (*stage.inputs, *stage.outputs))
    return there and stamp.read_text() == json.dumps(fingerprint(stage), indent=2) + "\n"


def _stamp(stage: Stage) -> Path:
    return STAMPS / f"{stage.name.replace(' ', '-')}.json"


def run(stage: Stage) -> None:
    """Run a stage's command in front of the user; a run in the way steps aside first. A failing command stops the demo."""
    if stage.name == "train":
        step_aside(Path(TUNED))
    # One thread: the model is so small that a second one costs more than it gives, many times more on a busy machine.
    # The commands lie beside the interpreter that runs this one, whatever PATH says.
    program = Path(sys.executable).with_name(stage.command[0])
    code = subprocess.run(
        [str(program), *stage.command[1:]], check=False, env={"OMP_NUM_THREADS": "1", **os.environ}
    ).returncode
    if code:
        raise InputError(f"the demo stopped at '{stage.name}' (above it says why); make demo goes on from there")
    write_json(_stamp(stage), fingerprint(stage))


def step_aside(run_folder: Path) -> None:
    """Rename an earlier run, so that it is neither overwritten nor lost; one that trains now is an ``InputError``."""
    if run_folder.exists():
        number = 1
        while (aside := run_folder.with_name(f"{run_folder.name}.{number}")).exists():
            number += 1
        with alone(run_folder):
            run_folder.rename(aside)
