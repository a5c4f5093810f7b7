"""What became of one raw row: the records it gave, or the one reason why it gave none."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from converters.examples import Row
from converters.records import Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """One raw row; ``where`` is ``file:line``. ``notes`` are parts of a used row that were left out.

    A row of an earlier mix is its own record. ``split`` is the official split of a row that has one. ``rows`` counts raw rows
    that were merged into this one. ``detail`` is what a person wants to know of this row's reason and no count could hold; of a
    used row, it is what was left out. ``part_of`` is the kind of another row's record that this row is a part of.
    """

    where: str
    records: tuple[Record | Row, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    split: str = ""
    rows: int = 1
    detail: str = ""
    part_of: type | None = None


@dataclass(slots=True)
class Tally:
    """Counts over raw rows; ``read == used + sum(rejected.values())`` holds by construction.

    ``reject`` is told place and reason of every raw row, or part of a used one, that is not used.
    """

    read: int = 0
    used: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    reject: Callable[[str, str], object] = lambda where, reason: None


def tallied(outcomes: Iterable[Outcome], tally: Tally) -> Iterator[Outcome]:
    """Pass the used rows on and count all of them."""
    for outcome in outcomes:
        tally.read += outcome.rows
        tally.noted.update(outcome.notes)
        if outcome.records:
            tally.used += outcome.rows
            if outcome.detail:
                tally.reject(outcome.where, outcome.detail)
            yield outcome
        else:
            tally.rejected[outcome.reason] += outcome.rows
            tally.reject(outcome.where, f"{outcome.reason}; {outcome.detail}" if outcome.detail else outcome.reason)


def unused(outcome: Outcome, reason: str, tally: Tally) -> None:
    """Count a used row as rejected after all: none of its records could become an example."""
    tally.used -= outcome.rows
    tally.rejected[reason] += outcome.rows
    tally.reject(outcome.where, reason)


def digest(*parts: object) -> str:
    """Return 12 hex digits that depend on nothing but the parts.

    >>> digest("a", ("b",)) == digest("a", ("b",)) != digest("ab")
    True
    """
    return hashlib.blake2b(repr(parts).encode(errors="replace"), digest_size=6).hexdigest()


_ASIN = re.compile(r"B[0-9A-Z]{9}|\d{9}[\dX]")


def is_asin(identifier: str) -> bool:
    """Tell whether an id has the form of an ASIN: ``B`` and nine signs, or an ISBN of ten.

    >>> is_asin("B0002H0A3S"), is_asin("2087")
    (True, False)
    """
    return bool(_ASIN.fullmatch(identifier))


def product_group(identifier: str, title: str) -> str:
    """Return the product's group: its ASIN where the id is one, else the normalised title.

    >>> product_group("B0002H0A3S", "Strings")
    'asin:B0002H0A3S'
    >>> product_group("17", "Red  MUG!") == product_group("99", "red mug")
    True
    """
    return f"asin:{identifier}" if is_asin(identifier) else title_group(title) or f"title:{digest(identifier)}"


def title_group(title: str) -> str:
    """Return the group of products that are known by this title alone, nothing for a title without a word."""
    words = re.findall(r"\w+", title.lower())
    return "title:" + digest(" ".join(words)) if words else ""
