"""What is put into rows as the splits are written, since it depends on the training split: candidates, then demonstrations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.core.errors import InputError
from converters.mixture.ids import rows_at
from converters.mixture.plan import TRAIN, Numbers, kept, linked, of_task, within
from converters.mixture.shards import Shard
from converters.mixture.spec import SHORTLIST, Entry, Spec, chosen_tasks
from converters.mixture.write import Finish
from converters.schema import SPLITS, Row, Turn
from converters.tasks.category_shortlist import listed
from converters.transforms import few_shot
from converters.transforms.candidates import FOLDS, Expert, fit, propose

# Column of the table: a number for the product of each row's group; one that two sources name differently has one.
PRODUCT = "linked_product"


@dataclass(frozen=True, slots=True)
class Proposer:
    """The expert of a source, the products it was fitted on (sorted), and how it did: rows by K, split and hit."""

    expert: Expert
    known: Numbers
    counts: Counter[tuple[int, int, bool]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Finalizer:
    """What the training split gives to other rows: by source its expert, by source and task its demonstrations.

    A demonstration comes with the number of its product, and no two of a pool are of one product.
    """

    proposers: dict[str, Proposer]
    pools: dict[tuple[str, str], dict[int, Row]]
    seed: int

    def finish(self, entry: Entry) -> Finish | None:
        """Return what finishes the rows of an entry, nothing for an entry whose rows are finished."""
        if not (entry.shortlist or entry.few_shot):
            return None
        return lambda lines, rows: self._finish(entry, lines, rows)

    def _finish(self, entry: Entry, lines: Sequence[bytes], rows: pd.DataFrame) -> list[bytes]:
        finished, encode = list(lines), msgspec.json.Encoder().encode
        places = np.flatnonzero(kept(rows))
        table = rows.iloc[places]
        examples = [msgspec.json.decode(lines[place], type=Row) for place in places]
        if entry.shortlist:
            _propose(self.proposers[entry.source], entry.shortlist, examples, table)
        for place, row, product in zip(places, examples, table[PRODUCT].tolist(), strict=True):
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


def prepare(rows: pd.DataFrame, shards: Sequence[Shard], spec: Spec) -> Finalizer:
    """Fit the experts and choose the demonstrations that the entries ask for; too few training rows are an ``InputError``.

    Where an entry asks for some, the table gets a column ``PRODUCT``.
    """
    proposers, pools = dict[str, Proposer](), dict[tuple[str, str], dict[int, Row]]()
    if any(entry.shortlist or entry.few_shot for entry in spec.sources):
        rows[PRODUCT] = linked(rows)[0]
    for entry in spec.sources:
        if entry.shortlist and entry.source not in proposers:
            proposers[entry.source] = _proposer(rows, shards, entry.source)
        for task in chosen_tasks(entry) if entry.few_shot else ():
            if (entry.source, task) not in pools:
                pools[entry.source, task] = _pool(rows, shards, entry.source, task)
            if (count := len(pools[entry.source, task])) <= (entry.few_shot or 0):
                raise InputError(
                    f"few_shot {entry.few_shot}: found {count} products of source {entry.source!r} with task {task!r} "
                    f"in the training split, expected more than {entry.few_shot}"
                )
    return Finalizer(proposers, pools, spec.seed)


def _training(rows: pd.DataFrame, shards: Sequence[Shard], source: str, task: str) -> pd.DataFrame:
    of_source = np.array([shard.entry.source == source for shard in shards])
    training: pd.DataFrame = rows.loc[within(rows, TRAIN) & of_task(rows, task) & of_source[rows["entry"]]]
    return training


def _proposer(rows: pd.DataFrame, shards: Sequence[Shard], source: str) -> Proposer:
    training = _training(rows, shards, source, SHORTLIST)
    known = np.unique(training[PRODUCT])
    if len(known) < 2:
        raise InputError(
            f"shortlist: found {len(known)} products of source {source!r} with task {SHORTLIST!r} in the training split, "
            "expected at least 2 to learn from"
        )
    labels, _ = pd.factorize(training["target"], sort=True)
    first = training.drop_duplicates("target")
    paths = [row.target for row in rows_at(rows, shards, first.index.to_numpy())]
    paths = [paths[place] for place in np.argsort(first["target"].to_numpy())]
    texts = (_text(row) for row in rows_at(rows, shards, training.index.to_numpy()))
    folds = _folds(known, training[PRODUCT].to_numpy())
    return Proposer(fit(zip(texts, labels.tolist(), folds.tolist(), strict=True), paths), known)


def _folds(known: Numbers, products: Numbers) -> NDArray[np.int64]:
    """Return the fold of each product, FOLDS for those that were not learnt from: dealt in turn, so that two fill two folds."""
    places = np.searchsorted(known, products)
    there = known[np.minimum(places, len(known) - 1)] == products
    return np.where(there, places % FOLDS, FOLDS)


def _pool(rows: pd.DataFrame, shards: Sequence[Shard], source: str, task: str) -> dict[int, Row]:
    training = _training(rows, shards, source, task).sort_values("id", kind="stable")
    chosen = training.drop_duplicates(PRODUCT)[: few_shot.POOL].sort_index()
    return dict(zip(chosen[PRODUCT].tolist(), rows_at(rows, shards, chosen.index.to_numpy()), strict=True))


def _text(row: Row) -> str:
    return row.messages[0].content.partition("\n")[2]


def _propose(proposer: Proposer, k: int, examples: list[Row], table: pd.DataFrame) -> None:
    """Put candidates into those of the examples that ask for some."""
    asking = [place for place, row in enumerate(examples) if row.task == SHORTLIST]
    folds = _folds(proposer.known, table[PRODUCT].to_numpy()[asking])
    candidates = propose(proposer.expert, [_text(examples[place]) for place in asking], folds, k)
    for place, split, paths in zip(asking, table["split"].to_numpy()[asking].tolist(), candidates, strict=True):
        row = examples[place]
        proposer.counts[k, split, row.target in paths] += 1
        meta = msgspec.json.encode({**row.extra, "candidates": paths}).decode()
        turn = Turn("user", listed(row.messages[0].content, paths))
        examples[place] = msgspec.structs.replace(row, messages=[turn, *row.messages[1:]], meta=meta)
