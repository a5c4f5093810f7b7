"""Classes of a mixture's targets: how many, how large, what the largest are called, and how much of a taxonomy they cover."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import sources, tasks
from converters.core.hashing import hashed
from converters.io import expand
from converters.mixture.plan.table import Mask, Table, of_task, tasks_of, together
from converters.mixture.spec import Spec
from converters.schema import Listing
from converters.validation.check import Tree

TOP_CLASSES = 10  # classes at either end
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

    ``order`` is from the largest to the smallest. ``node`` is the number of a category's top-level node among ``nodes``, -1
    until it is seen; ``known`` whether the taxonomy has the path.
    """

    task: str
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int64]
    order: NDArray[np.intp]
    node: NDArray[np.int32]
    known: NDArray[np.bool_]
    names: dict[int, str] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[list[int], list[int]]:
        """The largest classes and, of the others, the smallest."""
        order = self.order.tolist()
        return order[:TOP_CLASSES], order[TOP_CLASSES:][-TOP_CLASSES:]


def count_classes(rows: Table, split: int) -> dict[str, Classes]:
    """Return the classes of every task of a split that has some, each row as often as it is written."""
    classes = dict[str, Classes]()
    for task in filter(scored_by_class, tasks_of(rows)):
        among = of_task(rows, task, split=split)
        if among.any():
            hashes, sizes = _sizes(rows, among)
            order, blank = np.argsort(-sizes, kind="stable"), np.full(len(sizes), -1, np.int32)
            classes[task] = Classes(task, hashes, sizes, order, blank, blank > 0)
    return classes


def _sizes(rows: Table, among: Mask) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the targets of the rows of a mask, in order, and how often each is written."""
    hashes, sizes = list[NDArray[np.uint64]](), list[NDArray[np.int64]]()
    for places, targets in together(rows, rows.column("target"), among):
        found, number = np.unique(targets, return_inverse=True)
        hashes.append(found)
        sizes.append(np.bincount(number, rows.times[places], len(found)).astype(np.int64))
    order = np.argsort(np.concatenate(hashes))
    return np.concatenate(hashes)[order], np.concatenate(sizes)[order]


def learn(classes: Classes, targets: Sequence[str], tree: Tree) -> None:
    """Take the names of the largest and smallest classes, and the place of every category in the tree, from targets."""
    hashes = np.fromiter(map(hashed, targets), np.uint64, len(targets))
    task, named = tasks.get(classes.task), {number for end in classes.ends for number in end}
    for target, number in zip(targets, np.searchsorted(classes.hashes, hashes).tolist(), strict=True):
        if number in named:
            classes.names.setdefault(number, target[:TEXT])
        if task.record is Listing and classes.node[number] < 0:
            path = task.parse(target)
            classes.node[number] = classes.nodes.setdefault(path[0] if path else "", len(classes.nodes))
            classes.known[number] = path in tree


def histogram(classes: Classes, training: Classes | None) -> dict[str, Any]:
    """Return the number of classes, their sizes from the largest to the smallest as a curve, and both ends by name."""
    sizes = classes.rows[classes.order]
    ranks = np.unique(np.geomspace(1, len(sizes), POINTS).round().astype(int))
    ends = ([[classes.names.get(n, ""), int(classes.rows[n])] for n in numbers] for numbers in classes.ends)
    largest = {share: sizes[: max(1, round(share * len(sizes)))].sum() for share in (0.01, 0.10)}
    unseen = ~np.isin(classes.hashes, training.hashes) if training else np.ones(len(sizes), bool)
    return {
        "classes": len(sizes),
        "rows": int(sizes.sum()),
        "with_one_row": int((sizes == 1).sum()),
        "share_of_largest_1_percent": float(largest[0.01] / sizes.sum()),
        "share_of_largest_10_percent": float(largest[0.10] / sizes.sum()),
        **dict(zip(("largest", "smallest"), ends, strict=True)),
        "curve": [[int(rank), int(sizes[rank - 1])] for rank in ranks],
        "rows_unseen_in_training": int(classes.rows[unseen].sum()),
    }


def coverage(classes: Classes, tree: Tree) -> dict[str, Any] | None:
    """Return rows and distinct paths under each top-level node, against the taxonomy's own; nothing if the task has no paths."""
    if not classes.nodes:
        return None
    names, count = list(classes.nodes), len(classes.nodes)
    rows = np.bincount(classes.node, weights=classes.rows, minlength=count).astype(int)
    paths, known = (np.bincount(classes.node[mask], minlength=count) for mask in (classes.node >= 0, classes.known))
    taxonomy = Counter(path[0] for path in tree)
    nodes = [
        {
            "node": names[n][:TEXT],
            "rows": int(rows[n]),
            "paths": int(paths[n]),
            "known": int(known[n]),
            "of": taxonomy[names[n]],
        }
        for n in sorted(range(count), key=lambda n: (-rows[n], names[n]))[:NODES]
    ]
    return {
        "nodes": nodes,
        "further_nodes": count - len(nodes),
        "paths": int(paths.sum()),
        "in_taxonomy": int(known.sum()),
        "taxonomy": len(tree),
        "unseen_nodes": sorted(taxonomy.keys() - classes.nodes.keys()),
    }


def taxonomy(spec: Spec) -> Tree:
    """Return the paths of the taxonomies that a specification names, as an option of a source or as a source."""
    # It brings what matches names, and the command line starts without that.
    from converters.sources.google_taxonomy import load

    options = [sources.resolved(entry.source, entry.options).get("taxonomy") for entry in spec.sources]
    files = {Path(name) for name in options if isinstance(name, str)}
    files.update(path for entry in spec.sources if entry.source == "google_taxonomy" for path in expand(entry.paths))
    return frozenset(path for file in files for path in load(file).paths)
