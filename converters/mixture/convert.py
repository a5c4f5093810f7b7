"""Raw files to shards, in as many processes as asked for; a shard that is there already is taken as it is."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import converters
from converters import sources, tasks
from converters.examples import example
from converters.io import expand
from converters.mixture import shards
from converters.mixture.shards import Part, Pinned, Tally, Used, tallied, unused
from converters.mixture.spec import Entry, beside_files, chosen_tasks
from converters.schema import Attributes, Choice, Listing, Outcome, Record, Row, Verdict
from converters.sources import mix
from converters.tasks.base import RenderError
from converters.text.lengths import ruler
from converters.text.matching import title_group
from converters.transforms import definitions, trim
from converters.transforms.definitions import Definitions, defined
from converters.transforms.perturb import FITS, harden, kind_of

Cut = Callable[[Record, trim.Render], Row]


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of an entry that one process converts: its number in the mix's entries, and its files."""

    number: int
    entry: Entry
    items: tuple[Path, ...]
    seed: int


def units(number: int, entry: Entry, seed: int) -> list[Unit]:
    """Return an entry's units of work: all of its files are one, as a source may have to bring their rows together."""
    return [Unit(number, entry, tuple(expand(entry.paths)), seed)]


def convert(unit: Unit, folder: Path) -> Part:
    """Return a unit's part under ``folder``: the one that an earlier build left, if nothing has changed since."""
    home = folder / _name(unit)
    return shards.load(home) or _convert(unit, home)


def _convert(unit: Unit, home: Path) -> Part:
    tally, dropped = Tally(), Counter[str]()
    outcomes = tallied(counted(sources.read(unit.entry.source, unit.items, unit.entry.options)), tally)
    meant = definitions.load(Path(unit.entry.definitions)) if unit.entry.definitions else {}
    cut = cutter(unit.entry, tally.noted)
    used = (row for outcome in outcomes if (row := _used(outcome, unit, meant, tally, dropped, cut)))
    return shards.write(home, used, tally, dropped, unit.seed)


def _used(
    outcome: Outcome, unit: Unit, meant: Definitions, tally: Tally, dropped: Counter[str], cut: Cut
) -> Used | None:
    """Return a row with its examples; one with nothing for the entry's tasks, or nothing that can be rendered, is rejected."""
    lost: list[str] = []
    examples = list(_rows(outcome, unit, meant, tally.noted, lost, cut))
    dropped.update(lost)
    if not examples and (why := next(iter(lost), "") or _off(outcome, unit.entry)):
        unused(outcome, why, tally)
    return Used(outcome.where, examples, outcome.rows) if examples else None


def _off(outcome: Outcome, entry: Entry) -> str:
    """Return the reason why a row has no example though none was lost, or nothing for one that is a part of another's."""
    names = chosen_tasks(entry)
    served = outcome.part_of in [tasks.get(name).record for name in names]
    return "" if served else f"nothing for task {' or '.join(names)}"


def cutter(entry: Entry, noted: Counter[str]) -> Cut:
    """Return what makes a record's row, cut where the entry asks for it; one that stays too long is a ``RenderError``."""
    if not (limit := entry.trim):
        return lambda record, render: render(record)
    long = partial(trim.too_long, ruler=ruler(limit.tokenizer), limit=limit.tokens)

    def cut(record: Record, render: trim.Render) -> Row:
        row = render(record)
        if not long(row):
            return row
        shorter = trim.fitted(record, render, long)
        if shorter is None:
            raise RenderError(f"more than {limit.tokens} tokens with its context cut")
        noted[f"context cut to {limit.tokens} tokens"] += 1
        return shorter

    return cut


def _rows(
    outcome: Outcome, unit: Unit, meant: Definitions, noted: Counter[str], lost: list[str], cut: Cut
) -> Iterator[Pinned]:
    entry, split = unit.entry, outcome.split or unit.entry.split or ""  # an official split wins
    rendered = (row for row in outcome.records if isinstance(row, Row))
    yield from (Pinned(row, split, *mix.product(row)) for row in rendered)
    for name in chosen_tasks(entry):
        for record in outcome.records:
            if isinstance(record, tasks.get(name).record) and not isinstance(record, Row):
                shaped, more = _shaped(record, unit, meant, noted)
                try:
                    row = cut(shaped, partial(example, task_name=name, source=entry.source, more=more))
                    product = _product(record) or row.group
                    yield Pinned(row, split, product, _alias(record) or product)
                except RenderError as error:
                    lost.append(str(error))


def _product(record: Record) -> str:
    return record.product if isinstance(record, Choice | Verdict) else ""


def _alias(record: Record) -> str:
    """Return the group that the product's title alone would give it: a source without ASINs knows it by that."""
    if isinstance(record, Listing | Attributes) or (isinstance(record, Choice | Verdict) and record.product):
        return next((title_group(text.text) for text in record.texts if text.label == "Title"), "")
    return ""


def _shaped(record: Record, unit: Unit, meant: Definitions, noted: Counter[str]) -> tuple[Record, dict[str, str]]:
    """Return a record as its entry wants it, and what that adds to its row's meta."""
    kind = kind_of(record, unit.entry.hard, unit.seed) if unit.entry.hard else ""
    harder = None
    if kind and isinstance(record, FITS[kind]):
        harder = harden(record, kind, unit.seed)
        noted[f"hard input: {kind}" if harder else f"hard input left out: {kind} does not fit"] += 1
    shaped = harder or record
    if meant and isinstance(shaped, Attributes):
        shaped = defined(shaped, meant)
    return shaped, {"hard": kind} if harder else {}


def _name(unit: Unit) -> str:
    """Return a name that changes with the files, the options and the code that shape a part."""
    files = [(repr(item), *_stat(item)) for item in (*unit.items, *beside_files(unit.entry))]
    shape = repr((unit.number, msgspec.to_builtins(unit.entry), files, unit.seed, _code()))
    return f"{unit.number:03d}-{unit.entry.source}-{hashlib.sha256(shape.encode()).hexdigest()[:16]}"


def _stat(path: Path) -> tuple[int, int]:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (0, 0)


@cache
def _code() -> str:
    files = sorted(Path(converters.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


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
