"""What a run was trained on, as far as labelling a catalogue needs it: the taxonomy, and which attributes are asked for.

The attributes that a product is asked for are those of its category: the names that at least one in ten (``SHARE``) of the
training rows of the category's products asked for, those of the most frequent set first and in its order, then those of the next.
Rows of both tasks belong together by their group. A category of whose products no row asked for attributes gets those of all rows
of the task, by the same rule.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Row
from converters.tasks import attributes, category
from eval.inference import checkpoint
from eval.production.applying.decisions import same
from eval.results import record

CATEGORY, ATTRIBUTES = "category", "attributes"
SHARE = 0.1  # of a category's rows that ask for an attribute: columns of specs hold thousands of names, most of a few products
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The attributes to ask for, by category path as it is written, and for all other categories."""

    of: Mapping[str, Names]
    usual: Names

    def names(self, path: str | None) -> Names:
        """Return the attributes that a product of a category is asked for."""
        return self.of.get(path or "", self.usual)

    @property
    def every(self) -> Names:
        """All of them, the usual ones first."""
        return tuple(dict.fromkeys([*self.usual, *(name for names in self.of.values() for name in names)]))


@dataclass(frozen=True, slots=True)
class Learnt:
    """A run's folder, its mixtures' manifests, and what its training rows hold.

    ``paths`` are the category paths, sorted. ``longest`` has the longest answer of each task. ``train`` are the training splits
    with their hashes. ``implied`` are attributes that training had values of which the texts do not hold, ``shared`` are pairs of
    attributes that had the same value in a row. ``longest_row`` is the recipe's ``sequence_len``, the most tokens of a row.
    """

    folder: Path
    record: Mapping[str, Any]
    manifests: Sequence[Mapping[str, Any]]
    train: Mapping[str, str]
    paths: tuple[str, ...]
    asked: Asked
    longest: Mapping[str, str]
    implied: frozenset[str]
    shared: frozenset[frozenset[str]]
    longest_row: int | None = None

    @property
    def merged(self) -> Path:
        """The checkpoint that answers."""
        return self.folder / checkpoint.MERGED

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of the two tasks that label a product which the run was trained on."""
        return tuple(task for task in (CATEGORY, ATTRIBUTES) if task in self.longest)


def folder_of(name: str) -> Path:
    """Return the folder of a run by its name alone; an unknown one, or what is no name, is an ``InputError``."""
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise InputError(f"--run {name!r}: expected the name of a run, a folder of {record.RUNS}")
    return record.folder_of(name)


def read(name: str, local: bool = True) -> Learnt:
    """Return what a run has learnt; ``local``: its merged checkpoint has to be here.

    A run that is not merged, mixtures that are gone or changed, and a run that learnt no task that labels are an ``InputError``.
    """
    folder = folder_of(name)
    if local:
        checkpoint.require(str(folder / checkpoint.MERGED))
    trained = record.read(folder)
    found = record.manifests(trained)
    gone = [path for path, manifest in found.items() if manifest is None]
    if gone or not found:
        missing = gone[0] if gone else f"{folder / record.RECORD}: names no mixture"
        raise InputError(
            f"{missing}: is gone; apply needs the mixture that the run was trained on, its rows and its manifest"
        )
    manifests = {path: manifest for path, manifest in found.items() if manifest is not None}
    train = {str(path): jsonl.sha256(path) for path in map(_train, manifests)}
    for path, manifest in manifests.items():
        if (found_hash := train[str(_train(path))]) != manifest["splits"]["train"]["sha256"]:
            raise InputError(
                f"{_train(path)}: found hash {found_hash[:12]}, expected the rows that the run was trained on"
            )
    scanned = scan(row for path in train for row in jsonl.stream(Path(path), Row))
    longest_row = length if isinstance(length := trained.recipe.get("sequence_len"), int) else None
    learnt = Learnt(folder, trained.record, [*manifests.values()], train, *scanned, longest_row)
    if not learnt.tasks:
        _refuse(folder, manifests.values())
    return learnt


def _train(manifest: str) -> Path:
    path = Path(manifest).with_name("train.jsonl")
    if not path.is_file():
        raise InputError(f"{path}: is gone; apply needs the rows that the run was trained on")
    return path


def _refuse(folder: Path, manifests: Iterable[Mapping[str, Any]]) -> None:
    known = {task for manifest in manifests for task in manifest["splits"]["train"]["tasks"]}
    styles = sorted(task for task in known if tasks.get(task).style_of == CATEGORY)
    walks = f"; {' and '.join(styles)} need candidates or names of levels, which apply does not give" if styles else ""
    raise InputError(
        f"{folder}: was trained on {', '.join(sorted(known))}, and on neither category nor attributes{walks}"
    )


def scan(
    rows: Iterable[Row],
) -> tuple[tuple[str, ...], Asked, dict[str, str], frozenset[str], frozenset[frozenset[str]]]:
    """Return what :class:`Learnt` says of rows: paths, attributes to ask for, longest answers, ``implied``, ``shared``."""
    paths, place, implied, shared = dict[str, str](), dict[str, str](), set[str](), set[frozenset[str]]()
    longest, asking = dict[str, str](), Counter[tuple[str, Names]]()
    for row in rows:
        if row.task not in (CATEGORY, ATTRIBUTES):
            continue
        longest[row.task] = max(longest.get(row.task, ""), row.target, key=len)
        if row.task == ATTRIBUTES:
            asking[row.group, tuple(row.extra.get("attributes", ()))] += 1
            implied.update(row.extra.get("implicit", ()))
            shared.update(map(frozenset, same(attributes.parse(row.target) or {})))
        elif parsed := category.parse(row.target):
            path = category.render(parsed)
            place.setdefault(row.group, paths.setdefault(path, path))
    return tuple(sorted(paths)), _asked(asking, place), longest, frozenset(implied), frozenset(shared)


def _asked(asking: Mapping[tuple[str, Names], int], place: Mapping[str, str]) -> Asked:
    every, by_path = Counter[Names](), defaultdict[str, Counter[Names]](Counter)
    for (group, names), count in asking.items():
        every[names] += count
        if group in place:
            by_path[place[group]][names] += count
    return Asked({path: often(counts) for path, counts in sorted(by_path.items())}, often(every))


def often(sets: Mapping[Names, int]) -> Names:
    """Return the names that are asked for often enough, given how often each set of them is.

    >>> often({("Brand", "Size"): 5, ("Brand", "Color", "Size"): 5, ("Width",): 1})
    ('Brand', 'Size', 'Color')
    """
    counts = Counter[str]()
    for names, count in sets.items():
        counts.update(dict.fromkeys(names, count))
    total, ranked = sum(sets.values()), sorted(sets, key=lambda names: -sets[names])
    return tuple(dict.fromkeys(name for names in ranked for name in names if counts[name] >= SHARE * total))
