"""Records to rows, as an entry wants them: its tasks, hard inputs, definitions, and its limit of length."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.core.console import Tick, silent
from converters.examples import example, example_of_clean
from converters.mixture.shards import Pinned, Tally, Used, tallied, unused
from converters.mixture.spec import Entry, chosen_tasks
from converters.schema import Attributes, Choice, Listing, Outcome, Record, Row, Verdict
from converters.sources import mix
from converters.tasks.base import RenderError
from converters.text.lengths import ruler
from converters.text.matching import title_group
from converters.text.sanitize import clean_records
from converters.transforms import definitions, trim
from converters.transforms.definitions import Definitions, defined
from converters.transforms.perturb import FITS, harden, kind_of

CHUNK = 64  # raw rows whose texts are cleaned together
Cut = Callable[[Record, trim.Render], Row]
Shorter = Callable[[Row, Record, trim.Render], Row]


class _Wanted(msgspec.Struct, frozen=True, gc=False):
    """A record that one of the entry's tasks is for, as the entry wants it and clean, and what its row's meta has beyond it."""

    task: str
    record: Any
    shaped: Record
    meta: dict[str, str]


def rendered(
    entry: Entry,
    seed: int,
    outcomes: Iterable[Outcome],
    tally: Tally,
    dropped: Counter[str],
    tick: Tick = silent,
    told: Callable[[Counter[str], bool], None] = lambda noted, last: None,
) -> Iterator[Used]:
    """Yield the used rows of an entry's outcomes with their examples, and count all of them.

    ``told`` is :func:`converters.sources.told` if they are all outcomes of the entry; else whoever has all of them calls it.
    """
    meant = definitions.load(Path(entry.definitions)) if entry.definitions else {}
    kinds = [(name, tasks.get(name).record) for name in chosen_tasks(entry)]
    rendering = _Rendering(entry, kinds, seed, meant, tally, dropped, _shortener(entry, tally.noted))
    source = iter(outcomes)
    while chunk := list(islice(source, CHUNK)):
        ready = iter(rendering.ready(chunk))
        for outcome in tallied(chunk, tally):
            if row := rendering.used(outcome, next(ready)):
                yield row
        told(tally.noted, False)
        tick(tally.read)
    told(tally.noted, True)


def cutter(entry: Entry, noted: Counter[str]) -> Cut:
    """Return what makes a record's row, cut where the entry asks for it; one that stays too long is a ``RenderError``."""
    shorter = _shortener(entry, noted)
    return lambda record, render: shorter(render(record), record, render) if shorter else render(record)


def _shortener(entry: Entry, noted: Counter[str]) -> Shorter | None:
    """Return what takes a row, its record and how it was rendered, and returns one that is short enough; ``None``: any is."""
    if not (limit := entry.trim):
        return None
    measure = ruler(limit.tokenizer)
    long, length = partial(trim.too_long, ruler=measure, limit=limit.tokens), f"{limit.tokens} {measure.unit}"

    def shorter(row: Row, record: Record, render: trim.Render) -> Row:
        if not long(row):
            return row
        found = trim.fitted(record, render, long)
        if found is None:
            raise RenderError(f"more than {length} with its context cut")
        noted[f"context cut to {length}"] += 1
        return found

    return shorter


@dataclass(frozen=True, slots=True)
class _Rendering:
    """How an entry's records become rows, and the counts of what is lost; ``kinds`` are its tasks with their records."""

    entry: Entry
    kinds: Sequence[tuple[str, type[Any]]]
    seed: int
    definitions: Definitions
    tally: Tally
    dropped: Counter[str]
    shorter: Shorter | None

    def ready(self, outcomes: Sequence[Outcome]) -> list[list[tuple[_Wanted, Record]]]:
        """Return for each outcome that has records those that the entry's tasks are for, each with its clean form."""
        shaped = [self._wanted(outcome) for outcome in outcomes if outcome.records]
        clean = iter(clean_records([each.shaped for wanted in shaped for each in wanted]))
        return [[*zip(wanted, clean, strict=False)] for wanted in shaped]

    def _wanted(self, outcome: Outcome) -> list[_Wanted]:
        return [
            _Wanted(name, record, *self._shaped(record))
            for name, kind in self.kinds
            for record in outcome.records
            if isinstance(record, kind)
        ]

    def used(self, outcome: Outcome, ready: Sequence[tuple[_Wanted, Record]]) -> Used | None:
        """Return a row with its examples; one with nothing for the entry's tasks, or nothing renderable, is rejected."""
        lost: list[str] = []
        examples = self._rows(outcome, ready, lost)
        if lost:
            self.dropped.update(lost)
        if examples:
            return Used(outcome.where, examples, outcome.rows)
        if lost:
            unused(outcome, lost[0], self.tally)
        elif outcome.part_of not in [kind for _, kind in self.kinds]:  # else another row's examples hold it
            unused(outcome, f"nothing for task {' or '.join(name for name, _ in self.kinds)}", self.tally)
        return None

    def _rows(self, outcome: Outcome, ready: Sequence[tuple[_Wanted, Record]], lost: list[str]) -> list[Pinned]:
        source, split = self.entry.source, outcome.split or self.entry.split or ""  # an official split wins
        if self.entry.replays:
            return [Pinned(row, split, *mix.product(row)) for row in outcome.records if isinstance(row, Row)]
        rows = []
        for wanted, clean in ready:
            task, record, meta = wanted.task, wanted.record, wanted.meta
            try:
                row = example_of_clean(clean, task, source, meta)
                if self.shorter:
                    again = partial(example, task_name=task, source=source, more=meta)
                    row = self.shorter(row, wanted.shaped, again)
            except RenderError as error:
                lost.append(str(error))
            else:
                product = (record.product if isinstance(record, (Choice, Verdict)) else "") or row.group
                rows.append(Pinned(row, split, product, _alias(record) or product))
        return rows

    def _shaped(self, record: Record) -> tuple[Record, dict[str, str]]:
        """Return a record as its entry wants it, and what that adds to its row's meta."""
        if not self.entry.hard and not self.definitions:
            return record, {}
        kind = kind_of(record, self.entry.hard, self.seed) if self.entry.hard else ""
        harder = None
        if kind and isinstance(record, FITS[kind]):
            harder = harden(record, kind, self.seed)
            note = f"hard input: {kind}" if harder else f"hard input left out: {kind} does not fit"
            self.tally.noted[note] += 1
        shaped = harder or record
        if self.definitions and isinstance(shaped, Attributes):
            shaped = defined(shaped, self.definitions)
        return shaped, {"hard": kind} if harder else {}


def _alias(record: Record) -> str:
    """Return the group that the product's title alone would give it: a source without ASINs knows it by that."""
    if isinstance(record, (Listing, Attributes)) or (isinstance(record, (Choice, Verdict)) and record.product):
        for text in record.texts:
            if text.label == "Title":
                return title_group(text.text)
    return ""
