"""``--shard i/N``: each of N processes, on whatever machines, converts its share of the units into a folder that all see.

Units are dealt in turn. A share has two rounds as its entries have; the second one needs what all shares dealt in the first, so
who comes too early for it is told to run the same command again. A build without ``--shard`` finds all parts, converts those that
are missing and merges them. Parts lie in folders named by a hash of files, options, seed and code: those of another specification
are never taken for this one's, and each share leaves a note by which it can be told that they were.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from converters.core.console import Tick, in_processes, silent
from converters.core.errors import InputError
from converters.io.jsonl import locked, write_json
from converters.mixture import shards
from converters.mixture.convert.local import Task, converted, gathers
from converters.mixture.convert.units import Job, bucket_units, code, files_of, job_of, part, units_of
from converters.mixture.spec import Entry

LOCK = "lock"  # of a folder of shards, which a build that merges them holds
PATIENCE = 5  # seconds after which a lock is not just being looked at by another share


class Share(NamedTuple):
    """One of ``of`` shares, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.number}/{self.of}"


def parse(text: str) -> Share:
    """Return the share that ``i/N`` names.

    >>> parse("2/3")
    Share(number=2, of=3)
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    share = Share(int(match[1]), int(match[2])) if match else Share(0, 0)
    if not 1 <= share.number <= share.of:
        raise InputError(f"--shard {text!r}: expected i/N with i from 1 to N, such as 2/8")
    return share


class Converted(NamedTuple):
    """What a share has done: how many units and raw rows, and whether others have to come before its second round."""

    units: int
    read: int
    early: bool


def convert_share(
    entries: Sequence[Entry], seed: int, folder: Path, share: Share, workers: int, tick: Tick
) -> Converted:
    """Convert a share of the units of all entries into ``folder``, where what is there already is taken as it is."""
    jobs = [job_of(number, entry, seed, folder) for number, entry in enumerate(entries)]
    jobs = [job for job in jobs if not (job.home and shards.complete(job.home))]
    counts, units, read = Counter[int](), 0, 0

    def convert(tasks: Iterator[Task]) -> None:
        nonlocal units, read
        work = partial(converted, tick=(lambda rows: tick(read + rows)) if workers == 1 else silent)
        with closing(in_processes(work, tasks, workers)) as results:
            for _, found in results:
                units += 1
                tick(read := read + found.read)

    convert(_firsts(jobs, share, counts))
    gathering = [job for job in jobs if gathers(job)]
    ready = [job for job in gathering if all(shards.complete(part(job, n)) for n in range(counts[job.number]))]
    convert(task for n, task in enumerate(_seconds(ready, counts)) if n % share.of == share.number - 1)
    early = len(ready) < len(gathering)
    write_json(folder / f"share-{share.number}-of-{share.of}.json", _identity(entries, seed))
    return Converted(units, read, early)


def _firsts(jobs: Sequence[Job], share: Share, counts: Counter[int]) -> Iterator[Task]:
    """Yield the share's units of the first round; ``counts`` get how many each job has."""
    for job in jobs:
        yield from _own(job, share, counts.total(), counts)


def _own(job: Job, share: Share, before: int, counts: Counter[int]) -> Iterator[Task]:
    def is_own(number: int) -> bool:
        return (before + number) % share.of == share.number - 1

    for unit in units_of(job, lambda number: is_own(number) and not shards.complete(part(job, number))):
        counts[job.number] += 1
        if is_own(unit.number):
            yield job, unit


def _seconds(jobs: Sequence[Job], counts: Counter[int]) -> Iterator[Task]:
    return ((job, unit) for job in jobs for unit in bucket_units(job, counts[job.number]))


@contextmanager
def at_work(folder: Path, out: Path, share: Share) -> Iterator[None]:
    """Hold the lock of a share; a process that is at the same one, that cuts otherwise or merges all, is an ``InputError``."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f"share-{share.number}-of-{share.of}.lock", out):
        for lock in set(folder.glob("share-*.lock")) - set(folder.glob(f"share-*-of-{share.of}.lock")):
            with locked(lock, out):  # whose shares write the same parts
                pass
        try:
            with FileLock(folder / LOCK, timeout=PATIENCE):
                pass
        except Timeout as error:
            raise InputError(f"{out}: is being written by another process; wait for it or stop it") from error
        yield


@contextmanager
def alone(folder: Path, out: Path) -> Iterator[None]:
    """Hold the locks of a folder and of all of its shares; while another process has one of them, it is an ``InputError``."""
    with locked(folder / LOCK, out), ExitStack() as stack:
        for lock in sorted(folder.glob("share-*.lock")):
            stack.enter_context(locked(lock, out))
        yield


def remarks(entries: Sequence[Entry], seed: int, folder: Path) -> list[str]:
    """Return a sentence for each share that is missing in ``folder``, or that was made of something else."""
    notes = sorted(folder.glob("share-*-of-*.json"))
    wanted, lines = _identity(entries, seed) if notes else {}, list[str]()
    there: dict[int, set[int]] = {}  # by number of shares
    for path in notes:
        number, of = map(int, re.findall(r"\d+", path.stem))
        found: Mapping[str, str] = json.loads(path.read_bytes())
        there.setdefault(of, set()).add(number)
        if other := [what for what in wanted if found.get(what) != wanted[what]]:
            lines.append(
                f"shard {number}/{of} was made with another {' and '.join(other)}: its rows are converted again"
            )
    if there and not any(len(numbers) == of for of, numbers in there.items()):
        of = max(there, key=lambda of: len(there[of]))
        missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in there[of]]
        lines += [f"shard {name} is missing: its rows are converted here" for name in missing]
    return lines


def _identity(entries: Sequence[Entry], seed: int) -> dict[str, str]:
    """Return what the shards of a specification depend on, hashed."""
    inputs = [files_of(entry, entry.options) for entry in entries]
    parts = {"specification": msgspec.to_builtins(entries), "seed": seed, "version": code(), "input": inputs}
    return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}
