"""What the three command lines share: one-line errors with exit code 1, progress, and worker processes."""

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from converters.core.errors import InputError

A = TypeVar("A")
B = TypeVar("B")
Tick = Callable[[int], object]  # called with how many items are done so far
Pool = Callable[[Callable[[Any], Any], Iterable[Any]], Generator[Any]]  # yields what work makes of items, in order


@contextmanager
def libraries_log_to(log: Path) -> Iterator[None]:
    """Append to ``log`` what this process prints on both outputs, C code and child processes included."""
    log.parent.mkdir(parents=True, exist_ok=True)
    originals = {number: os.dup(number) for number in (1, 2)}
    try:
        with log.open("ab") as file:
            sys.stdout.flush()
            for number in originals:
                os.dup2(file.fileno(), number)
        yield
    finally:
        sys.stdout.flush()
        for number, original in originals.items():
            os.dup2(original, number)
            os.close(original)


def _stop(sentence: str) -> None:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(1)


def progress(unit: str) -> Tick:
    """Return a function that shows a count and its rate, on a terminal and after two seconds."""
    if not sys.stderr.isatty():
        return silent
    from tqdm import tqdm  # takes longer to import than a command without a terminal has use for

    bar: Any = None

    def tick(count: int) -> None:
        nonlocal bar
        if bar is None:  # the time begins with the first count
            bar = tqdm(unit=f" {unit}", initial=count, delay=2, mininterval=1, leave=False, disable=None)
        bar.update(count - bar.n)

    return tick


def silent(count: int) -> None:
    """Show no progress."""


def in_processes(work: Callable[[A], B], items: Iterable[A], workers: int = 1) -> Generator[B]:
    """Yield ``work(item)`` in order, from ``workers`` processes that end with this one, even if it is killed; 1 is this one."""
    if workers == 1:
        yield from map(work, items)
        return
    from multiprocessing import resource_tracker

    from joblib import Parallel, delayed

    # joblib replaces a worker that has grown by 300 MB.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs")
    pool = Parallel(workers, return_as="generator", batch_size=1, initializer=_end_with, initargs=(os.getpid(),))
    resource_tracker.ensure_running()  # otherwise it starts below, and Python 3.11 unblocks the signal when it does
    with ExitStack() as stack:
        # Processes inherit the mask: Ctrl-C reaches all of a group, and this one alone answers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        results = stack.enter_context(closing(pool(delayed(work)(item) for item in items)))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield from results


def _end_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Group(click.Group):
    """A click group that turns what a user can cause into one sentence on standard error and exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; when its reader goes away, as head does, click ends it quietly."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except InputError as error:
            _stop(str(error))
        except click.UsageError as error:
            _stop(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else ''} --help)")
        except click.ClickException as error:
            _stop(error.format_message())
        except click.Abort:
            # CPython notes a Ctrl-C inside an exec of a string, as a dataclass has, and would die of it at the end though
            # it was caught: the next exec takes the note back.
            exec("")
            _stop("interrupted; nothing half-written was left behind, run the same command again")
        except OSError as error:
            _stop(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        sys.exit(code if isinstance(code, int) else 0)
