"""What goes where: limits, official splits, hold-outs, duplicates, balance and the general share, decided on numbers alone.

A row is 54 bytes here (:data:`converters.parts.DTYPE`); its text stays on disk. Everything is decided by hashes of ids and
groups, so the same inputs and seed give the same mix whatever the order of the rows and the number of processes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters import tasks
from converters.codes import codes, firsts
from converters.convert import Converted
from converters.errors import InputError
from converters.left_out import KEPT, Codes
from converters.parts import UNPINNED, Columns
from converters.spec import Balance, Spec
from converters.split import SPLITS, edges

Mask = NDArray[np.bool_]
Splits = NDArray[np.int8]
Numbers = NDArray[np.uint64]
TRAIN, TEST = 0, len(SPLITS) - 1
HELD, REPEATED = "product held out by another source's split", "same prompt again"
SAME = "same id again"


@dataclass(slots=True)
class Table:
    """All rows of a mix as numbers, in the order of their parts.

    ``entry`` is each row's entry; ``split`` its split, ``UNPINNED`` once it is dropped; ``times`` how often it is written;
    ``why`` is the place in ``reasons`` of the one for which it was dropped, ``KEPT`` else.
    """

    columns: Columns
    entry: NDArray[np.int16]
    split: Splits
    times: NDArray[np.int32]
    dropped: list[Counter[str]]
    why: Codes
    reasons: list[str]

    def drop(self, gone: Mask, reason: str) -> None:
        """Drop rows that are still there, counted for the entries they are from."""
        gone = gone & (self.split != UNPINNED)
        self.split[gone] = UNPINNED
        self.reasons += [reason] if reason not in self.reasons else []
        self.why[gone] = self.reasons.index(reason)
        for number, count in enumerate(np.bincount(self.entry[gone], minlength=len(self.dropped))):
            self.dropped[number].update({reason: int(count)} if count else {})

    def part(self, start: int, count: int) -> "Table":
        """Return ``count`` rows from ``start`` on."""
        here = slice(start, start + count)
        columns, entry, split, times = self.columns[here], self.entry[here], self.split[here], self.times[here]
        return Table(columns, entry, split, times, self.dropped, self.why[here], self.reasons)

    def within(self, split: int) -> Mask:
        """Return which rows are in a split."""
        found: Mask = self.split == split
        return found


def table(converted: Sequence[Converted]) -> Table:
    """Return all rows of the converted entries; none is in a split yet, none is dropped."""
    columns = [np.concatenate([part.columns() for part in one.parts]) for one in converted]
    entry = np.repeat(np.arange(len(columns), dtype=np.int16), [len(one) for one in columns])
    everything = np.concatenate(columns)
    split = np.full(len(everything), TRAIN, np.int8)
    times = np.ones(len(everything), np.int32)
    why = np.full(len(everything), KEPT, np.int8)
    return Table(everything, entry, split, times, [Counter(one.dropped) for one in converted], why, [])


def decide(rows: Table, spec: Spec) -> None:
    """Place every row in a split or drop it, up to what needs the rows' texts or changes their number."""
    weigh(rows, spec)
    place(rows, spec)
    repeated(rows, "prompt", REPEATED)
    repeated(rows, "id", SAME)


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
    _other_tasks(rows, spec)
    found = np.bincount(rows.entry[rows.split != UNPINNED], minlength=len(spec.sources))
    limits = [min(int(n), entry.limit or int(n)) for n, entry in zip(found, spec.sources, strict=True)]
    scale = min((limit / e.weight for limit, e in zip(limits, spec.sources, strict=True) if e.weight), default=0.0)
    for number, entry in enumerate(spec.sources):
        limit = math.floor(scale * entry.weight + 1e-9) if entry.weight else limits[number]
        reason = "over the entry's weight" if entry.weight else "over the entry's limit"
        rows.drop(_beyond(rows, (rows.entry == number) & (rows.split != UNPINNED), limit), reason)


def _other_tasks(rows: Table, spec: Spec) -> None:
    """Drop replayed rows of tasks that their entry does not name; any other source made none of them."""
    for number, entry in enumerate(spec.sources):
        if entry.replays and entry.tasks:
            taken = np.isin(rows.columns["task"], [tasks.names().index(name) for name in entry.tasks])
            rows.drop((rows.entry == number) & ~taken, "task that is not replayed")


def _beyond(rows: Table, among: Mask, limit: int) -> Mask:
    """Return all of ``among`` but the ``limit`` ones that were drawn first."""
    places = np.flatnonzero(among)
    order = np.argsort(rows.columns["id"][places], kind="stable")
    gone = np.zeros(len(among), bool)
    gone[places[order[limit:]]] = True
    return gone


