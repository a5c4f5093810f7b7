"""A citation that does not exist is taken off; one of a snippet that does not bear the answer is moved to one that does."""

from collections.abc import Sequence
from dataclasses import replace

from converters.tasks.answer import Reply
from eval.metrics.grounding import share
from eval.production.asking.guardrails import grounding
from eval.production.asking.guardrails.unanswerable import BEGINNING
from eval.production.asking.snippets import Snippet


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
    Without such a snippet the reply is returned as it is, and so is one that cites nothing.

    >>> shown = [Snippet("1", "The lid is red.", "review", "r1"), Snippet("1", "Holds two litres.", "review", "r2")]
    >>> [moved("How big?", Reply(text, (1,)), shown).cited for text in ("Two litres", "Two cups", "A red lid")]
    [(2,), (1,), (1,)]
    """
    if not (reply.text and reply.cited and grounding.objection(question, reply, snippets)):
        return reply
    for number, snippet in enumerate(snippets, 1):
        candidate = replace(reply, cited=(number,))
        if share(reply.text, snippet.text, BEGINNING) == 1 and not grounding.objection(question, candidate, snippets):
            return candidate
    return reply
