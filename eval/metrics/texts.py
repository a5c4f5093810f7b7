"""Metrics of free text: answers to questions and general instructions.

References are the target and those in ``meta``; the best one counts. An abstention is compared as its sentence, and a question
whose gold is the abstention has no other reference. Citations are not part of the text.
ROUGE-L (:mod:`eval.rouge`) knows Latin letters and digits only, so an answer equal to a reference counts 1 without asking it:
Chinese would score 0 else.
"""

from collections.abc import Sequence
from typing import Any

from eval import rouge
from eval.metrics.base import Example, Floats, Metric, Part, Shape, Tools, f1, lines, mean, scores
from eval.text import Normalise, token_f1, tokens


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
    return rouge.best(text, targets)


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
METRICS = {
    "rouge_l": Metric(rouge_l, mean),
    "unanswerable_f1": Metric(unanswerable, f1, each=False),
}
