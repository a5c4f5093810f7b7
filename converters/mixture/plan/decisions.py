"""Decides for every row whether it stays and where: duplicates, near-duplicates, splits, balance, shares."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.core.errors import InputError
from converters.core.hashing import BITS, edges
from converters.mixture.plan import repeats
from converters.mixture.plan.links import linked
from converters.mixture.plan.repeats import OUTVOTED, TIED
from converters.mixture.plan.table import (
    TEST,
    TRAIN,
    Column,
    Mask,
    Numbers,
    Places,
    Splits,
    Table,
    again,
    kept,
    of_entries,
    of_task,
    together,
    within,
    written,
)
from converters.mixture.shards import UNPINNED
from converters.mixture.spec import Balance, Spec, replays
from converters.schema import SPLITS

HELD, REPEATED = "product held out by another source's split", "same prompt again"
SAME, NEAR = "same id again", "near-duplicate of a held-out row"
OVER_WEIGHT, OVER_LIMIT, OVER_SHARE = "over the entry's weight", "over the entry's limit", "general row over the share"
NOT_REPLAYED = "task that is not replayed"
REASONS = (HELD, REPEATED, SAME, NEAR, OVER_WEIGHT, OVER_LIMIT, OVER_SHARE, NOT_REPLAYED, OUTVOTED, TIED)
COARSE = 16  # leading bits of a draw, by which draws are counted before those of one count are looked at


def drop(rows: Table, which: Mask | Places, reason: str) -> None:
    """Drop the rows of a mask, or at these places, for one of ``REASONS``."""
    rows.split[which] = UNPINNED
    rows.reason[which] = REASONS.index(reason)


def decide(rows: Table, spec: Spec) -> None:
    """Place every row in a split or drop it, up to what needs the rows' texts or changes their number."""
    weigh(rows, spec)
    place(rows, spec)
    drop_contradictions(rows)
    drop_other_content(rows)
    drop_repeats(rows)
    drop_replayed(rows, spec)


def finish(rows: Table, spec: Spec) -> None:
    """Balance the classes of the training split, then bring every split to the general share."""
    if spec.balance:
        balance(rows, spec.balance)
    for number, name in enumerate(SPLITS):
        share(rows, spec.general_share, number, name)


def weigh(rows: Table, spec: Spec) -> None:
    """Keep at most ``limit`` rows of an entry, and rows of weighted entries in the proportion of their weights.

    Which ones stay is a random, stable choice, not the first ones of a file.
    """
    for number in replays(spec):
        if names := spec.sources[number].tasks:  # any other source made no rows of other tasks
            drop(rows, of_entries(rows, [number]) & ~of_task(rows, *names), NOT_REPLAYED)
    counts = [int((rows.split[rows.of(number)] != UNPINNED).sum()) for number in range(len(spec.sources))]
    limits = [min(count, entry.limit or count) for count, entry in zip(counts, spec.sources, strict=True)]
    scale = min((limit / e.weight for limit, e in zip(limits, spec.sources, strict=True) if e.weight), default=0.0)
    for number, entry in enumerate(spec.sources):
        limit = math.floor(scale * entry.weight + 1e-9) if entry.weight else limits[number]
        if counts[number] > limit:
            among = of_entries(rows, [number]) & kept(rows)
            drop(rows, _over(rows, among, limit), OVER_WEIGHT if entry.weight else OVER_LIMIT)


def _over(rows: Table, among: Mask, limit: int) -> Mask:
    """Return a mask, which has more rows, without the ``limit`` ones of them that were drawn first; it is changed in place."""
    blocks, counts = [here for here in rows.blocks() if among[here].any()], np.zeros(1 << COARSE, np.int64)
    for here in blocks:
        coarse = rows.read("id", here)[among[here]] >> np.uint64(BITS - COARSE)
        counts += np.bincount(coarse.astype(np.intp), minlength=len(counts))
    upto = np.cumsum(counts)
    last = int(np.searchsorted(upto, limit, side="right"))  # rows with these bits may stay or be over the limit
    places, draws = list[Places](), list[Numbers]()
    for here in blocks:
        found = rows.read("id", here)
        coarse = found >> np.uint64(BITS - COARSE)
        own = np.flatnonzero(among[here] & (coarse == last))
        places.append(own + here.start)
        draws.append(found[own])
        among[here] &= coarse > last
    order = np.argsort(np.concatenate(draws), kind="stable")
    among[np.concatenate(places)[order[limit - int(upto[last] - counts[last]) :]]] = True
    return among


