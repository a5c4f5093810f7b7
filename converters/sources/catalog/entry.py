"""An entry made complete: what its files are, the options that follow, and what was seen on the first look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from converters.core.errors import InputError
from converters.io.decoding import remark
from converters.io.delimited import titled
from converters.io.tables import is_delimited, rows
from converters.io.xml import is_xml
from converters.schema import Outcome
from converters.sources.catalog import detect
from converters.sources.catalog.columns import NAMED, Cells, Columns, column_names, columns
from converters.sources.catalog.head import Head, head
from converters.sources.catalog.labels import Labels, read_labels
from converters.sources.catalog.survey import Survey, survey
from converters.sources.catalog.taxonomy import load, previous, schema
from converters.sources.google_taxonomy import Taxonomy
from converters.sources.shopify_taxonomy import Schema

NAMES = 12  # of attributes that are listed
NOT_READ = "columns that nothing is learnt from"
NAMING = "to use some, name them in options, as texts: {Description: description}, attributes: {Brand: brand}"


@dataclass(frozen=True, slots=True)
class Complete:
    """An entry's exports, all its options, the given ones and those of its preset; what they mean, and what was seen in words."""

    paths: Sequence[Path]
    options: Mapping[str, Any]
    columns: Columns
    survey: Survey
    labels: Labels
    tree: Taxonomy | None
    schema: Schema | None
    lines: tuple[str, ...]


def complete(paths: Sequence[Path], options: Mapping[str, Any]) -> Complete:
    """Look at the files of an entry and return its options in full; one process looks once at files that do not change."""
    stats = tuple((str(path), path.stat().st_mtime_ns if path.is_file() else 0) for path in paths)
    return _complete(stats, msgspec.json.encode(dict(options)))


@lru_cache(8)
def _complete(stats: tuple[tuple[str, int], ...], encoded: bytes) -> Complete:
    paths, given = detect.exports([Path(name) for name, _ in stats]), msgspec.json.decode(encoded)
    options, lines = _with_preset(paths, given)
    chosen = columns(options)
    tree = load(Path(chosen.taxonomy)) if chosen.taxonomy else None
    earlier, attributes = previous(chosen, tree), schema(chosen, tree)
    seen = survey(raw_rows(paths, chosen), chosen)
    labels = read_labels(seen.categories, chosen, tree, earlier, seen.titles)
    unnamed = [path for path in paths if is_delimited(path) and chosen.encoding is None]
    lines += [line for path in unnamed if (line := remark(path))]
    lines += [*_summary(chosen, seen), *seen.lines, *labels.lines] if seen.rows else []
    full = msgspec.json.decode(msgspec.json.encode(options | labels.chosen))  # plain lists, as YAML has them
    return Complete(paths, MappingProxyType(full), chosen, seen, labels, tree, attributes, tuple(lines))


