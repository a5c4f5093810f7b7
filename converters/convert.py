"""One dataset to rows on disk, with an account of every raw row: in units of work that any number of processes may share."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from converters import definitions, earlier, parts, sources, tasks, trim
from converters.definitions import Definitions, defined
from converters.errors import InputError
from converters.examples import RenderError, Row, example
from converters.hard import FITS, harden, kind_of
from converters.lengths import ruler
from converters.outcome import Outcome, Tally, tallied, title_group, unused
from converters.parts import Part, Pinned, Used
from converters.raw import AS_UTF8, NOT_UTF8, describe, expand
from converters.records import Attributes, Choice, Listing, Record, Verdict
from converters.spec import Entry, chosen_tasks
from converters.workers import counted

Cut = Callable[[Record, trim.Render], Row]


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of an entry that one process converts: its number in the mix's entries, and its files."""

    number: int
    entry: Entry
    items: tuple[Path, ...]
    seed: int


def units(number: int, entry: Entry, seed: int) -> list[Unit]:
    """Return an entry's units of work: all of its files are one, as a source may have to bring their rows together."""
    return [Unit(number, entry, tuple(expand(entry.paths)), seed)]


def convert(unit: Unit, folder: Path) -> Part:
    """Return a unit's part under ``folder``: the one that an earlier build left, if nothing has changed since."""
    home = folder / _name(unit)
    return parts.load(home) or _convert(unit, home)


def _convert(unit: Unit, home: Path) -> Part:
    tally, dropped = Tally(), Counter[str]()
    outcomes = tallied(counted(sources.read(unit.entry.source, unit.items, unit.entry.options)), tally)
    meant = definitions.load(Path(unit.entry.definitions)) if unit.entry.definitions else {}
    cut = cutter(unit.entry, tally.noted)
    used = (row for outcome in outcomes if (row := _used(outcome, unit, meant, tally, dropped, cut)))
    return parts.write(home, used, tally, dropped, unit.seed)


def _used(
    outcome: Outcome, unit: Unit, meant: Definitions, tally: Tally, dropped: Counter[str], cut: Cut
) -> Used | None:
    """Return a row with its examples; one with nothing for the entry's tasks, or nothing that can be rendered, is rejected."""
    lost: list[str] = []
    examples = list(_rows(outcome, unit, meant, tally.noted, lost, cut))
    dropped.update(lost)
    if not examples and (why := next(iter(lost), "") or _off(outcome, unit.entry)):
        unused(outcome, why, tally)
    return Used(outcome.where, examples, outcome.rows) if examples else None


def _off(outcome: Outcome, entry: Entry) -> str:
    """Return the reason why a row has no example though none was lost, or nothing for one that is a part of another's."""
    names = chosen_tasks(entry)
    served = outcome.part_of in [tasks.get(name).record for name in names]
    return "" if served else f"nothing for task {' or '.join(names)}"


def cutter(entry: Entry, noted: Counter[str]) -> Cut:
    """Return what makes a record's row, cut where the entry asks for it; one that stays too long is a ``RenderError``."""
    if not (limit := entry.trim):
        return lambda record, render: render(record)
    long = partial(trim.too_long, ruler=ruler(limit.tokenizer), limit=limit.tokens)

    def cut(record: Record, render: trim.Render) -> Row:
        row = render(record)
        if not long(row):
            return row
        shorter = trim.fitted(record, render, long)
        if shorter is None:
            raise RenderError(f"more than {limit.tokens} tokens with its context cut")
        noted[f"context cut to {limit.tokens} tokens"] += 1
        return shorter

    return cut


def _rows(
    outcome: Outcome, unit: Unit, meant: Definitions, noted: Counter[str], lost: list[str], cut: Cut
) -> Iterator[Pinned]:
    entry, split = unit.entry, outcome.split or unit.entry.split or ""  # an official split wins
    rendered = (row for row in outcome.records if isinstance(row, Row))
    yield from (Pinned(row, split, *earlier.product(row)) for row in rendered)
    for name in chosen_tasks(entry):
        for record in outcome.records:
            if isinstance(record, tasks.get(name).record) and not isinstance(record, Row):
                shaped, more = _shaped(record, unit, meant, noted)
                try:
                    row = cut(shaped, partial(example, task_name=name, source=entry.source, more=more))
                    product = _product(record) or row.group
                    yield Pinned(row, split, product, _alias(record) or product)
                except RenderError as error:
                    lost.append(str(error))


def _product(record: Record) -> str:
    return record.product if isinstance(record, Choice | Verdict) else ""


