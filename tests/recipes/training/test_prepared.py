"""Axolotl keeps tokenised rows: under a path that names all they depend on, so that no run takes those of another."""

import contextlib
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.plugins import completion_only
from recipes.runner import recipe
from recipes.runner.preflight import check, data
from recipes.runner.training import train
from tests.recipes.conftest import WHOLE, recipe_keys


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a recipe, its rows, a base model and a template of the recipe's own, all of it bytes alone."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/mix/train.jsonl", "base/tokenizer.json", "base/chat_template.jinja", "base/model.safetensors"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"{}")
    Path("own.jinja").write_text("{{ messages }}")
    keys = recipe_keys("base", "data/mix", WHOLE, chat_template="jinja", chat_template_jinja="own.jinja")
    Path("mine.yaml").write_text(yaml.safe_dump(keys), "utf-8")
    return tmp_path


def prepared(*overrides: str) -> Path:
    return data.prepared_path(recipe.load(Path("mine.yaml"), overrides))


@pytest.mark.parametrize(
    "name", ["data/mix/train.jsonl", "base/tokenizer.json", "base/chat_template.jinja", "own.jinja"]
)
def test_a_changed_file_changes_the_path(name: str, place: Path) -> None:
    before = prepared()
    assert prepared() == before and before.parent == data.PREPARED
    Path(name).write_bytes(Path(name).read_bytes() + b" ")
    assert prepared() != before


@pytest.mark.parametrize("override", ["seed=1", "sequence_len=64", "special_tokens={pad_token: x}"])
def test_a_changed_key_changes_the_path(override: str, place: Path) -> None:
    assert prepared(override) != prepared()


def test_the_runs_of_a_sweep_share_their_rows(place: Path) -> None:
    assert prepared("learning_rate=3e-4", "lora_r=64", "lora_alpha=128", "num_epochs=2") == prepared()


def test_changed_code_and_another_axolotl_change_the_path(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepared()
    edited = place / "completion_only.py"
    edited.write_bytes(Path(completion_only.__file__).read_bytes() + b"\n")
    with monkeypatch.context() as patched:
        patched.setattr(completion_only, "__file__", str(edited))
        assert prepared() != before
    installed = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.20.0" if name == "axolotl" else installed(name))
    assert prepared() != before


def test_weights_do_not_change_the_path(place: Path) -> None:
    """They make no token, and to hash them takes as long as to tokenise the rows again."""
    before = prepared()
    Path("base/model.safetensors").write_bytes(b"others")
    assert prepared() == before


@pytest.mark.slow
def test_a_template_changed_in_place_is_the_one_that_is_trained_on(finished: Path, tmp_path: Path) -> None:
    from datasets import load_from_disk
    from transformers import AutoTokenizer

    folder = tmp_path / "place"
    shutil.copytree(finished, folder)
    template = folder / "runs" / "base" / "merged" / "chat_template.jinja"
    template.write_text(template.read_text().replace("'[INST]' + ", "'[INST]NEW ' + "))
    with contextlib.chdir(folder):
        loaded = recipe.load(Path("tiny.yaml"), ["learning_rate=1e-3"])  # the finished run's own
        run = train.train(loaded, "other", check.check, sys.stdout.buffer.write)
    keys: dict[str, Any] = yaml.safe_load((run_file := folder / run / "recipe.yaml").read_text())
    tokenizer = AutoTokenizer.from_pretrained(run_file.parent / "adapter")
    (ready,) = {path.parent for path in (folder / keys["dataset_prepared_path"]).glob("*/dataset_info.json")}
    read = [tokenizer.decode(row["input_ids"]) for row in load_from_disk(str(ready))]
    assert read and all("[INST]NEW " in text for text in read)
    own = (folder / keys["dataset_prepared_path"] / ".datasets").rglob("*.arrow")
    assert list(own), (
        "in the cache of all trainings a result goes by its function's name: an edited one would get the old rows"
    )
