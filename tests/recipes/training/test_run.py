"""A real run: some NF4 QLoRA steps of Axolotl on the CPU, merged; and what must never happen to a run."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from converters.core.errors import InputError
from converters.examples import read_rows
from converters.io.jsonl import folder_sha256, sha256
from recipes.runner import recipe
from recipes.runner.preflight import check
from recipes.runner.preflight.check import Checked
from recipes.runner.records import layout, provenance
from recipes.runner.training import merge, process, train
from tests.recipes.conftest import BIN, command

pytestmark = pytest.mark.slow
FILES = ("data/mix/train.jsonl", "data/mix/validation.jsonl")


def test_the_terminal_has_the_progress_and_the_log_has_the_rest(finished: Path, tmp_path: Path) -> None:
    lines = (finished / "terminal.txt").read_text().splitlines()
    (step,) = [line for line in lines if line.startswith("step 14 of 14")]
    assert re.fullmatch(r"step 14 of 14, loss \d+\.\d+, 00:00 left", step)
    others = {line for line in lines if not re.fullmatch(r"[\w ()=/]+: \d+ of \d+, .* left|step \d+ of .*", line)}
    assert others == {"log      train.log", "log      merge.log"}
    for name, noise in (("train", "axolotl"), ("train", "Tokenizing Prompts"), ("merge", "Applied LoRA")):
        assert noise in (finished / "runs" / "tiny" / "logs" / f"{name}.log").read_text(), "the whole output"
    made = command(
        finished, "ecom-train", "tiny-base", "--data", "data/mix", "--out", str(tmp_path / "base" / "merged")
    )
    log = tmp_path / "base" / "logs" / "base.log"
    assert "Writing model shards" in log.read_text()
    assert not made.stderr and made.stdout == f"base model: {tmp_path / 'base' / 'merged'} (log: {log})\n"


def test_the_record_leads_back_to_the_raw_files(finished: Path) -> None:
    run = finished / "runs" / "tiny"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "merged" and record["overrides"] == {"learning_rate": 0.001}
    assert record["recipe"]["sha256"] == sha256(finished / "tiny.yaml")
    for item in record["data"]:
        assert item["sha256"] == sha256(finished / item["name"])
    assert [Path(item["name"]).name for item in record["mixes"][0]["inputs"]] == [
        "shop.jsonl",
        "qar.jsonl",
        "chat.jsonl",
    ]
    for item in record["mixes"][0]["inputs"]:
        assert item["sha256"] == sha256(Path(item["name"]))
    assert record["adapter_sha256"] == folder_sha256(run / "adapter")
    assert record["merged_sha256"] == folder_sha256(run / "merged")
    assert record["base_model"]["sha256"] == folder_sha256(finished / "runs" / "base" / "merged")
    assert record["packages"]["axolotl"] == metadata.version("axolotl") and record["hardware"]["cores"] >= 1
    assert re.fullmatch(r"[0-9a-f]{40}", record["git"]["commit"] or "0" * 40)
    assert record["recipe"]["resolved_sha256"] == sha256(run / "recipe.yaml")
    assert record["seconds"].keys() == {"check", "train", "merge"} and record["seed"] == 0
    assert record["rows"] == dict(
        sorted(Counter(row.task for name in FILES for row in read_rows(finished / name)).items())
    )
    assert record["rows_proven"]["category"] >= 4 and record["rows_too_long"] == {}


def test_what_was_checked_stays_readable(finished: Path) -> None:
    lines = (finished / "runs" / "tiny" / "logs" / "check.txt").read_text().splitlines()
    assert lines[0].startswith("recipe   tiny.yaml: ") and lines[-1].startswith("prompts  the same")
    assert any(line.split()[:2] == ["task", "rows"] for line in lines)


def test_axolotl_learnt_the_answers_and_nothing_else(finished: Path) -> None:
    """Read back the rows that Axolotl prepared: the prompt masked, the answer and its end token supervised, one BOS."""
    from datasets import load_from_disk
    from transformers import AutoTokenizer

    (ready,) = (path.parent for path in (finished / "runs" / ".prepared").glob("*/*/dataset_info.json"))
    tokenizer = AutoTokenizer.from_pretrained(finished / "runs" / "base" / "merged")
    expected = {}
    for row in (row for name in FILES for row in read_rows(finished / name)):
        prompt = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
        answer = [*tokenizer(row.target, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        expected[tuple(prompt + answer)] = len(prompt)
    prepared = load_from_disk(str(ready))
    assert len(prepared) == len(expected) > 60
    for row in prepared:
        ids, labels = row["input_ids"], row["labels"]
        length = expected.pop(tuple(ids))
        assert labels == [-100] * length + ids[length:]
        assert ids.count(tokenizer.bos_token_id) == 1
    assert not expected


def test_the_merged_checkpoint_loads_with_its_template(finished: Path) -> None:
    from transformers import AutoTokenizer

    merged, base = finished / "runs" / "tiny" / "merged", finished / "runs" / "base" / "merged"
    assert AutoTokenizer.from_pretrained(merged).chat_template == AutoTokenizer.from_pretrained(base).chat_template


def test_a_run_is_never_overwritten(finished: Path) -> None:
    before = (finished / "runs" / "tiny" / "run.json").read_bytes()
    done = command(finished, "ecom-train", "train", "tiny.yaml", "--run", "tiny")
    assert done.returncode == 1 and "a run of that name is there already (status: merged)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (finished / "runs" / "tiny" / "run.json").read_bytes() == before
    again = command(finished, "ecom-train", "merge", "tiny")
    assert again.returncode == 1 and "is there already; move it away" in again.stderr


def test_ctrl_c_is_recorded_and_leaves_no_process(finished: Path) -> None:
    words = [str(BIN / "ecom-train"), "train", "tiny.yaml", "--run", "stopped", "--set", "max_steps=100000"]
    with subprocess.Popen(words, cwd=finished, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        log = finished / "runs" / "stopped" / "logs" / "train.log"
        while process.poll() is None and not (log.is_file() and "'loss'" in log.read_text(errors="replace")):
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    said = errors.splitlines()[-1]
    assert said.startswith("error: interrupted; log and adapter so far are in runs/stopped. ")
    assert said.endswith(("mv runs/stopped runs/stopped.old", "with: make resume RUN=stopped"))
    assert "Traceback" not in errors
    assert json.loads((finished / "runs" / "stopped" / "run.json").read_text())["status"] == "interrupted"
    left = subprocess.run(["pgrep", "-f", "runs/stopped/recipe.yaml"], capture_output=True, text=True, check=False)
    places = [Path(f"/proc/{number}/cwd") for number in left.stdout.split()]
    assert not [place for place in places if place.exists() and place.resolve() == finished.resolve()]
    unmerged = command(finished, "ecom-train", "merge", "stopped")
    assert unmerged.returncode == 1 and "found status 'interrupted'" in unmerged.stderr


def test_a_training_that_a_signal_ends_is_not_trained(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Axolotl saves what it has and exits with 0."""
    monkeypatch.chdir(finished)

    hits: list[bytes] = []

    def hit(piece: bytes) -> None:
        if b"'loss'" in piece and not hits:  # a second one would meet it while it ends
            hits.append(piece)
            subprocess.run(["pkill", "-INT", "-P", str(os.getpid()), "-f", "runs/hit/recipe.yaml"], check=True)

    loaded = recipe.load(Path("tiny.yaml"), ["max_steps=2000", 'save_strategy="no"', "save_steps=null"])
    with pytest.raises(InputError, match="runs/hit: training ended before its last step"):
        train.train(loaded, "hit", check.check, hit)
    assert provenance.read(Path("runs/hit"))["status"] == "failed"
    assert list(Path("runs/hit/adapter").glob("*.safetensors"))


