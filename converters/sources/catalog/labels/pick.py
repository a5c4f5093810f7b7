"""One category of several: ancestors dropped, then a stated rule."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from converters.sources.google_taxonomy import Category

SEVERAL = "several categories"


class Placement(NamedTuple):
    """A category path, or the reason why there is none; ``notes`` and ``detail`` are as in an outcome."""

    path: Category = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    detail: str = ""


def pick(paths: Sequence[Category], rule: str, counts: Mapping[Category, int]) -> Placement:
    """Return one of several paths by a rule, the first of those that are equal by it.

    >>> pick([("Drinks",), ("Drinks", "Tea"), ("New",)], "deepest", {}).path
    ('Drinks', 'Tea')
    """
    paths = without_ancestors(paths)
    if len(paths) == 1:
        return Placement(paths[0])
    listed = "; ".join(" > ".join(path) for path in paths)
    if rule == "reject":
        return Placement((), SEVERAL, (), listed)
    ranks = [{"deepest": len(path), "most_common": counts.get(path, 0)}.get(rule, 0) for path in paths]
    taken = paths[ranks.index(max(ranks))]
    ties = rule != "first" and ranks.count(max(ranks)) > 1
    equal = "deep" if rule == "deepest" else "common"
    notes = (SEVERAL, *(f"{SEVERAL}, equally {equal}: the first is taken",) * ties)
    return Placement(taken, "", notes, f"{SEVERAL}: {listed}; taken: {' > '.join(taken)}")


def without_ancestors(paths: Sequence[Category]) -> list[Category]:
    """Return different paths of which none is the beginning of another."""
    distinct = list(dict.fromkeys(filter(None, paths)))
    ancestors = {path[:depth] for path in distinct for depth in range(1, len(path))}
    return [path for path in distinct if path not in ancestors]