def place(rows: Table, spec: Spec) -> None:
    """Give every row its split: its official one, or the one its group was drawn for.

    Where an official split holds a product out, rows of that product from elsewhere are dropped, not moved: test wins over
    validation, validation over train. So are rows of other groups, such as queries, that are about a product which a stronger
    split tells something about. A row of an earlier mix says so even where it is left out: a model knows that mix.
    """
    group, about = linked(rows)
    known = _placed(rows, spec, group)
    gone = _known_elsewhere(rows, group, about, known)
    del known
    gone &= kept(rows)
    drop(rows, gone, HELD)


def _placed(rows: Table, spec: Spec, group: Column) -> Splits:
    """Give every row its split by its group alone; return the splits with those of rows of an earlier mix that are left out."""
    replayed = of_entries(rows, replays(spec))
    found = _strongest(rows, _pinned(rows, replayed), [(group, _all(rows))])
    test, validation = edges(spec.splits)
    for here in rows.blocks():
        products, official, pinned = group(here), rows.read("official", here), found[here].copy()
        there = rows.split[here] != UNPINNED
        drawn = np.where(products < test, TEST, np.where(products < validation, 1, TRAIN))
        split = np.where(official != UNPINNED, official, np.where(pinned != UNPINNED, pinned, drawn))
        rows.split[here] = np.where(there, split, UNPINNED)
        usual = np.where(official == UNPINNED, np.int8(TRAIN), official)
        elsewhere = there & (pinned != UNPINNED) & (pinned != usual)
        drop(rows, here.start + np.flatnonzero(elsewhere), HELD)
        found[here] = np.where(replayed[here] & ~there, official, rows.split[here])
    return found


def _pinned(rows: Table, replayed: Mask) -> Splits:
    """Return the official split of each row that is not dropped, or is of an earlier mix; ``UNPINNED`` for all others."""
    found = np.empty(len(rows), np.int8)
    for here in rows.blocks():
        counts = (rows.split[here] != UNPINNED) | replayed[here]
        found[here] = np.where(counts, rows.read("official", here), UNPINNED)
    return found


def _known_elsewhere(rows: Table, group: Column, about: Column, split: Splits) -> Mask:
    """Return which rows share a product with a stronger split, where one of the two has a group that is another thing."""
    other = np.empty(len(rows), bool)
    for here in rows.blocks():
        other[here] = group(here) != about(here)
    if not other.any():
        return other
    return _strongest(rows, split, [(group, _all(rows)), (about, other)]) > split


def _all(rows: Table) -> Mask:
    """Return the mask of all rows, which takes no memory."""
    return np.broadcast_to(np.True_, len(rows))


def _strongest(rows: Table, splits: Splits, columns: Sequence[tuple[Column, Mask]]) -> Splits:
    """Return for each row the strongest split of rows that have one of its values; ``UNPINNED`` where there is none.

    The values of a row are those in each of the columns for which it is in the column's mask.
    """
    if splits.max(initial=UNPINNED) == UNPINNED:
        return splits
    found = splits.copy()
    for parts in zip(*(together(rows, column, among) for column, among in columns), strict=True):
        places, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(values)
        starts = np.flatnonzero(np.append(True, values[order[1:]] != values[order[:-1]])[: len(order)])
        if len(starts):
            strongest = np.maximum.reduceat(splits[places[order]], starts)
            lengths = np.diff(starts, append=len(order))
            np.maximum.at(found, places[order], np.repeat(strongest, lengths))
    return found


