"""A mixture specification: which datasets make a mixture, and how much of each."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import yaml

from converters import schema, sources, tasks
from converters.core.errors import InputError, nearest, unreadable
from converters.core.given import ERRORS, value_of
from converters.io import expand
from converters.schema import SPLITS
from converters.sources import mix
from converters.transforms import definitions, perturb

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
SHORTLIST = "category_shortlist"
RENDERS = ("split", "shortlist", "few_shot", "definitions", "hard", "trim")  # keys for rows not rendered yet


class Trim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most tokens that the texts of a row may have; characters, where no tokenizer's file is named.

    The chat template adds to them, at most a hundred tokens a row, and so does what ``few_shot`` and ``shortlist`` put in later.
    """

    tokens: Count
    tokenizer: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dataset of a mixture. ``split`` is that of all its rows but those with an official one.

    ``limit`` caps its examples; entries with a ``weight`` give examples in the proportion of their weights. ``shortlist`` is the
    number of candidates of task ``category_shortlist``, ``few_shot`` that of demonstrations put into every question.
    ``definitions`` is a file that says what attributes mean. ``hard`` has, by kind, the share of records that are made hard.
    ``trim`` cuts the context of rows that are too long. Source ``mix`` replays an earlier mixture, whose folder is the path.
    """

    source: str
    paths: list[str]
    split: Literal["train", "validation", "test"] | None = None
    tasks: list[str] = []
    limit: Count | None = None
    weight: Annotated[float, msgspec.Meta(gt=0, le=sys.float_info.max)] | None = None
    shortlist: Count | None = None
    few_shot: Count | None = None
    definitions: str | None = None
    hard: dict[str, Share] = {}
    trim: Trim | None = None
    options: dict[str, Any] = {}

    @property
    def replays(self) -> bool:
        """Whether it is an earlier mixture, whose rows are taken as they are."""
        return self.source == "mix"


class Balance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of rare classes in the training split are repeated, at most ``cap`` times, for the tasks named.

    ``temperature`` 1 changes nothing, a higher one brings the classes closer to each other.
    """

    tasks: list[str]
    cap: Count = 5
    temperature: Annotated[float, msgspec.Meta(ge=1, le=sys.float_info.max)] = 2.0


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mixture. ``general_share`` is of each split's final rows; ``splits`` are shares of the groups that are not pinned.

    ``near_duplicates`` is the Jaccard similarity of texts from which a training row is too close to a held-out one; ``null``
    leaves them in. ``tokenizer`` (a ``tokenizer.json`` or SentencePiece file) and ``sequence_len`` are for the statistics.
    """

    sources: Annotated[list[Entry], msgspec.Meta(min_length=1)]
    seed: int = 0
    general_share: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.10
    splits: dict[str, Share] = msgspec.field(default_factory=lambda: {"validation": 0.05, "test": 0.05})
    balance: Balance | None = None
    near_duplicates: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = 0.8
    tokenizer: str | None = None
    sequence_len: Count = 2048


STRUCTS: dict[str, type[msgspec.Struct]] = {"": Spec, "sources": Entry, "trim": Trim, "balance": Balance}
MOVED = {f"ecom-general-{percent}": f"general_share=0.{percent}" for percent in ("00", "05", "20")}


def load(path: Path, overrides: Sequence[str] = ()) -> Spec:
    """Read a specification, with ``key=value`` overrides of its top-level keys; anything wrong is an ``InputError``."""
    if not path.is_file():
        raise InputError(_missing(path))
    try:
        text = path.read_text("utf-8")
        tree = yaml.safe_load(text)
    except ERRORS as error:
        raise unreadable(path, error, "YAML") from error
    changes = dict(map(_override, overrides))
    try:
        spec = msgspec.convert({**tree, **changes} if isinstance(tree, dict) else tree, Spec)
    except msgspec.ValidationError as error:
        raise InputError(_explained(path, text, str(error), changes)) from error
    if not {*spec.splits} < {*SPLITS} or sum(spec.splits.values()) > 1:
        raise InputError(
            f"{path}: found splits {spec.splits}, expected shares of validation and test that sum to 1 at most"
        )
    for number, entry in enumerate(spec.sources):
        _check_entry(f"{path}:{_line(text, ('sources', number))}", entry)
    for name in spec.balance.tasks if spec.balance else ():
        tasks.get(name)
    return spec


def _missing(path: Path) -> str:
    if path.stem in MOVED:
        build = f"ecom-data build {path.with_name('ecom.yaml')} --set {MOVED[path.stem]} --out data/{path.stem}"
        return f"{path}: is now an override of ecom.yaml; run: {build}"
    near = sorted(map(str, path.parent.glob("*.yaml")))
    return f"{path}: no such mixture specification{nearest(str(path), near) if near else ''}"


def _override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text!r}: has no '=', expected KEY=VALUE")
    if key not in Spec.__struct_fields__:
        raise InputError(f"--set {text}: unknown key {key!r}{nearest(key, list(Spec.__struct_fields__))}")
    try:
        return key, value_of(value, get_type_hints(Spec)[key])
    except ERRORS as error:
        raise InputError(f"--set {text}: {value!r} is no YAML value such as 5 or {{test: 0.1}}") from error


def _explained(path: Path, text: str, error: str, changes: Mapping[str, Any]) -> str:
    """Return msgspec's error with the line of the key that it is about, and the nearest right name of an unknown one."""
    message, _, place = error.partition(" - at `$")
    place = place.strip("`").lstrip(".")
    keys = [int(number) if number else name for name, number in re.findall(r"(\w+)|\[(\d+)\]", place)]
    if unknown := re.search(r"unknown field `(.*)`", message):
        known = next(STRUCTS[name] for name in [*keys[::-1], ""] if name in STRUCTS).__struct_fields__
        message = f"unknown key {unknown[1]!r}{nearest(unknown[1], list(known))}"
        keys.append(unknown[1])
    where = "--set" if keys and keys[0] in changes else f"{path}:{_line(text, keys)}:"
    return f"{where} {place + ': ' if place else ''}{message}"


