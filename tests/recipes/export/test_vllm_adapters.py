"""A real vLLM serves two adapters on one base, by the command that ``serve`` prints, and the gate tells them apart.

The base is what ``make demo`` trained, rounded to four bits; the adapters have random weights, small enough that the answers stay
texts, and large enough that most of them change.
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
from typing import Any

import pytest
import torch
import yaml

from converters.io.jsonl import folder_sha256, sha256
from recipes.runner.export import serve
from recipes.runner.records import provenance
from recipes.runner.records.layout import MERGED
from recipes.runner.training import merge
from recipes.runner.training.restore import restore
from tests.recipes.conftest import BIN, ROOT, recipe_keys
from tests.recipes.export.test_vllm import QUIET, port, serving

__all__ = ["port"]  # a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (serve.ENVIRONMENT / "ready").is_file(), reason="no .venv-vllm: make setup-vllm"),
]
BASE, RUNS = Path("runs/base") / MERGED, ("first", "second")
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SPREAD = 0.05  # of B
LONGEST = "48"  # the demo's longest path has 30 tokens or so
APART = 0.9  # of the answers that another adapter gives, too


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with both runs. Without the demo it skips."""
    demo, found = Path(os.environ.get("DEMO", ROOT)), tmp_path_factory.mktemp("adapters")
    if not (demo / "runs" / "demo-qlora" / MERGED / "config.json").is_file():
        pytest.skip("no demo: make demo makes it, or DEMO names a checkout that has it")
    shutil.copytree(demo / "runs" / "demo-qlora" / MERGED, found / BASE)
    (found / "data").symlink_to((demo / "data").resolve())
    with contextlib.chdir(found):
        for seed, name in enumerate(RUNS):
            adapted(Path("runs") / name, seed)
    return found


def adapted(run: Path, seed: int) -> None:
    """Write a run as QLoRA and a merge leave it."""
    from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    adapter, keys = run / "adapter", recipe_keys(str(BASE), "data/demo", lora_modules_to_save=None)
    torch.manual_seed(seed)
    settings = LoraConfig(r=8 * (1 + seed), lora_alpha=32 * (1 + seed), target_modules=LAYERS, task_type="CAUSAL_LM")
    tuned: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(BASE), settings)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=SPREAD)
    tuned.save_pretrained(adapter)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(BASE / file, adapter)
    (run / "recipe.yaml").write_text(yaml.safe_dump(keys))
    merge_lora_sharded_efficient(BASE, adapter, run / MERGED, device="cpu", simulate_nf4=True)
    merge.complete(run / MERGED, adapter)
    if merge.rounds_all():
        restore(run / MERGED, BASE, adapter, keys)
    record = {
        "status": "merged",
        "started": "2026-01-01T00:00:00+00:00",
        "base_model": provenance.base_model(str(BASE)),
        "recipe": {"resolved_sha256": sha256(run / "recipe.yaml")},
        "adapter_sha256": folder_sha256(adapter),
        "data": [{"name": "data/demo/train.jsonl"}],
    }
    provenance.write(run, record)


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
    words = [str(BIN / "ecom-eval"), "parity", run, "--base-url", server, "--max-new-tokens", LONGEST, *flags]
    done = subprocess.run(words, cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    said = re.search(r"^.* answers are equal: ([\d.]+) .*$", done.stdout, re.MULTILINE)
    assert said, done.stdout + done.stderr
    print(f"\n{run} {' '.join(flags)}: {said[0]}", end="")
    return done, float(said[1])


@pytest.mark.parametrize("run", RUNS)
def test_an_adapter_answers_as_its_merged_model_does(folder: Path, server: str, run: str) -> None:
    with urllib.request.urlopen(f"{server}/models", timeout=30) as reply:
        assert {card["id"] for card in json.load(reply)["data"]} == {str(BASE), *RUNS}
    done, share = parity(folder, run, server)
    assert done.returncode == 0 and share >= 0.95, done.stdout + done.stderr


@pytest.mark.parametrize(("run", "other"), [("first", "second"), ("second", str(BASE))])
def test_another_adapter_or_the_base_alone_is_refused(folder: Path, server: str, run: str, other: str) -> None:
    done, share = parity(folder, run, server, "--model", other)
    assert done.returncode == 1 and share < APART
    assert f"{other} gives " in done.stderr.splitlines()[-1] and "it serves other weights" in done.stderr


def test_a_wrong_adapter_under_a_runs_name_is_refused(folder: Path, port: int) -> None:
    """The second's adapter where the first's should be: the name and the template are right, and only answers tell."""
    swapped = [word.replace("first=runs/first/", "first=runs/second/") for word in command(folder, port + 1)]
    with serving(folder, "", port + 1, folder / "swapped.txt", swapped):
        done, share = parity(folder, "first", f"http://127.0.0.1:{port + 1}/v1")
    assert done.returncode == 1 and share < APART
