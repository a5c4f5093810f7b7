"""A path in a tree of categories, broadest node first."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from converters import tasks
from converters.schema import Row
from converters.tasks import category, category_levels
from eval.answers.base import (
    Kind,
    Labels,
    Limit,
    Predictor,
    Times,
    Unit,
    commonest,
    frequencies,
    one_of,
    pieces,
    seen_answers,
)
from eval.metrics.base import Example, Match, Tools

_ARROW = re.compile(r"\s*[›»→＞⟩]\s*")


def reason(text: str) -> str:
    """Say why a text is no path."""
    return "more than one line" if len(text.strip().splitlines()) > 1 else "an empty name in the path"


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the commonest path, the commonest top node, and the first of the shortlist where there is one."""
    full, top = commonest(e.gold for e in examples), commonest(e.gold[:1] for e in examples)
    blind: dict[str, Predictor] = {"majority path": lambda _: full, "depth-1 majority": lambda _: top}
    if any("candidates" in e.extra for e in examples):  # a model must beat what the shortlist's retriever ranks first
        blind["expert's first"] = lambda e: category.parse(next(iter(e.extra.get("candidates", ())), ""))
    return blind


def limit(row: Row, paths: Sequence[str]) -> Limit:
    """Return the names of a walk's level, which its prompt lists, or all paths, which no prompt lists."""
    walk = tasks.get(row.task).walk
    return one_of(category_levels.choices([turn.content for turn in row.messages[:-1]]) if walk else paths)


def labels(examples: Sequence[Example], times: Times | None) -> Labels:
    """Return slices by depth, by frequency, by whether training has it, and by whether a shortlist has it."""
    slices: Labels = {
        "depth": [str(len(e.gold)) for e in examples],
        "frequency": frequencies([e.gold for e in examples], times),
        **seen_answers(examples, times),
    }
    if any("candidates" in e.extra for e in examples):
        listed = (category.render(e.gold) in e.extra.get("candidates", ()) for e in examples)
        slices["shortlist"] = ["right path listed" if right else "not listed" for right in listed]
    return slices


def matches(example: Example, tools: Tools) -> list[Match]:
    """Return the whole path as one text."""
    return [Match((category.render(example.answer),) if example.answer else (), (category.render(example.gold),), 1)]


def forgive(path: tuple[str, ...]) -> tuple[str, ...]:
    """Accept a JSON list of names, and other arrows between them."""
    [first, *more] = path
    if more or not (first.startswith("[") or _ARROW.search(first)):
        return path
    try:
        names = json.loads(first)
    except (ValueError, RecursionError):
        names = _ARROW.split(first)
    known = isinstance(names, list) and all(isinstance(name, str) and name.strip() for name in names)
    return tuple(map(str.strip, names)) or path if known else path


def spread(path: tuple[str, ...], gold: tuple[str, ...]) -> tuple[str, ...]:
    """Take apart a path whose names have commas between them, if that gives as many names as the gold path has."""
    names = pieces(path[0]) if len(path) == 1 else ()
    return names if len(names) == len(gold) > 1 else path


def units(text: str) -> Iterator[Unit]:
    """Yield the path, then each level with those above it.

    The sign between two levels counts in the upper one, the space after it in the lower one: most tokens begin with their space.

    >>> list(units("Home > Mugs"))
    [('path', 0, 12), ('level 1', 0, 6), ('level 2', 0, 12)]
    """
    yield "path", 0, len(text) + 1
    end = 0
    for level, name in enumerate(text.split(category.SEPARATOR.strip()), 1):
        end += len(name) + 1
        yield f"level {level}", 0, end


KIND = Kind(
    reason=reason,
    forgive=forgive,
    spread=spread,
    predictors=predictors,
    limit=limit,
    labels=labels,
    routes=lambda counts: {path: (*path, None) for path in counts},
    matches=matches,
    ranked=True,
    breakdown="tree",
    units=units,
)
