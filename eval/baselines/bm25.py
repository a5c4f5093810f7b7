"""What shares most words with the question, by BM25: the best snippet (cited), candidates ordered by their match to the query.

BM25 and its parameters are those of :mod:`converters.retrieval`; document frequencies are those of the row's own texts.
"""

import re
from collections.abc import Iterator, Sequence

from converters import tasks
from converters.schema import Row
from converters.tasks import answer
from converters.tasks.ranking import Order
from converters.text.matching import words
from converters.text.retrieval import K1, B, bm25, ranked
from eval.baselines.base import Baseline, Predict, Said, Solved, Tell, question, text

_CANDIDATE = re.compile(r"(\d+): (.*)")
_QUERY = re.compile(r"^Query: (.*)$", re.MULTILINE)


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Learn nothing: what is ranked stands in the row itself."""
    return lambda asked: map(_said, asked)


def _said(row: Row) -> Said | None:
    return _snippet(question(row)) if tasks.get(row.task).kind == "reply" else _order(text(row))


def _snippet(asks: str) -> Said | None:
    found = answer.snippets(asks)
    if not found:
        return None
    best = _best(answer.question_of(asks), found)[0]
    return Said(answer.Reply(found[best], (best + 1,)))


def _order(asks: str) -> Said | None:
    query = _QUERY.search(asks)
    listed = [line for line in map(_CANDIDATE.fullmatch, asks.splitlines()) if line]
    places = _best(query[1], [line[2] for line in listed]) if query else []
    return Said(Order(tuple(int(listed[place][1]) for place in places))) if places else None


def _best(asked: str, texts: Sequence[str]) -> list[int]:
    return ranked(bm25([words(asked)], [*map(words, texts)])[0])


BASELINE = Baseline(fit, ("order", "reply"), {"k1": K1, "b": B})
