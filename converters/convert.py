"""One dataset to rows, with an account of every raw row."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from converters import sources, tasks
from converters.errors import InputError
from converters.examples import RenderError, Row, example
from converters.outcome import Outcome, Tally, tallied
from converters.raw import describe, expand
from converters.spec import Entry, chosen_tasks

Watch = Callable[[Iterator[Outcome]], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Converted:
    """The rows of one entry, the tally of its raw rows, and the examples that were dropped on the way, by reason."""

    entry: Entry
    rows: list[Row]
    tally: Tally
    dropped: Counter[str]


def convert(entry: Entry, watch: Watch = iter) -> Converted:
    """Convert an entry; ``watch`` sees the outcomes pass. No usable row at all is an ``InputError``."""
    paths = expand(entry.paths)
    tally, dropped = Tally(), Counter[str]()
    outcomes = tallied(watch(sources.read(entry.source, paths, entry.options)), tally)
    rows = [row for outcome in outcomes for row in _rows(outcome, entry, dropped)]
    if not rows:
        common = (tally.rejected + dropped).most_common(1)
        why = f" (most common reason: {common[0][0]})" if common else ""
        raise InputError(
            f"{', '.join(map(str, paths))}: found {tally.read} rows and none to use, expected {entry.source}{why}"
        )
    return Converted(entry, rows, tally, dropped)


def _rows(outcome: Outcome, entry: Entry, dropped: Counter[str]) -> Iterator[Row]:
    for name in chosen_tasks(entry):
        for record in outcome.records:
            if isinstance(record, tasks.get(name).record):
                try:
                    yield example(record, name, entry.source)
                except RenderError as error:
                    dropped[str(error)] += 1


def account(converted: Converted) -> dict[str, Any]:
    """Return what the manifest says of one entry: licence, files with their hashes, and the fate of every raw row."""
    entry, tally = converted.entry, converted.tally
    return {
        "source": entry.source,
        "split": entry.split,
        "licence": sources.get(entry.source).LICENCE,
        "url": sources.get(entry.source).URL,
        "read": tally.read,
        "used": tally.used,
        "rejected": dict(sorted(tally.rejected.items())),
        "noted": dict(sorted(tally.noted.items())),
        "examples": len(converted.rows),
        "dropped": dict(sorted(converted.dropped.items())),
        "inputs": [describe(path) for path in expand(entry.paths)],
    }
