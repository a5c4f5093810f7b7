"""What a user sees of a training: its log's path and one line of progress."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.runner.training import process
from recipes.runner.training.process import Progress
from tests.recipes.conftest import ROOT, command


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


OUTPUT = (
    b"[WARNING] [torchao] Failed to load\n",
    b"\rTokenizing Prompts (num_proc=1):  50%|##  | 50/100 [00:01<00:01, 50.00 examples/s]",
    b"\r  7%|#   | 1/14 [00:01<00:13,  1.00s/it]\r 14%|##  | 2/14 [00:02<00:12,  1.00s/it]",
    b"{'loss': '2.5', 'grad_norm': '0.1'}\n",
    b"\r 33%|##  | 1/3 [00:01<00:02,  1.00s/it]",
    b"\r 14%|##  | 2/14 [00:02<00:12,  1.00s/it]",
    b"\n",
)


def test_on_a_terminal_one_line_is_refreshed() -> None:
    progress = Progress(terminal := Terminal(), Path("train.log"))
    for piece in OUTPUT:
        progress(piece)
    first, *lines, end = terminal.getvalue().split("\r")
    assert first == "log      train.log\n" and end == "step 2 of 14, loss 2.5, 00:12 left\x1b[K\n"
    assert [line.removesuffix("\x1b[K") for line in lines] == [
        "Tokenizing Prompts (num_proc=1): 50 of 100, 00:01 left",
        "step 2 of 14, 00:12 left",
        "validation: 1 of 3, 00:02 left",
    ]


def test_elsewhere_a_line_comes_now_and_then() -> None:
    progress = Progress(file := io.StringIO(), Path("train.log"))
    for piece in OUTPUT:
        progress(piece)
    assert file.getvalue() == "log      train.log\n"
    progress.last -= 60
    progress(OUTPUT[2])
    assert file.getvalue().splitlines()[1:] == ["step 2 of 14, loss 2.5, 00:12 left"]


def test_an_evaluation_counts_prompts() -> None:
    progress = Progress(terminal := Terminal(), Path("export-fp8.log"))
    progress(b"\r 23%|##| 256/1116 [00:02<00:07, 113.63 prompts/s]")
    assert terminal.getvalue().split("\r")[1:] == ["prompts: 256 of 1116, 00:07 left\x1b[K"]


def test_the_end_of_a_training_is_told_once() -> None:
    """Its bar is drawn again when the last step's loss was logged."""
    progress = Progress(file := io.StringIO(), Path("train.log"))
    for loss in (b"2.5", b"2.4"):
        progress(b"{'loss': '" + loss + b"'}\r100%|####| 14/14 [00:14<00:00,  1.00s/it]")
    assert file.getvalue().splitlines()[1:] == ["step 14 of 14, loss 2.5, 00:00 left"]


def test_the_old_name_of_the_demos_raw_files_says_the_new_one(tmp_path: Path) -> None:
    done = command(tmp_path, "ecom-data", "demo-raw", "--out", "raw")
    assert done.returncode == 1 and done.stderr == "error: ecom-data demo-raw is now: ecom-train demo-raw --out raw\n"


def test_the_old_name_of_the_gates_rows_says_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    done = command(tmp_path, "ecom-train", "merge", "none", "--held", "rows.jsonl")
    first, second = done.stderr.splitlines()
    assert first == "--held is called --gate-data now; the old name goes with the next release"
    assert done.returncode == 1 and second.startswith("error: runs/none: has no run.json")


def test_a_training_draws_its_bar_whatever_the_user_wants_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers leaves it out where only errors are to be logged; so did a training after a scoring in one process."""
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    code = "from transformers import TrainingArguments as T; print(T('out', use_cpu=True).disable_tqdm)"
    shown = [
        subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True).stdout
        for variables in (dict(os.environ), process.environment())
    ]
    assert shown == ["True\n", "False\n"]


def test_ctrl_c_waits_for_a_command_that_has_something_to_stop() -> None:
    waits = "try: print('ready', flush=True); time.sleep(60)"
    slow = f"import time\n{waits}\nexcept KeyboardInterrupt: time.sleep(1); print('stopped')"
    outer = f"from recipes.runner.training import process\nprocess.ours(('python', '-c', {slow!r}))"
    words = [sys.executable, "-c", outer]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout and running.stdout.readline() == "ready\n"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to both
        assert running.wait() == -signal.SIGINT
        assert running.stdout.read() == "stopped\n"
