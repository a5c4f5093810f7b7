"""What is put into rows as the splits are written, since it depends on the training split: candidates, then demonstrations."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.core.errors import InputError
from converters.mixture.plan import TRAIN, Mask, Splits, kept, linked, of_task, within
from converters.mixture.shards import Shard, picked
from converters.mixture.spec import SHORTLIST, Entry, Spec, chosen_tasks
from converters.mixture.write import Finish
from converters.schema import SPLITS, Row, Turn
from converters.tasks.category_shortlist import listed
from converters.transforms import few_shot
from converters.transforms.candidates import FOLDS, Expert, fit, propose

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Products:
    """What product each group is, as :func:`converters.mix.linked` has it: one that two sources name differently is one."""

    groups: Numbers  # sorted
    numbers: Numbers

    def of(self, groups: Numbers) -> Numbers:
        """Return the number of each group's product."""
        found: Numbers = self.numbers[np.searchsorted(self.groups, groups)]
        return found


def products(rows: pd.DataFrame) -> Products:
    """Return the products of all rows of a mix."""
    groups, first = np.unique(rows["group"], return_index=True)
    return Products(groups, linked(rows)[0][first])


@dataclass(frozen=True, slots=True)
class Proposer:
    """The expert of a source, the products it was fitted on (sorted), and how it did: rows by K, split and hit."""

    expert: Expert
    known: Numbers
    counts: Counter[tuple[int, int, bool]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Late:
    """What the training split gives to other rows: by source its expert, by source and task its demonstrations.

    A demonstration comes with the number of its product, and no two of a pool are of one product.
    """

    products: Products
    proposers: dict[str, Proposer]
    pools: dict[tuple[str, str], dict[int, Row]]
    seed: int

    def finish(self, entry: Entry) -> Finish | None:
        """Return what finishes the rows of an entry, nothing for an entry whose rows are finished."""
        if not (entry.shortlist or entry.few_shot):
            return None
        return lambda lines, rows: _finished(self, entry, lines, rows)

    def recalls(self) -> dict[str, dict[str, Any]]:
        """Return by split, if any, how many distinct rows have the right path among the candidates, by ``source@K``."""
        recalls: dict[str, dict[str, Any]] = {}
        for source, proposer in self.proposers.items():
            for k, split in sorted({(k, split) for k, split, _ in proposer.counts}):
                hits, misses = (proposer.counts[k, split, hit] for hit in (True, False))
                recall = {"rows": hits + misses, "found": hits, "recall": hits / (hits + misses)}
                recalls.setdefault(SPLITS[split], {})[f"{source}@{k}"] = recall
        return recalls


def prepare(rows: pd.DataFrame, shards: Sequence[Shard], spec: Spec) -> Late:
    """Fit the experts and choose the demonstrations that the entries ask for; too few training rows are an ``InputError``."""
    asked = any(entry.shortlist or entry.few_shot for entry in spec.sources)
    late = Late(products(rows if asked else rows[:0]), {}, {}, spec.seed)
    for entry in spec.sources:
        if entry.shortlist and entry.source not in late.proposers:
            late.proposers[entry.source] = _proposer(rows, shards, entry.source, late.products)
        for name in chosen_tasks(entry) if entry.few_shot else ():
            if (entry.source, name) not in late.pools:
                late.pools[entry.source, name] = _pool(rows, shards, (entry.source, name), late.products)
            if len(late.pools[entry.source, name]) <= (entry.few_shot or 0):
                raise InputError(
                    f"few_shot {entry.few_shot}: found {len(late.pools[entry.source, name])} products of source "
                    f"{entry.source!r} with task {name!r} in the training split, expected more than {entry.few_shot}"
                )
    return late


def _training(rows: pd.DataFrame, shards: Sequence[Shard], source: str, task: str) -> Mask:
    of_source = np.array([shard.entry.source == source for shard in shards])
    chosen: Mask = within(rows, TRAIN) & of_task(rows, task) & of_source[rows["entry"]]
    return chosen


def _proposer(rows: pd.DataFrame, shards: Sequence[Shard], source: str, products: Products) -> Proposer:
    places = np.flatnonzero(_training(rows, shards, source, SHORTLIST))
    seen = products.of(rows["group"].to_numpy()[places])
    known = np.unique(seen)
    if len(known) < 2:
        raise InputError(
            f"shortlist: found {len(known)} products of source {source!r} with task {SHORTLIST!r} in the training split, "
            "expected at least 2 to learn from"
        )
    _, first, labels = np.unique(rows["target"].to_numpy()[places], return_index=True, return_inverse=True)
    order = np.argsort(first)
    targets = [row.target for row in _rows(rows, shards, places[first[order]])]
    paths = [targets[place] for place in np.argsort(order)]
    texts = (_text(row) for row in _rows(rows, shards, places))
    folds = _folds(known, seen)
    return Proposer(fit(zip(texts, labels.tolist(), folds.tolist(), strict=True), paths), known)


def _folds(known: Numbers, numbers: Numbers) -> NDArray[np.int64]:
    """Return the fold of each product, FOLDS for those that were not learnt from: dealt in turn, so that two fill two folds."""
    places = np.searchsorted(known, numbers)
    there = known[np.minimum(places, len(known) - 1)] == numbers
    return np.where(there, places % FOLDS, FOLDS)


def _pool(rows: pd.DataFrame, shards: Sequence[Shard], of: tuple[str, str], products: Products) -> dict[int, Row]:
    places = np.flatnonzero(_training(rows, shards, *of))
    places = places[np.argsort(rows["id"].to_numpy()[places], kind="stable")]
    numbers = products.of(rows["group"].to_numpy()[places])
    places = np.sort(places[~pd.Series(numbers).duplicated()][: few_shot.POOL])
    numbers = products.of(rows["group"].to_numpy()[places])
    return dict(zip(numbers.tolist(), _rows(rows, shards, places), strict=True))


def _rows(rows: pd.DataFrame, shards: Sequence[Shard], places: NDArray[np.int64]) -> Iterator[Row]:
    """Yield the rows at these places of the table, which are in order."""
    decode, start = msgspec.json.Decoder(Row).decode, 0
    for shard in shards:
        stop = start + shard.examples
        here = places[np.searchsorted(places, start) : np.searchsorted(places, stop)] - start
        yield from map(decode, picked(shard.rows, rows["size"].to_numpy()[start:stop], here))
        start = stop


def _text(row: Row) -> str:
    return row.messages[0].content.partition("\n")[2]


def _finished(late: Late, entry: Entry, lines: Sequence[bytes], rows: pd.DataFrame) -> list[bytes]:
    found, decode, encode = list(lines), msgspec.json.Decoder(Row).decode, msgspec.json.Encoder().encode
    places = np.flatnonzero(kept(rows))
    made = [decode(lines[place]) for place in places]
    numbers = late.products.of(rows["group"].to_numpy()[places])
    if entry.shortlist:
        made = _proposed(late.proposers[entry.source], entry.shortlist, made, numbers, rows["split"].to_numpy()[places])
    if entry.few_shot:
        made = [_shown(late, row, number, entry.few_shot) for row, number in zip(made, numbers.tolist(), strict=True)]
    for place, row in zip(places, made, strict=True):
        found[place] = encode(row) + b"\n"
    return found


def _proposed(proposer: Proposer, k: int, made: list[Row], numbers: Numbers, splits: Splits) -> list[Row]:
    chosen = [place for place, row in enumerate(made) if row.task == SHORTLIST]
    folds = _folds(proposer.known, numbers[chosen])
    candidates = propose(proposer.expert, [_text(made[place]) for place in chosen], folds, k)
    for place, paths in zip(chosen, candidates, strict=True):
        row = made[place]
        proposer.counts[k, int(splits[place]), row.target in paths] += 1
        meta = msgspec.json.encode({**row.extra, "candidates": paths}).decode()
        turn = Turn("user", listed(row.messages[0].content, paths))
        made[place] = msgspec.structs.replace(row, messages=[turn, *row.messages[1:]], meta=meta)
    return made


def _shown(late: Late, row: Row, number: int, count: int) -> Row:
    examples = few_shot.chosen(row.id, number, late.pools[row.source, row.task], count, late.seed)
    return few_shot.shown(row, examples)
