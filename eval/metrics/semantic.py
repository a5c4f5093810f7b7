"""Metrics of meaning: how near an answer is to the gold one for an encoder, where equality would be too strict.

``semantic_f1`` is soft precision and recall: what an answer says and what the gold says are matched one to one so that the sum
of cosines is largest; precision is that sum over what is said, recall over what is gold, and F1 is averaged over the examples.
A category counts as its whole path, an answer or a general instruction as its text against the best reference, a record as its
values, matched within their slot. Values that are equal after normalising count once, and 1; a negative cosine counts 0. A
record in which nothing is stated is worth 1 if nothing is said, as in SQuAD. ``bert_score_f1`` is :mod:`eval.bert` on texts.
Cosines of unrelated texts are not 0, so each score has the floor of random pairs: the gold answer of another example.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from converters.tasks import category
from eval import SEED
from eval.metrics import texts
from eval.metrics.base import Example, Floats, Metric, Tools, mean, scores
from eval.metrics.slots import slots

Part = tuple[tuple[str, ...], tuple[str, ...]]  # what is said and what it may match


def parts(example: Example, tools: Tools) -> list[Part]:
    """Return what an example says and its gold, slot by slot for a record.

    >>> parts(Example("1", "g", ("Home", "Mugs"), ("Home",)), Tools(str))
    [(('Home',), ('Home > Mugs',))]
    """
    if isinstance(example.gold, dict):
        return [(_distinct(said, tools), _distinct(gold, tools)) for gold, said in slots(example).values()]
    if isinstance(example.gold, tuple):
        return [((category.render(example.said),) if example.said else (), (category.render(example.gold),))]
    text = texts.said(example)
    return [(() if text is None else (text,), texts.references(example))]


def _distinct(values: Iterable[str], tools: Tools) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(tools.normalise(value), value)
    return tuple(found.values())


def semantic_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each example's soft F1.

    >>> axes = lambda words: np.array([[0.6, 0.8] if word == "scarlet" else [1.0, 0.0] for word in words])
    >>> said = (("red",), ("scarlet",), ("scarlet", "red"), ())
    >>> found = [Example("1", "g", {"Color": ("red",)}, {"Color": values}) for values in said]
    >>> semantic_f1(found, Tools(str, encode=axes))[:, 0].round(3).tolist()
    [1.0, 0.6, 0.667, 0.0]
    """
    assert tools.encode
    found = [parts(example, tools) for example in examples]
    words = dict.fromkeys(word for line in found for said, gold in line if said and gold for word in (*said, *gold))
    places = {word: place for place, word in enumerate(words)}
    vectors = tools.encode(list(words)) if words else np.zeros((0, 1))
    known: dict[Part, float] = {}

    def common(part: Part) -> float:
        if part not in known:
            near = vectors[[places[word] for word in part[0]]] @ vectors[[places[word] for word in part[1]]].T
            known[part] = _matched(near.clip(0, 1), part, tools)
        return known[part]

    return scores(
        _f1(example, line, sum(common(part) for part in line if all(part)))
        for example, line in zip(examples, found, strict=True)
    )


def _matched(near: Floats, part: Part, tools: Tools) -> float:
    said, gold = ([tools.normalise(word) for word in words] for words in part)
    near[np.equal.outer(np.array(said, object), np.array(gold, object)).astype(bool)] = 1.0
    return float(near[linear_sum_assignment(near, maximize=True)].sum())


def _f1(example: Example, line: Sequence[Part], common: float) -> float:
    if isinstance(example.gold, dict):
        total = sum(len(said) + len(gold) for said, gold in line)
        return 2 * common / total if total else float(example.said is not None)
    return common  # one text against one


def bert_score_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each text's BERTScore F1 with its best reference: 0 if unreadable, 1 if it is a reference, without asking."""
    assert tools.bert
    found = [(texts.said(example) or "", texts.references(example)) for example in examples]
    asked = [(said, targets) for said, targets in found if said and said not in targets]
    values = iter(tools.bert([said for said, _ in asked], [targets for _, targets in asked]) if asked else ())
    return scores(float(bool(said)) if not said or said in targets else float(next(values)) for said, targets in found)


def random_pairs(examples: Sequence[Example]) -> list[Example]:
    """Return the examples in their order, each with another one's gold answer, drawn with a fixed seed.

    >>> [e.said for e in random_pairs([Example(text, "g", text, None) for text in "abc"])]
    ['b', 'c', 'a']
    """
    order = np.random.default_rng(SEED).permutation(len(examples))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return [replace(example, said=_lent(example, examples[other[n]].gold)) for n, example in enumerate(examples)]


def _lent(example: Example, gold: Any) -> Any:
    """Return another example's gold as an answer: of a record only what was asked for."""
    return {key: gold.get(key, ()) for key in example.gold} if isinstance(gold, dict) else gold


def _missing_encoder(examples: Sequence[Example], tools: Tools) -> str:
    return "" if tools.encode else "no sentence encoder given (--encoder)"


def _missing_bert(examples: Sequence[Example], tools: Tools) -> str:
    return "" if tools.bert else "no model given (--bert-score)"


METRICS = {
    "semantic_f1": Metric(
        semantic_f1,
        mean,
        missing=_missing_encoder,
        guesses={"random pair": lambda examples, tools: semantic_f1(random_pairs(examples), tools)},
    ),
    "bert_score_f1": Metric(
        bert_score_f1,
        mean,
        missing=_missing_bert,
        guesses={"random pair": lambda examples, tools: bert_score_f1(random_pairs(examples), tools)},
    ),
}
