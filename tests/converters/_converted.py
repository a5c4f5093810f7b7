"""An entry converted in a temporary folder, its rows and rejects read back, for tests to look at."""

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters.mixture.convert import convert as to_shard
from converters.mixture.manifest import need_rows
from converters.mixture.shards import Tally
from converters.mixture.spec import Entry
from converters.schema import Row
from converters.text.sanitize import plain


@dataclass
class Converted:
    entry: Entry
    rows: list[Row]
    tally: Tally
    dropped: Counter[str]
    rejects: list[tuple[str, str]]


def convert(entry: Entry) -> Converted:
    with tempfile.TemporaryDirectory() as folder:
        shard = to_shard(entry, 0, Path(folder))
        need_rows(shard)
        rows = [msgspec.json.decode(line, type=Row) for line in shard.lines()]
        rejects = [(r["where"], r["reason"]) for r in map(json.loads, shard.rejects.open())]
        tally = Tally(shard.read, shard.used, shard.rejected, shard.noted)
        return Converted(entry, rows, tally, shard.dropped, rejects)


def spells_control(text: str) -> bool:
    """Tell whether a text holds something that a tokenizer may read as a control token."""
    return len(plain(text)) > len(text)  # one is broken by a space, a control character is replaced by one
