"""Ids that rows of several files or entries have in common: two shops may both number their products 1, 2, 3.

A row keeps its id where no other row of the mixture has it. Otherwise a hash of what the row asks and answers follows the id of
each, so that it depends on neither the files' names and folders nor the order of the entries. A replayed row keeps its own.
"""

from collections.abc import Iterator, Sequence
from itertools import compress, islice

import msgspec
import numpy as np

from converters.core.hashing import digest, draw, hashed
from converters.examples import prompt_turns
from converters.mixture.plan.decisions import SAME, drop
from converters.mixture.plan.repeats import later
from converters.mixture.plan.table import Places, Table, again, kept, lines_at, repeated
from converters.mixture.spec import Spec, replays
from converters.mixture.write import Finish, windows
from converters.schema import Row

APART = "id that a row of another file or entry has, too: a hash follows it"  # a note


def tell_apart(rows: Table, spec: Spec) -> None:
    """Give the kept rows that have one id in common others, with the draws of these."""
    found = [np.empty(0, np.int64)]
    for places in again(rows, "id"):
        replayed = np.isin(rows.entries(places), replays(spec))
        keeps = replayed.copy()
        keeps[replayed] = ~repeated(rows.at("id", places[replayed]))
        found.append(places[~keeps])
    rename(rows, np.sort(np.concatenate(found)), spec.seed)


def rename(rows: Table, places: Places, seed: int) -> None:
    """Give rows, whose places are in order, other ids."""
    rows.renamed = places
    rows.draws = np.fromiter((draw(row.id, seed) for row in rows_at(rows, places)), np.uint64, len(places))


def rows_at(rows: Table, places: Places) -> Iterator[Row]:
    """Yield the rows at these places of the table, which are in order, under the ids that they are written with."""
    decode = msgspec.json.Decoder(Row).decode
    for path, own in rows.files():
        low, high = np.searchsorted(places, (own.start, own.stop))
        if low < high:
            here = places[low:high]
            sizes = ((block, rows.read("size", block)) for block in rows.blocks(own))
            lines = lines_at(path, sizes, here)
            for line, renamed in zip(lines, np.isin(here, rows.renamed).tolist(), strict=True):
                yield _renamed(decode(line)) if renamed else decode(line)


def _renamed(row: Row) -> Row:
    turns = [(turn.role, turn.content) for turn in prompt_turns(row.task, row.messages)]
    asked = hashed(repr((row.task, turns)))
    return msgspec.structs.replace(row, id=f"{row.id}~{digest(asked, hashed(row.target))}")


def finish(rows: Table, entry: int, last: Finish | None) -> Finish | None:
    """Return what gives the rows of an entry, by its number, their ids before ``last`` finishes them; nothing if neither does."""
    low, high = np.searchsorted(rows.renamed, rows.bounds[entry : entry + 2])
    if low == high:
        return last

    def written(lines: Sequence[bytes], here: slice) -> list[bytes]:
        named = _written(rows, lines, here)
        return last(named, here) if last else named

    return written


def _written(rows: Table, lines: Sequence[bytes], here: slice) -> list[bytes]:
    """Return rows of one shard that follow each other as they are written, some under another id."""
    decode, encode, named = msgspec.json.Decoder(Row).decode, msgspec.json.Encoder().encode, list(lines)
    low, high = np.searchsorted(rows.renamed, (here.start, here.stop))
    for place in (rows.renamed[low:high] - here.start).tolist():
        named[place] = encode(_renamed(decode(lines[place]))) + b"\n"
    return named


def of_entry(rows: Table, seed: int) -> None:
    """Drop rows of the one entry of a table for their id, and give others another one.

    Dropped is a row whose id stood before in its file, or in another file with the same question and answer.
    """
    found = [np.empty(0, np.int64)]
    for places in again(rows, "id"):
        ids, file, asked, answered = (rows.at(name, places) for name in ("id", "file", "prompt", "target"))
        gone = later(ids, file) | later(ids, asked, answered)
        drop(rows, places[gone], SAME)
        found.append(places[~gone][repeated(ids[~gone])])
    rename(rows, np.sort(np.concatenate(found)), seed)


def lines(rows: Table) -> Iterator[bytes]:
    """Yield the kept rows of the one entry of a table as they are written."""
    source, there = rows.shards[0].lines(), kept(rows)
    for here in windows(rows, 0):
        yield from compress(_written(rows, list(islice(source, here.stop - here.start)), here), there[here])
