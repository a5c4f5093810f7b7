"""Metrics of what an answer rests on: groundedness, relevance, citations."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from converters.tasks.answer import Reply, question_of, snippets
from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean, ratio
from eval.metrics.generation import abstains


def cited(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: citations in common, said, gold; nothing where the gold cites none.

    >>> from converters.tasks.answer import Reply
    >>> found = [Example("1", "g", Reply("x", (1, 2)), Reply("y", (2, 3, 4))), Example("2", "g", Reply("x"), Reply("y", (1,)))]
    >>> cited(found, Tools(str)).tolist()
    [[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]]
    """
    return lines(_counts(_numbers(e.said), _numbers(e.gold)) for e in examples)


def _numbers(answer: Any) -> set[int]:
    return set(getattr(answer, "cited", ()))  # what is unreadable cites nothing


def _counts(said: set[int], gold: set[int]) -> tuple[int, int, int]:
    return (len(said & gold), len(said), len(gold)) if gold else (0, 0, 0)


def precision(sums: Floats) -> Floats:
    """Return common / said; 0 where nothing was cited.

    >>> precision(lines([(1, 4, 2), (0, 0, 2)])).tolist()
    [0.25, 0.0]
    """
    return ratio(sums[..., 0], sums[..., 1], sums[..., 2])


def recall(sums: Floats) -> Floats:
    """Return common / gold.

    >>> recall(lines([(1, 4, 2), (0, 0, 0)])).tolist()
    [0.5, nan]
    """
    return ratio(sums[..., 0], sums[..., 2])


_WORD = re.compile(r"\w+")
FUNCTION_WORDS = frozenset(
    (  # noqa: SIM905 - a list to be read
        "a about all also am an and any are as at be been but by can could did do does for from get had has have how i "
        "if in into is it its just me my no not of on only or our out so some than that the their them there these they "
        "this those to too us was we were what when where which who why will with would yes you your "
    ).split()
)

Value = Callable[[Example], float]


def words(text: str) -> list[str]:
    """Return a text's words in small letters, function words left out; all of them if there are no others.

    >>> words("Is it the 1.5 L kettle?"), words("It is.")
    (['1', '5', 'l', 'kettle'], ['it', 'is'])
    """
    found = _WORD.findall(text.casefold())
    return [word for word in found if word not in FUNCTION_WORDS] or found


def _share(part: Sequence[str], whole: str) -> float:
    there, asked_for = set(_WORD.findall(whole.casefold())), set(part)  # a repeated word counts once, so it never helps
    return len(asked_for & there) / len(asked_for) if asked_for else 0.0


def grounded(example: Example) -> float:
    """Return the share of an answer's words that stand in the snippets that it cites; if it cites none, in those shown.

    >>> prompt = "Question: How big?\\n[1] Holds 2 litres.\\n[2] Nice and blue."
    >>> said = (Reply("2 litres", (1,)), Reply("2 litres", (2,)), Reply("2 blue"), Reply(None))
    >>> [grounded(Example("1", "g", Reply("2 l"), reply, {}, prompt)) for reply in said]
    [1.0, 0.0, 1.0, 0.0]
    """
    reply = _reply(example)
    if reply is None:
        return 0.0
    shown, cited = snippets(example.prompt), reply.cited
    chosen = [shown[number - 1] for number in cited if 1 <= number <= len(shown)] if cited else shown
    return _share(words(reply.text), " ".join(chosen))


def relevant(example: Example) -> float:
    """Return the share of a question's words that its answer takes up.

    >>> relevant(Example("1", "g", Reply("x"), Reply("The lid is made of steel."), {}, "Question: What is the lid made of?"))
    1.0
    """
    reply = _reply(example)
    return 0.0 if reply is None else _share(words(question_of(example.prompt)), reply.text)


def _reply(example: Example) -> Any:
    """Return the answer, ``None`` for one that is unreadable or abstains."""
    return None if abstains(example.said) else example.said


def _table(value: Value, needs_snippets: bool) -> Callable[[Sequence[Example], Tools], Floats]:
    def line(example: Example) -> tuple[float, float]:
        applies = not abstains(example.gold) and (not needs_snippets or bool(snippets(example.prompt)))
        return (value(example), 1.0) if applies else (0.0, 0.0)

    return lambda examples, tools: lines(map(line, examples))


def elsewhere(examples: Sequence[Example]) -> list[Example]:
    """Return the examples, each with the gold answer of the next question that has one, and the last with the first's.

    Those that have no answer themselves stay as they are.

    >>> [e.said.text for e in elsewhere([Example(t, "g", Reply(t), None) for t in "abc"])]
    ['b', 'c', 'a']
    """
    golds = [e.gold.text for e in examples if not abstains(e.gold)]
    others = iter(golds[1:] + golds[:1])
    return [e if abstains(e.gold) else replace(e, said=Reply(next(others))) for e in examples]


def _proxy(value: Value, needs_snippets: bool) -> Metric:
    table = _table(value, needs_snippets)
    guesses = {"another question's answer": lambda examples, tools: table(elsewhere(examples), tools)}
    return Metric(table, mean, guesses=guesses, trivial=False)


def _judged(name: str, needs_snippets: bool) -> Metric:
    def missing(examples: Sequence[Example], tools: Tools) -> str:
        return "" if any(name in e.judged for e in examples) else "no judgements.jsonl beside the predictions"

    def mark(example: Example) -> float:
        return 0.0 if _reply(example) is None else example.judged.get(name, 0.0)

    guesses = {"abstain": _table(lambda _: 0.0, needs_snippets)}
    return Metric(_table(mark, needs_snippets), mean, missing=missing, guesses=guesses, trivial=False)


METRICS = {
    "answer_relevance": _judged("relevance", False),
    "answer_relevance_proxy": _proxy(relevant, False),
    "groundedness": _judged("grounded", True),
    "groundedness_proxy": _proxy(grounded, True),
    "citation_precision": Metric(cited, precision),
    "citation_recall": Metric(cited, recall),
}
