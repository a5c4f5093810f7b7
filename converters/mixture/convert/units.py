"""The unit of work: a share of an entry's raw rows, and the part on disk that it becomes."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import converters
from converters import sources
from converters.core.console import Tick, silent
from converters.io import expand
from converters.io.copies import distinct
from converters.io.cutting import cut
from converters.io.files import unpacked_size
from converters.io.grouping import buckets_for, deal, regrouped
from converters.io.pieces import Piece, Source
from converters.mixture import shards
from converters.mixture.convert.rendering import rendered
from converters.mixture.shards import TEMPORARY, Shard, Tally
from converters.mixture.spec import Entry, beside_files
from converters.schema import Outcome
from converters.sources import Completed

SIZE = 4 << 20  # bytes of raw rows that a unit has at least, unless its entry has fewer
FEW, MOST = 32, 1024  # units of an entry in each round, about: each has files of its own, which take time, too
LARGE = 4  # times the least size: up to which units of a large entry grow before they become more than a few


class Job(NamedTuple):
    """An entry to be converted, with its number in the specification and the folder in which its shard is to lie.

    ``home`` is the shard's own folder and ``size`` roughly how many bytes of raw rows there are. Both are nothing for an entry
    that is one unit: naming its shard may take a look at all of its rows.
    """

    number: int
    entry: Entry
    seed: int
    folder: Path
    home: Path | None = None
    size: int = 0


class Unit(NamedTuple):
    """A share of an entry's raw rows: files or pieces of them, or some buckets of what all units of the first round dealt.

    ``number`` counts the entry's units from 0, those of both rounds; ``buckets`` are the first one and that after the last one,
    and ``dealt`` says how many units have dealt to them. One that has neither rows nor buckets is the whole entry.
    """

    number: int
    rows: tuple[Source, ...] = ()
    buckets: tuple[int, int] | None = None
    dealt: int = 0


Wanted = Callable[[int], bool]  # by the number of a unit, whether it is to be converted


def job_of(number: int, entry: Entry, seed: int, folder: Path) -> Job:
    """Return the job of an entry."""
    source, plain = sources.get(entry.source), Job(number, entry, seed, folder)
    if not (hasattr(source, "RAW") or hasattr(source, "gathering")):
        return plain
    paths, completed = complete(entry)
    size = unpacked_size(paths)
    return plain._replace(home=_home(plain, completed), size=size) if size > SIZE else plain


def complete(entry: Entry) -> tuple[list[Path], Completed]:
    """Return the files of an entry, each once and without copies, its options in full and what is to be said of the files."""
    paths, told = (expand(entry.paths), []) if entry.replays else distinct(entry.paths)
    completed = sources.completed(entry.source, paths, entry.options)
    return paths, completed._replace(lines=(*told, *completed.lines))


def units_of(job: Job, wanted: Wanted | None = None) -> Iterator[Unit]:
    """Yield the units of an entry in order; where rows are brought together, those of the first round.

    They depend on the files and the specification alone. A piece that cannot be read by itself is left as a file for each unit
    that is ``wanted``, as the unit comes; if nothing is said, for none.
    """
    if not job.home:
        yield Unit(0)
        return
    paths, number, size = complete(job.entry)[0], 0, _unit_size(job.size)
    together, held = list[Path](), 0

    def spool() -> Path | None:
        return parts(job) / f"{TEMPORARY}{number:05}" if wanted and wanted(number) else None

    for path in paths:
        own = unpacked_size([path])
        if together and held + own > size:
            yield Unit(number, tuple(together))
            number, together, held = number + 1, [], 0
        if own <= size:
            together, held = [*together, path], held + own
            continue
        for piece in _pieces(job, path, size, wanted and spool):
            yield Unit(number, (piece,))
            number += 1
    if together or not number:  # files without a row have no pieces
        yield Unit(number, tuple(together or paths))


def _unit_size(size: int) -> int:
    """Return how many bytes of raw rows a unit has, of ``size`` bytes.

    >>> [_unit_size(megabytes << 20) >> 20 for megabytes in (10, 200, 1_000, 10_000, 100_000)]
    [4, 6, 16, 16, 97]
    """
    return max(SIZE, min(size // FEW, LARGE * SIZE), size // MOST)


def _pieces(job: Job, path: Path, size: int, spool: Callable[[], Path | None] | None) -> Iterator[Source]:
    if not hasattr(sources.get(job.entry.source), "RAW"):
        return iter([path])
    parts(job).mkdir(parents=True, exist_ok=True)
    return cut(path, size, sources.columns(job.entry.source), spool)


def bucket_units(job: Job, dealt: int) -> Iterator[Unit]:
    """Yield the units of the second round, after ``dealt`` units of the first; none where rows are read one by one."""
    if job.home and hasattr(sources.get(job.entry.source), "gathering"):
        number, start, place, size = buckets_for(job.size), 0, dealt, _unit_size(job.size)
        while start < number:
            # The last units are small, so that no process works on a large one when the others have nothing left.
            left = job.size * (number - start) // number
            step = max(1, min(size, max(SIZE, 2 * left // FEW)) * number // job.size)
            yield Unit(place, buckets=(start, min(start + step, number)), dealt=dealt)
            start, place = start + step, place + 1


def convert_unit(job: Job, unit: Unit, tick: Tick = silent) -> Shard:
    """Return the part of a unit, a shard of its rows alone; one that is there already is taken as it is.

    The part of a whole entry is the entry's shard.
    """
    if not job.home:
        return _convert(job, tick)
    folder = part(job, unit.number)
    found = shards.load(folder, job.entry)
    if not found:
        tally, dropped = Tally(), Counter[str]()
        used = rendered(job.entry, job.seed, _outcomes(job, unit), tally, dropped, tick)
        found = shards.write(folder, job.entry, used, tally, dropped, job.seed, Completed({}), part=True)
    for piece in unit.rows:
        if isinstance(piece, Piece) and piece.spooled:
            piece.spooled.unlink(missing_ok=True)
    return found


def _outcomes(job: Job, unit: Unit) -> Iterator[Outcome]:
    entry = job.entry
    how = sources.gathering(entry.source, entry.options)
    if not how:
        return sources.read(entry.source, unit.rows, entry.options)
    if not unit.buckets:
        return deal(how.keyed(unit.rows), buckets_for(job.size), _pairs(job, unit.number))
    dealt = [_pairs(job, number) for number in range(unit.dealt)]
    return chain.from_iterable(map(how.merged, regrouped(dealt, job.size, *unit.buckets)))


def _convert(job: Job, tick: Tick) -> Shard:
    """Return the shard of an entry that is one unit: an earlier build's, if nothing has changed since."""
    entry = job.entry
    paths, completed = complete(entry)
    home = _home(job, completed)
    if shard := shards.load(home, entry):
        return shard
    tally, dropped = Tally(), Counter[str]()
    outcomes = sources.read(entry.source, paths, entry.options)
    used = rendered(entry, job.seed, outcomes, tally, dropped, tick, sources.told(entry.source))
    return shards.write(home, entry, used, tally, dropped, job.seed, completed)


