"""A real vLLM serves two adapters on one base, by the command that ``serve`` prints, and the gate tells them apart.

Both are trained here for some steps on what ``make demo`` trained: one on the demo's rows, one on another shop's.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from recipes.runner import recipe
from recipes.runner.export import serve
from recipes.runner.preflight import check
from recipes.runner.records.layout import MERGED
from recipes.runner.training import merge, process, train
from tests.recipes.conftest import BIN, ROOT, recipe_keys, small_mix
from tests.recipes.export.test_vllm import QUIET, port, serving

__all__ = ["port"]  # a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (serve.ENVIRONMENT / "ready").is_file(), reason="no .venv-vllm: make setup-vllm"),
]
RUNS = {"demo-shop": "data/demo", "mug-shop": "data/mix"}
CHANGES = {"lora_modules_to_save": None, "max_steps": 60, "learning_rate": 1e-3, "warmup_steps": 5, "logging_steps": 10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with both runs, merged. Without the demo it skips."""
    demo, found = Path(os.environ.get("DEMO", ROOT)), tmp_path_factory.mktemp("adapters")
    if not (demo / "runs" / "demo-qlora" / MERGED / "config.json").is_file():
        pytest.skip("no demo: make demo makes it, or DEMO names a checkout that has it")
    shutil.copytree(demo / "runs" / "demo-qlora" / MERGED, found / "runs" / "base" / MERGED)
    small_mix(found)
    (found / "data" / "demo").symlink_to((demo / "data" / "demo").resolve())
    with contextlib.chdir(found), Path("terminal.txt").open("w") as terminal:
        for name, data in RUNS.items():
            keys = recipe_keys(f"runs/base/{MERGED}", data, **CHANGES)
            Path(f"{name}.yaml").write_text(yaml.safe_dump({key: keys[key] for key in keys if keys[key] is not None}))
            echo = process.Progress(terminal, Path("log"))
            merge.merge(train.train(recipe.load(Path(f"{name}.yaml")), name, check.check, echo), echo)
    return found


def command(folder: Path, port: int) -> list[str]:
    """Return the command that ``serve`` prints, with vLLM's own program."""
    words = [str(BIN / "ecom-train"), "serve", *RUNS, "--print", "--port", str(port)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    program = serve.program()
    assert program is not None
    return [program, *shlex.split(done.stdout)[1:]]


@pytest.fixture(scope="module")
def server(folder: Path, port: int) -> Iterator[str]:
    with serving(folder, "", port, folder / "served.txt", command(folder, port)):
        yield f"http://127.0.0.1:{port}/v1"


def parity(folder: Path, run: str, server: str, *flags: str) -> tuple["subprocess.CompletedProcess[str]", float]:
    """Ask the gate; return what it said, and print and return the share of equal answers."""
    words = [str(BIN / "ecom-eval"), "parity", run, "--base-url", server, "--max-new-tokens", "48", "--batch-size", "1"]
    done = subprocess.run([*words, *flags], cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    said = re.search(r"^.* answers are equal: ([\d.]+) .*$", done.stdout, re.MULTILINE)
    assert said, done.stdout + done.stderr
    print(f"\n{run} {' '.join(flags)}: {said[0]}", end="")
    return done, float(said[1])


@pytest.mark.parametrize("run", RUNS)
def test_an_adapter_answers_as_its_merged_model_does(folder: Path, server: str, run: str) -> None:
    with urllib.request.urlopen(f"{server}/models", timeout=30) as reply:
        assert {card["id"] for card in json.load(reply)["data"]} == {f"runs/base/{MERGED}", *RUNS}
    done, share = parity(folder, run, server)
    assert done.returncode == 0 and share >= 0.95, done.stdout + done.stderr


@pytest.mark.parametrize(("run", "other"), [("demo-shop", "mug-shop"), ("mug-shop", f"runs/base/{MERGED}")])
def test_another_adapter_or_the_base_alone_is_refused(folder: Path, server: str, run: str, other: str) -> None:
    done, share = parity(folder, run, server, "--model", other)
    assert done.returncode == 1 and share < 0.9
    assert f"{other} gives " in done.stderr.splitlines()[-1] and "it serves other weights" in done.stderr


def test_a_wrong_adapter_under_a_runs_name_is_refused(folder: Path, port: int) -> None:
    """The adapter of the one run where the other's should be: the name and the template are right, and only answers tell."""
    swapped = [
        word.replace("demo-shop=runs/demo-shop", "demo-shop=runs/mug-shop") for word in command(folder, port + 1)
    ]
    with serving(folder, "", port + 1, folder / "swapped.txt", swapped):
        done, share = parity(folder, "demo-shop", f"http://127.0.0.1:{port + 1}/v1")
    assert done.returncode == 1 and share < 0.9
