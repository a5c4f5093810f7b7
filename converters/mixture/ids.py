"""Ids that rows of several files or entries have in common: two shops may both number their products 1, 2, 3.

A row keeps its id where no other row of the mixture has it. Otherwise a hash of what the row asks and answers follows the id of
each, so that it depends on neither the files' names and folders nor the order of the entries. A replayed row keeps its own.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.core.hashing import digest, draw, hashed
from converters.examples import prompt_turns
from converters.mixture.plan import Mask, again
from converters.mixture.shards import Shard, picked
from converters.mixture.spec import Spec, replays
from converters.mixture.write import Finish
from converters.schema import Row

APART = "id that a row of another file or entry has, too: a hash follows it"  # a note
RENAMED = "renamed"  # column of the table: whether a hash follows the row's id


def tell_apart(rows: pd.DataFrame, shards: Sequence[Shard], spec: Spec) -> None:
    """Mark the kept rows that get another id, in a new column ``RENAMED``, and give them the draws of these."""
    rows[RENAMED] = False
    same = again(rows, "id")
    replayed = same.loc[same["entry"].isin(replays(spec)), "id"]
    places = np.sort(same.index.drop(replayed.index[~replayed.duplicated(keep=False)]).to_numpy())
    rows.loc[places, RENAMED] = True
    if len(places):
        drawn = [draw(row.id, spec.seed) for row in rows_at(rows, shards, places)]
        rows.loc[places, "id"] = np.array(drawn, np.uint64)


def rows_at(rows: pd.DataFrame, shards: Sequence[Shard], places: NDArray[np.int64]) -> Iterator[Row]:
    """Yield the rows at these places of the table, which are in order, under the ids that they are written with."""
    decode, start = msgspec.json.Decoder(Row).decode, 0
    for shard in shards:
        stop = start + shard.examples
        here = places[np.searchsorted(places, start) : np.searchsorted(places, stop)]
        lines = picked(shard.rows, rows["size"].to_numpy()[start:stop], here - start)
        for line, renamed in zip(lines, rows[RENAMED].to_numpy()[here], strict=True):
            row = decode(line)
            yield _renamed(row) if renamed else row
        start = stop


def _renamed(row: Row) -> Row:
    turns = [(turn.role, turn.content) for turn in prompt_turns(row.task, row.messages)]
    asked = hashed(repr((row.task, turns)))
    return msgspec.structs.replace(row, id=f"{row.id}~{digest(asked, hashed(row.target))}")


def finish(rows: pd.DataFrame, entry: int, last: Finish | None) -> Finish | None:
    """Return what gives the rows of an entry, by its number, their ids before ``last`` finishes them; nothing if neither does."""
    if not (rows[RENAMED] & (rows["entry"] == entry)).any():
        return last

    def written(lines: Sequence[bytes], here: pd.DataFrame) -> list[bytes]:
        named = list(_written(lines, here[RENAMED].to_numpy()))
        return last(named, here) if last else named

    return written


def _written(lines: Sequence[bytes] | Iterator[bytes], renamed: Mask) -> Iterator[bytes]:
    decode, encode = msgspec.json.Decoder(Row).decode, msgspec.json.Encoder().encode
    for line, is_renamed in zip(lines, renamed, strict=True):
        yield encode(_renamed(decode(line))) + b"\n" if is_renamed else line


def of_entry(shard: Shard) -> tuple[Mask, Mask]:
    """Return which rows of one entry are left out for their id, and which get another one.

    Left out is a row whose id stood before in its file, or in another file with the same question and answer. 8 bytes a row are
    held unless some ids are the same.
    """
    again, renamed = np.zeros((2, shard.examples), bool)
    ordered = shard.ids()
    ordered.sort()
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        columns = shard.columns()
        places = np.flatnonzero(np.isin(columns["id"], twice))
        same = pd.DataFrame(columns[places])
        gone = same.duplicated(["file", "id"]) | same.duplicated(["id", "prompt", "target"])
        again[places] = gone
        renamed[places[~gone]] = same.loc[~gone, "id"].duplicated(keep=False)
    return again, renamed


def lines(shard: Shard, renamed: Mask) -> Iterator[bytes]:
    """Yield the rows of one entry as they are written, those of the mask under another id."""
    return _written(shard.lines(), renamed) if renamed.any() else shard.lines()
