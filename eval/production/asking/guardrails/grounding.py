"""An answer whose words or numbers stand in none of the snippets that it cites is withheld."""

from collections.abc import Sequence

from converters.tasks.answer import Reply
from converters.text.figures import unstated
from converters.text.words import terms
from eval.metrics.grounding import FUNCTION_WORDS, share
from eval.production.asking.guardrails.unanswerable import BEGINNING
from eval.production.asking.snippets import Snippet


def cited(reply: Reply, snippets: Sequence[Snippet]) -> list[Snippet]:
    """Return the snippets that a reply rests on: those cited, or all that were shown where it cites none."""
    chosen = [snippets[number - 1] for number in reply.cited if 1 <= number <= len(snippets)]
    return chosen if reply.cited else list(snippets)


def objection(question: str, reply: Reply, snippets: Sequence[Snippet]) -> str:
    """Return why an answer is withheld, "" where it is grounded.

    Words count as one from the same beginning, as "plays" and "played". A number may stand in the question, too, as in training
    rows. A bare "Yes" has no content word that could be held against it.

    >>> shown = [Snippet("1", "Holds two litres.", "review", "r1")]
    >>> objection("How big?", Reply("2 litres", (1,)), shown), objection("How big?", Reply("3 litres", (1,)), shown)
    ('', 'the number 3 stands in no snippet that it rests on')
    >>> objection("Colour?", Reply("Red", (1,)), shown), objection("Is it big?", Reply("Yes."), shown)
    ('none of its words stands in a snippet that it rests on', '')
    """
    answer, evidence = reply.text or "", [snippet.text for snippet in cited(reply, snippets)]
    if numbers := unstated(answer, [*evidence, question]):
        listed = ", ".join(dict.fromkeys(numbers))
        number = f"number {listed} stands" if len({*numbers}) == 1 else f"numbers {listed} stand"
        return f"the {number} in no snippet that it rests on"
    quotes = any(map(str.isnumeric, answer)) and not unstated(answer, evidence)  # "2 l" of "two litres"
    has_content = bool({*terms(answer)} - FUNCTION_WORDS)
    if has_content and not quotes and not share(answer, " ".join(evidence), BEGINNING):
        return "none of its words stands in a snippet that it rests on"
    return ""
