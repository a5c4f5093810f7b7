"""A path in a tree of categories, broadest node first."""

from collections.abc import Mapping, Sequence
from typing import Any

from converters import tasks
from converters.schema import Row
from converters.tasks import category, category_levels
from eval.answers.base import Kind, Labels, Limit, Predictor, Times, commonest, frequencies, one_of, seen_answers
from eval.metrics.base import Example, Part, Tools


def why(text: str) -> str:
    """Say why a text is no path."""
    return "more than one line" if len(text.strip().splitlines()) > 1 else "an empty name in the path"


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the commonest path, its commonest top, and the expert's first where there is a shortlist."""
    full, top = commonest(e.gold for e in examples), commonest(e.gold[:1] for e in examples)
    blind: dict[str, Predictor] = {"majority path": lambda _: full, "depth-1 majority": lambda _: top}
    # What the expert that made a shortlist thinks likeliest is what a model must beat to be worth its cost.
    return blind | ({"expert's first": _first} if any("candidates" in e.extra for e in examples) else {})


def _first(example: Example) -> Any:
    return category.parse(next(iter(example.extra.get("candidates", ())), ""))


def limit(row: Row, paths: Sequence[str]) -> Limit:
    """Return the names of a walk's level, which its prompt lists, or all paths: they stand in no prompt."""
    walk = tasks.get(row.task).walk
    return one_of(category_levels.choices([turn.content for turn in row.messages[:-1]]) if walk else paths)


def labels(examples: Sequence[Example], times: Times | None) -> Labels:
    """Return slices by depth, by frequency, by what training shows, and by whether a shortlist holds the right path."""
    found: Labels = {
        "depth": [str(len(e.gold)) for e in examples],
        "frequency": frequencies([e.gold for e in examples], times),
        **seen_answers(examples, times),
    }
    if any("candidates" in e.extra for e in examples):
        found["shortlist"] = [_listed(e) for e in examples]
    return found


def _listed(example: Example) -> str:
    return "right path listed" if category.render(example.gold) in example.extra.get("candidates", ()) else "not listed"


def parts(example: Example, tools: Tools) -> list[Part]:
    """Return the whole path as one text.

    >>> parts(Example("1", "g", ("Home", "Mugs"), ("Home",)), Tools(str))
    [Part(said=('Home',), gold=('Home > Mugs',), wanted=1)]
    """
    return [Part((category.render(example.said),) if example.said else (), (category.render(example.gold),), 1)]


KIND = Kind(
    why=why,
    predictors=predictors,
    limit=limit,
    labels=labels,
    routes=lambda counts: {path: (*path, None) for path in counts},
    parts=parts,
    ranked=True,
    breakdown="tree",
)
