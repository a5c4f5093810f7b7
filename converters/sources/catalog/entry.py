"""An entry made complete: what its files are, the options that follow, and what was seen on the first look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from converters.io.tables import rows
from converters.schema import Outcome
from converters.sources.catalog import detect
from converters.sources.catalog.columns import Cells, Columns, columns
from converters.sources.catalog.head import head
from converters.sources.catalog.labels import Labels, read_labels
from converters.sources.catalog.survey import Survey, survey
from converters.sources.catalog.taxonomy import load, previous, schema
from converters.sources.google_taxonomy import Taxonomy
from converters.sources.shopify_taxonomy import Schema


@dataclass(frozen=True, slots=True)
class Complete:
    """All options of an entry, the given ones and those of its preset; what they mean, and what was seen; ``lines`` say it."""

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
    paths, given = [Path(name) for name, _ in stats], msgspec.json.decode(encoded)
    options, lines = _with_preset(paths, given)
    chosen = columns(options)
    tree = load(Path(chosen.taxonomy)) if chosen.taxonomy else None
    earlier, attributes = previous(chosen, tree), schema(chosen, tree)
    seen = survey(raw_rows(paths, chosen), chosen)
    labels = read_labels(seen.categories, chosen, tree, earlier)
    found = MappingProxyType(options | labels.chosen)
    return Complete(found, chosen, seen, labels, tree, attributes, (*lines, *labels.lines))


def _with_preset(paths: Sequence[Path], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return given options with those of the preset that is named, or recognised, where they say nothing."""
    name, lines = given.get("preset"), list[str]()
    if name == detect.NONE:
        return dict(given), lines
    heads = [head(path, given.get("encoding")) for path in paths]
    if name is None:
        name, evidence = detect.same(heads, [detect.detect(each, given) for each in heads])
        lines += [f"{paths[0]}: {evidence}"] * bool(evidence)
    if name == detect.NONE:
        return dict(given), lines
    return {**detect.get(name).options(heads[0]), **given, "preset": name}, lines


def raw_rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield ``(where, cells)`` of an entry's files, as its preset reads them."""
    if columns.preset != detect.NONE and hasattr(detect.get(columns.preset), "rows"):
        yield from detect.get(columns.preset).rows(paths, columns)
    else:
        for path in paths:
            yield from rows(path, columns.needed)
