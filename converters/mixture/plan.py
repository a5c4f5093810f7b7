"""Decides for every row whether it stays and where: duplicates, near-duplicates, splits, balance, shares."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters import tasks
from converters.core.errors import InputError
from converters.core.hashing import edges
from converters.mixture import repeats
from converters.mixture.repeats import OUTVOTED, TIED
from converters.mixture.shards import DTYPE, UNPINNED, Shard
from converters.mixture.spec import Balance, Spec, replays
from converters.schema import SPLITS

Codes = NDArray[np.int8]
Mask = NDArray[np.bool_]
Splits = NDArray[np.int8]
Numbers = NDArray[np.uint64]
KEPT = -1
TRAIN, TEST = 0, len(SPLITS) - 1
HELD, REPEATED = "product held out by another source's split", "same prompt again"
SAME, NEAR = "same id again", "near-duplicate of a held-out row"
OVER_WEIGHT, OVER_LIMIT, OVER_SHARE = "over the entry's weight", "over the entry's limit", "general row over the share"
NOT_REPLAYED = "task that is not replayed"
REASONS = (HELD, REPEATED, SAME, NEAR, OVER_WEIGHT, OVER_LIMIT, OVER_SHARE, NOT_REPLAYED, OUTVOTED, TIED)


def table(shards: Sequence[Shard]) -> pd.DataFrame:
    """Return the table of all examples in the order of their shards; none is in a split yet, none is dropped."""
    counts = [shard.examples for shard in shards]
    count, start = sum(counts), 0
    columns: dict[str, Any] = {name: np.empty(count, DTYPE[name]) for name in DTYPE.names or ()}
    for block in chain.from_iterable(shard.blocks() for shard in shards):
        for name, column in columns.items():
            column[start : start + len(block)] = block[name]
        start += len(block)
    columns["entry"] = np.repeat(np.arange(len(shards), dtype=np.int16), counts)
    columns["split"], columns["times"] = np.full(count, TRAIN, np.int8), np.ones(count, np.int32)
    columns["reason"] = pd.Categorical.from_codes(np.full(count, KEPT, np.int8), pd.Index(REASONS))
    return pd.DataFrame(columns, copy=False)  # of ten million rows a copy is half a gigabyte


def drop(rows: pd.DataFrame, which: Any, reason: str) -> None:
    """Drop the rows of a mask, or with these labels, for one of ``REASONS``."""
    rows.loc[which, "split"] = UNPINNED
    rows.loc[which, "reason"] = reason


def reason_codes(rows: pd.DataFrame) -> Codes:
    """Return for each row the place in ``REASONS`` of the one for which it was dropped, ``KEPT`` else."""
    return np.asarray(rows["reason"].cat.codes, np.int8)


def kept(rows: pd.DataFrame) -> Mask:
    """Return which rows are not dropped."""
    return np.asarray(rows["split"] != UNPINNED)


def within(rows: pd.DataFrame, split: int) -> Mask:
    """Return which rows are in a split, by its number."""
    return np.asarray(rows["split"] == split)


def of_task(rows: pd.DataFrame, *names: str) -> Mask:
    """Return which rows are of one of these tasks."""
    return np.asarray(rows["task"].isin([tasks.names().index(name) for name in names]))


def decide(rows: pd.DataFrame, spec: Spec) -> None:
    """Place every row in a split or drop it, up to what needs the rows' texts or changes their number."""
    weigh(rows, spec)
    place(rows, spec)
    drop_contradictions(rows)
    drop(rows, repeats.other_content(again(rows, "id")[repeats.BY_ID]), SAME)
    drop_repeats(rows, "prompt", REPEATED)
    drop(rows, repeats.replayed(again(rows, "id")[repeats.BY_ID], replays(spec)), SAME)