def _with_preset(paths: Sequence[Path], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return given options with those of the preset that is named, or recognised, where they say nothing."""
    name, lines = given.get("preset") or None, list[str]()
    header = column_names(given.get("header"))
    heads = [replace(head(path, given.get("encoding"), header), paths=tuple(paths), given=given) for path in paths]
    if header and name not in (None, detect.NONE):
        raise InputError(
            f"source 'catalog': preset {name!r} goes by the file's own column names: leave header or preset out"
        )
    if header:
        name = detect.NONE
    if name is None:
        name, evidence = detect.same(heads, [detect.detect(each, given) for each in heads])
        lines += [f"{paths[0]}: {evidence}"] * bool(evidence)
    if name == detect.NONE:
        if heads[0].root:
            raise _other_xml(paths[0])
        unnamed = [option for option in NAMED if option not in given and option not in heads[0].columns]
        named = {**{option: column for option in unnamed if (column := heads[0].present(option))}, **given}
        unknown = "is no export of a platform that is recognised; " * ("preset" not in given and not header)
        _need_named(heads[0], named, f"{unknown}say which column")
        lines += [line for path in paths if not header and (line := _titled(path, given.get("encoding")))]
        return {"preset": name, **named}, [*lines, *_not_read(heads[0], named)]
    preset = detect.get(name)
    options = {**preset.options(heads[0]), **given, "preset": name}
    if not heads[0].root:
        _need_named(heads[0], options, f"preset {name!r} does not find all its columns; leave it out, or say which")
    return options, [*lines, *(preset.remarks(heads[0], options) if hasattr(preset, "remarks") else ())]


def _not_read(head: Head, options: Mapping[str, Any]) -> list[str]:
    """Say which columns nothing is learnt from, where the options name no texts and no attributes."""
    if not {"texts", "attributes", "pairs", "specs"}.isdisjoint(options):
        return []
    values = [[value] if isinstance(value, str) else value for value in options.values()]
    named = {*NAMED}.union(*(value for value in values if isinstance(value, list | Mapping)))
    rest = ", ".join(repr(column) for column in head.columns if column not in named)
    return [f"{NOT_READ}: {rest[:300]}; {NAMING}"] if rest else []


def _titled(path: Path, encoding: str | None) -> str:
    number = titled(path, encoding) if is_delimited(path) else 0
    return f"{path}: the column names are in line {number:,}; what stands above them is passed over" if number else ""


def _need_named(head: Head, options: Mapping[str, Any], problem: str) -> None:
    """Raise an ``InputError`` for a table that lacks a column which no option has named."""
    missing = [name for name in NAMED if name not in {*options, *head.columns}]
    if missing and head.columns:
        words = " ".join(f"--option {option}=COLUMN" for option in missing)
        more = ", or category=null" if "category" in missing else ""
        listed = ", ".join(map(repr, head.columns))
        row = "; its first line looks like a row: where it has no line of names, give them all: --option header=id,title,..."
        raise InputError(
            f"{head.path}: {problem} is the {' and the '.join(missing)} ({words}{more}); its columns: {listed[:500]}"
            f"{row * head.begins_with_a_row}"
        )


def _other_xml(path: Path) -> InputError:
    kinds = "Google's feeds, Icecat and BMEcat"
    return InputError(f"{path}: XML of no kind that is read ({kinds} are): save it as CSV or JSON lines")


def _summary(columns: Columns, seen: Survey) -> list[str]:
    """Say how many products the rows are, and which columns count."""
    rows = f"{seen.rows:,} row{'s' * (seen.rows != 1)}"
    if columns.group:
        rows = f"{seen.products:,} product{'s' * (seen.products != 1)} (by {columns.group!r}) in {rows}"
    category = f"category from {' > '.join(map(repr, columns.category))}" if columns.category else "no category"
    texts = ", ".join(_from(label, column) for label, column in columns.texts.items())
    named = [
        repr(column) for column in (*columns.pairs, *columns.specs) if not column.startswith("(")
    ]  # made by a preset
    names = [*columns.attributes, *([f"those in {', '.join(named)}"] if named else [])]
    listed = ", ".join(names[:NAMES]) + f" and {len(names) - NAMES} more" * (len(names) > NAMES)
    return [
        f"{rows}; title from {columns.title!r}, {category}",
        f"texts beside the title: {texts or 'none'}; attributes: {listed or 'none'}",
    ]


def _from(label: str, column: str) -> str:
    return label if column.startswith("(") or column.casefold() == label.casefold() else f"{label} from {column!r}"


def raw_rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield ``(where, cells)`` of an entry's files, as its preset reads them."""
    if columns.preset != detect.NONE and hasattr(detect.get(columns.preset), "rows"):
        yield from detect.get(columns.preset).rows(paths, columns)
    else:
        for path in paths:
            if is_xml(path):
                raise _other_xml(path)
            yield from rows(path, columns.needed, columns.encoding, columns.header or None)
