"""What answering without reading would score: the real opponent of a run, since a random model scores 0.

Trivial predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.tasks import category
from converters.tasks.answer import Reply, snippets
from converters.tasks.choice import letter
from converters.tasks.ranking import Order
from eval.metrics.base import Example

Predictor = Callable[[Example], Any]


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the trivial predictors by name, chosen by what the gold answers look like."""
    gold = [example.gold for example in examples]
    if isinstance(gold[0], tuple):
        return _paths(gold) | (_candidates() if any("candidates" in e.extra for e in examples) else {})
    if isinstance(gold[0], bool):
        return {"always yes": lambda _: True, "always no": lambda _: False}
    if isinstance(gold[0], Order):
        return {"shown order": _shown_order}
    if "options" in examples[0].extra:
        return _options(examples)
    if isinstance(gold[0], dict):
        return _records(gold)
    if isinstance(gold[0], Reply):
        return {"always abstain": lambda _: Reply(None), "first snippet": _first_snippet}
    return {"empty": lambda _: None}


def _paths(gold: Sequence[tuple[str, ...]]) -> dict[str, Predictor]:
    whole, top = _commonest(gold), _commonest([path[:1] for path in gold])
    return {"majority path": lambda _: whole, "depth-1 majority": lambda _: top}


def _candidates() -> dict[str, Predictor]:
    """Return what the expert that made a shortlist thinks likeliest: what a model must beat to be worth its cost."""
    return {"expert's first": lambda e: category.parse(next(iter(e.extra.get("candidates", ())), ""))}


def _records(gold: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, Predictor]:
    seen: dict[str, list[str]] = {}
    for record in gold:
        for key, values in record.items():
            seen.setdefault(key, []).extend(values[:1])
    usual = {key: (_commonest(values),) for key, values in seen.items() if values}
    return {
        "all null": lambda example: dict.fromkeys(example.gold, ()),
        "commonest value": lambda example: {key: usual.get(key, ()) for key in example.gold},
    }


def _options(examples: Sequence[Example]) -> dict[str, Predictor]:
    """Return the two blind guesses: the option that is right most often, and the letter that is.

    Options that differ from row to row have no majority, but their order may give the answer away.
    """
    label = _commonest([e.gold for e in examples])
    place = _commonest([e.extra["options"].index(e.gold) for e in examples])
    return {
        "majority option": lambda e: label if label in e.extra["options"] else None,
        f"always {letter(place)}": lambda e: e.extra["options"][place] if place < len(e.extra["options"]) else None,
    }


def _shown_order(example: Example) -> Order:
    return Order(tuple(range(1, len(example.extra["gains"]) + 1)))


def _commonest(values: Sequence[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def _first_snippet(example: Example) -> Reply | None:
    first = next(iter(snippets(example.prompt)), "")
    return Reply(first, (1,)) if first else None


def answered(examples: Sequence[Example]) -> Iterator[tuple[str, list[Example]]]:
    """Yield, for each trivial predictor, its name and the examples with its answers: one at a time, for they may be a million.

    >>> [(name, found[0].said) for name, found in answered([Example("1", "g", ("Home", "Mugs"), None)])]
    [('majority path', ('Home', 'Mugs')), ('depth-1 majority', ('Home',))]
    """
    for name, predict in predictors(examples).items():
        yield name, [replace(example, said=predict(example), ranked=()) for example in examples]
