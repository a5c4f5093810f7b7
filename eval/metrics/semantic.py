"""Metrics of meaning: how near an answer is to the gold one for an encoder, where equality would be too strict.

``semantic_f1`` is soft precision and recall: the texts of the answer and of the gold are matched one to one so that the sum of
cosines is largest; F1 = 2 · sum / (texts of the answer + of the gold), averaged over the examples. A category counts as its whole
path, an answer or a general instruction as its text with the best reference, a record as its values, matched within their slot.
Values that are equal after normalising count once, and 1; a negative cosine counts 0. Where gold and answer are both empty F1 is
1, as in SQuAD. ``bert_score_f1`` is BERTScore (Zhang et al. 2020) on texts. Both lie in [0, 1]. Cosines of unrelated texts are
not 0, so each score has the floor of random pairs: the gold answer of another example.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eval import SEED
from eval.metrics.base import Example, Floats, Match, Metric, Tools, mean, scores
from eval.metrics.generation import references, shape, worth


def semantic_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each example's soft F1."""
    from scipy.optimize import linear_sum_assignment  # half a second to load

    assert tools.encode
    matches = [shape(example).matches(example, tools) for example in examples]
    words = dict.fromkeys(
        w for line in matches for answer, gold, _ in line if answer and gold for w in (*answer, *gold)
    )
    places = {word: place for place, word in enumerate(words)}
    vectors = tools.encode(list(words)) if words else np.zeros((0, 1))
    known: dict[Match, float] = {}

    def common(match: Match) -> float:
        if match not in known:
            near = vectors[[places[word] for word in match.answer]] @ vectors[[places[word] for word in match.gold]].T
            near = near.clip(0, 1)
            answer, gold = (np.array([tools.normalise(word) for word in words], object) for words in match[:2])
            near[np.equal.outer(answer, gold).astype(bool)] = 1.0
            known[match] = float(near[linear_sum_assignment(near, maximize=True)].sum())
        return known[match]

    def soft_f1(example: Example, line: Sequence[Match]) -> float:
        total = sum(len(match.answer) + match.expected for match in line)
        right = sum(common(match) for match in line if match.answer and match.gold)
        return 2 * right / total if total else float(example.answer is not None)

    return scores(map(soft_f1, examples, matches))


def bert_score_f1(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return each text's BERTScore F1 with its best reference; :func:`worth` and equal texts are known without asking."""
    assert tools.bert
    known = [1.0 if (value := worth(e)) is None and str(e.answer) in references(e) else value for e in examples]
    asked = [(str(e.answer), references(e)) for e, value in zip(examples, known, strict=True) if value is None]
    found = iter(tools.bert([text for text, _ in asked], [targets for _, targets in asked]) if asked else ())
    return scores(float(next(found)) if value is None else value for value in known)


def random_pairs(examples: Sequence[Example]) -> list[Example]:
    """Return the examples in their order, each with another one's gold answer, drawn with a fixed seed."""
    order = np.random.default_rng(SEED).permutation(len(examples))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return [replace(e, answer=shape(e).borrow(e.gold, examples[other[place]].gold)) for place, e in enumerate(examples)]


def _paired(table: Callable[[Sequence[Example], Tools], Floats], missing: Callable[[Tools], str]) -> Metric:
    guesses = {"random pair": lambda examples, tools: table(random_pairs(examples), tools)}
    return Metric(table, mean, missing=lambda _, tools: missing(tools), guesses=guesses)


METRICS = {
    "semantic_f1": _paired(semantic_f1, lambda t: "" if t.encode else "no sentence encoder given (--encoder)"),
    "bert_score_f1": _paired(bert_score_f1, lambda t: "" if t.bert else "no model given (--bert-score)"),
}
