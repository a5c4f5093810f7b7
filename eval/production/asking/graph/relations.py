"""What a catalogue says of how its products are related: which columns say it, and which products they name.

A brand and a model are values; the other relations name products by their ids, several of them in a JSON list or parted by
semicolons, bars or line breaks, by commas, or by blanks, slashes and "&" where every part is an id. An id may hold any of these.
One that names no product is counted, as is a product that names itself.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, nearest
from converters.sources.catalog.attributes.values import cell_values, no_value
from eval.production.asking.texts import listed, words_of

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "brand": (
        "brand",
        "brand name",
        "vendor",
        "manufacturer",
        "marke",
        "hersteller",
        "marque",
        "marca",
        "品牌",
        "ブランド",
    ),
    "model": ("model", "model name", "model number", "modell", "modèle", "modelo", "modello", "型号", "型番"),
    "accessory_of": (
        "accessory of",
        "accessory for",
        "is accessory of",
        "zubehör für",
        "accessoire de",
        "accesorio de",
    ),
    "successor_of": ("successor of", "replaces", "supersedes", "nachfolger von", "remplace", "sustituye a"),
    "compatible_with": ("compatible with", "compatible products", "kompatibel mit", "compatible avec"),
}
"""The relations, each with the names that its column goes by, in any case and with any signs between the words."""
VALUES = ("brand", "model")
LONGEST = 200  # characters of a value; what is longer is a description
_BETWEEN = tuple(map(re.compile, (r"[;；|\r\n\u2028]+|<br\s*/?>", "[,，、]+")))
_CLOSE = re.compile(r"[\s/&]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """What one product's row says in a column: its relation to ``object``, the id of another product or a value."""

    subject: str
    relation: str
    column: str
    object: str


@dataclass(frozen=True, slots=True)
class Found:
    """A catalogue's products by their ids, with their titles, its facts, and what is none of these by its reason."""

    titles: Mapping[str, str]
    facts: Sequence[Fact]
    left_out: Mapping[str, int]


def named(given: Sequence[str]) -> dict[str, str]:
    """Return the columns of relations that ``RELATION=COLUMN`` texts of a command line name.

    >>> named(["accessory_of=fits on"])
    {'accessory_of': 'fits on'}
    """
    found = dict[str, str]()
    for text in given:
        relation, _, column = text.partition("=")
        if not column:
            raise InputError(f"--relation {text!r}: expected RELATION=COLUMN, such as accessory_of=belongs_to")
        if relation not in COLUMNS:
            raise InputError(f"--relation {text!r}: unknown relation{nearest(relation, [*COLUMNS])}")
        found[relation] = column
    return found


def read(catalog: Path, options: Mapping[str, Any], columns: Mapping[str, str]) -> Found:
    """Return the facts of a catalogue; ``options`` are those of source ``catalog``, ``columns`` those named for relations.

    A column that is not there, or no column of any relation, is an ``InputError``.
    """
    titles, merged, relations = dict[str, str](), dict[str, str](), dict[str, str | None]()
    stated = list[tuple[str, str, str, str]]()
    for one in listed(catalog, options):
        titles.setdefault(one.ids[0], one.title)
        merged.update((other, one.ids[0]) for other in one.ids)
        cells = [pair for row in one.product.all_cells for pair in row.items()]
        relations |= {column: _relation(column, columns) for column, _ in cells if column not in relations}
        stated += [
            (one.ids[0], name, column, cell) for column, cell in cells if (name := relations[column]) and cell.strip()
        ]
    _check(catalog, columns, relations)
    known = {**merged, **{product: product for product in titles}}
    facts, left_out = dict[tuple[str, str, str], Fact](), Counter[str]()
    for product, relation, column, cell in stated:
        for other in _objects(relation, cell, known):
            meant, reason = _meant(product, relation, other, known)
            if reason:
                left_out[reason] += 1
            else:
                facts.setdefault((product, relation, meant), Fact(product, relation, column, meant))
    return Found(titles, [*facts.values()], dict(sorted(left_out.items())))


def _relation(column: str, columns: Mapping[str, str]) -> str | None:
    """Return the relation that a column states: the one it is named for, or else the one it has a name of."""
    words = words_of(column).strip()
    for relation, names in COLUMNS.items():
        if column == columns[relation] if relation in columns else words in names:
            return relation
    return None


def _check(catalog: Path, columns: Mapping[str, str], relations: Mapping[str, str | None]) -> None:
    for relation, column in columns.items():
        if column not in relations:
            raise InputError(
                f"--relation {relation}={column}: {catalog} has no such column{nearest(column, [*relations])}"
            )
    if not any(relations.values()):
        raise InputError(
            f"{catalog}: found no column of the relations {', '.join(COLUMNS)}; say which: --relation brand=COLUMN; "
            f"its columns: {', '.join(relations)[:300]}"
        )


def _objects(relation: str, cell: str, known: Container[str]) -> Iterator[str]:
    """Yield what a cell names: values, or the ids of products."""
    is_list = relation in VALUES or (cell.lstrip().startswith("[") and cell.strip() not in known)
    for part in cell_values(cell, None) if is_list else dict.fromkeys(_parts(cell.strip(), known, _BETWEEN)):
        if part and (part in known or not no_value(part, relation, "")):
            yield part


def _parts(text: str, known: Container[str], between: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield the ids in a text, which is none of several if it is ``known``.

    >>> [[*_parts(text, {"A 1", "B,2", "C"}, _BETWEEN)] for text in ("B,2; C", "C，A 1", "C / C", "C / D")]
    [['B,2', 'C'], ['C', 'A 1'], ['C', 'C'], ['C / D']]
    """
    if text in known:
        yield text
    elif between:
        for part in between[0].split(text):
            yield from _parts(part.strip(), known, between[1:])
    else:
        parts = _CLOSE.split(text)
        yield from parts if all(part in known for part in parts) else [text]


def _meant(product: str, relation: str, other: str, known: Mapping[str, str]) -> tuple[str, str]:
    """Return the value or the id of the product that is meant, and why it is left out, "" where it is not."""
    if relation in VALUES:
        return other, f"{relation} of more than {LONGEST} characters" if len(other) > LONGEST else ""
    meant = known.get(other, "")
    if not meant:
        return "", f"{relation}: the catalogue has no such product"
    return meant, f"{relation}: the product itself" if meant == product else ""
