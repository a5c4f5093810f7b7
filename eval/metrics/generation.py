"""Metrics over texts: ROUGE-L, BERTScore, exact match, token F1, and abstention."""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from rapidfuzz.distance.LCSseq import similarity
from rouge_score.tokenize import tokenize

from eval.metrics._normalise import Normalise, token_f1, tokens
from eval.metrics.base import Example, Floats, Metric, Part, Shape, Tools, f1, lines, mean, mean_where, ratio, scores


def half(none: bool) -> Metric:
    """Return the accuracy on the questions that have no answer (``none``) or on those that have one.

    Always abstaining, or never, has 1 in one of the halves: the opponent in either is one who guesses at the gold's rate.

    >>> said = [Example("1", "g", True, answer) for answer in (True, False, None)]
    >>> half(False).table(said, Tools(str)).tolist(), half(True).table(said, Tools(str)).any().item()
    ([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]], False)
    """

    def right(examples: Sequence[Example], tools: Tools) -> Floats:
        return lines(
            (float(e.said is not None and abstains(e.said) == none), 1.0) if abstains(e.gold) == none else (0.0, 0.0)
            for e in examples
        )

    def blind(examples: Sequence[Example], tools: Tools) -> Floats:
        applies = [abstains(e.gold) == none for e in examples]
        share = sum(applies) / len(applies)
        return lines((share, 1.0) if applied else (0.0, 0.0) for applied in applies)

    return Metric(right, mean, binary=True, guesses={"guess at the gold's rate": blind}, trivial=False)


def answer_tokens(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: token F1 of the questions that have an answer, an abstention there counts 0.

    >>> from converters.tasks.answer import Reply
    >>> found = [Example("1", "g", Reply("red mug"), said) for said in (Reply("red"), Reply(None))]
    >>> answer_tokens(found, Tools(str)).round(3).tolist()
    [[0.667, 1.0], [0.0, 1.0]]
    """
    return lines(
        (0.0, 0.0) if abstains(e.gold) else (0.0 if abstains(e.said) else best_token_f1(e), 1.0) for e in examples
    )


def both_classes(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 6: right, said and gold of "unanswerable" and of "answered"."""
    return lines(_classes(e) for e in examples)


def _classes(example: Example) -> tuple[bool, ...]:
    gold, said = abstains(example.gold), abstains(example.said)
    answers = example.said is not None and not said
    return said and gold, answers and not gold, said, answers, gold, not gold


def macro_f1(sums: Floats) -> Floats:
    """Average F1 over the classes that the gold has.

    >>> macro_f1(np.array([1.0, 0, 2, 0, 1, 1])).item().__round__(3)
    0.333
    """
    right, said, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, 2), -2, 0)
    return mean_where(ratio(2 * right, said + gold, gold), gold)


def exact_match(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return whether the whole record, or the text, is a gold one after normalising."""
    return scores(float(shape(example).same(example, tools.normalise)) for example in examples)


def token_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: the sum of SQuAD's token F1, over how many, and how many of these the gold states.

    A text is one; a record has one for each slot where something is stated or said.
    """
    return lines(shape(example).tokens(example) for example in examples)


def mean_token_f1(sums: Floats) -> Floats:
    """Average token F1; NaN if the gold states nothing.

    >>> token_f1(lines([(1.5, 2, 1), (0, 1, 0)])).tolist()
    [0.75, nan]
    """
    return ratio(sums[..., 0], sums[..., 1], sums[..., 2])


def said(example: Example) -> str | None:
    """Return the answer's text, an abstention as its sentence; ``None`` if it is unreadable."""
    return None if example.said is None else str(example.said)


def abstains(answer: Any) -> bool:
    """Tell whether an answer is the abstention, or "no" to whether there is one."""
    return answer is False or getattr(answer, "text", "") is None


def references(example: Example) -> tuple[str, ...]:
    """Return the texts that count as right.

    >>> from converters.tasks.answer import Reply
    >>> references(Example("1", "g", Reply("Yes."), None, {"references": ["It does."]}))
    ('Yes.', 'It does.')
    """
    more = () if abstains(example.gold) else example.extra.get("references", ())
    return (str(example.gold), *more)


def rouge_l(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the best ROUGE-L F1 over the references."""
    return scores(_rouge_l(said(example), references(example)) for example in examples)


def _rouge_l(text: str | None, targets: Sequence[str]) -> float:
    if text is None or text in targets:
        return float(text is not None)
    return best(text, targets)


def unanswerable(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3 of the class "unanswerable": right, said, gold."""
    pairs = ((abstains(example.said), abstains(example.gold)) for example in examples)
    return lines((answer and gold, answer, gold) for answer, gold in pairs)


def same_text(example: Example, normalise: Normalise) -> bool:
    """Tell whether the normalised answer is one of the normalised references."""
    text = said(example)
    return text is not None and normalise(text) in map(normalise, references(example))


def best_token_f1(example: Example) -> float:
    """Return SQuAD's token F1 against the best reference; 0 if unreadable."""
    text = said(example)
    return 0.0 if text is None else max(token_f1(tokens(text), tokens(target)) for target in references(example))


def tokens_of_text(example: Example) -> tuple[float, float, float]:
    """Return the token F1 of the one text that an example is."""
    return best_token_f1(example), 1, 1


def whole_text(example: Example, tools: Tools) -> list[Part]:
    """Return the text and its references, one of which is to be matched."""
    text = said(example)
    return [Part(() if text is None else (text,), references(example), 1)]


def shape(example: Example) -> Shape:
    """Return what metrics ask of an example's answers."""
    return example.kind or TEXT


TEXT = Shape(same=same_text, tokens=tokens_of_text, parts=whole_text, lent=lambda own, gold: gold)

STEMMER = True


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    stemmer = PorterStemmer()
    stemmer.stem = lru_cache(1 << 18)(stemmer.stem)  # words repeat, and a stem costs more than all the rest
    return stemmer


def rouge_tokens(text: str, stem: bool = STEMMER) -> list[str]:
    """Return a text's tokens: runs of Latin letters and digits in lower case, those of more than three characters stemmed.

    >>> tokens("It's running, 1.5 L"), tokens("It's running", stem=False)
    (['it', 's', 'run', '1', '5', 'l'], ['it', 's', 'running'])
    """
    words: list[str] = tokenize(text, _stemmer() if stem else None)
    return words


def rouge_f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Return ROUGE-L F1 of two lists of tokens; 0 where they have nothing in common.

    >>> round(f1(["red", "big", "mug"], ["red", "mug"]), 3)
    0.8
    """
    common = similarity(answer, reference)
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)


def best(answer: str, references: Iterable[str], stem: bool = STEMMER) -> float:
    """Return the best F1 of an answer over its references.

    >>> best("A red mug.", ["Blue mug", "red mugs"])
    0.8
    """
    words = rouge_tokens(answer, stem)
    return max(rouge_f1(words, rouge_tokens(reference, stem)) for reference in references)


METRICS = {
    "rouge_l": Metric(rouge_l, mean),
    "unanswerable_f1": Metric(unanswerable, f1, each=False),
    "exact_match": Metric(exact_match, mean, binary=True),
    "token_f1": Metric(token_counts, mean_token_f1),
    "unanswerable_macro_f1": Metric(both_classes, macro_f1, each=False),
    "has_answer_accuracy": half(False),
    "has_none_accuracy": half(True),
    "has_answer_token_f1": Metric(answer_tokens, mean),
}
