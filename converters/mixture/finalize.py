"""What is put into rows as the splits are written, since it depends on the training split: candidates, then demonstrations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError
from converters.mixture.ids import rows_at
from converters.mixture.plan.links import linked
from converters.mixture.plan.table import TRAIN, Column, Mask, Numbers, Splits, Table, of_entries, of_task
from converters.mixture.shards import UNPINNED
from converters.mixture.spec import SHORTLIST, Entry, Spec, chosen_tasks
from converters.mixture.write import Finish
from converters.schema import SPLITS, Row, Turn
from converters.tasks.category_shortlist import listed
from converters.transforms import few_shot
from converters.transforms.candidates import FOLDS, Expert, fit, propose


@dataclass(frozen=True, slots=True)
class Proposer:
    """The expert of a source, the products it was fitted on (sorted), and how it did: rows by K, split and hit."""

    expert: Expert
    known: Numbers
    counts: Counter[tuple[int, int, bool]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Finalizer:
    """What the training split gives to other rows: by source its expert, by source and task its demonstrations.

    ``product`` reads a number for the product of each row's group; one that two sources name differently has one. A demonstration
    comes with that number, and no two of a pool are of one product.
    """

    rows: Table
    product: Column
    proposers: dict[str, Proposer]
    pools: dict[tuple[str, str], dict[int, Row]]
    seed: int

    def finish(self, entry: Entry) -> Finish | None:
        """Return what finishes the rows of an entry, nothing for an entry whose rows are finished."""
        if not (entry.shortlist or entry.few_shot):
            return None
        return lambda lines, here: self._finish(entry, lines, here)

    def _finish(self, entry: Entry, lines: Sequence[bytes], here: slice) -> list[bytes]:
        finished, encode, split = list(lines), msgspec.json.Encoder().encode, self.rows.split[here]
        places = np.flatnonzero(split != UNPINNED)
        examples = [msgspec.json.decode(lines[place], type=Row) for place in places.tolist()]
        products = self.product(here)[places]
        if entry.shortlist:
            _propose(self.proposers[entry.source], entry.shortlist, examples, products, split[places])
        for place, row, product in zip(places.tolist(), examples, products.tolist(), strict=True):
            if entry.few_shot:
                pool = self.pools[row.source, row.task]
                row = few_shot.shown(row, few_shot.chosen(row.id, product, pool, entry.few_shot, self.seed))
            finished[place] = encode(row) + b"\n"
        return finished

    def recalls(self) -> dict[str, dict[str, Any]]:
        """Return by split, if any, how many distinct rows have the right path among the candidates, by ``source@K``."""
        recalls: dict[str, dict[str, Any]] = {}
        for source, proposer in self.proposers.items():
            for k, split in sorted({(k, split) for k, split, _ in proposer.counts}):
                hits, misses = (proposer.counts[k, split, hit] for hit in (True, False))
                recall = {"rows": hits + misses, "found": hits, "recall": hits / (hits + misses)}
                recalls.setdefault(SPLITS[split], {})[f"{source}@{k}"] = recall
        return recalls


def prepare(rows: Table, spec: Spec) -> Finalizer:
    """Fit the experts and choose the demonstrations that the entries ask for; too few training rows are an ``InputError``."""
    proposers, pools = dict[str, Proposer](), dict[tuple[str, str], dict[int, Row]]()
    asking = any(entry.shortlist or entry.few_shot for entry in spec.sources)
    product = linked(rows)[0] if asking else rows.column("group")
    for entry in spec.sources:
        if entry.shortlist and entry.source not in proposers:
            proposers[entry.source] = _proposer(rows, product, spec, entry.source)
        for task in chosen_tasks(entry) if entry.few_shot else ():
            if (entry.source, task) not in pools:
                pools[entry.source, task] = _pool(rows, product, spec, entry.source, task)
            if (count := len(pools[entry.source, task])) <= (entry.few_shot or 0):
                raise InputError(
                    f"few_shot {entry.few_shot}: found {count} products of source {entry.source!r} with task {task!r} "
                    f"in the training split, expected more than {entry.few_shot}"
                )
    return Finalizer(rows, product, proposers, pools, spec.seed)


def _training(rows: Table, spec: Spec, source: str, task: str) -> Mask:
    entries = [number for number, entry in enumerate(spec.sources) if entry.source == source]
    return of_task(rows, task, split=TRAIN) & of_entries(rows, entries)


def _of(rows: Table, column: Column, among: Mask) -> Numbers:
    """Return a column for the rows of a mask."""
    found = [column(here)[among[here]] for here in rows.blocks() if among[here].any()]
    return np.concatenate([np.empty(0, np.uint64), *found])


def _proposer(rows: Table, product: Column, spec: Spec, source: str) -> Proposer:
    training = _training(rows, spec, source, SHORTLIST)
    products, places = _of(rows, product, training), np.flatnonzero(training)
    known = np.unique(products)
    if len(known) < 2:
        raise InputError(
            f"shortlist: found {len(known)} products of source {source!r} with task {SHORTLIST!r} in the training split, "
            "expected at least 2 to learn from"
        )
    _, first, labels = np.unique(_of(rows, rows.column("target"), training), return_index=True, return_inverse=True)
    order = np.argsort(first)
    paths = [""] * len(first)
    for label, row in zip(order.tolist(), rows_at(rows, places[first[order]]), strict=True):
        paths[label] = row.target
    texts = (_text(row) for row in rows_at(rows, places))
    folds = _folds(known, products)
    return Proposer(fit(zip(texts, labels.tolist(), folds.tolist(), strict=True), paths), known)


def _folds(known: Numbers, products: Numbers) -> NDArray[np.int64]:
    """Return the fold of each product, FOLDS for those that were not learnt from: dealt in turn, so that two fill two folds."""
    places = np.searchsorted(known, products)
    there = known[np.minimum(places, len(known) - 1)] == products
    return np.where(there, places % FOLDS, FOLDS)


def _pool(rows: Table, product: Column, spec: Spec, source: str, task: str) -> dict[int, Row]:
    training = _training(rows, spec, source, task)
    products, places = _of(rows, product, training), np.flatnonzero(training)
    order = np.argsort(_of(rows, rows.column("id"), training), kind="stable")
    _, first = np.unique(products[order], return_index=True)
    chosen = np.sort(order[np.sort(first)[: few_shot.POOL]])
    return dict(zip(products[chosen].tolist(), rows_at(rows, places[chosen]), strict=True))


def _text(row: Row) -> str:
    return row.messages[0].content.partition("\n")[2]


def _propose(proposer: Proposer, k: int, examples: list[Row], products: Numbers, splits: Splits) -> None:
    """Put candidates into those of the examples that ask for some."""
    asking = [place for place, row in enumerate(examples) if row.task == SHORTLIST]
    folds = _folds(proposer.known, products[asking])
    candidates = propose(proposer.expert, [_text(examples[place]) for place in asking], folds, k)
    for place, split, paths in zip(asking, splits[asking].tolist(), candidates, strict=True):
        row = examples[place]
        proposer.counts[k, split, row.target in paths] += 1
        meta = msgspec.json.encode({**row.extra, "candidates": paths}).decode()
        turn = Turn("user", listed(row.messages[0].content, paths))
        examples[place] = msgspec.structs.replace(row, messages=[turn, *row.messages[1:]], meta=meta)
