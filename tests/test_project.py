"""The project as a whole: make's help, set-up's sentences, light command lines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_make_alone_prints_every_target() -> None:
    text = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) >= 13
    for target in targets:
        assert re.search(rf"^  make {re.escape(target)} +\S", text, re.MULTILINE), target


@pytest.mark.parametrize(
    "target", ["data", "apply", "ask", "baselines", "calibrate", "card", "compare", "push", "track", "try"]
)
def test_a_target_that_needs_a_variable_says_so(target: str) -> None:
    done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode and re.search(rf"is not set: make {target} ", done.stderr)


def test_set_up_names_the_python_it_needs() -> None:
    script = "recipes/environment/install.py"
    code = f"import sys, runpy; sys.version_info = (3, 10, 1); runpy.run_path({script!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "use 3.11 or newer" in done.stderr and "Traceback" not in done.stderr


def test_command_lines_start_without_heavy_imports() -> None:
    code = "import sys, converters.cli, eval.cli, recipes.runner.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "click" in loaded
    assert not {"torch", "transformers", "axolotl", "pandas", "scipy", "datasets"} & set(loaded)


@pytest.mark.parametrize("words", ["ecom-data list", "ecom-train sweep rate-by-rank", "ecom-eval runs runs"])
def test_a_reader_that_went_away_is_no_error(words: str, tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "run.json").write_text("{}")
    reader, writer = os.pipe()
    os.close(reader)
    name, *rest = words.split()
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([program, *rest], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_constraints_pin_what_was_tested_together() -> None:
    pins = (ROOT / "recipes" / "environment" / "constraints.txt").read_text().splitlines()
    assert {"sentencepiece==0.2.1", "torch==2.13.0"} <= set(pins)
    axolotl = {pin for pin in pins if pin.startswith("axolotl==")}
    assert axolotl == {
        "axolotl==0.19.0 ; python_full_version < '3.12'",
        "axolotl==0.21.0 ; python_full_version >= '3.12'",
    }
    assert all("==" in pin for pin in pins)


def test_vllm_and_its_build_for_cpus_have_one_version() -> None:
    pins = (ROOT / "recipes" / "environment" / "constraints-vllm.txt").read_text().splitlines()
    extra = re.search(r'^vllm = \["(vllm==[\d.]+)"\]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    build = (ROOT / "recipes" / "environment" / "vllm-cpu" / "pyproject.toml").read_text()
    version = re.search(r'^version = "([\d.]+)\+cpu"$', build, re.MULTILINE)
    assert extra and version and extra[1] == f"vllm=={version[1]}"
    assert {extra[1], f"vllm-cpu=={version[1]}", "torch==2.13.0"} <= set(pins) and f'"vllm-cpu=={version[1]}"' in build


@pytest.mark.parametrize("mix", ["shop", "data/shop", "data/shop/", "shop/"])
def test_a_mixture_is_named_with_or_without_its_folder(mix: str) -> None:
    words = ["make", "-n", "baselines", f"MIX={mix}"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--train data/shop/train.jsonl --data data/shop/test.jsonl" in said and "--out runs/shop-NAME/eval" in said