def place(rows: Table, spec: Spec) -> None:
    """Give every row its split: its official one, or the one its group was drawn for.

    Where an official split holds a product out, rows of that product from elsewhere are dropped, not moved: test wins over
    validation, validation over train. So are rows of other groups, such as queries, that are about a product which a stronger
    split tells something about. A row of an earlier mix says so even where it is left out: a model knows that mix.
    """
    there = rows.split != UNPINNED
    own = rows.columns["split"]
    products, about = linked(rows.columns)
    replayed = np.isin(rows.entry, [number for number, entry in enumerate(spec.sources) if entry.replays])
    pins = _pins(products, np.where(there | replayed, own, UNPINNED))
    drawn = _drawn(products, spec.splits)
    split = np.where(own != UNPINNED, own, np.where(pins != UNPINNED, pins, drawn))
    rows.split[there] = split[there].astype(np.int8)
    held = (pins != UNPINNED) & (pins != np.where(own == UNPINNED, TRAIN, own))
    rows.drop(held, HELD)
    rows.drop(_told(products, about, np.where(replayed & ~there, own, rows.split)), HELD)


def linked(columns: Columns) -> tuple[Numbers, Numbers]:
    """Return a number for each row's group and for the product that it is about, which is another one where groups are queries.

    Groups that share an alias are one product, known by their first draw: so a product that one source knows by its ASIN and
    another by its title alone is in one split.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    other = np.flatnonzero(
        columns["product"] != columns["group"]
    )  # hashing all of them twice would take most of the time
    names = np.concatenate([columns["group"], columns["product"][other], columns["alias"]])
    group, product, alias = np.split(codes(names), [len(columns), len(columns) + len(other)])
    about = group.copy()
    about[other] = product
    known = max(group.max(initial=-1), product.max(initial=-1), alias.max(initial=-1)) + 1
    pairs = (np.ones(len(about), bool), (about, alias))
    _, one = connected_components(coo_matrix(pairs, shape=(known, known)), directed=False)
    first = np.full(one.max(initial=-1) + 1, np.iinfo(np.uint64).max)
    np.minimum.at(first, one[np.concatenate([group, product])], names[: len(group) + len(product)])
    return first[one[group]], first[one[about]]


def _told(products: Numbers, about: Numbers, split: Splits) -> Mask:
    """Return which rows share a product with a stronger split, where one of the two has a group that is another thing."""
    other = np.flatnonzero(products != about)
    if not len(other):
        return np.zeros(len(split), bool)
    strongest = _pins(np.concatenate([products, about[other]]), np.concatenate([split, split[other]]))
    gone: Mask = strongest[: len(split)] > split
    gone[other] |= strongest[len(split) :] > split[other]
    return gone


def _pins(groups: NDArray[np.uint64], own: Splits) -> Splits:
    """Return for each row the strongest official split of its group, ``UNPINNED`` for a group that has none."""
    places = codes(groups)
    strongest = np.full(places.max(initial=-1) + 1, UNPINNED, np.int8)
    np.maximum.at(strongest, places, own)
    found: Splits = strongest[places]
    return found


def _drawn(groups: NDArray[np.uint64], shares: Mapping[str, float]) -> Splits:
    test, validation = edges(shares)
    return np.where(groups < test, TEST, np.where(groups < validation, 1, TRAIN)).astype(np.int8)


def repeated(rows: Table, column: str, reason: str) -> None:
    """Drop rows whose ``column`` an earlier one has; test comes before validation before train, never the other way round."""
    places = np.flatnonzero(rows.split != UNPINNED)
    order = places[np.argsort(-rows.split[places], kind="stable")]
    gone = rows.split != UNPINNED
    gone[order[firsts(rows.columns[column][order])]] = False
    rows.drop(gone, reason)


def balance(rows: Table, how: Balance) -> None:
    """Repeat rows of rare classes in the training split: a class of n rows grows to ``largest * (n/largest)**(1/temperature)``.

    No row is written more than ``cap`` times. Rows are chosen by their draw, so the result is stable.
    """
    for name in how.tasks:
        places = np.flatnonzero(rows.within(TRAIN) & (rows.columns["task"] == tasks.names().index(name)))
        _, label, counts = np.unique(rows.columns["target"][places], return_inverse=True, return_counts=True)
        if not len(places):
            continue
        wanted = counts.max() * (counts / counts.max()) ** (1 / how.temperature)
        factor = np.minimum(wanted / counts, how.cap)[label]
        part = (rows.columns["id"][places] & 0xFFFFFF) / 2**24
        rows.times[places] = (factor + part).astype(np.int32)


def share(rows: Table, wanted_share: float, split: int, name: str) -> None:
    """Bring one split to exactly the general share asked for; what is over it is dropped and counted."""
    among = rows.within(split)
    general = among & (rows.columns["task"] == tasks.names().index("general"))
    others, found = int(rows.times[among & ~general].sum()), int(general.sum())
    wanted = general_rows(others, wanted_share)
    if wanted > found:
        raise InputError(
            f"split {name!r}: {others} rows need {wanted} general ones for general_share {wanted_share}, found "
            f"{found}: add general data, lower general_share or set a limit on the other sources"
        )
    if others:
        rows.drop(_beyond(rows, general, wanted), "general row over the share")


def general_rows(others: int, share: float) -> int:
    """Return how many general rows make ``share`` of the sum, to the nearest row.

    >>> general_rows(900, 0.10), general_rows(27000, 0.10), general_rows(10, 0.0)
    (100, 3000, 0)
    """
    return math.floor(others * share / (1 - share) + 0.5)
