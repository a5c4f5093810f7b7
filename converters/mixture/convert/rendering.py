"""Records to rows, as an entry wants them: its tasks, hard inputs, definitions, and its limit of length."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from converters import tasks
from converters.core.console import Tick, silent
from converters.examples import example
from converters.mixture.shards import Pinned, Tally, Used, tallied, unused
from converters.mixture.spec import Entry, chosen_tasks
from converters.schema import Attributes, Choice, Listing, Outcome, Record, Row, Verdict
from converters.sources import mix
from converters.tasks.base import RenderError
from converters.text.lengths import ruler
from converters.text.matching import title_group
from converters.transforms import definitions, trim
from converters.transforms.definitions import Definitions, defined
from converters.transforms.perturb import FITS, harden, kind_of

Cut = Callable[[Record, trim.Render], Row]


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

    def heard(rows: int) -> None:
        told(tally.noted, False)
        tick(rows)

    meant = definitions.load(Path(entry.definitions)) if entry.definitions else {}
    kinds = [(name, tasks.get(name).record) for name in chosen_tasks(entry)]
    rendering = _Rendering(entry, kinds, seed, meant, tally, dropped, cutter(entry, tally.noted))
    yield from (row for outcome in tallied(outcomes, tally, heard) if (row := rendering.used(outcome)))
    told(tally.noted, True)


def cutter(entry: Entry, noted: Counter[str]) -> Cut:
    """Return what makes a record's row, cut where the entry asks for it; one that stays too long is a ``RenderError``."""
    if not (limit := entry.trim):
        return lambda record, render: render(record)
    measure = ruler(limit.tokenizer)
    long, length = partial(trim.too_long, ruler=measure, limit=limit.tokens), f"{limit.tokens} {measure.unit}"

    def cut(record: Record, render: trim.Render) -> Row:
        row = render(record)
        if not long(row):
            return row
        shorter = trim.fitted(record, render, long)
        if shorter is None:
            raise RenderError(f"more than {length} with its context cut")
        noted[f"context cut to {length}"] += 1
        return shorter

    return cut


@dataclass(frozen=True, slots=True)
class _Rendering:
    """How an entry's records become rows, and the counts of what is lost; ``kinds`` are its tasks with their records."""

    entry: Entry
    kinds: Sequence[tuple[str, type]]
    seed: int
    definitions: Definitions
    tally: Tally
    dropped: Counter[str]
    cut: Cut

    def used(self, outcome: Outcome) -> Used | None:
        """Return a row with its examples; one with nothing for the entry's tasks, or nothing renderable, is rejected."""
        lost: list[str] = []
        examples = self._rows(outcome, lost)
        if lost:
            self.dropped.update(lost)
        if examples:
            return Used(outcome.where, examples, outcome.rows)
        if lost:
            unused(outcome, lost[0], self.tally)
        elif outcome.part_of not in [kind for _, kind in self.kinds]:  # else another row's examples hold it
            unused(outcome, f"nothing for task {' or '.join(name for name, _ in self.kinds)}", self.tally)
        return None

    def _rows(self, outcome: Outcome, lost: list[str]) -> list[Pinned]:
        split = outcome.split or self.entry.split or ""  # an official split wins
        if self.entry.replays:
            return [Pinned(row, split, *mix.product(row)) for row in outcome.records if isinstance(row, Row)]
        rows = []
        for name, kind in self.kinds:
            for record in outcome.records:
                if isinstance(record, kind):
                    try:
                        rows.append(self._row(record, name, split))
                    except RenderError as error:
                        lost.append(str(error))
        return rows

    def _row(self, record: Any, task: str, split: str) -> Pinned:
        shaped, meta = self._shaped(record)
        row = self.cut(shaped, partial(example, task_name=task, source=self.entry.source, more=meta))
        product = (record.product if isinstance(record, Choice | Verdict) else "") or row.group
        return Pinned(row, split, product, _alias(record) or product)

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
