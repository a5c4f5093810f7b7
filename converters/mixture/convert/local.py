"""All entries of a specification to shards on one machine, in as many processes as asked for."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

from converters.core.console import Tick, in_processes, silent
from converters.io import expand
from converters.io.files import unpacked_size
from converters.mixture import shards
from converters.mixture.convert.merging import merge
from converters.mixture.convert.units import Job, Unit, bucket_units, convert_unit, job_of, part, units_of
from converters.mixture.shards import Shard
from converters.mixture.spec import Entry

SMALL = 4 << 20  # bytes of raw rows that are converted before another process has begun
Task = tuple[Job, Unit]


def convert_all(entries: Sequence[Entry], seed: int, folder: Path, workers: int, tick: Tick) -> list[Shard]:
    """Return the entries' shards; ``tick`` hears of the raw rows read so far, from a single process as it reads them."""
    if workers == 1 or unpacked_size([path for entry in entries for path in expand(entry.paths)]) <= SMALL:
        return _one_by_one(entries, seed, folder, tick)
    jobs = [job_of(number, entry, seed, folder) for number, entry in enumerate(entries)]
    made = {each.number: shard for each in jobs if each.home and (shard := shards.load(each.home, each.entry))}
    firsts = (task for each in jobs if each.number not in made for task in _tasks(each))
    dealt, read = dict[int, list[Shard]](), 0

    def heard(results: Iterable[tuple[int, Shard]]) -> Iterator[tuple[int, Shard]]:
        nonlocal read
        for number, shard in results:
            tick(read := read + shard.read)
            yield number, shard

    def parts(tasks: Iterable[Task]) -> Iterator[tuple[Job, Iterator[Shard]]]:
        with closing(in_processes(_converted, tasks, workers)) as results:
            for number, group in groupby(heard(results), key=itemgetter(0)):
                yield jobs[number], (shard for _, shard in group)

    for each, found in parts(firsts):
        if next(bucket_units(each, 0), None):
            dealt[each.number] = list(found)
        else:
            made[each.number] = merge(each, found) if each.home else next(found)
    seconds = ((jobs[number], unit) for number, found in dealt.items() for unit in bucket_units(jobs[number], len(found)))
    for each, found in parts(seconds):
        made[each.number] = merge(each, chain(dealt[each.number], found))
    return [made[number] for number in range(len(entries))]


def convert(entry: Entry, seed: int, folder: Path, number: int = 0, tick: Tick = silent) -> Shard:
    """Return the shard under ``folder`` of an entry and its number, converted in this process."""
    return convert_unit(Job(number, entry, seed, folder), Unit(0), tick)


def _one_by_one(entries: Sequence[Entry], seed: int, folder: Path, tick: Tick) -> list[Shard]:
    converted, read = list[Shard](), 0
    for number, entry in enumerate(entries):
        shard = convert(entry, seed, folder, number, lambda rows: tick(read + rows))
        converted.append(shard)
        tick(read := read + shard.read)
    return converted


def _tasks(job: Job) -> Iterator[Task]:
    for unit in units_of(job, lambda number: not shards.complete(part(job, number))):
        yield job, unit


def _converted(task: Task) -> tuple[int, Shard]:
    job, unit = task
    return job.number, convert_unit(job, unit)