def test_an_end_before_its_time_and_weights_that_are_none(tmp_path: Path) -> None:
    layout.write_outcome(tmp_path, 30, 30, True)
    assert train.read_outcome(tmp_path, {}) == {"steps": 30, "planned": 30, "stopped": False}
    layout.write_outcome(tmp_path, 29, 30, False)  # the last epoch had a batch less than the first: nobody stopped it
    assert train.read_outcome(tmp_path, {})["steps"] == 29
    layout.write_outcome(tmp_path, 10, 30, True)
    assert train.read_outcome(tmp_path, {"early_stopping_patience": 3})["steps"] == 10
    with pytest.raises(InputError, match="stopped itself after 10 of 30 steps"):
        train.read_outcome(tmp_path, {})
    save_file({"a": torch.ones(2, 2, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    assert train.non_finite(tmp_path) is None
    save_file({"a": torch.ones(2, 2), "b": torch.tensor([1.0, float("nan")])}, tmp_path / "model.safetensors")
    assert train.non_finite(tmp_path) == "b"


def test_what_is_stopped_while_the_end_is_recorded_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing a model that was trained whole takes minutes: a job may well end in them."""
    layout.write_outcome(tmp_path, 30, 30, True)
    (tmp_path / "adapter" / "checkpoint-30").mkdir(parents=True)
    (tmp_path / "adapter" / "checkpoint-30" / "trainer_state.json").touch()
    save_file({"a": torch.ones(2, 2)}, tmp_path / "adapter" / "model.safetensors")
    base = {"name": str(tmp_path / "adapter"), "sha256": "as it was when the training began", "revision": None}
    provenance.write(tmp_path, {"status": "started", "base_model": base, "seconds": {}})

    def stopped(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train, "folder_sha256", stopped)
        with pytest.raises(KeyboardInterrupt):
            train.finish(tmp_path, 1.0, {})
    last = layout.last_checkpoint(tmp_path)
    assert last and last.name == "checkpoint-30"
    train.finish(tmp_path, 1.0, {})
    record = provenance.read(tmp_path)
    assert record["status"] == "merged" and record["merged_sha256"] == folder_sha256(tmp_path / "merged")
    assert (tmp_path / "checkpoints" / "checkpoint-30").is_dir()
    assert record["base_model"] == base  # a merge will compare: what lies there by now may be another one


def test_what_is_stopped_before_there_is_a_record_leaves_no_run(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    passed = Checked(files={}, manifests={}, rows={}, proven={}, too_long={}, sequence_len=256)

    def stopped(*_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(provenance, "start", stopped)
    with pytest.raises(KeyboardInterrupt):
        train.train(recipe.load(finished / "tiny.yaml"), "early", lambda _: passed, lambda _: None)
    assert train.vacant("early") == Path("runs/early")


def test_a_failing_axolotl_is_a_sentence_and_recorded(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)
    passed = Checked(files={}, manifests={}, rows={}, proven={}, too_long={}, sequence_len=256)
    broken = recipe.load(finished / "tiny.yaml", ["optimizer=no_such_one"])
    log = "runs/broken/logs/train.log"
    with pytest.raises(
        InputError, match=rf"axolotl train stopped with exit code 1: .*no_such_one.* \(all of it: {log}\)"
    ):
        train.train(broken, "broken", lambda _: passed, lambda _: None)
    assert provenance.read(Path("runs/broken"))["status"] == "failed"
    with pytest.raises(InputError, match=r"already \(status: failed\).*mv runs/broken runs/broken\.old"):
        train.vacant("broken")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_a_run_name_is_a_file_name(name: str) -> None:
    with pytest.raises(InputError, match="run name"):
        layout.folder(name)


def test_the_merged_checkpoint_gets_the_template_that_was_trained(tmp_path: Path) -> None:
    made, adapter = tmp_path / "made", tmp_path / "adapter"
    for folder in (made, adapter):
        folder.mkdir()
        (folder / "chat_template.jinja").write_text(folder.name)
    with pytest.raises(InputError, match="no weights after merging"):
        merge.complete(made, adapter)
    save_file({"weight": torch.zeros(2, 2)}, made / "model.safetensors")
    for name in ("tokenizer.model", "tokenizer.model.v3", "tekken.json"):
        (made / name).touch()
    (adapter / "tekken.json").write_text("trained with it")
    merge.complete(made, adapter)
    assert (made / "chat_template.jinja").read_text() == "adapter"
    assert sorted(path.name for path in made.glob("t*")) == ["tekken.json", "tokenizer.model"]
    assert (made / "tekken.json").read_text() == "trained with it"


def test_what_a_process_prints_is_kept_and_its_end_told(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with pytest.raises(InputError, match=r"axolotl no-such-command stopped with exit code 2: Error: No such command"):
        process.axolotl(["no-such-command"], tmp_path / "log", heard.append)
    assert b"".join(heard) == (tmp_path / "log").read_bytes() + b"\n"  # what follows a progress bar begins a line


def test_a_terminal_that_went_away_ends_the_process(tmp_path: Path) -> None:
    """Whatever stops the reading stops the training: this one would print for ever."""

    def full(piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        process.follow(["sh", "-c", "echo $$; while echo step; do sleep 0.1; done"], "sh", tmp_path / "log", full)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "log").read_text().split()[0]), 0)


def test_a_run_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = command(tmp_path, "ecom-train", "merge", "none")
    assert done.returncode == 1 and done.stderr.startswith("error: runs/none: has no run.json")
