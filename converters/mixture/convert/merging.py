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
from converters.mixture.convert.units import Job, complete, parts
from converters.mixture.shards import COLUMNS, DTYPE, TEMPORARY, Shard, Tally, column_file

_FILE = column_file("file")  # whose numbers are those of the part
_COPIED = (shards.ROWS, shards.REJECTS)
_JOINED = (shards.RAWS, shards.PLACES, *(column_file(name) for name in COLUMNS if name != "file"))


def merge(job: Job, made: Iterable[Shard]) -> Shard:
    """Return the shard of an entry, made of the parts of all of its units in order, which then go.

    Parts are taken as they come; nothing of the shard is there before the last one.
    """
    assert job.home
    half = Path(tempfile.mkdtemp(dir=job.folder, prefix=TEMPORARY))
    tally, dropped, files = Tally(), Counter[str](), dict[str, int]()
    told = sources.told(job.entry.source)
    examples = 0
    try:
        with writing(job.folder), ExitStack() as stack:
            out = {name: stack.enter_context((half / name).open("wb")) for name in (*_COPIED, *_JOINED, _FILE)}
            for part in made:
                _append(part, out, files)
                examples += part.examples
                _count(part, tally, dropped)
                told(tally.noted, False)
        told(tally.noted, True)
        shard = shards.finish(half, job.home, job.entry, examples, tally, dropped, complete(job.entry)[1], list(files))
    finally:
        shutil.rmtree(half, ignore_errors=True)
    gone = half.with_name(f"{half.name}.units")
    parts(job).rename(gone)  # first, so that a kill leaves none that seem complete
    shutil.rmtree(gone, ignore_errors=True)
    return shard


def _append(part: Shard, out: Mapping[str, BinaryIO], files: dict[str, int]) -> None:
    for name in _COPIED:
        with (part.folder / name).open("rb") as file:
            shutil.copyfileobj(file, out[name])
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
