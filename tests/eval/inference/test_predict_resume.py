"""Killed at three random points and run again, a run ends in the very bytes of one that was never stopped."""

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from converters.schema import Row
from eval.inference.backends.base import Plan
from eval.inference.predict import appending, predict
from tests.eval._serving import Answered, chat, serving

BIN = Path(sys.executable).parent


@pytest.fixture
def products() -> int:
    return 6


def start(out: Path, *flags: object) -> "subprocess.Popen[str]":
    words = [BIN / "ecom-eval", "predict", "--out", out, "--max-new-tokens", 16, *flags]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def written(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.glob(".predictions.*.partial"))


def kill_at(process: "subprocess.Popen[str]", out: Path, answers: int) -> None:
    """Kill a run as soon as it has written so many answers."""
    deadline = time.monotonic() + 300
    while written(out) < answers and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"


def finish(out: Path, *flags: object) -> dict[str, Any]:
    process = start(out, *flags)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert sorted(path.name for path in out.iterdir()) == ["predictions.json", "predictions.jsonl"]
    return dict(json.loads((out / "predictions.json").read_text()))


def points(seed: int, total: int) -> list[int]:
    """Return three random numbers of answers, apart enough that each sitting does something, the last well before the end."""
    return [random.Random(f"{seed}:{n}").randrange(n * total // 4 + 1, (n + 1) * total // 4) for n in range(3)]


@pytest.mark.slow
def test_an_endpoint_run_killed_three_times(rows: list[Row], test_file: Path, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(body: dict[str, Any], _: Any) -> Answered:
        said = json.dumps(body["messages"])
        with lock:
            asked[said] += 1
        time.sleep(0.05)
        return chat(f"said {len(said)} 保温杯")

    with serving(answer) as url:
        flags = ("--checkpoint", "m", "--data", test_file, "--backend", "openai", "--base-url", url, "--concurrency", 2)
        whole = finish(tmp_path / "whole", *flags)
        total, once = whole["prompts"], asked.copy()
        assert sum(once.values()) == total
        asked.clear()
        for answers in points(1, total):
            kill_at(start(tmp_path / "killed", *flags), tmp_path / "killed", answers)
        resumed = finish(tmp_path / "killed", *flags)
    assert files(tmp_path)
    # Nothing kept is asked again: only what was under way when it was killed.
    assert sum(asked.values()) <= total + 3 * 4 and asked.keys() == once.keys()
    assert 0 < resumed["rows_resumed"] < len(rows)
    same = ("prompts", "prompt_tokens", "generated_tokens", "longest_prompt", "decoding", "unanswered")
    assert {key: resumed[key] for key in same} == {key: whole[key] for key in same}
    # All sittings count: it cannot have taken less than two at a time take.
    assert resumed["seconds"] > 0.05 * total / 2 * 0.5
    assert resumed["latency_seconds"]["p50"] >= 0.05


def files(folder: Path) -> bool:
    first, second = (folder / name / "predictions.jsonl" for name in ("whole", "killed"))
    return first.read_bytes() == second.read_bytes()


@pytest.mark.slow
def test_a_run_on_this_machine_killed_three_times(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    """The killed ones are forks of this process: starting torch anew four times would take minutes on a busy machine."""

    def go(name: str) -> dict[str, Any]:
        plan = Plan("0" * 64, max_new_tokens=16, batch_size=2, candidates=2, constrain={"tasks": {}})
        return predict(
            "transformers", str(tiny_checkpoint), rows, plan, tmp_path / name, lambda *_: None, time.monotonic
        )

    fork = multiprocessing.get_context("fork")
    whole = go("whole")
    for answers in points(2, whole["prompts"]):
        sitting = fork.Process(target=go, args=("killed",))
        sitting.start()
        deadline = time.monotonic() + 120
        while written(tmp_path / "killed") < answers and sitting.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        sitting.kill()
        sitting.join()
        assert sitting.exitcode == -signal.SIGKILL, "it ended before it could be killed"
        assert not (tmp_path / "killed" / "predictions.jsonl").exists()
        assert written(tmp_path / "killed") >= answers, "it hung"
    resumed = go("killed")
    assert files(tmp_path)
    assert resumed["rows_resumed"] > 0 and resumed["generated_tokens"] == whole["generated_tokens"]


def test_a_disk_that_is_full_amid_the_answers_is_told_with_the_file(tmp_path: Path) -> None:
    file, before = tmp_path / ".x.partial", resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(OSError, match="cannot be written: ") as told, appending(file, ["kept"]) as append:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))  # a limit to files fails as a full disk does
        try:
            append(["long" * 1500])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told.value.filename == str(file) and file.read_bytes().startswith(b'"kept"\n')