def drop_contradictions(rows: Table) -> None:
    """Drop rows that answer a question otherwise than others do, as :mod:`converters.mixture.plan.repeats` says."""
    free = np.isin(np.arange(256), [n for n, name in enumerate(tasks.names()) if tasks.get(name).kind in repeats.FREE])
    for places in again(rows, "prompt"):
        asked, answered, task = (rows.at(name, places) for name in ("prompt", "target", "task"))
        found = repeats.losers(asked, answered, rows.split[places], free[task])
        drop(rows, places[found.outvoted], OUTVOTED)
        drop(rows, places[found.tied], TIED)


def drop_other_content(rows: Table) -> None:
    """Drop rows whose id another row of their file has, which asks something else."""
    for places in again(rows, "id"):
        ids, asked, file = (rows.at(name, places) for name in ("id", "prompt", "file"))
        gone = repeats.other_content(ids, asked, rows.split[places], rows.entries(places), file)
        drop(rows, places[gone], SAME)


def drop_repeats(rows: Table) -> None:
    """Drop rows whose prompt an earlier one has; test comes before validation before train, never the other way round."""
    for places in again(rows, "prompt"):
        drop(rows, places[repeats.later(rows.at("prompt", places), split=rows.split[places])], REPEATED)


def drop_replayed(rows: Table, spec: Spec) -> None:
    """Drop rows that an earlier mixture has already."""
    if old := replays(spec):
        for places in again(rows, "id"):
            ids, group, answered = (rows.at(name, places) for name in ("id", "group", "target"))
            drop(rows, places[repeats.replayed(ids, group, answered, np.isin(rows.entries(places), old))], SAME)


def balance(rows: Table, how: Balance) -> None:
    """Repeat rows of rare classes in the training split: a class of n rows grows to ``largest * (n/largest)**(1/temperature)``.

    No row is written more than ``cap`` times. Rows are chosen by their draw, so the result is stable.
    """
    rows.times = np.ones(len(rows), np.min_scalar_type(how.cap))
    for name in how.tasks:
        chosen = of_task(rows, name, split=TRAIN)
        counts = _class_sizes(rows, chosen)
        largest = counts.max(initial=0)
        for here in rows.blocks():
            size = counts[here][chosen[here]]
            wanted = largest * (size / max(largest, 1)) ** (1 / how.temperature)
            fraction = (rows.read("id", here)[chosen[here]] & np.uint64(0xFFFFFF)) / 2**24
            rows.times[here][chosen[here]] = np.minimum(wanted / size, how.cap) + fraction


def _class_sizes(rows: Table, among: Mask) -> NDArray[np.uint32]:
    """Return for each row of a mask how many of them have its target, 0 for the others."""
    sizes = np.zeros(len(rows), np.uint32)
    for places, targets in together(rows, rows.column("target"), among):
        _, number, counts = np.unique(targets, return_inverse=True, return_counts=True)
        sizes[places] = counts[number]
    return sizes


def share(rows: Table, wanted_share: float, split: int, name: str) -> None:
    """Bring one split to exactly the general share asked for; what is over it is dropped and counted."""
    there = written(rows, within(rows, split))  # before there is another mask
    general = of_task(rows, "general", split=split)
    others, count = there - written(rows, general), int(general.sum())
    wanted = general_rows(others, wanted_share)
    if wanted > count:
        raise InputError(
            f"split {name!r}: {others} rows need {wanted} general ones for general_share {wanted_share}, found "
            f"{count}: add general data, lower general_share or set a limit on the other sources"
        )
    if others and count > wanted:
        drop(rows, _over(rows, general, wanted), OVER_SHARE)


def general_rows(others: int, share: float) -> int:
    """Return how many general rows make ``share`` of the sum, to the nearest row.

    >>> general_rows(900, 0.10), general_rows(27000, 0.10), general_rows(10, 0.0)
    (100, 3000, 0)
    """
    return math.floor(others * share / (1 - share) + 0.5)
