"""Runs Axolotl as a process of its own: what it prints goes to a log, its progress to the terminal, and Ctrl-C reaches it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from converters.core.errors import InputError
from recipes.runner.capacity.hardware import gpus

START = "recipes.runner.training.start"
QUIET = {
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}
_ERROR = re.compile(r"(Error|error|Exception|Killed|out of memory)")
# tqdm's bar, as Axolotl and its libraries draw it: "Tokenizing:   3%|▎   | 1000/30037 [00:00<00:13, 2145.00 examples/s]"
_BAR = re.compile(r"(?:([^\r\n%|]*):)?\s*\d+%\|[^|\r\n]*\| (\d+)/(\d+) \[[\d:]+<([\d:]+)([^\]\r\n]*)")
_LOSS = re.compile(r"'loss': '?([\d.]+)")
STOPPING = 30  # seconds; stop() takes 20 at most
SECONDS = 15  # between two lines of progress where they cannot overwrite each other


class Progress:
    """Shows the progress of a followed process, by the last bar in its output, and where its whole output goes.

    On a terminal one line is refreshed, elsewhere a line is printed now and then and at the end of the training.

    >>> import io
    >>> progress = Progress(out := io.StringIO(), Path("logs/train.log"))
    >>> progress(b"[WARNING] noise {'loss': '0.25'}"), progress(b" 100%|###| 14/14 [00:01<00:00,  9.00it/s]")
    (None, None)
    >>> out.getvalue()
    'log      logs/train.log\\nstep 14 of 14, loss 0.25, 00:00 left\\n'
    """

    def __init__(self, out: TextIO, log: Path) -> None:
        self.out, self.log, self.loss, self.steps, self.count = out, log, "", "", ""
        self.last, self.open = 0.0, False

    def __call__(self, piece: bytes) -> None:
        """Take the next piece of output; a bar that is cut by its end is passed over."""
        text = piece.decode("utf-8", errors="replace")
        if not self.last:
            self.out.write(f"log      {self.log}\n")
            self.last = time.monotonic()
        if losses := _LOSS.findall(text):
            self.loss = f", loss {losses[-1]}"
        for label, done, total, remaining, speed in _BAR.findall(text)[-1:]:
            name = "prompts" if "prompts" in speed else label.strip()  # those of our own evaluation
            if not name:  # the trainer's bar, the first without a name, or one of its validations
                self.steps = self.steps or total
            if training := not name and total == self.steps:
                line = f"step {done} of {total}{self.loss}"
            else:
                line = f"{name or 'validation'}: {done} of {total}"
            self._show(f"{line}, {remaining} left", training and done == total)
        if text == "\n" and self.open:  # the process has ended
            self.out.write("\n")
            self.open = False

    def _show(self, line: str, always: bool = False) -> None:
        now = time.monotonic()
        if self.out.isatty():
            self.out.write(f"\r{line}\x1b[K")
            self.open = True
        elif (count := line.split(", ")[0]) != self.count and (always or now - self.last >= SECONDS):
            self.out.write(f"{line}\n")
            self.last, self.count = now, count
        self.out.flush()


def axolotl(
    words: Sequence[str],
    log: Path,
    echo: Callable[[bytes], None],
    before: Sequence[str] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run ``axolotl WORDS``, after what starts it on other nodes, with more variables; ``echo`` gets the output as it comes."""
    follow([*before, sys.executable, "-m", START, *words], f"axolotl {words[0]}", log, echo, variables)


def follow(
    command: Sequence[str],
    name: str,
    log: Path,
    echo: Callable[[bytes], None],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run a command; a failure is an ``InputError`` with its ``name`` and its last line about an error."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with _ended_like_ctrl_c(), log.open("ab") as file, _started(command, variables) as process:
        assert process.stdout is not None
        try:
            while piece := os.read(process.stdout.fileno(), 65536):
                file.write(piece)
                file.flush()
                echo(piece)
            process.wait()
        finally:  # after Ctrl-C, a full disk, a closed terminal: training must not continue unseen
            stop(process)
            echo(b"\n")  # what follows a progress bar begins a line of its own
    if process.returncode:
        raise InputError(f"{name} {_end(process.returncode)}: {last_line(log)} (all of it: {log})")


def ours(words: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """Run one of our commands, from beside this interpreter, in front of the user; return its exit code.

    ``variables`` are for what the user's environment leaves open. A Ctrl-C waits until the command has stopped what it began.
    """
    program = str(Path(sys.executable).with_name(words[0]))  # whatever PATH says
    child = subprocess.Popen([program, *words[1:]], env={**variables, **os.environ})
    try:
        return child.wait()
    except KeyboardInterrupt:
        # From a terminal, the command got it, too. subprocess.run would kill it, and the training would live on.
        try:
            child.wait(STOPPING)
        except subprocess.TimeoutExpired:  # sent to this process alone
            child.terminate()
            child.wait()
        raise


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Treat a scheduler's SIGTERM and a closed terminal as Ctrl-C, unless they are ignored, as under ``nohup``."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _end(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed, most often because memory ran out"
    return f"stopped with exit code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"


def _started(command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A process group of its own: one Ctrl-C must not reach it twice, from the terminal and from here.
    env = {**environment(), **variables}
    nothing, pipe, together = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, env=env, stdin=nothing, stdout=pipe, stderr=together, start_new_session=True)


def environment() -> dict[str, str]:
    """Return the child's environment: one thread on a CPU, unless the user asks for more.

    A tiny model's second thread saves a third of the time on an idle machine and costs five times on a busy one.
    """
    # Axolotl starts torchrun by its name, which lies beside the interpreter, whether or not its folder is on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    threads = {} if gpus() else {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    # Told to log errors alone, the trainer draws no bar, and the progress is read from it.
    return {**os.environ, **QUIET, "TRANSFORMERS_VERBOSITY": "warning", **threads, "PATH": path}


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all its children, by SIGKILL if need be; one that has ended is left alone."""
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return


def last_line(log: Path) -> str:
    """Return the log's last line about an error, else its last line."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", log.read_text("utf-8", errors="replace")) if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines or ["it printed nothing"])[-1][:300]
