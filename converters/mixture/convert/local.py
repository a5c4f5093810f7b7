"""All entries of a specification to shards: in as many processes of this machine as asked for, or by what an engine gives."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path

from converters.core.console import Pool, Tick, in_processes, silent
from converters.io import expand
from converters.io.files import unpacked_size
from converters.mixture import shards
from converters.mixture.convert.merging import merge
from converters.mixture.convert.units import Job, Unit, bucket_units, convert_unit, job_of, part, parts, units_of
from converters.mixture.shards import Shard
from converters.mixture.spec import Entry

SMALL = 24 << 20  # bytes of raw rows, a mixture of which one process has built before two have started
Task = tuple[Job, Unit]
Converted = tuple[int, Shard]


def convert(entry: Entry, seed: int, folder: Path, number: int = 0, tick: Tick = silent) -> Shard:
    """Return the shard under ``folder`` of an entry and its number, converted in this process."""
    return convert_unit(Job(number, entry, seed, folder), Unit(0), tick)


def convert_all(
    entries: Sequence[Entry],
    seed: int,
    folder: Path,
    tick: Tick,
    several: Pool | None = None,
    last: Callable[[], object] = lambda: None,
) -> list[Shard]:
    """Return the entries' shards, which ``several`` processes convert, or this one alone.

    That converts an entry as a whole, unless parts of it are there. ``tick`` hears of the raw rows read so far, from this process
    as it reads them. ``last`` is called when all units are converted, which may be before the last ones are merged.
    """
    one, pool = not several, several or in_processes
    jobs = [job_of(number, entry, seed, folder) for number, entry in enumerate(entries)]
    jobs = [each if each.home and (not one or parts(each).is_dir()) else each._replace(home=None) for each in jobs]
    made = {each.number: shard for each in jobs if each.home and (shard := shards.load(each.home, each.entry))}
    read = sum(shard.read for shard in made.values())

    def heard(results: Iterable[Converted], then: Callable[[], object]) -> Iterator[Converted]:
        nonlocal read
        for number, shard in results:
            tick(read := read + shard.read)
            yield number, shard
        then()

    with ExitStack() as stack:

        def begun(
            tasks: Iterable[Task], then: Callable[[], object] = lambda: None
        ) -> Iterator[tuple[Job, Iterator[Shard]]]:
            """Have units converted, and yield each job with the parts of its units, all to be taken before the next."""
            work = partial(converted, tick=(lambda rows: tick(read + rows)) if one else silent)
            results = stack.enter_context(closing(pool(work, tasks)))
            of_jobs = groupby(heard(results, then), key=itemgetter(0))
            return ((jobs[number], (shard for _, shard in group)) for number, group in of_jobs)

        # Entries of two rounds come first: what other entries make is merged while their second round is worked on.
        firsts = sorted((each for each in jobs if each.number not in made), key=gathers, reverse=True)
        found = begun(task for each in firsts for task in _firsts(each))
        dealt = {job.number: list(made_of) for job, made_of in islice(found, sum(map(gathers, firsts)))}
        tasks = ((jobs[n], unit) for n, some in dealt.items() for unit in bucket_units(jobs[n], len(some)))
        seconds = begun(tasks, last)
        for job, made_of in chain(found, seconds):
            earlier = dealt.get(job.number, [])
            made[job.number] = merge(job, chain(earlier, made_of)) if job.home else next(made_of)
    return [made[number] for number in range(len(entries))]


def processes(entries: Sequence[Entry], workers: int) -> int:
    """Return how many processes are worth it: one for a few rows, which are done before another has begun."""
    few = unpacked_size([path for entry in entries for path in expand(entry.paths)]) <= SMALL
    return 1 if few else workers


def gathers(job: Job) -> bool:
    """Tell whether an entry takes two rounds."""
    return next(bucket_units(job, 0), None) is not None


def _firsts(job: Job) -> Iterator[Task]:
    return ((job, unit) for unit in units_of(job, lambda number: not shards.complete(part(job, number))))


def converted(task: Task, tick: Tick) -> Converted:
    """Return the number of the job with the part of a unit."""
    job, unit = task
    return job.number, convert_unit(job, unit, tick)
