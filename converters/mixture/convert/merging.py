"""The parts of an entry, in order, to its shard."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from converters import sources
from converters.io.jsonl import writing
from converters.mixture import shards
from converters.mixture.convert.units import Job, complete
from converters.mixture.shards import COLUMNS, DTYPE, TEMPORARY, Shard, Tally, column_file

_FILE = column_file("file")  # whose numbers are those of the part
_JOINED = (shards.RAWS, shards.PLACES, *(column_file(name) for name in COLUMNS if name != "file"))


def merge(job: Job, made: Iterable[Shard]) -> Shard:
    """Return the shard of an entry, made of the parts of all of its units in order, in whose files its rows stay.

    Parts are taken as they come; nothing of the shard is there before the last one.
    """
    assert job.home
    half = Path(tempfile.mkdtemp(dir=job.folder, prefix=TEMPORARY))
    tally, dropped, files, parts = Tally(), Counter[str](), dict[str, int](), list[tuple[str, int]]()
    told = sources.told(job.entry.source)
    try:
        with writing(job.folder), ExitStack() as stack:
            out = {name: stack.enter_context((half / name).open("wb")) for name in (shards.REJECTS, *_JOINED, _FILE)}
            for part in made:
                _append(part, out, files)
                parts += [(str(path.relative_to(job.folder)), count) for path, count in part.rows]
                _count(part, tally, dropped)
                told(tally.noted, False)
        told(tally.noted, True)
        examples, completed = sum(count for _, count in parts), complete(job.entry)[1]
        return shards.finish(half, job.home, job.entry, examples, tally, dropped, completed, list(files), parts)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _append(part: Shard, out: Mapping[str, BinaryIO], files: dict[str, int]) -> None:
    with part.rejects.open("rb") as file:
        shutil.copyfileobj(file, out[shards.REJECTS])
    held = msgspec.msgpack.decode((part.folder / shards.INDEX).read_bytes(), type=dict[str, bytes])
    for name in _JOINED:
        out[name].write(held[name])
    numbers = np.array([files.setdefault(name, len(files)) for name in part.files], DTYPE["file"])
    out[_FILE].write(numbers[np.frombuffer(held[_FILE], DTYPE["file"])].tobytes())


def _count(part: Shard, tally: Tally, dropped: Counter[str]) -> None:
    tally.read += part.read
    tally.used += part.used
    tally.rejected.update(part.rejected)
    tally.noted.update(part.noted)
    dropped.update(part.dropped)
