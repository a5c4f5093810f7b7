"""Metrics over texts: ROUGE-L, exact match, token F1, and abstention. All lie in [0, 1].

ROUGE-L: Lin 2004, with rapidfuzz's LCS. English has the tokens of the package rouge-score, which it equals to the last bit; other
texts have those of :mod:`eval.metrics._tokens`. Exact match, token F1 and the split into questions with and without an answer:
SQuAD 2.0 (Rajpurkar et al. 2018), so that an abstention is worth 1 against an abstention and 0 against an answer.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from rapidfuzz.distance.LCSseq import similarity
from rouge_score.tokenize import tokenize

from eval.metrics._normalise import Normalise, mave, token_f1
from eval.metrics._tokens import english, tokens
from eval.metrics.base import Example, Floats, Match, Metric, Shape, Tools, f1, lines, mean, precision, scores
from eval.metrics.classification import macro_f1

STEMMER = True


def abstains(answer: Any) -> bool:
    """Tell whether an answer is the abstention, or "no" to whether there is an answer."""
    return answer is False or getattr(answer, "text", "") is None


def worth(example: Example) -> float | None:
    """Return what an answer is worth whatever its words: 0 if unreadable; where it or the gold abstains, whether both do.

    ``None``: both are texts, which are to be compared.
    """
    if example.answer is None:
        return 0.0
    said, gold = abstains(example.answer), abstains(example.gold)
    return float(said and gold) if said or gold else None


def references(example: Example) -> tuple[str, ...]:
    """Return the texts that count as right where the gold is a text.

    >>> from converters.tasks.answer import Reply
    >>> references(Example("1", "g", Reply("Yes."), None, {"references": ["It does."]}))
    ('Yes.', 'It does.')
    """
    return (str(example.gold), *example.extra.get("references", ()))


def same_text(example: Example, normalise: Normalise) -> bool:
    """Tell whether the normalised answer is one of the normalised references."""
    known = worth(example)
    return normalise(str(example.answer)) in map(normalise, references(example)) if known is None else bool(known)


def best_token_f1(example: Example) -> float:
    """Return SQuAD's token F1 with the best reference."""
    if (known := worth(example)) is not None:
        return known
    said = mave(str(example.answer)).split()
    return max(token_f1(said, mave(target).split()) for target in references(example))


def whole_text(example: Example, tools: Tools) -> list[Match]:
    """Return the text and its references, one of which is to be matched; nothing is where both abstain."""
    known = worth(example)
    return [] if known else [Match(() if known == 0 else (str(example.answer),), references(example), 1)]


TEXT = Shape(
    same=same_text,
    tokens=lambda example: (best_token_f1(example), 1, 1),
    matches=whole_text,
    borrow=lambda gold, other: other,
)


def shape(example: Example) -> Shape:
    """Return what metrics ask of an example's answers."""
    return example.kind or TEXT


