"""What shares most words with the question, by BM25: the best snippet (cited), candidates ordered by their match to the query.

BM25 and its parameters are those of :mod:`converters.retrieval`; document frequencies are those of the row's own texts.
"""

import re
from collections.abc import Iterator, Sequence

from converters.examples import Row
from converters.retrieval import K1, B, bm25, ranked, words
from converters.tasks.answer import Reply, snippets
from converters.tasks.ranking import Order
from eval.baselines.base import Baseline, Predict, Said, Solved, Tell, question, text

_CANDIDATE = re.compile(r"(\d+): (.*)")
_ASKED = re.compile(r"^(?:Question|Query): (.*)$", re.MULTILINE)


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Learn nothing: what is ranked stands in the row itself."""
    return lambda asked: map(_said, asked)


def _said(row: Row) -> Said | None:
    told = _ASKED.findall(question(row))
    if row.task == "answer":
        found = snippets(question(row))
        best = _best(told[-1], found)[0] if told and found else None
        return None if best is None else Said(Reply(found[best], (best + 1,)))
    listed = [line for line in map(_CANDIDATE.fullmatch, text(row).splitlines()) if line]
    if not told or not listed:
        return None
    places = _best(told[-1], [line[2] for line in listed])
    return Said(Order(tuple(int(listed[place][1]) for place in places)))


def _best(asked: str, texts: Sequence[str]) -> list[int]:
    return ranked(bm25([words(asked)], [*map(words, texts)])[0])


BASELINE = Baseline(fit, ("answer", "ranking"), {"k1": K1, "b": B})
