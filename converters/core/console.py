"""What the three command lines share: one-line errors with exit code 1, progress, and worker processes."""

import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import click

from converters.core.errors import InputError

A = TypeVar("A")
B = TypeVar("B")
Tick = Callable[[int], object]  # called with how many items are done so far
AHEAD = 4  # items that wait for each process, so that none is idle while an earlier one is awaited
LONGEST = 70  # bytes of the name of a folder in which a socket can lie
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
    from tqdm import tqdm

    bar: Any = None

    def tick(count: int) -> None:
        nonlocal bar
        if bar is None:  # the time begins with the first count
            bar = tqdm(unit=f" {unit}", initial=count, delay=2, mininterval=1, leave=False)
        bar.update(count - bar.n)

    return tick


def silent(count: int) -> None:
    """Show no progress."""


def in_processes(work: Callable[[A], B], items: Iterable[A], workers: int = 1) -> Generator[B]:
    """Yield ``work(item)`` in order, from ``workers`` processes that end with this one, even if it is killed; 1 is this one."""
    with pool_of(workers) as pool:
        yield from pool(work, items)


@contextmanager
def pool_of(workers: int) -> Iterator[Pool]:
    """Give what has the same ``workers`` processes do all the work of a block; 1 is this one.

    They begin with the first items at once, while this process may do other things; it by itself works as results are taken.
    """
    if workers == 1:
        yield _in_turn
        return
    with ExitStack() as stack:
        begin_server(workers)
        yield partial(_in_order, cache(lambda: stack.enter_context(_processes(workers))), workers)


def _in_turn(work: Callable[[A], B], items: Iterable[A]) -> Generator[B]:
    yield from map(work, items)


def _in_order(started: Callable[[], Any], workers: int, work: Callable[[A], B], items: Iterable[A]) -> Generator[B]:
    source = iter(items)
    first = list(islice(source, workers))  # made while the server of the processes is starting
    futures = map(partial(started().submit, work), chain(first, source))
    return _results(deque(islice(futures, workers * AHEAD)), futures)


def _results(waiting: deque[Any], more: Iterator[Any]) -> Generator[Any]:
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(islice(more, 1))
            yield result
    finally:
        for each in waiting:
            each.cancel()


def begin_server(workers: int, *modules: str) -> None:
    """Begin to start the server of several processes, if there is none, and do not wait for it; it loads ``modules``, too.

    Processes are forks of a server that has loaded our modules and begun nothing: a fork of this process would wait for ever for
    threads that a library of it has, as rensa and tokenizers do.
    """
    if workers == 1:
        return
    from multiprocessing import forkserver

    ours = [name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0]]
    with _starting():
        forkserver.set_forkserver_preload(["concurrent.futures.process", *ours, *modules])
        forkserver.ensure_running()


@contextmanager
def _processes(count: int) -> Iterator[Any]:
    """Give an executor whose processes are there from the start, and are stopped at their work if an error ends the block."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    pool = ProcessPoolExecutor(count, get_context("forkserver"), _end_with_parent)
    others = set(active_children())
    try:
        with _starting():
            try:
                for _ in range(count):
                    pool.submit(silent, 0)
            except (EOFError, ConnectionError) as error:  # the server itself was ended
                raise BrokenProcessPool from error
        yield pool
    except BrokenProcessPool as error:
        raise InputError("a worker was ended from outside, maybe for want of memory: try fewer --workers") from error
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _starting() -> Iterator[None]:
    """Start processes that leave Ctrl-C, which reaches all of a group, to this one, and that do not run its program again.

    A program may have no guard, or no file. The server's socket lies among temporary files, unless their folder's name is long.
    It looks for modules where this process does, and not first in the folder that it is started in.
    """
    from multiprocessing import resource_tracker

    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path)
    search = {"PYTHONSAFEPATH": "1", "PYTHONPATH": paths}
    told = {name: os.environ[name] for name in search if name in os.environ}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which processes inherit
    program, usual = sys.modules["__main__"], tempfile.gettempdir()
    try:
        sys.modules["__main__"] = ModuleType("__main__")
        tempfile.tempdir = usual if len(os.fsencode(usual)) <= LONGEST else "/tmp"
        os.environ.update(search)
        resource_tracker.ensure_running()  # which would let Ctrl-C through again if it began later
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        for name in search:
            os.environ.pop(name, None)
        os.environ.update(told)
        sys.modules["__main__"], tempfile.tempdir = program, usual
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Have this process ended by a signal when its parent has gone, which closes a pipe that nothing else comes from.

    A thread that waits for it would do, but where there are two, each piece of memory is taken and given back under a lock. The
    signal may be late and of what the parent wrote at the start, so it is looked whether the parent is there.
    """
    import fcntl
    from multiprocessing import parent_process

    if parent := parent_process():

        def look(*_: object) -> None:
            if not parent.is_alive():
                os._exit(1)

        signal.signal(signal.SIGIO, look)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
        look()


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
