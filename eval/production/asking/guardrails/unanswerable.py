"""Nothing retrieved above a floor: the shop's texts have nothing to do with the question, and the model is not asked."""

from collections.abc import Sequence

from converters.text.words import searched
from eval.metrics.grounding import FUNCTION_WORDS

BEGINNING = 4  # letters by which two words count as one, such as "hold" and "holds": what is asked in vain costs least


def coverage(question: str, snippets: Sequence[str]) -> float:
    """Return the share of a question's words, English function words left out, that its snippets have between them.

    Words are what BM25 searches by, as far as they begin. A question of nothing but function words is covered by any snippet.

    >>> coverage("Is it dishwasher safe?", ["The lid is dishwasher proof."]), coverage("How much does it hold?", ["Holds 2 l."])
    (0.5, 0.5)
    """
    asked = {word[:BEGINNING] for word in {*searched(question)} - FUNCTION_WORDS}
    said = {word[:BEGINNING] for text in snippets for word in searched(text)}
    return len(asked & said) / len(asked) if asked else float(bool(snippets))


def objection(question: str, snippets: Sequence[str], floor: float | None = None) -> str:
    """Return why a question is not to be asked, "" if it is: it has no snippet, or they cover no more of it than the floor.

    Without a floor any snippet is enough: a model that learnt to abstain decides. What a floor gains and costs differs from shop
    to shop, so it is for the shop to measure and to set.

    >>> objection("Is it red?", ["Holds 1.5 litres."], 0.0), objection("Is it red?", ["Holds 1.5 litres."])
    ('no snippet has a word of the question', '')
    """
    if not snippets:
        return "no snippet was found"
    share = 1.0 if floor is None else coverage(question, snippets)
    if floor is None or share > floor:
        return ""
    return (
        f"the snippets have {share:.0%} of the question's words" if share else "no snippet has a word of the question"
    )
