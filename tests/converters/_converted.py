"""An entry converted in a temporary folder, its rows and rejects read back, for tests to look at."""

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters.mixture.convert import convert as to_part
from converters.mixture.convert import units
from converters.mixture.manifest import need_rows
from converters.mixture.shards import Tally, collected, lines
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
        found = collected(entry, [to_part(unit, Path(folder)) for unit in units(0, entry, 0)])
        need_rows(found)
        rows = [msgspec.json.decode(line, type=Row) for part in found.parts for line in lines(part)]
        rejects = [json.loads(line) for part in found.parts for line in part.rejects.open()]
        counts = (found.count(name) for name in ("read", "used", "rejected", "noted"))
        return Converted(entry, rows, Tally(*counts), found.dropped, [(r["where"], r["reason"]) for r in rejects])


def spells_control(text: str) -> bool:
    """Tell whether a text holds something that a tokenizer may read as a control token."""
    return len(plain(text)) > len(text)  # one is broken by a space, a control character is replaced by one
