"""The command that serves a merged run or one of its exports with vLLM, as it was evaluated: same template, nothing sampled."""

import json
import shutil
import sys
from pathlib import Path

from converters.core.errors import InputError
from eval.inference.checkpoint import dtype
from recipes.runner.export.formats import EXPORTS, FORMATS, GGUF, MODEL
from recipes.runner.recipe import FOLDER
from recipes.runner.records import provenance
from recipes.runner.records.layout import MERGED, recipe_of

ENVIRONMENT = FOLDER.parent / ".venv-vllm"


def command(run: Path, form: str | None, host: str, port: int) -> list[str]:
    """Return ``vllm serve`` with its arguments; a missing checkpoint is an ``InputError``.

    The prefix cache keeps the instruction that every prompt of a task begins with. Without ``--generation-config vllm`` the
    checkpoint's own settings could sample. A prompt may be as long as a row of training, and its answer comes on top. The merged
    checkpoint is served in its own precision, as it was evaluated: vLLM by itself makes bfloat16 of float32.
    """
    folder = checkpoint(run, form)
    return words(folder, run.name, recipe_of(run)["sequence_len"], None if form else dtype(folder), host, port)


def words(folder: Path, name: str, sequence_len: int, precision: str | None, host: str, port: int) -> list[str]:
    """Return the command that serves the checkpoint in ``folder`` as ``name``."""
    template = folder / "chat_template.jinja"
    config = json.loads((folder / "config.json").read_bytes())
    # A model with vision says it of its text part.
    longest = int({**config, **config.get("text_config", {})}["max_position_embeddings"])
    found = ["vllm", "serve", str(folder), "--served-model-name", name, "--host", host, "--port", str(port)]
    found += ["--enable-prefix-caching", "--generation-config", "vllm"]
    found += ["--max-model-len", str(min(2 * sequence_len, longest))]
    found += ["--dtype", precision] if precision else []
    return [*found, "--chat-template", str(template)] if template.is_file() else found


def checkpoint(run: Path, form: str | None) -> Path:
    """Return the folder to serve; llama.cpp, not vLLM, serves its own format."""
    provenance.read(run)
    if form == GGUF or (form and form not in FORMATS):
        raise InputError(
            f"--format {form}: expected one of {', '.join(FORMATS[:-1])}; gguf is served by llama.cpp's llama-server"
        )
    folder = run / EXPORTS / form / MODEL if form else run / MERGED
    if not folder.is_dir():
        target = f"export RUN={run.name} FORMAT={form}" if form else f"merge-{run.name}"
        raise InputError(f"{folder}: no such checkpoint; make it with 'make {target}'")
    return folder


def smoke(run: Path, data: Path, host: str, port: int) -> list[str]:
    """Return the command that asks the server the rows of ``data`` through our evaluation."""
    out = run / "served"
    words = ["ecom-eval", "predict", "--backend", "openai", "--base-url", f"http://{host}:{port}/v1"]
    return [*words, "--checkpoint", str(run / MERGED), "--model", run.name, "--data", str(data), "--out", str(out)]


def parity(run: Path, host: str, port: int) -> list[str]:
    """Return the command that tells whether the server answers by a run's name as its merged model does."""
    return ["ecom-eval", "parity", run.name, "--base-url", f"http://{host}:{port}/v1"]


def program() -> str | None:
    """Return vLLM's program, beside this interpreter, on the path, or in the environment of ``make setup-vllm``."""
    beside, ours = Path(sys.executable).with_name("vllm"), ENVIRONMENT / "bin" / "vllm"
    return str(beside) if beside.is_file() else shutil.which("vllm") or (str(ours) if ours.is_file() else None)
