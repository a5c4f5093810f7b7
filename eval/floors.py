"""What answering without reading would score: the real opponent of a run, since a random model scores 0.

Trivial predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.tasks.answer import Reply, snippets
from eval.metrics.base import Example

Predictor = Callable[[Example], Any]


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the trivial predictors by name, chosen by what the gold answers look like."""
    gold = [example.gold for example in examples]
    if isinstance(gold[0], tuple):
        return _paths(gold)
    if isinstance(gold[0], dict):
        return _records(gold)
    if isinstance(gold[0], Reply):
        return {"always abstain": lambda _: Reply(None), "first snippet": _first_snippet}
    return {"empty": lambda _: None}


def _paths(gold: Sequence[tuple[str, ...]]) -> dict[str, Predictor]:
    whole, top = _commonest(gold), _commonest([path[:1] for path in gold])
    return {"majority path": lambda _: whole, "depth-1 majority": lambda _: top}


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


def _commonest(values: Sequence[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def _first_snippet(example: Example) -> Reply | None:
    first = next(iter(snippets(example.prompt)), "")
    return Reply(first) if first else None


def answered(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Return, for each trivial predictor, the examples with its answers.

    >>> [(k, v[0].said) for k, v in answered([Example("1", "g", ("Home", "Mugs"), None)]).items()]
    [('majority path', ('Home', 'Mugs')), ('depth-1 majority', ('Home',))]
    """
    return {
        name: [replace(example, said=predict(example)) for example in examples]
        for name, predict in predictors(examples).items()
    }