def _line(text: str, keys: Iterable[str | int]) -> int:
    """Return the line of the value that ``keys`` lead to, or of the last one on the way that is there."""
    node = yaml.compose(text)
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), node)
    return node.start_mark.line + 1 if node else 1


def _check_entry(where: str, entry: Entry) -> None:
    chosen = chosen_tasks(entry)
    sources.check(entry.source, entry.options, f"{where}: ")
    if entry.replays and (rendering := [key for key in RENDERS if getattr(entry, key)]):
        raise InputError(f"{where}: {rendering[0]} does not fit source 'mix', whose rows are taken as they are")
    if entry.shortlist and SHORTLIST not in chosen:
        raise InputError(f"{where}: shortlist needs task {SHORTLIST!r} among the entry's tasks: {', '.join(chosen)}")
    if entry.shortlist and SHORTLIST in sources.get(entry.source).TASKS:
        raise InputError(f"{where}: shortlist does not fit source {entry.source!r}, whose rows bring their candidates")
    if entry.few_shot and not all(tasks.get(name).prefix for name in chosen):
        raise InputError(f"{where}: few_shot does not fit task 'general', only tasks with a prefix")
    if entry.definitions:
        definitions.load(Path(entry.definitions))
        if "attributes" not in chosen:
            raise InputError(
                f"{where}: definitions need task 'attributes' among the entry's tasks: {', '.join(chosen)}"
            )
    _check_hard(where, entry, chosen)


def _check_hard(where: str, entry: Entry, chosen: Sequence[str]) -> None:
    records = {tasks.get(name).record for name in chosen}
    for kind in entry.hard:
        if kind not in perturb.FITS:
            raise InputError(f"{where}: unknown kind {kind!r} under hard{nearest(kind, list(perturb.FITS))}")
        if not records & {*perturb.FITS[kind]}:
            raise InputError(f"{where}: hard {kind!r} changes no row of tasks {', '.join(chosen)}")
    if sum(entry.hard.values()) > 1 + 1e-9:
        raise InputError(
            f"{where}: found rates under hard that sum to {sum(entry.hard.values()):g}, expected 1 at most"
        )


def replays(spec: Spec) -> list[int]:
    """Return the numbers of the entries that are earlier mixtures."""
    return [number for number, entry in enumerate(spec.sources) if entry.replays]


def chosen_tasks(entry: Entry) -> list[str]:
    """Return the tasks of an entry, its source's own when it names none; a task the source cannot feed is an error."""
    possible = possible_tasks(entry.source)
    for name in entry.tasks:
        tasks.get(name)
        if name not in possible:
            raise InputError(f"source {entry.source!r} has no rows for task {name!r}; expected: {', '.join(possible)}")
    own = sources.get(entry.source).TASKS
    if SHORTLIST in entry.tasks and not entry.shortlist and SHORTLIST not in own:
        raise InputError(
            f"task {SHORTLIST!r} needs the number of candidates: shortlist: 10 in an entry of a mixture specification"
        )
    return entry.tasks or list(own)


def possible_tasks(source: str) -> list[str]:
    """Return the tasks that a source can feed: its own, then the other styles of them."""
    own = list(sources.get(source).TASKS)
    return own + [name for name in tasks.names() if tasks.get(name).style_of in own and name not in own]


def beside_files(entry: Entry, options: Mapping[str, Any]) -> list[Path]:
    """Return the files that shape an entry's rows beside the raw ones; ``options`` are those of the entry, completed."""
    named = (entry.definitions, entry.trim.tokenizer if entry.trim else None)
    manifests = [folder / schema.MANIFEST for folder in mix.folders(expand(entry.paths))] if entry.replays else []
    return [
        *(Path(name) for name in named if name),
        *sources.option_files(entry.source, {**entry.options, **options}),
        *manifests,
    ]