def _alias(record: Record) -> str:
    """Return the group that the product's title alone would give it: a source without ASINs knows it by that."""
    if isinstance(record, Listing | Attributes) or (isinstance(record, Choice | Verdict) and record.product):
        return next((title_group(text.text) for text in record.texts if text.label == "Title"), "")
    return ""


def _shaped(record: Record, unit: Unit, meant: Definitions, noted: Counter[str]) -> tuple[Record, dict[str, str]]:
    """Return a record as its entry wants it, and what that adds to its row's meta."""
    kind = kind_of(record, unit.entry.hard, unit.seed) if unit.entry.hard else ""
    harder = None
    if kind and isinstance(record, FITS[kind]):
        harder = harden(record, kind, unit.seed)
        noted[f"hard input: {kind}" if harder else f"hard input left out: {kind} does not fit"] += 1
    shaped = harder or record
    if meant and isinstance(shaped, Attributes):
        shaped = defined(shaped, meant)
    return shaped, {"hard": kind} if harder else {}


def _name(unit: Unit) -> str:
    """Return a name that changes with the files, the options and the code that shape a part."""
    files = [(repr(item), *_stat(item)) for item in (*unit.items, *_beside(unit.entry))]
    shape = repr((unit.number, msgspec.to_builtins(unit.entry), files, unit.seed, _code()))
    return f"{unit.number:03d}-{unit.entry.source}-{hashlib.sha256(shape.encode()).hexdigest()[:16]}"


def _beside(entry: Entry) -> list[Path]:
    """Return the files that shape an entry's rows beside the raw ones."""
    named = (entry.definitions, entry.trim.tokenizer if entry.trim else None)
    manifests = [folder / earlier.MANIFEST for folder in _replayed(entry)]
    return [*(Path(name) for name in named if name), *sources.beside(entry.source, entry.options), *manifests]


def _replayed(entry: Entry) -> list[Path]:
    return earlier.folders(expand(entry.paths)) if entry.replays else []


def _stat(path: Path) -> tuple[int, int]:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (0, 0)


@cache
def _code() -> str:
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@dataclass(frozen=True, slots=True)
class Converted:
    """An entry with its parts and their counts summed, and the examples that were dropped on the way, by reason."""

    entry: Entry
    parts: list[Part]
    dropped: Counter[str]

    def count(self, name: str) -> Any:
        """Return one of the counts of all parts: ``read``, ``used``, ``examples`` or the counters ``rejected``, ``noted``."""
        first, *rest = (getattr(part, name) for part in self.parts)
        return sum(rest, first)


def collected(entry: Entry, shards: Sequence[Part]) -> Converted:
    """Return an entry with its parts."""
    return Converted(entry, list(shards), sum((part.dropped for part in shards), Counter()))


def need_rows(converted: Converted) -> None:
    """Stop with a sentence where no raw row of an entry could be used."""
    entry = converted.entry
    if not converted.count("examples"):
        paths = expand(entry.paths)
        common = (converted.count("rejected") + converted.dropped).most_common(1)
        why = f" (most common reason: {mended(common[0][0])})" if common else ""
        content = f"{converted.count('read')} rows and none to use"
        if converted.count("read") == converted.count("rejected")["blank line"] and all(
            {".csv", ".tsv"} & set(path.suffixes) for path in paths
        ):
            content = "only a header"
        raise InputError(f"{', '.join(map(str, paths))}: found {content}, expected {entry.source}{why}")


def mended(reason: str) -> str:
    """Return the reason of a reject with what a user can do about it, where that is one thing."""
    return f"{reason}: {AS_UTF8}" if reason == NOT_UTF8 else reason


def account(converted: Converted, left_out: Counter[str]) -> dict[str, Any]:
    """Return what the manifest says of one entry: licence, files with their hashes, and the fate of every raw row.

    ``left_out`` counts the raw rows all of whose examples were dropped, which are rejected, too: ``read`` is ``used`` and
    ``rejected``.
    """
    entry, unit = converted.entry, sources.get(converted.entry.source)
    return {
        "source": entry.source,
        "split": entry.split,
        "licence": earlier.licence(expand(entry.paths)) if entry.replays else unit.LICENCE,
        "url": unit.URL,
        "read": converted.count("read"),
        "used": converted.count("used") - left_out.total(),
        "rejected": dict(sorted((converted.count("rejected") + left_out).items())),
        "noted": dict(sorted(converted.count("noted").items())),
        "examples": converted.count("examples"),
        "dropped": dict(sorted(converted.dropped.items())),
        "inputs": [describe(path) for path in [*expand(entry.paths), *_beside(entry)]],
    }