def again(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the kept rows whose value in a column is there more than once; they are few."""
    values, there = rows[column].to_numpy(), kept(rows)
    found: pd.DataFrame = rows.loc[there & _found(values, _repeated(values[there]))[1]]
    return found


def finish(rows: pd.DataFrame, spec: Spec) -> None:
    """Balance the classes of the training split, then bring every split to the general share."""
    if spec.balance:
        balance(rows, spec.balance)
    for number, name in enumerate(SPLITS):
        share(rows, spec.general_share, number, name)


def weigh(rows: pd.DataFrame, spec: Spec) -> None:
    """Keep at most ``limit`` rows of an entry, and rows of weighted entries in the proportion of their weights.

    Which ones stay is a random, stable choice, not the first ones of a file.
    """
    for number in replays(spec):
        if names := spec.sources[number].tasks:  # any other source made no rows of other tasks
            drop(rows, (rows["entry"] == number) & ~of_task(rows, *names), NOT_REPLAYED)
    counts = np.bincount(rows["entry"][kept(rows)], minlength=len(spec.sources)).tolist()
    limits = [min(count, entry.limit or count) for count, entry in zip(counts, spec.sources, strict=True)]
    scale = min((limit / e.weight for limit, e in zip(limits, spec.sources, strict=True) if e.weight), default=0.0)
    for number, entry in enumerate(spec.sources):
        limit = math.floor(scale * entry.weight + 1e-9) if entry.weight else limits[number]
        _limit(rows, (rows["entry"] == number) & kept(rows), limit, OVER_WEIGHT if entry.weight else OVER_LIMIT)


def _limit(rows: pd.DataFrame, among: Any, limit: int, reason: str) -> None:
    """Drop all of ``among`` but the ``limit`` ones that were drawn first."""
    if int(among.sum()) > limit:
        drop(rows, rows["id"][among].sort_values(kind="stable").index[limit:], reason)


def place(rows: pd.DataFrame, spec: Spec) -> None:
    """Give every row its split: its official one, or the one its group was drawn for.

    Where an official split holds a product out, rows of that product from elsewhere are dropped, not moved: test wins over
    validation, validation over train. So are rows of other groups, such as queries, that are about a product which a stronger
    split tells something about. A row of an earlier mix says so even where it is left out: a model knows that mix.
    """
    there, own = kept(rows), rows["official"].to_numpy()
    products, about = linked(rows)
    replayed = rows["entry"].isin(replays(spec)).to_numpy()
    pins = _strongest(products, np.where(there | replayed, own, UNPINNED))
    test, validation = edges(spec.splits)
    drawn = np.where(products < test, np.int8(TEST), np.where(products < validation, np.int8(1), np.int8(TRAIN)))
    split = np.where(own != UNPINNED, own, np.where(pins != UNPINNED, pins, drawn)).astype(np.int8)
    rows["split"] = np.where(there, split, UNPINNED).astype(np.int8)
    pinned_elsewhere = (pins != UNPINNED) & (pins != np.where(own == UNPINNED, TRAIN, own))
    drop(rows, pinned_elsewhere & there, HELD)
    known = np.where(replayed & ~there, own, rows["split"])
    drop(rows, _known_elsewhere(products, about, known) & kept(rows), HELD)


def linked(rows: pd.DataFrame) -> tuple[Numbers, Numbers]:
    """Return a number for each row's group and for the product that it is about, which is another one where groups are queries.

    Groups that share an alias are one product, known by their first draw: so a product that one source knows by its ASIN and
    another by its title alone is in one split.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups, named, alias = (rows[name].to_numpy() for name in ("group", "product", "alias"))
    links = alias != named
    # Most titles are of one product and link nothing: the graph is of the others alone.
    links &= _found(alias, _repeated(np.concatenate([groups, named[named != groups], alias[links]])))[1]
    nodes, codes = np.unique(np.concatenate([named[links], alias[links]]), return_inverse=True)
    about, alias = np.split(codes, 2)
    pairs = (np.ones(len(about), bool), (about, alias))
    count, component = connected_components(coo_matrix(pairs, shape=(len(nodes),) * 2), directed=False)
    first = np.full(count, np.iinfo(np.uint64).max)
    found = [_found(names, nodes) for names in (groups, named)]
    for places, there in found:  # a title that is no group's name does not stand for its product
        np.minimum.at(first, component[places[there]], nodes[places[there]])
    groups, named = groups.copy(), named.copy()
    for names, (places, there) in zip((groups, named), found, strict=True):
        names[there] = first[component[places[there]]]
    return groups, named


def _repeated(values: Numbers) -> Numbers:
    """Return those that are there more than once, sorted; a sort takes a fraction of the memory of a table of hashes."""
    ordered = np.sort(values)
    return np.asarray(ordered[1:][ordered[1:] == ordered[:-1]])


def _found(values: Numbers, among: Numbers) -> tuple[NDArray[np.int64], Mask]:
    """Return where values stand among others, which are sorted, and whether they do."""
    if not len(among):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    places = np.searchsorted(among, values).clip(max=len(among) - 1)
    return places, among[places] == values


def _known_elsewhere(products: Numbers, about: Numbers, split: Splits) -> Mask:
    """Return which rows share a product with a stronger split, where one of the two has a group that is another thing."""
    other = np.flatnonzero(products != about)
    if not len(other):
        return np.zeros(len(split), bool)
    strongest = _strongest(np.concatenate([products, about[other]]), np.concatenate([split, split[other]]))
    gone: Mask = strongest[: len(split)] > split
    gone[other] |= strongest[len(split) :] > split[other]
    return gone


def _strongest(groups: Numbers, splits: Splits) -> Splits:
    """Return for each row the strongest split of its group, ``UNPINNED`` for a group that has none."""
    if (splits == UNPINNED).all():
        return splits
    return np.asarray(pd.Series(splits).groupby(groups, sort=False).transform("max"))


def drop_repeats(rows: pd.DataFrame, column: str, reason: str) -> None:
    """Drop rows whose ``column`` an earlier one has; test comes before validation before train, never the other way round."""
    values = again(rows, column).sort_values("split", ascending=False, kind="stable")[column]
    drop(rows, values.index[values.duplicated()], reason)


def drop_contradictions(rows: pd.DataFrame) -> None:
    """Drop rows that answer a question otherwise than others do, as :mod:`converters.mixture.repeats` says."""
    free = [name for name in tasks.names() if tasks.get(name).kind in repeats.FREE]
    asked = again(rows, "prompt")
    found = repeats.losers(asked[["prompt", "target", "split"]].assign(free=of_task(asked, *free)))
    drop(rows, found.outvoted, OUTVOTED)
    drop(rows, found.tied, TIED)


def balance(rows: pd.DataFrame, how: Balance) -> None:
    """Repeat rows of rare classes in the training split: a class of n rows grows to ``largest * (n/largest)**(1/temperature)``.

    No row is written more than ``cap`` times. Rows are chosen by their draw, so the result is stable.
    """
    for name in how.tasks:
        chosen = rows[within(rows, TRAIN) & of_task(rows, name)]
        counts = chosen.groupby("target")["target"].transform("size").to_numpy()
        wanted = counts.max(initial=0) * (counts / counts.max(initial=1)) ** (1 / how.temperature)
        fraction = (chosen["id"].to_numpy() & 0xFFFFFF) / 2**24
        rows.loc[chosen.index, "times"] = (np.minimum(wanted / counts, how.cap) + fraction).astype(np.int32)


def share(rows: pd.DataFrame, wanted_share: float, split: int, name: str) -> None:
    """Bring one split to exactly the general share asked for; what is over it is dropped and counted."""
    among = within(rows, split)
    general = among & of_task(rows, "general")
    others, count = int(rows["times"][among & ~general].sum()), int(general.sum())
    wanted = general_rows(others, wanted_share)
    if wanted > count:
        raise InputError(
            f"split {name!r}: {others} rows need {wanted} general ones for general_share {wanted_share}, found "
            f"{count}: add general data, lower general_share or set a limit on the other sources"
        )
    if others:
        _limit(rows, general, wanted, OVER_SHARE)


def general_rows(others: int, share: float) -> int:
    """Return how many general rows make ``share`` of the sum, to the nearest row.

    >>> general_rows(900, 0.10), general_rows(27000, 0.10), general_rows(10, 0.0)
    (100, 3000, 0)
    """
    return math.floor(others * share / (1 - share) + 0.5)
