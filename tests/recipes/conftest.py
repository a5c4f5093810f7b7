"""A small mix, a Mistral tokenizer made from its real SentencePiece file, and one real run that many tests look at."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from converters.mixture.build import build
from converters.mixture.spec import Entry, Spec
from recipes.runner import recipe
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import check
from recipes.runner.training import merge, process, train

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")


@pytest.fixture(autouse=True)
def kernels_stay() -> Iterator[None]:
    """Find the Triton kernels again that the run's plugin hides from a training in this process, which no other follows."""
    yield
    if sys.modules.get("fla", ...) is None:
        del sys.modules["fla"]


def small_mix(folder: Path) -> Path:
    """Build a mix of all four tasks, a hundred rows or so, under ``folder/data/mix``."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    shop = [
        {"id": f"B0{n:08d}", "title": f"Norvik mug {n} red", "category": "Home > Mugs", "brand": "Norvik"}
        for n in range(40)
    ]
    qars = [
        {
            "asin": f"B1{n:08d}",
            "questionText": f"How big is number {n}?",
            "review_snippets": [f"It holds {n} ml."],
            "answers": [{"answerText": f"{n} ml", "helpful": [1, 1]}],
            "is_answerable": n % 4 > 0,
        }
        for n in range(30)
    ]
    chats = [{"instruction": f"Say {n}.", "output": str(n)} for n in range(60)]
    for name, rows in (("shop", shop), ("qar", qars), ("chat", chats)):
        (raw / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    entries = [
        Entry(source="catalog", paths=[str(raw / "shop.jsonl")], options={"attributes": {"Brand": "brand"}}),
        Entry(source="amazonqa", paths=[str(raw / "qar.jsonl")]),
        Entry(source="general", paths=[str(raw / "chat.jsonl")]),
    ]
    spec = Spec(sources=entries, splits={"validation": 0.2, "test": 0.2})
    build(spec, folder / "data" / "mix", 1, False, lambda rows: None)
    return folder / "data" / "mix"


WHOLE = "recipes.plugins.completion_only"


def recipe_keys(base: str, data: str, kind: str = "chat_template", **changes: Any) -> dict[str, Any]:
    """Return the demo recipe's keys for other data and another base, its rows read by prompt strategy ``kind``."""
    keys: dict[str, Any] = yaml.safe_load((ROOT / "recipes" / "demo-qlora.yaml").read_text())
    keys["base_model"] = base
    entry = keys["datasets"][0] | {"path": f"{data}/train.jsonl", "type": kind}
    if kind == WHOLE:
        del entry["roles_to_train"], entry["train_on_eos"]
    return keys | {"datasets": [entry]} | changes


def mistral_tokenizer(folder: Path) -> Any:
    """Save and load the tokenizer of Mistral-7B-Instruct-v0.3 from the SentencePiece file in ``mistral_common``."""
    import mistral_common
    import sentencepiece
    from axolotl.utils.chat_templates import get_chat_template
    from transformers import AutoTokenizer, MistralConfig

    source = Path(mistral_common.__file__).parent / "data" / "mistral_instruct_tokenizer_240323.model.v3"
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(source))
    control = [n for n in range(pieces.get_piece_size()) if pieces.is_control(n) or pieces.is_unknown(n)]
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "legacy": False,
        "add_bos_token": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "added_tokens_decoder": {str(n): {"content": pieces.id_to_piece(n), **flags} for n in control},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(source.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(get_chat_template("mistral_v2v3"))
    MistralConfig(vocab_size=32768, hidden_size=32, num_hidden_layers=1).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a Mistral stand-in (tokenizer, template, configuration; no weights) and its tokenizer."""
    folder = tmp_path_factory.mktemp("mistral") / "base"
    return folder, mistral_tokenizer(folder)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a working folder with a small mix and a recipe on a stand-in base; return the recipe's path."""
    monkeypatch.chdir(tmp_path)
    small_mix(tmp_path)

    def make(base: Path | str, **changes: Any) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(recipe_keys(str(base), "data/mix", **changes), sort_keys=False), "utf-8")
        return path

    return make


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of the project's commands in a folder."""
    return subprocess.run([str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a run, ``runs/tiny``: some real steps of Axolotl on the CPU, merged.

    It reads one file by Axolotl's own prompt strategy and one by ours. It is trained once; each of pytest's workers has a copy.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # a worker's folder is in that of the whole run
        shared = shared.parent
    made, done = shared / "finished", shared / "finished.done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            trained_and_merged(made)
            done.touch()
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("run") / "finished"))


def trained_and_merged(folder: Path) -> None:
    """Make what ``finished`` gives in an empty folder."""
    small_mix(folder)
    keys = recipe_keys("runs/base/merged", "data/mix", max_steps=14, micro_batch_size=4, logging_steps=1)
    keys |= {"save_strategy": "steps", "save_steps": 4}
    ours = recipe_keys("", "data/mix", WHOLE)["datasets"][0]
    keys["datasets"].append(ours | {"path": "data/mix/validation.jsonl"})
    (folder / "tiny.yaml").write_text(yaml.safe_dump(keys, sort_keys=False), "utf-8")
    tiny_model.build(folder / "data" / "mix", folder / "runs" / "base" / "merged", 0)
    with contextlib.chdir(folder):  # in this process, which has imported Axolotl already: that takes 15 s
        loaded = recipe.load(Path("tiny.yaml"), ["learning_rate=1e-3"])
        with Path("terminal.txt").open("w") as terminal:
            run = train.train(loaded, "tiny", check.check, process.Progress(terminal, Path("train.log")))
            merge.merge(run, process.Progress(terminal, Path("merge.log")))


@pytest.fixture
def nvidia_smi(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put an ``nvidia-smi`` on the path that prints these lines, whatever it is asked; a program sees all its cards."""
    tool = tmp_path_factory.mktemp("driver") / "nvidia-smi"

    def prints(*lines: str) -> None:
        tool.write_text("\n".join(["#!/bin/sh", "cat <<'END'", *lines, "END", ""]))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return prints
