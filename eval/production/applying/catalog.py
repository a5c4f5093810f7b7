"""A catalogue without labels, read as the training mixture read its own. The one module here that knows sources and mixtures.

The options are those of the mixture's catalogue entry without what concerns labels alone; what the entry left to the file, such
as the platform that wrote it, the new file decides. A prompt that the entry's ``trim`` finds too long is cut as in training, with
room for the longest answer of the training rows: which answer comes is not known yet, nor what it rests on. Without a ``trim``,
training dropped rows over its recipe's ``sequence_len``; here such a prompt is cut to that.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from converters import sources
from converters.core.errors import InputError, first_line
from converters.core.unicode import composed
from converters.examples import question
from converters.io.jsonl import sha256
from converters.mixture.convert import cutter
from converters.mixture.spec import Entry, Trim
from converters.schema import Attributes, Listing, Record, Row, Text, Turn
from converters.sources import catalog
from converters.sources.catalog import detect
from converters.sources.catalog.columns import column_names
from converters.sources.catalog.entry import NOT_READ
from converters.sources.catalog.head import head
from converters.sources.catalog.taxonomy import load as load_taxonomy
from converters.tasks import category
from converters.text import lengths
from converters.transforms import definitions

SOURCE = "catalog"
LONG = 32  # characters of a token that is long
ANYWHERE = ("unpublished", "locale")  # options that name no column
Ask = Callable[[str, Record], list[Turn]]


class Chosen(NamedTuple):
    """The mixture's entry that a catalogue is read like, ``None`` where it has none, and the ``options`` of its own files."""

    entry: Entry | None
    options: Mapping[str, Any] = {}

    @property
    def preset(self) -> str:
        """The platform that wrote the entry's files."""
        return str(self.options.get("preset", detect.NONE))

    @property
    def read_as(self) -> Entry:
        """The entry by which prompts are made: one without options where the mixture has none."""
        return self.entry or Entry(source=SOURCE, paths=[])

    @property
    def texts(self) -> list[str]:
        """The labels of the texts that training showed beside the title."""
        return list(self.options.get("texts") or {})


class Item(NamedTuple):
    """A product as it is asked about, or the reason why rows are none, with the numbers of its raw rows in the file."""

    where: str
    rows: tuple[int, ...]
    product: Listing | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """A file, the options ``given`` and all of them, what was seen in words, its products, and the entry it is read like.

    ``most`` is how many characters of a text a prompt can hold, where training says nothing of longer ones.
    """

    path: Path
    given: Mapping[str, Any]
    options: Mapping[str, Any]
    lines: tuple[str, ...]
    products: int
    entry: Entry
    most: int | None = None

    @property
    def header(self) -> int | Sequence[str] | None:
        """Where the column names of a table stand, as :func:`converters.io.delimited.records` takes it."""
        preset, named = self.options["preset"], self.options.get("header")
        if named:
            return column_names(named)
        fits = getattr(detect.get(preset), "is_header", None) if preset != detect.NONE else None
        found = head(self.path, self.options.get("encoding")).header(fits) if fits else None
        return found.line if found else None


def chosen(manifests: Sequence[Mapping[str, Any]], number: int | None = None) -> Chosen:
    """Return the catalogue entry of a run's mixtures; where entries shape prompts differently, the ``number`` of one, from 1."""
    entries = [each for manifest in manifests for each in _entries(manifest)]
    if number is not None:
        entries = [each for each in entries if each[0] == number]
        if not entries:
            raise InputError(f"--entry {number}: is no catalogue entry of the mixture that the run was trained on")
    if not entries:
        return Chosen(None)
    if len({_shape(entry) for _, entry, _ in entries}) > 1:
        listed = "; ".join(f"--entry {place}: {', '.join(entry.paths)}" for place, entry, _ in entries)
        raise InputError(f"the run's mixture reads catalogues in different ways; say which one this is like: {listed}")
    _, entry, options = entries[0]
    if entry.few_shot:
        raise InputError(
            f"the run learnt from prompts with demonstrations (few_shot: {entry.few_shot}), which apply does not make"
        )
    return Chosen(entry, options)


