"""The command that serves a run: complete, printed first, and a sentence where vLLM is not installed."""

import json
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from converters.core.errors import InputError
from recipes.runner.export import serve
from recipes.runner.records import provenance
from tests.recipes.conftest import BIN


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a merged run that serving looks at."""
    monkeypatch.chdir(tmp_path)
    found = Path("runs/mine")
    for folder in (found / "merged", found / "exports" / "fp8" / "model"):
        folder.mkdir(parents=True)
        (folder / "chat_template.jinja").write_text("{{ messages }}")
        (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 8192}))
    (found / "recipe.yaml").write_text(yaml.safe_dump({"sequence_len": 2048}))
    provenance.write(found, {"status": "merged", "data": [{"name": "data/mix/train.jsonl"}]})
    return found


def served(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables
    command = [str(BIN / "ecom-train"), "serve", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_caches_prefixes_and_has_the_right_template(run: Path) -> None:
    words = serve.command(run, "fp8", "0.0.0.0", 80)
    assert words[:3] == ["vllm", "serve", "runs/mine/exports/fp8/model"] and "--enable-prefix-caching" in words
    pairs = dict(pairwise(words))
    assert pairs["--chat-template"] == "runs/mine/exports/fp8/model/chat_template.jinja"
    assert pairs["--max-model-len"] == "4096" and pairs["--generation-config"] == "vllm"
    assert pairs["--served-model-name"] == "mine" and pairs["--port"] == "80"
    assert serve.command(run, None, "h", 1)[2] == "runs/mine/merged" and "--dtype" not in serve.command(
        run, None, "h", 1
    )
    (run / "merged" / "config.json").write_text(json.dumps({"max_position_embeddings": 2560}))
    assert dict(pairwise(serve.command(run, None, "h", 1)))["--max-model-len"] == "2560", "no more than it can read"
    (run / "merged" / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 3072}}))
    assert dict(pairwise(serve.command(run, None, "h", 1)))["--max-model-len"] == "3072", "with a vision part, too"


@pytest.mark.parametrize(
    "precision", [{"dtype": "float32"}, {"torch_dtype": "float32"}, {"text_config": {"dtype": "float32"}}]
)
def test_a_merged_model_is_served_in_its_own_precision(run: Path, precision: dict[str, object]) -> None:
    """vLLM by itself makes bfloat16 of float32; an export's precision is its format's."""
    for folder in ("merged", "exports/fp8/model"):
        (run / folder / "config.json").write_text(json.dumps({"max_position_embeddings": 8192, **precision}))
    assert dict(pairwise(serve.command(run, None, "h", 1)))["--dtype"] == "float32"
    assert "--dtype" not in serve.command(run, "fp8", "h", 1)


def test_a_checkpoint_that_is_not_there_says_how_to_make_it(run: Path) -> None:
    for form, said in (
        ("int8", "make export RUN=mine FORMAT=int8"),
        ("gguf", "llama-server"),
        ("fp9", "expected one of"),
    ):
        with pytest.raises(InputError, match=said):
            serve.checkpoint(run, form)
    shutil.rmtree(run / "merged")
    with pytest.raises(InputError, match="make merge-mine"):
        serve.checkpoint(run, None)


def test_without_vllm_the_command_is_printed_and_a_sentence_says_why(run: Path) -> None:
    done = served("mine", PATH="/nowhere")
    if (BIN / "vllm").is_file() or (serve.ENVIRONMENT / "bin" / "vllm").is_file():
        pytest.skip("vLLM is installed here")
    assert done.returncode == 1 and done.stdout.startswith("vllm serve runs/mine/merged ")
    request, error = done.stderr.splitlines()
    assert "--backend openai --base-url http://127.0.0.1:8000/v1" in request and "--model mine" in request
    assert error.startswith("error: vLLM is not installed here")
    assert served("mine", "--print", PATH="/nowhere").returncode == 0


def test_with_vllm_the_command_is_run(run: Path, tmp_path: Path) -> None:
    program = tmp_path / "vllm"
    program.write_text('#!/bin/sh\necho "ran $*"\n')
    program.chmod(0o755)
    done = served("mine", "--port", "81", PATH=f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    assert done.returncode == 0 and "ran serve runs/mine/merged --served-model-name mine" in done.stdout
