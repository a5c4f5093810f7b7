"""A mixture specification: which datasets make a mixture, and how much of each."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import yaml

from converters import schema, sources, tasks
from converters.core.errors import NEXT, InputError, nearest, told, unreadable
from converters.core.given import ERRORS, value_of
from converters.core.misfits import Fault, Place, misfits, sound
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


MOVED = {f"ecom-general-{percent}": f"general_share=0.{percent}" for percent in ("00", "05", "20")}


def load(path: Path, overrides: Sequence[str] = ()) -> Spec:
    """Read a specification, with ``key=value`` overrides of its top-level keys; all that is wrong is one ``InputError``."""
    if not path.is_file():
        raise InputError(_missing(path))
    try:
        text = path.read_text("utf-8")
        tree, node = yaml.safe_load(text), yaml.compose(text)
        repeated = list(_repeated(node))
    except ERRORS as error:
        raise unreadable(path, error, "YAML") from error
    changes: dict[str, Any] = {}
    faults = [
        *(fault for override in overrides for fault in told(_override, override, changes)),
        *(f"{path}:{line}: found key {key!r} again, expected every key once" for line, key in repeated),
    ]
    tree = {**tree, **changes} if isinstance(tree, dict) else tree
    found = [*misfits(tree, Spec), *(_contradictions(tree) if isinstance(tree, dict) else ())]
    for keys, fault in sorted(found, key=lambda found: _line(node, found[0])):
        faults.append(f"{'--set' if keys and keys[0] in changes else f'{path}:{_line(node, keys)}:'} {fault}")
    if faults:
        raise InputError(NEXT.join(dict.fromkeys(faults)))
    return msgspec.convert(tree, Spec)


def _missing(path: Path) -> str:
    if path.stem in MOVED:
        build = f"ecom-data build {path.with_name('ecom.yaml')} --set {MOVED[path.stem]} --out data/{path.stem}"
        return f"{path}: is now an override of ecom.yaml; run: {build}"
    near = sorted(map(str, path.parent.glob("*.yaml")))
    return f"{path}: no such mixture specification{nearest(str(path), near) if near else ''}"


def _override(text: str, changes: dict[str, Any]) -> None:
    """Add what ``--set text`` says to ``changes``."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text!r}: has no '=', expected KEY=VALUE")
    if key not in Spec.__struct_fields__:
        raise InputError(f"--set {text}: unknown key {key!r}{nearest(key, list(Spec.__struct_fields__))}")
    try:
        changes[key] = value_of(value, get_type_hints(Spec)[key])
    except ERRORS as error:
        raise InputError(f"--set {text}: {value!r} is no YAML value such as 5 or {{test: 0.1}}") from error


def _repeated(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Yield line and name of every key that its mapping has already: YAML would take the last one, unsaid."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)


def _line(node: yaml.Node | None, keys: Place) -> int:
    """Return the line of the value that ``keys`` lead to, or of the last one on the way that is there."""
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == str(key)), node)
    return node.start_mark.line + 1 if node else 1


def _contradictions(tree: Mapping[Any, Any]) -> Iterator[Fault]:
    """Yield what is wrong with values that are right by themselves; of keys that are not, the defaults count."""
    entries = tree.get("sources")
    for number, item in enumerate(entries if isinstance(entries, list) else ()):
        right = sound(item, Entry) if isinstance(item, dict) else {}
        if "source" in right:
            for place, fault in _entry_faults(msgspec.convert({"paths": [], **right}, Entry)):
                yield ("sources", number, *place), fault
    right = sound({key: value for key, value in tree.items() if key != "sources"}, Spec)
    spec = msgspec.convert({**right, "sources": [{"source": "", "paths": []}]}, Spec)
    if not {*spec.splits} < {*SPLITS} or sum(spec.splits.values()) > 1:
        yield (
            ("splits",),
            f"found splits {spec.splits}, expected shares of validation and test that sum to 1 at most",
        )
    for name in spec.balance.tasks if spec.balance else ():
        yield from ((("balance", "tasks"), fault) for fault in told(tasks.get, name))


def _entry_faults(entry: Entry) -> Iterator[Fault]:
    """Yield what is wrong with an entry, each with its place in it."""
    if faults := told(sources.get, entry.source):
        yield ("source",), faults[0]
        return
    for option, value in entry.options.items():
        yield from ((("options", option), fault) for fault in told(sources.check, entry.source, {option: value}))
    wrong = [
        (("tasks", number), fault)
        for number, name in enumerate(entry.tasks)
        for fault in told(chosen_tasks, msgspec.structs.replace(entry, tasks=[name]))
    ]
    yield from wrong
    if entry.replays:
        said = "does not fit source 'mix', whose rows are taken as they are"
        yield from (((key,), f"{key} {said}") for key in RENDERS if getattr(entry, key))
    elif not wrong:
        yield from _task_faults(entry, chosen_tasks(entry))
    if entry.definitions:
        yield from ((("definitions",), fault) for fault in told(definitions.load, Path(entry.definitions)))
    known = list(perturb.FITS)
    yield from (
        (("hard", k), f"unknown kind {k!r} under hard{nearest(k, known)}") for k in entry.hard if k not in known
    )
    if sum(entry.hard.values()) > 1 + 1e-9:
        yield ("hard",), f"found rates under hard that sum to {sum(entry.hard.values()):g}, expected 1 at most"


def _task_faults(entry: Entry, chosen: Sequence[str]) -> Iterator[Fault]:
    """Yield the keys of an entry that do not fit its tasks."""
    named, records = ", ".join(chosen), {tasks.get(name).record for name in chosen}
    if entry.shortlist and SHORTLIST not in chosen:
        yield ("shortlist",), f"shortlist needs task {SHORTLIST!r} among the entry's tasks: {named}"
    elif entry.shortlist and SHORTLIST in sources.get(entry.source).TASKS:
        yield ("shortlist",), f"shortlist does not fit source {entry.source!r}, whose rows bring their candidates"
    if entry.few_shot and not all(tasks.get(name).prefix for name in chosen):
        yield ("few_shot",), "few_shot does not fit task 'general', only tasks with a prefix"
    if entry.definitions and "attributes" not in chosen:
        yield ("definitions",), f"definitions need task 'attributes' among the entry's tasks: {named}"
    for kind in [kind for kind in entry.hard if not records & {*perturb.FITS.get(kind, records)}]:
        yield ("hard", kind), f"hard {kind!r} changes no row of tasks {named}"


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
