"""Units of work over processes: the results in the units' own order, whatever the number of processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")
Tick = Callable[[int], object]

STEP = 256
_count: Callable[[int], object] = lambda more: None  # noqa: E731 - replaced by whoever counts


def mapped(work: Callable[[A], B], units: Sequence[A], workers: int, tick: Tick) -> Iterator[B]:
    """Yield ``work(unit)`` in order; ``tick`` hears, now and then, how many items :func:`counted` has seen in all processes.

    One worker, or one unit, needs no process of its own.
    """
    if min(workers, len(units)) > 1:
        yield from _pooled(work, units, min(workers, len(units)), tick)
        return
    total = 0

    def count(more: int) -> None:
        nonlocal total
        total += more
        tick(total)

    _counting(count)
    yield from map(work, units)


def counted(items: Iterable[A]) -> Iterator[A]:
    """Pass items on and count them."""
    number = 0
    for number, item in enumerate(items, 1):
        yield item
        if number % STEP == 0:
            _count(STEP)
    _count(number % STEP)


def _pooled(work: Callable[[A], B], units: Sequence[A], workers: int, tick: Tick) -> Iterator[B]:
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks in whatever state they are
    total = context.Value("Q", 0)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(total,))
    try:
        for future in _submitted(pool, work, units):
            yield _result(future, lambda: tick(total.value))
    except BaseException:
        for process in list((pool._processes or {}).values()):  # what they have half-done has no name yet
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, work: Callable[[A], B], units: Sequence[A]) -> list[Future[B]]:
    """Start the processes deaf to Ctrl-C: until :func:`_start` has run in them, each would print where it was interrupted."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [pool.submit(work, unit) for unit in units]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Future[B], tick: Callable[[], object]) -> B:
    while True:
        try:
            return future.result(timeout=0.5)
        except TimeoutError:
            if future.done():
                raise
            tick()


def _start(total: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them: the parent alone answers
    threading.Thread(target=_leave_with_parent, daemon=True).start()

    def count(more: int) -> None:
        with total.get_lock():
            total.value += more

    _counting(count)


def _leave_with_parent() -> None:
    """End this process when its parent was killed: else it waits for ever, or writes into what the next command sweeps."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _counting(count: Callable[[int], object]) -> None:
    global _count
    _count = count
