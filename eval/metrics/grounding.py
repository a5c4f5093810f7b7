"""Metrics of what an answer rests on: groundedness, relevance, citations. All lie in [0, 1].

Groundedness and relevance come from a judge model's marks (as in RAGAS, Es et al. 2023) or, without one, from what is called a
proxy: words shared with the snippets, and the cosine of question and answer for a sentence encoder. Right answers are far from 1
by that, so their floor says what another question's answer is worth. Citation precision and recall compare the cited snippets
with the gold's (as ALCE, Gao et al. 2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from converters.tasks.answer import Reply, question_of, snippets
from converters.text.words import terms
from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean, precision, recall
from eval.metrics.generation import abstains

FUNCTION_WORDS = frozenset(
    (  # noqa: SIM905 - a list to be read
        "a about all also am an and any are as at be been but by can could did do does for from get had has have how i "
        "if in into is it its just me my no not of on only or our out so some than that the their them there these they "
        "this those to too us was we were what when where which who why will with would yes you your "
    ).split()
)

Value = Callable[[Example], float]
Make = Callable[[Sequence[Example], Tools], Floats]


def citations(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: citations in common, of the answer, of the gold; zeros where the gold cites none.

    >>> examples = [Example("1", "g", Reply("x", (1, 2)), Reply("y", (2, 3, 4))), Example("2", "g", Reply("x"), Reply("y", (1,)))]
    >>> citations(examples, Tools(str)).tolist()
    [[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]]
    """
    # An unreadable answer cites nothing.
    pairs = ([set(getattr(reply, "cited", ())) for reply in (e.answer, e.gold)] for e in examples)
    return lines((len(answer & gold), len(answer), len(gold)) if gold else (0, 0, 0) for answer, gold in pairs)


def content(text: str) -> list[str]:
    """Return a text's terms, English function words left out; all of them if there are no others.

    >>> content("Is it the 1.5 L kettle?"), content("It is."), content("容量は٣")
    (['1', '5', 'l', 'kettle'], ['it', 'is'], ['容量', '量は', '3'])
    """
    every = terms(text)
    return [word for word in every if word not in FUNCTION_WORDS] or every


def share(part: str, whole: str, letters: int | None = None) -> float:
    """Return the share of the distinct terms of ``part`` that ``whole`` has; with ``letters``, only so many count.

    >>> share("plays discs", "it plays a disc"), share("plays discs", "it plays a disc", 4)
    (0.5, 1.0)
    """
    distinct, present = ({word[:letters] for word in words} for words in (content(part), terms(whole)))
    return len(distinct & present) / len(distinct) if distinct else 0.0


def _reply(example: Example) -> Any:
    """Return the answer, ``None`` for one that is unreadable or abstains."""
    return None if abstains(example.answer) else example.answer


def grounded(example: Example) -> float:
    """Return the share of an answer's terms that occur in the snippets that it cites; if it cites none, in those shown.

    >>> prompt = "Question: How big?\\n[1] Holds 2 litres.\\n[2] Nice and blue."
    >>> replies = (Reply("2 litres", (1,)), Reply("2 litres", (2,)), Reply("2 blue"), Reply(None))
    >>> [grounded(Example("1", "g", Reply("2 l"), reply, {}, prompt)) for reply in replies]
    [1.0, 0.0, 1.0, 0.0]
    """
    reply = _reply(example)
    if reply is None:
        return 0.0
    numbered, cited = snippets(example.prompt), reply.cited
    chosen = [numbered[number - 1] for number in cited if 1 <= number <= len(numbered)] if cited else numbered
    return share(reply.text, " ".join(chosen))


def relevance(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: the cosine of question and answer, at least 0, where the question has an answer."""
    assert tools.encode
    asked = [question_of(e.prompt) for e in examples]
    said = [getattr(_reply(e), "text", "") for e in examples]
    near = (tools.encode(asked) * tools.encode(said)).sum(-1).clip(0, 1)
    columns = zip(examples, asked, said, near.tolist(), strict=True)
    return lines((0, 0) if abstains(e.gold) else (cosine if q and text else 0, 1) for e, q, text, cosine in columns)


def _table(value: Value, needs_snippets: bool) -> Make:
    """Return the table of the questions that have an answer and, if the metric needs them, snippets."""

    def line(example: Example) -> tuple[float, float]:
        applies = not abstains(example.gold) and (not needs_snippets or bool(snippets(example.prompt)))
        return (value(example), 1.0) if applies else (0.0, 0.0)

    return lambda examples, tools: lines(map(line, examples))


def elsewhere(examples: Sequence[Example]) -> list[Example]:
    """Return the examples, each with the gold answer of the next question that has one, and the last with the first's.

    Those that have no answer themselves stay as they are.
    """
    golds = [e.gold.text for e in examples if not abstains(e.gold)]
    others = iter(golds[1:] + golds[:1])
    return [e if abstains(e.gold) else replace(e, answer=Reply(next(others))) for e in examples]


def _proxy(table: Make, missing: Callable[[Tools], str] = lambda _: "") -> Metric:
    guesses = {"another question's answer": lambda examples, tools: table(elsewhere(examples), tools)}
    return Metric(table, mean, missing=lambda _, tools: missing(tools), guesses=guesses, trivial=False)


def _judged(name: str, needs_snippets: bool) -> Metric:
    def missing(examples: Sequence[Example], tools: Tools) -> str:
        return "" if any(name in e.judged for e in examples) else "no judgements.jsonl beside the predictions"

    table = _table(lambda e: 0.0 if _reply(e) is None else e.judged.get(name, 0.0), needs_snippets)
    guesses = {"abstain": _table(lambda _: 0.0, needs_snippets)}
    return Metric(table, mean, missing=missing, guesses=guesses, trivial=False)


METRICS = {
    "answer_relevance": _judged("relevance", False),
    "answer_relevance_proxy": _proxy(relevance, lambda t: "" if t.encode else "no sentence encoder given (--encoder)"),
    "groundedness": _judged("grounded", True),
    "groundedness_proxy": _proxy(_table(grounded, True)),
    "citation_precision": Metric(citations, precision, of=(1,)),
    "citation_recall": Metric(citations, recall, of=(2,)),
}