def _entries(manifest: Mapping[str, Any]) -> list[tuple[int, Entry, Mapping[str, Any]]]:
    """Return the number, from 1, of each catalogue entry of training rows, with the options that its files were read with."""
    try:
        return [
            (place, msgspec.convert(entry, Entry), account.get("options", {}))
            for place, (entry, account) in enumerate(
                zip(manifest["spec"]["sources"], manifest["sources"], strict=True), 1
            )
            if entry["source"] == SOURCE and entry.get("split") in (None, "train")
        ]
    except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the mixture that the run was trained on is of another version: {first_line(error)}"
        ) from error


def _shape(entry: Entry) -> bytes:
    """Return what differs only if prompts would."""
    options = catalog.without_labels(sources.resolved(SOURCE, entry.options))
    return msgspec.json.encode((entry.trim, entry.definitions, entry.few_shot, sorted(options.items())))


def shaping(entry: Entry) -> dict[str, Any]:
    """Return, for the record, what shapes prompts beside the options: how they are cut, and the file of definitions."""
    file = Path(entry.definitions) if entry.definitions else None
    trim = msgspec.to_builtins(entry.trim)
    return {"trim": trim, "definitions_sha256": sha256(file) if file and file.is_file() else None}


def opened(path: Path, like: Chosen, given: Sequence[str] = ()) -> Catalog:
    """Look at a catalogue and return how it is read; ``given`` are ``KEY=VALUE`` options, which win over the entry's.

    With a ``preset`` or a ``mapping`` among them the entry's names of columns do not count: it is another kind of file. A file
    that is no catalogue, has no title or no row is an ``InputError``.
    """
    entry = like.read_as
    own = sources.given(SOURCE, given)
    for each in (entry.options, own):
        sources.check(SOURCE, each)
    theirs = sources.resolved(SOURCE, entry.options)
    kept = {name: value for name, value in theirs.items() if name in ANYWHERE or not {"preset", "mapping"} & {*own}}
    asked = {**kept, **sources.resolved(SOURCE, own)}
    options = _with_preset(path, catalog.without_labels(asked), like.preset)
    _need_title(path, options)
    seen = catalog.look([path], options)
    if not seen.survey.rows:
        raise InputError(f"{path}: found only a header, expected products below it")
    about_training = (*seen.survey.lines, *(line for line in seen.lines if line.startswith(NOT_READ)))
    lines = tuple(line for line in seen.lines if line not in about_training)
    return Catalog(path, options, seen.options, lines, seen.survey.products, entry)


def _need_title(path: Path, options: Mapping[str, Any]) -> None:
    """Raise an ``InputError`` that says how to name this file's columns of id and title where those of training are missing."""
    first = head(path, options.get("encoding"), column_names(options.get("header")))
    named = {option: composed(options[option]) for option in ("id", "title") if option in options}
    gone = {option: column for option, column in named.items() if column not in first.columns}
    if gone and first.columns and not first.root:
        words = " ".join(f"--option {option}=COLUMN" for option in gone)
        raise InputError(
            f"{path}: no column {' and '.join(map(repr, gone.values()))} for the {' and '.join(gone)}, as training's catalogue "
            f"has; name this file's: {words}; its columns: {', '.join(map(repr, first.columns))[:300]}"
        )


def _with_preset(path: Path, options: Mapping[str, Any], trained: str) -> Mapping[str, Any]:
    """Return options with the training file's platform where a file without labels has too few of its columns to be sure."""
    if "preset" in options or options.get("header") or trained == detect.NONE:
        return options
    first = replace(head(path, options.get("encoding")), paths=(path,), given=options)
    if detect.detect(first, options).name != detect.NONE:
        return options
    found = detect.get(trained).recognise(first)
    return {**options, "preset": trained} if found and found.share >= detect.LIKELY else options