def parts(job: Job) -> Path:
    """Return the folder of an entry's parts, beside its shard."""
    assert job.home
    return job.home.with_name(f"{job.home.name}.units")


def part(job: Job, number: int) -> Path:
    """Return the folder of a unit's part, by the unit's number."""
    return parts(job) / f"{number:05}"


def _pairs(job: Job, number: int) -> Path:
    return parts(job) / f"{number:05}.pairs"


def forget(folder: Path) -> None:
    """Remove what the units of entries in a folder of shards dealt to others, which nobody needs once these are converted."""
    for path in folder.glob("*.units/*.pairs"):
        path.unlink()


def _home(job: Job, completed: Completed) -> Path:
    """Return a folder whose name changes with the files, the options and the code that shape a shard."""
    entry = job.entry
    shape = repr((job.number, msgspec.to_builtins(entry), files_of(entry, completed.options), job.seed, code()))
    return job.folder / f"{job.number:03d}-{entry.source}-{hashlib.sha256(shape.encode()).hexdigest()[:16]}"


def files_of(entry: Entry, options: Mapping[str, Any]) -> list[tuple[str, tuple[int, int] | None]]:
    """Return the files that shape an entry's rows, each with its size and the time of its last change."""
    paths = (*expand(entry.paths), *beside_files(entry, options))
    stats = [(path, path.stat() if path.exists() else None) for path in paths]
    return [(repr(path), stat and (stat.st_size, stat.st_mtime_ns)) for path, stat in stats]


@cache
def code() -> str:
    """Return a hash of the code that converts."""
    files = sorted(Path(converters.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
