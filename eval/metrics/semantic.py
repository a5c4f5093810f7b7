"""Metrics of meaning: how near an answer is to the gold one for an encoder, where equality would be too strict.

``semantic_f1`` is soft precision and recall: what an answer says and what the gold says are matched one to one so that the sum
of cosines is largest; precision is that sum over what is said, recall over what is gold, and F1 is averaged over the examples.
A category counts as its whole path, an answer or a general instruction as its text against the best reference, a record as its
values, matched within their slot. Values that are equal after normalising count once, and 1; a negative cosine counts 0. A
record in which nothing is stated is worth 1 if nothing is said, as in SQuAD. ``bert_score_f1`` is :mod:`eval.bert` on texts.
Cosines of unrelated texts are not 0, so each score has the floor of random pairs: the gold answer of another example.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from eval import SEED
from eval.metrics import generation
from eval.metrics.base import Example, Floats, Metric, Part, Tools, mean, scores


def semantic_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each example's soft F1.

    >>> axes = lambda words: np.array([[0.6, 0.8] if word == "scarlet" else [1.0, 0.0] for word in words])
    >>> said = (("red",), ("scarlet",), ("scarlet", "red"), ())
    >>> from eval.answers import get
    >>> gold = {"Color": ("red",)}
    >>> found = [Example("1", "g", gold, {"Color": values}, kind=get("record")) for values in said]
    >>> semantic_f1(found, Tools(str, encode=axes))[:, 0].round(3).tolist()
    [1.0, 0.6, 0.667, 0.0]
    """
    assert tools.encode
    found = [generation.shape(example).parts(example, tools) for example in examples]
    words = dict.fromkeys(word for line in found for said, gold, _ in line if said and gold for word in (*said, *gold))
    places = {word: place for place, word in enumerate(words)}
    vectors = tools.encode(list(words)) if words else np.zeros((0, 1))
    known: dict[Part, float] = {}

    def common(part: Part) -> float:
        if part not in known:
            near = vectors[[places[word] for word in part.said]] @ vectors[[places[word] for word in part.gold]].T
            known[part] = _matched(near.clip(0, 1), part, tools)
        return known[part]

    return scores(
        _f1(example, line, sum(common(part) for part in line if part.said and part.gold))
        for example, line in zip(examples, found, strict=True)
    )


def _matched(near: Floats, part: Part, tools: Tools) -> float:
    said, gold = ([tools.normalise(word) for word in words] for words in part[:2])
    near[np.equal.outer(np.array(said, object), np.array(gold, object)).astype(bool)] = 1.0
    return float(near[linear_sum_assignment(near, maximize=True)].sum())


def _f1(example: Example, line: Sequence[Part], common: float) -> float:
    total = sum(len(part.said) + part.wanted for part in line)
    return 2 * common / total if total else float(example.said is not None)


def bert_score_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each text's BERTScore F1 with its best reference: 0 if unreadable, 1 if it is a reference, without asking."""
    assert tools.bert
    found = [(generation.said(example) or "", generation.references(example)) for example in examples]
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
    lent = (generation.shape(e).lent(e.gold, examples[other[n]].gold) for n, e in enumerate(examples))
    return [replace(example, said=said) for example, said in zip(examples, lent, strict=True)]


def _paired(table: Callable[[Sequence[Example], Tools], Floats], missing: Callable[[Tools], str]) -> Metric:
    guesses = {"random pair": lambda examples, tools: table(random_pairs(examples), tools)}
    return Metric(table, mean, missing=lambda _, tools: missing(tools), guesses=guesses)


METRICS = {
    "semantic_f1": _paired(semantic_f1, lambda t: "" if t.encode else "no sentence encoder given (--encoder)"),
    "bert_score_f1": _paired(bert_score_f1, lambda t: "" if t.bert else "no model given (--bert-score)"),
}
