"""The options of a catalogue entry: which columns are what, and the rules that labels and variants go by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from converters.core.errors import InputError
from converters.text.sanitize import one_line

ORDER = ("columns", "specs")
PICKS = ("deepest", "first", "most_common", "reject")  # which of several categories of one product counts
NAMED = ("id", "title", "category")  # options whose columns are found by these names, in any case
KEEP, DROP, CUT = "keep", "drop", "cut"

Cells = Mapping[str, str]  # of a row, by column; a cell that is no text comes as JSON


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return ((value,) if value else ()) if isinstance(value, str) else tuple(value or ())


def column_names(header: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names that the option ``header`` gives: a list, or one text with commas; repeated ones are an ``InputError``.

    >>> column_names("sku, name,category")
    ('sku', 'name', 'category')
    """
    names = tuple(map(str.strip, header.split(",") if isinstance(header, str) else header or ()))
    if not all(names) or len({*names}) < len(names):
        raise InputError(
            f"source 'catalog', option header: found {', '.join(names)[:200]!r}, expected a name for each column"
        )
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The options of :func:`converters.sources.catalog.read`, where each of them is explained."""

    preset: str = "none"
    encoding: str | None = None
    header: tuple[str, ...] = ()
    id: str = "id"
    title: str = "title"
    category: tuple[str, ...] = ("category",)
    separator: str | None = None
    several: tuple[str, ...] | None = None
    pick: str = "deepest"
    root: str = KEEP
    ignore: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    values: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, str] = field(default_factory=dict)
    specs: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    order: tuple[str, ...] = ORDER
    implicit: bool = False
    group: str | None = None
    variants: int | None = None
    status: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unpublished: str = KEEP
    taxonomy: str | None = None
    remap: bool = False
    previous: str | None = None
    schema: tuple[str, ...] = ()
    categories: str | None = None
    tree: str | None = None
    locale: str | None = None

    @property
    def visible(self) -> list[str]:
        """The columns that prompts and answers are made of."""
        pairs = [column for pair in self.pairs.items() for column in pair]
        columns = (*self.texts.values(), *self.attributes.values(), *self.units.values())
        return [self.title, *self.category, *columns, *self.specs, *pairs]

    @property
    def needed(self) -> list[str]:
        """The columns that a file must have."""
        group = [self.group] if self.group else []
        return list(dict.fromkeys([self.id, *group, *self.visible, *self.status, *self.published]))


def _worded(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {column: _names(words) for column, words in given.items()}


def columns(options: Mapping[str, Any]) -> Columns:
    """Return options as they were given in their one form; a value that is none of those allowed is an ``InputError``."""
    # An empty text, which parts nothing, takes off what a preset names.
    none = (None, "")
    values = {name: value for name, value in options.items() if value not in none or (name in NAMED and value == "")}
    values["header"] = column_names(values.get("header"))
    for name in ("category", "several", "ignore", "specs", "asked", "order", "schema"):
        if name in values:
            values[name] = _names(values[name])
    if "category" in options and options["category"] is None:
        values["category"] = ()
    values["asked"] = tuple(map(one_line, values.get("asked", ())))
    values |= {name: _worded(values.get(name, {})) for name in ("status", "published")}
    made = Columns(**{name: values[name] for name in (item.name for item in fields(Columns)) if name in values})
    if sorted(made.order) != sorted(ORDER):
        raise InputError(
            f"source 'catalog': found order {list(made.order)}, expected columns and specs, the first wins"
        )
    for name, allowed in {"pick": PICKS, "root": (KEEP, CUT), "unpublished": (KEEP, DROP)}.items():
        if (value := getattr(made, name)) not in allowed:
            raise InputError(f"source 'catalog', option {name}: {value!r} is none of {', '.join(allowed)}")
    if made.variants is not None and made.variants < 1:
        raise InputError(
            f"source 'catalog', option variants: {made.variants} rows a product leave none: give 1 or more"
        )
    return made
