"""How often each class of a task is the target, and how much of the category tree that covers, counted over hashes.

The hashes of all targets are in memory already (:data:`converters.parts.DTYPE`); texts are kept for the classes that are shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters import sources, tasks
from converters.check import Tree
from converters.mix import of_task, within
from converters.parts import hashed
from converters.raw import expand
from converters.records import Listing
from converters.spec import Spec

SHOWN = 10  # classes at either end
NODES = 100  # top-level nodes of a category tree
POINTS = 60  # of the curve of class sizes
TEXT = 300  # characters of a class's name


def scored_by_class(task: str) -> bool:
    """Tell whether a task's targets are classes.

    >>> scored_by_class("category"), scored_by_class("ranking")
    (True, False)
    """
    return "macro_f1" in tasks.get(task).metrics


@dataclass(slots=True)
class Classes:
    """The classes of one task: ``hashes``, sorted, with their ``rows``; what each is called is learnt from the rows.

    ``node`` is the number of a category's top-level node among ``nodes``, -1 until it is seen; ``known`` whether the taxonomy
    has the path.
    """

    task: str
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int64]
    node: NDArray[np.int32]
    known: NDArray[np.bool_]
    shown: frozenset[int]
    names: dict[int, str] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)


def counted(rows: pd.DataFrame, split: int) -> dict[str, Classes]:
    """Return the classes of every task of a split that has some, each row as often as it is written."""
    here = rows[within(rows, split)]
    counts = {
        name: here[of_task(here, name)].groupby("target")["times"].sum()
        for name in tasks.names()
        if scored_by_class(name)
    }
    return {
        name: _classes(name, count.index.to_numpy(np.uint64), count.to_numpy(np.int64))
        for name, count in counts.items()
        if len(count)
    }


def _classes(task: str, hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> Classes:
    order = _order(rows).tolist()
    shown = frozenset(order[:SHOWN] + order[-SHOWN:])
    return Classes(task, hashes, rows, np.full(len(rows), -1, np.int32), np.zeros(len(rows), bool), shown)


def _order(rows: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.argsort(-rows, kind="stable")


def learn(classes: Classes, targets: Sequence[str], tree: Tree) -> None:
    """Take the names of shown classes, and the place of every category in the tree, from targets."""
    hashes = np.fromiter(map(hashed, targets), np.uint64, len(targets))
    placed = tasks.get(classes.task).record is Listing
    for target, number in zip(targets, np.searchsorted(classes.hashes, hashes).tolist(), strict=True):
        if number in classes.shown:
            classes.names.setdefault(number, target[:TEXT])
        if placed and classes.node[number] < 0:
            path = tasks.get(classes.task).parse(target)
            classes.node[number] = classes.nodes.setdefault(path[0] if path else "", len(classes.nodes))
            classes.known[number] = path in tree


def unseen(classes: Classes, training: Classes | None) -> int:
    """Return how many rows have a class that no training row has."""
    known = training.hashes if training else np.empty(0, np.uint64)
    return int(classes.rows[~np.isin(classes.hashes, known)].sum())


def histogram(classes: Classes) -> dict[str, Any]:
    """Return the number of classes, their sizes from the largest to the smallest as a curve, and both ends by name."""
    order = _order(classes.rows)
    sizes = classes.rows[order]
    ranks = np.unique(np.geomspace(1, len(sizes), POINTS).round().astype(int))
    named = [[classes.names.get(number, ""), int(classes.rows[number])] for number in order.tolist()[:SHOWN]]
    rest = [[classes.names.get(number, ""), int(classes.rows[number])] for number in order.tolist()[SHOWN:][-SHOWN:]]
    return {
        "classes": len(sizes),
        "rows": int(sizes.sum()),
        "with_one_row": int((sizes == 1).sum()),
        "share_of_largest_1_percent": _share(sizes, 0.01),
        "share_of_largest_10_percent": _share(sizes, 0.10),
        "largest": named,
        "smallest": rest,
        "curve": [[int(rank), int(sizes[rank - 1])] for rank in ranks],
    }


def _share(sizes: NDArray[np.int64], part: float) -> float:
    """Return the share of rows in the largest ``part`` of the classes, at least one class."""
    return float(sizes[: max(1, round(part * len(sizes)))].sum() / sizes.sum())


def coverage(classes: Classes, tree: Tree) -> dict[str, Any] | None:
    """Return rows and distinct paths under each top-level node, against the taxonomy's own; nothing if the task has no paths."""
    if not classes.nodes:
        return None
    count = len(classes.nodes)
    rows = np.bincount(classes.node, weights=classes.rows, minlength=count).astype(int)
    paths, known = (np.bincount(classes.node[mask], minlength=count) for mask in (classes.node >= 0, classes.known))
    names = list(classes.nodes)
    order = sorted(range(count), key=lambda number: (-rows[number], names[number]))
    of = _under(tree)
    nodes = [
        {
            "node": names[n][:TEXT],
            "rows": int(rows[n]),
            "paths": int(paths[n]),
            "known": int(known[n]),
            "of": of.get(names[n], 0),
        }
        for n in order[:NODES]
    ]
    return {
        "nodes": nodes,
        "further_nodes": count - len(nodes),
        "paths": int(paths.sum()),
        "in_taxonomy": int(known.sum()),
        "taxonomy": len(tree),
        "unseen_nodes": sorted(of.keys() - classes.nodes.keys()),
    }


def _under(tree: Iterable[tuple[str, ...]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in tree:
        found[path[0]] = found.get(path[0], 0) + 1
    return found


def taxonomy(spec: Spec) -> Tree:
    """Return the paths of the taxonomies that a specification names, as an option of a source or as a source."""
    # It brings what matches names, and the command line starts without that.
    from converters.sources.google_taxonomy import load

    options = [sources.given(entry.source, entry.options).get("taxonomy") for entry in spec.sources]
    named = {Path(name) for name in options if isinstance(name, str)}
    files = named | {
        path for entry in spec.sources if entry.source == "google_taxonomy" for path in expand(entry.paths)
    }
    return frozenset(path for file in files for path in load(file).paths)
