"""A citation that does not exist is taken off; one of a snippet that does not bear the answer is moved to one that does."""

import re
from collections.abc import Sequence
from dataclasses import replace

from converters.tasks.answer import Reply
from converters.text.words import terms
from eval.metrics.grounding import content, share
from eval.production.asking.guardrails import grounding
from eval.production.asking.guardrails.unanswerable import BEGINNING
from eval.production.asking.snippets import Snippet

_YES_NO = re.compile(r"\s*(?:yes|no|ja|nein|oui|non|sí|si|不?是的?)\b[\s,.!:;，。！]*", re.IGNORECASE)
_CLAUSE = re.compile(r"[.,](?!\d)|[!?;:\n，。！？；]|\b(?:but|aber|mais|pero)\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"\b(?:not|no|never|cannot|without|neither|nor|nicht|kein\w*|ohne|nie|pas|sans|jamais|sin|nunca|non|senza|não|sem)\b(?!-)|"
    r"n[’']t\b|[不没沒无無]|ない|ません",
    re.IGNORECASE,
)


def existing(reply: Reply, shown: int) -> tuple[Reply, tuple[int, ...]]:
    """Return a reply without citations of other than the ``shown`` snippets, and the numbers taken off.

    >>> existing(Reply("Yes.", (1, 7)), 3)
    (Reply(text='Yes.', cited=(1,)), (7,))
    """
    removed = tuple(number for number in reply.cited if not 1 <= number <= shown)
    return replace(reply, cited=tuple(number for number in reply.cited if number not in removed)), removed


def moved(question: str, reply: Reply, snippets: Sequence[Snippet]) -> Reply:
    """Return a reply that cites the first snippet with all of its content words, if those that it cites do not ground it.

    Small models copy an answer from one snippet and cite another; to withhold such answers costs right ones and gains nothing.
    Without such a snippet the reply is returned as it is, and so is one that cites nothing. What is said of another product than
    those cited bears nothing, nor does a snippet that denies what the reply says, or says what it denies.

    >>> shown = [Snippet("1", "The lid is red.", "review", "r1"), Snippet("1", "Holds two litres.", "review", "r2")]
    >>> [moved("How big?", Reply(text, (1,)), shown).cited for text in ("Two litres", "Two cups", "A red lid")]
    [(2,), (1,), (1,)]
    """
    if not (reply.text and reply.cited and grounding.objection(question, reply, snippets)):
        return reply
    products = {snippet.product for snippet in grounding.cited(reply, snippets)}
    for number, snippet in enumerate(snippets, 1):
        candidate = replace(reply, cited=(number,))
        bears = share(reply.text, snippet.text, BEGINNING) == 1 and _agree(reply.text, snippet.text)
        if snippet.product in products and bears and not grounding.objection(question, candidate, snippets):
            return candidate
    return reply


def _agree(answer: str, text: str) -> bool:
    """Tell whether both deny, or neither denies, what the answer's content words say; a "No" alone in front is of the question.

    >>> _agree("No, it is red", "Not blue, but red"), _agree("It is red", "It isn't red"), _agree("It is not red", "It is red")
    (True, False, False)
    """
    said = _YES_NO.sub("", answer, count=1) if _YES_NO.match(answer) else answer
    words = {word[:BEGINNING] for word in content(said)}
    return _denies(said, words) == _denies(text, words)


def _denies(text: str, words: set[str]) -> bool:
    clauses = (clause for clause in _CLAUSE.split(text) if words & {word[:BEGINNING] for word in terms(clause)})
    return any(map(_DENIAL.search, clauses))
