"""`ecom-train check demo-qlora` beside the build before, in processor seconds: first, unchanged, and after each kind of change.

What it takes is a build of the demo's rows and its base, no training. Both sides must say the same to the last sign; the wheel of
the build before names another folder as its repository, so that nothing is missing here that would be told with it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.before import BEFORE, ROOT, environment, took
from tests.bench.goals import bound, told

RECIPE = "recipes/demo-qlora.yaml"
CHANGES = {  # of the recipe; the build before counts tokens anew for some keys
    "learning_rate": ("--set", "learning_rate=1e-3"),
    "max_steps": ("--set", "max_steps=500"),
    "sequence_len": ("--set", "sequence_len=200"),
}
WRONG = (
    "lora_rnak=3",
    "lora_r=many",
    "chat_template=mistral_v9",
    "optimizer=adamw_torhc",
    "datasets=[{path: data/demo/train.jsonl, type: chat_template, feild_messages: messages}]",
)


def place(folder: Path, seed: int = 0) -> None:
    """Make the demo's rows, its base and its recipe below a folder."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / RECIPE).write_bytes((ROOT / RECIPE).read_bytes())
    took("recipes.runner", "demo-raw", "--out", "data/raw/demo", "--seed", str(seed), cwd=folder)
    took("converters", "build", ROOT / "recipes/mixes/demo.yaml", "--out", "data/demo", cwd=folder)
    if not (folder / "runs").is_dir():
        took("recipes.runner", "tiny-base", "--data", "data/demo", "--out", "runs/demo-base/merged", cwd=folder)


def seconds(folder: Path, commit: str | None, *words: str) -> float:
    """Return the processor seconds of a check that passes."""
    return took("recipes.runner", "check", RECIPE, *words, commit=commit, cwd=folder).processor


def said(folder: Path, commit: str | None, *words: str) -> str:
    """Return all that a check prints."""
    command = [sys.executable, "-c", "from recipes.runner.cli import main; main()", "check", RECIPE, *words]
    done = subprocess.run(command, cwd=folder, env=environment(commit), capture_output=True, text=True, check=False)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def sides(folder: Path, work: str, *words: str) -> None:
    """Print what a check takes on both sides, after holding that both say the same."""
    before, after = (seconds(folder, side, *words) for side in (BEFORE, None))
    told(f"check, {work}", before, after, "s of processor time", 2.5)
    assert said(folder, BEFORE, *words) == said(folder, None, *words)


def compare() -> None:
    """Print every target of a check."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        place(folder)
        sides(folder, "the first one")
        sides(folder, "unchanged since the last one")
        bound("check, unchanged since the last one", seconds(folder, None), "s of processor time", 5)
        for name, words in CHANGES.items():
            sides(folder, f"{name} changed", *words)
        for fault in WRONG:
            bound(f"check that tells {fault[:24]}", _failing(folder, fault), "s of processor time", 1)
            assert said(folder, BEFORE, "--set", fault) == said(folder, None, "--set", fault)
        place(folder, seed=1)
        sides(folder, "other rows")


def _failing(folder: Path, fault: str) -> float:
    """Return the processor seconds of a check that tells a fault."""
    command = [sys.executable, "-c", _FAULT, "check", RECIPE, "--set", fault]
    done = subprocess.run(command, cwd=folder, env=environment(None), capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


_FAULT = """
import sys, time
from recipes.runner.cli import main
try:
    main()
except SystemExit as ended:
    assert ended.code == 1
assert not {"torch", "transformers", "axolotl"} & sys.modules.keys()
print(time.process_time())
"""


if __name__ == "__main__":
    compare()
