"""A mix specification: which datasets make a mix, and how much of each."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from converters import definitions, hard, sources, tasks
from converters.errors import InputError, nearest, unreadable
from converters.split import SPLITS

SHORTLIST = "category_shortlist"
RENDERS = ("split", "shortlist", "few_shot", "definitions", "hard", "trim")  # what an earlier mix has behind it


class Trim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most tokens that the texts of a row may have; characters, where no tokenizer's file is named.

    The chat template adds to them, at most a hundred tokens a row, and so does what ``few_shot`` and ``shortlist`` put in later.
    """

    tokens: int
    tokenizer: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dataset of a mix. ``split`` is that of all its rows but those with an official one.

    ``limit`` caps its examples; entries with a ``weight`` give examples in the proportion of their weights. ``shortlist`` is the
    number of candidates of task ``category_shortlist``, ``few_shot`` that of demonstrations put into every question.
    ``definitions`` is a file that says what attributes mean. ``hard`` has, by kind, the share of records that are made hard.
    ``trim`` cuts the context of rows that are too long. Source ``mix`` replays an earlier mix, whose folder is the path.
    """

    source: str
    paths: list[str]
    split: Literal["train", "validation", "test"] | None = None
    tasks: list[str] = []
    limit: int | None = None
    weight: float | None = None
    shortlist: int | None = None
    few_shot: int | None = None
    definitions: str | None = None
    hard: dict[str, float] = {}
    trim: Trim | None = None
    options: dict[str, Any] = {}

    @property
    def replays(self) -> bool:
        """Whether it is an earlier mix, whose rows are taken as they are."""
        return self.source == "mix"


class Balance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of rare classes in the training split are repeated, at most ``cap`` times, for the tasks named.

    ``temperature`` 1 changes nothing, a higher one brings the classes closer to each other.
    """

    tasks: list[str]
    cap: int = 5
    temperature: float = 2.0


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mix. ``general_share`` is of each split's final rows; ``splits`` are shares of the groups that are not pinned.

    ``near_duplicates`` is the Jaccard similarity of texts from which a training row is too close to a held-out one; ``null``
    leaves them in. ``tokenizer`` (a ``tokenizer.json`` or SentencePiece file) and ``sequence_len`` are for the statistics.
    """

    sources: list[Entry]
    seed: int = 0
    general_share: float = 0.10
    splits: dict[str, float] = msgspec.field(default_factory=lambda: {"validation": 0.05, "test": 0.05})
    balance: Balance | None = None
    near_duplicates: float | None = 0.8
    tokenizer: str | None = None
    sequence_len: int = 2048


def load(path: Path) -> Spec:
    """Read a specification; a wrong key, name or value is an ``InputError`` with the nearest right one."""
    if not path.is_file():
        near = sorted(str(p) for p in path.parent.glob("*.yaml"))
        raise InputError(
            f"{path}: found nothing, expected a mix specification{nearest(str(path), near) if near else ''}"
        )
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "YAML") from error
    return _checked(path, tree)


def _checked(path: Path, tree: Any) -> Spec:
    if not isinstance(tree, dict) or not isinstance(tree.get("sources"), list) or not tree["sources"]:
        raise InputError(f"{path}: found no list under 'sources', expected a mix specification")
    _keys(path, tree, Spec)
    for entry in tree["sources"]:
        _keys(path, entry, Entry)
        _keys(path, entry.get("trim") if isinstance(entry, dict) else None, Trim)
    _keys(path, tree.get("balance"), Balance)
    try:
        spec = msgspec.convert(tree, Spec)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error
    _values(path, spec)
    return spec


def _keys(path: Path, tree: Any, kind: type[msgspec.Struct]) -> None:
    known = list(kind.__struct_fields__)
    for key in tree if isinstance(tree, dict) else ():
        if key not in known:
            raise InputError(f"{path}: unknown key {str(key)!r}{nearest(str(key), known)}")


def _values(path: Path, spec: Spec) -> None:
    if not 0 <= spec.general_share < 1:
        raise InputError(f"{path}: found general_share {spec.general_share}, expected 0 or more and less than 1")
    if (
        not set(spec.splits) < set(SPLITS)
        or not 0 <= sum(spec.splits.values()) <= 1
        or min(spec.splits.values(), default=0) < 0
    ):
        raise InputError(
            f"{path}: found splits {spec.splits}, expected shares of validation and test that sum to 1 at most"
        )
    for entry in spec.sources:
        _entry(path, entry)
    if spec.near_duplicates is not None and not 0 < spec.near_duplicates <= 1:
        raise InputError(f"{path}: found near_duplicates {spec.near_duplicates}, expected above 0, 1 at most, or null")
    if spec.sequence_len < 1:
        raise InputError(f"{path}: found sequence_len {spec.sequence_len}, expected 1 or more")
    if spec.balance:
        _balance(path, spec.balance)


def _entry(path: Path, entry: Entry) -> None:
    chosen_tasks(entry)
    if entry.weight is not None and not 0 < entry.weight < math.inf:
        raise InputError(f"{path}: found weight {entry.weight}, expected a number above 0")
    if entry.limit is not None and entry.limit < 1:
        raise InputError(f"{path}: found limit {entry.limit}, expected 1 or more, or no such key")
    sources.check(entry.source, entry.options, f"{path}: ")
    _as_they_are(path, entry)
    _asked(path, entry)


def _as_they_are(path: Path, entry: Entry) -> None:
    if entry.replays and (found := [key for key in RENDERS if getattr(entry, key)]):
        raise InputError(f"{path}: found {found[0]} for source 'mix', expected none: its rows are taken as they are")


def _asked(path: Path, entry: Entry) -> None:
    chosen = chosen_tasks(entry)
    for key in ("shortlist", "few_shot"):
        if getattr(entry, key) is not None and getattr(entry, key) < 1:
            raise InputError(f"{path}: found {key} {getattr(entry, key)}, expected 1 or more, or no such key")
    if entry.shortlist and SHORTLIST not in chosen:
        raise InputError(
            f"{path}: found shortlist without task {SHORTLIST!r}, expected it among the entry's tasks: {', '.join(chosen)}"
        )
    if entry.trim and entry.trim.tokens < 1:
        raise InputError(f"{path}: found trim to {entry.trim.tokens} tokens, expected 1 or more")
    if entry.few_shot and not all(tasks.get(name).prefix for name in chosen):
        raise InputError(f"{path}: found few_shot for task 'general', expected it for tasks with a prefix alone")
    if entry.definitions:
        definitions.load(Path(entry.definitions))
    if entry.definitions and "attributes" not in chosen:
        raise InputError(f"{path}: found definitions without task 'attributes', expected it among: {', '.join(chosen)}")
    _hard(path, entry.hard, chosen)


def _hard(path: Path, rates: Mapping[str, float], chosen: Sequence[str]) -> None:
    kinds = {tasks.get(name).record for name in chosen}
    for kind, rate in rates.items():
        if kind not in hard.FITS:
            raise InputError(f"{path}: unknown kind {kind!r} under hard{nearest(kind, list(hard.FITS))}")
        if not kinds & {*hard.FITS[kind]}:
            raise InputError(f"{path}: found hard {kind!r}, which changes no row of tasks {', '.join(chosen)}")
        if not 0 <= rate <= 1:
            raise InputError(f"{path}: found hard {kind!r} at {rate}, expected a share from 0 to 1")
    if sum(rates.values()) > 1 + 1e-9:
        raise InputError(f"{path}: found rates under hard that sum to {sum(rates.values()):g}, expected 1 at most")


def _balance(path: Path, balance: Balance) -> None:
    for name in balance.tasks:
        tasks.get(name)
    if balance.cap < 1 or not 1 <= balance.temperature < math.inf:
        raise InputError(
            f"{path}: found balance with cap {balance.cap} and temperature {balance.temperature}, expected 1 or more of both"
        )


def chosen_tasks(entry: Entry) -> list[str]:
    """Return the tasks of an entry, its source's own when it names none; a task the source cannot feed is an error."""
    possible = possible_tasks(entry.source)
    for name in entry.tasks:
        tasks.get(name)
        if name not in possible:
            raise InputError(f"source {entry.source!r} has no rows for task {name!r}; expected: {', '.join(possible)}")
    if SHORTLIST in entry.tasks and not entry.shortlist:
        raise InputError(
            f"task {SHORTLIST!r} needs the number of candidates: shortlist: 10 in an entry of a mix specification"
        )
    return entry.tasks or list(sources.get(entry.source).TASKS)


def possible_tasks(source: str) -> list[str]:
    """Return the tasks that a source can feed: its own, then the other styles of them."""
    own = list(sources.get(source).TASKS)
    return own + [name for name in tasks.names() if tasks.get(name).style_of in own]
