"""BM25: the snippet that shares most words with the question (cited), candidates ordered by their match to the query.

BM25 and its parameters are those of :mod:`converters.text.retrieval`; document frequencies are those of the row's own texts.
"""

import re
from collections.abc import Iterator, Sequence

from converters import tasks
from converters.schema import Row
from converters.tasks import answer
from converters.tasks.ranking import Order
from converters.text.retrieval import K1, B, bm25, ranked
from converters.text.words import searched
from eval.baselines.base import Baseline, Guess, Predict, Solved, Tell, question, text

_CANDIDATE = re.compile(r"(\d+): (.*)")
_QUERY = re.compile(r"^Query: (.*)$", re.MULTILINE)


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Learn nothing: what is ranked stands in the row itself."""
    return lambda asked: (_snippet(row) if tasks.get(row.task).kind == "reply" else _order(row) for row in asked)


def _snippet(row: Row) -> Guess | None:
    prompt = question(row)
    snippets = answer.snippets(prompt)
    if not snippets:
        return None
    best = _best(answer.question_of(prompt), snippets)[0]
    return Guess(answer.Reply(snippets[best], (best + 1,)))


def _order(row: Row) -> Guess | None:
    prompt = text(row)
    query = _QUERY.search(prompt)
    listed = [line for line in map(_CANDIDATE.fullmatch, prompt.splitlines()) if line]
    places = _best(query[1], [line[2] for line in listed]) if query else []
    return Guess(Order(tuple(int(listed[place][1]) for place in places))) if places else None


def _best(query: str, texts: Sequence[str]) -> list[int]:
    return ranked(bm25([searched(query)], [*map(searched, texts)])[0])


BASELINE = Baseline(fit, ("order", "reply"), {"k1": K1, "b": B})