def cut(of: Catalog, tokens: int | None, checkpoint: Path) -> Catalog:
    """Return a catalogue whose prompts are cut to the ``tokens`` that the longest rows of training may have had."""
    entry, most = limited(of.entry, tokens, checkpoint)
    return replace(of, entry=entry, most=most or of.most)


def limited(entry: Entry, tokens: int | None, checkpoint: Path) -> tuple[Entry, int | None]:
    """Return an entry whose prompts are cut to ``tokens``, and how many characters of a text they can hold, ``None``: any.

    Tokens are counted by the checkpoint's tokenizer. Where that is not here, or the entry has a ``trim`` of its own, nothing
    changes.
    """
    if not tokens or entry.trim or not any((checkpoint / name).is_file() for name in lengths.NAMES):
        return entry, None
    trim = Trim(tokens=tokens, tokenizer=str(checkpoint))
    return msgspec.structs.replace(entry, trim=trim), tokens * LONG


def items(of: Catalog) -> Iterator[Item]:
    """Yield the products of a catalogue, and the rows that are none, in an order that is always the same."""
    for outcome, places in catalog.unlabelled([of.path], of.given):
        product = next((record for record in outcome.records if isinstance(record, Listing)), None)
        yield Item(outcome.where, tuple(map(row_number, places)), product, outcome.reason)


def row_number(where: str) -> int:
    """Return the number of a raw row, from 1: its line, or its place in a list.

    >>> row_number("shop.csv:12"), row_number("shop.parquet:#3")
    (12, 3)
    """
    digits = where.rpartition(":")[2].lstrip("#")
    return int(digits) if digits.isdecimal() else 0


def asking(entry: Entry, longest: Mapping[str, str], noted: Counter[str], most: int | None = None) -> Ask:
    """Return what gives the turns that ask a task about a product, shaped as the entry says; too long is a ``RenderError``.

    ``longest`` are the answers that room is left for; ``noted`` counts prompts that were cut. Of a text the first ``most``
    characters are looked at, ``None``: all.
    """
    cut, meant = cutter(entry, noted), definitions.load(Path(entry.definitions)) if entry.definitions else {}

    def ask(task: str, record: Record) -> list[Turn]:
        def row(shown: Record) -> Row:
            turns = [*question(shown, task), Turn("assistant", longest[task])]
            return Row(id=shown.id, group=shown.group, task=task, source=SOURCE, messages=turns)

        # Megabytes would be tokenised many times only to be cut.
        if most and isinstance(record, Listing | Attributes):
            record = replace(record, texts=tuple(Text(text.label, text.text[:most]) for text in record.texts))
        shaped = definitions.defined(record, meant) if meant and isinstance(record, Attributes) else record
        return cut(shaped, row).messages[:-1]

    return ask


def ids(
    entry: Entry, manifests: Sequence[Mapping[str, Any]], paths: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the id of each category path, as it is written, by the taxonomy that the entry names, and what to say of its file.

    A file that is gone gives none; one that is not that of the ``manifests`` gives its own. ``paths`` are those of training.
    """
    options = sources.resolved(SOURCE, entry.options)
    if not options.get("taxonomy"):
        return {}, []
    file = Path(options["taxonomy"])
    if not file.is_file():
        return {}, [f"taxonomy: {file} is gone: ids of categories are not told"]
    tree = load_taxonomy(file)
    found = {category.render(path): identifier for path, identifier in tree.ids.items() if identifier}
    inputs = [each for manifest in manifests for each in manifest.get("inputs", ()) if each["name"] == str(file)]
    if not inputs or sha256(file) in {each["sha256"] for each in inputs}:
        return found, []
    lost = len({*paths} - {*map(category.render, tree.paths)})
    missing = f", and {lost:,} of training's {len(paths):,} paths are not in it" * bool(lost)
    return found, [f"taxonomy: {file} has changed since training: ids are those of today's file{missing}"]