def exact_match(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return whether the whole record, or the text, equals a gold one after normalising, 0 or 1."""
    return scores(float(shape(example).same(example, tools.normalise)) for example in examples)


def token_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: the sum of SQuAD's token F1, over how many, and how many of these the gold states.

    A text counts as one; a record has one for each slot where the gold or the answer has a value.
    """
    return lines(shape(example).tokens(example) for example in examples)


@cache
def stemmer() -> Any:
    """Return Porter's stemmer, which keeps what it has stemmed."""
    from nltk.stem.porter import PorterStemmer

    porter = PorterStemmer()
    porter.stem = lru_cache(1 << 18)(porter.stem)  # words repeat, and a stem costs more than all the rest
    return porter


def rouge_tokens(text: str, stem: bool = STEMMER) -> list[str]:
    """Return a text's tokens: rouge-score's own in English, else those of any script.

    Words of ASCII letters and digits are stemmed in either, if they have more than three.

    >>> rouge_tokens("It's running, 1.5 L"), rouge_tokens("It's running", stem=False)
    (['it', 's', 'run', '1', '5', 'l'], ['it', 's', 'running'])
    >>> rouge_tokens("静かです。"), rouge_tokens("¡Sí, running!")
    (['静', 'か', 'で', 'す'], ['sí', 'run'])
    """
    porter = stemmer() if stem else None
    if english(text) and (found := tokenize(text, porter)):
        return list(found)
    return [porter.stem(word) if porter and len(word) > 3 and word.isascii() else word for word in tokens(text)]


def best(answer: str, references: Iterable[str], stem: bool = STEMMER) -> float:
    """Return the best ROUGE-L F1 of an answer over its references: precision and recall are LCS / the tokens of either.

    >>> best("A red mug.", ["Blue mug", "red mugs"])
    0.8
    """
    words, highest = rouge_tokens(answer, stem), 0.0
    for target in references:
        targets = rouge_tokens(target, stem)
        if common := similarity(words, targets):
            precision, recall = common / len(words), common / len(targets)
            highest = max(highest, 2 * precision * recall / (precision + recall))
    return highest


def rouge_l(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return the best ROUGE-L F1 over the references, 1 if the answer is a reference, even one without a token."""

    def line(example: Example) -> float:
        if (known := worth(example)) is not None:
            return known
        text, targets = str(example.answer), references(example)
        return 1.0 if text in targets else best(text, targets)

    return scores(map(line, examples))


def both_classes(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 6: right, answered and gold of "unanswerable" and of "answered"."""

    def line(example: Example) -> tuple[bool, ...]:
        gold, none = abstains(example.gold), abstains(example.answer)
        some = example.answer is not None and not none
        return none and gold, some and not gold, none, some, gold, not gold

    return lines(map(line, examples))


def half(none: bool) -> Metric:
    """Return the accuracy on the questions that have no answer (``none``) or on those that have one.

    Always abstaining, or never, scores 1 in one of the halves: the opponent in either guesses at the gold's rate.

    >>> examples = [Example("1", "g", True, answer) for answer in (True, False, None)]
    >>> half(False).table(examples, Tools(str)).tolist(), half(True).table(examples, Tools(str)).any().item()
    ([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]], False)
    """

    def right(examples: Sequence[Example], tools: Tools) -> Floats:
        return lines(
            (float(e.answer is not None and abstains(e.answer) == none), 1.0)
            if abstains(e.gold) == none
            else (0.0, 0.0)
            for e in examples
        )

    def blind(examples: Sequence[Example], tools: Tools) -> Floats:
        applies = [abstains(e.gold) == none for e in examples]
        share = sum(applies) / len(applies)
        return lines((share, 1.0) if applied else (0.0, 0.0) for applied in applies)

    return Metric(right, mean, guesses={"guess at the gold's rate": blind}, trivial=False)


def answer_tokens(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: token F1 of the questions that have an answer; an abstention there scores 0.

    >>> from converters.tasks.answer import Reply
    >>> examples = [Example("1", "g", Reply("red mug"), answer) for answer in (Reply("red"), Reply(None))]
    >>> answer_tokens(examples, Tools(str)).round(3).tolist()
    [[0.667, 1.0], [0.0, 1.0]]
    """
    return lines((0.0, 0.0) if abstains(e.gold) else (best_token_f1(e), 1.0) for e in examples)


METRICS = {
    "rouge_l": Metric(rouge_l, mean),
    "unanswerable_f1": Metric(both_classes, lambda sums: f1(sums[..., ::2]), each=False, of=(2, 4)),
    "exact_match": Metric(exact_match, mean),
    "token_f1": Metric(token_counts, precision),
    "unanswerable_macro_f1": Metric(both_classes, macro_f1, each=False),
    "has_answer_accuracy": half(False),
    "has_none_accuracy": half(True),
    "has_answer_token_f1": Metric(answer_tokens, mean),
}
