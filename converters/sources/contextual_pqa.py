"""hetPQA: human answers to product questions, each written from one piece of evidence.

Raw format: tab-separated columns ``ASIN, question, candidate, answer, source`` in files named ``.csv``. Paper: Shen et al.,
"semiPQA / hetPQA", ACL 2022 ECNLP. A question is asked once for each evidence that answers it, and several answers from one
evidence are one question with references: the target is the one whose words the others use most. Attribute evidence is told in
words. The official split is in the file's name; the dataset's own splits share products, and the mix keeps what is held out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from converters import retrieval as retrieving
from converters.answers import Answer, agreeing, best_first
from converters.evidence import readable
from converters.grouped import grouped
from converters.outcome import Outcome, digest, product_group
from converters.queries import official
from converters.raw import need_columns, table, unpacked_size
from converters.records import Question
from converters.retrieval import Retrieval
from converters.untagged import MARKUP, has_markup, untagged
from converters.untrusted import one_line

URL = "https://github.com/amazon-science/contextual-product-qa"
LICENCE = "CDLA-Sharing-1.0"
FILES = "hetPQA__answer_generation__{train,dev,test}.csv"
TASKS = ("answer",)
BESIDE = ("tokenizer",)
COLUMNS = ("ASIN", "question", "candidate", "answer")
_SPLIT = re.compile(r"(?<![a-z])(train|dev|val|validation|test)(?![a-z])")
_GATHERED = "answer gathered with those to the same question and evidence"
_PLAIN = "attribute evidence left as it is: not in the usual notation"


class Row(msgspec.Struct, frozen=True):
    """One usable row."""

    where: str
    asin: str
    question: str
    evidence: str
    answer: str
    split: str
    plain: bool
    marked: bool


def read(
    paths: Sequence[Path],
    *,
    snippets: Annotated[int, "how many to show at most; above 1, evidence of the product's other questions, too"] = 1,
    retrieval: Annotated[str, "what chooses and orders them: bm25, dense (by the encoder) or fusion of both"] = "bm25",
    budget: retrieving.Budget = None,
    encoder: retrieving.EncoderName = retrieving.MINILM,
    tokenizer: retrieving.TokenizerFile = None,
) -> Iterator[Outcome]:
    """Yield one outcome a row; a question's own evidence is always among what it is shown."""
    how = retrieving.ready(retrieval, snippets, budget, encoder, tokenizer)
    reading = msgspec.msgpack.Decoder(Row)
    for found in grouped(_rows(paths), unpacked_size(paths)):
        if isinstance(found, Outcome):
            yield found
        else:
            yield from _product([reading.decode(value) for value in found], how)


def _rows(paths: Iterable[Path]) -> Iterator[tuple[bytes, bytes] | Outcome]:
    for path in paths:
        named = _SPLIT.search(path.name.lower())
        split = official(named[1]) if named else ""
        for where, row in table(path):
            if isinstance(row, Outcome):
                yield row
                continue
            need_columns(path, row, COLUMNS)
            found = _row(where, row, split or "")
            # Without an ASIN nobody knows what else is about the product.
            key = found.asin or found.question
            usable = found.question and found.evidence and found.answer
            pair = key.encode(), msgspec.msgpack.encode(found)
            yield pair if usable else Outcome(where, reason="no question, evidence or answer")


def _row(where: str, row: Mapping[str, str], split: str) -> Row:
    asin, question, evidence, answer = (one_line(untagged(row[column])) for column in COLUMNS)
    marked = any(has_markup(row[column]) for column in COLUMNS)
    is_attribute = row.get("source", "").strip() == "attribute"
    told = readable(evidence) if is_attribute else evidence
    return Row(where, asin, question, told or evidence, answer, split, is_attribute and not told, marked)


def _product(rows: Sequence[Row], how: Retrieval) -> Iterator[Outcome]:
    """Yield the outcomes of one product's rows; those of one question and evidence are counted with the first of them."""
    texts = list(dict.fromkeys(row.evidence for row in rows))
    gathered: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        gathered.setdefault((row.split, row.question, row.evidence), []).append(row)
    questions = list(dict.fromkeys(row.question for row in rows))
    orders = dict(zip(questions, retrieving.orders(questions, texts, how), strict=True))
    for same in gathered.values():
        yield _outcome(same, texts, orders[same[0].question], how)


def _outcome(rows: Sequence[Row], texts: Sequence[str], order: Sequence[int], how: Retrieval) -> Outcome:
    first = rows[0]
    place = texts.index(first.evidence)
    shown = retrieving.shown(first.question, texts, order, how, first=place)
    if not shown:
        return Outcome(first.where, reason="no room for a snippet in the budget", rows=len(rows))
    replies, _ = agreeing(best_first([Answer(row.answer) for row in rows]))
    cited = 1 + next(number for number, (at, _) in enumerate(shown) if at == place)
    ranks = (order.index(place) + 1,) if how.most > 1 and len(texts) > 1 else ()
    identifier = f"{first.asin}:{digest(first.question, first.evidence, replies)}"
    group = product_group(first.asin, first.question)
    snippets = tuple(text for _, text in shown)
    record = Question(identifier, group, first.question, snippets, replies[0], (cited,), replies[1:], ranks)
    return Outcome(
        first.where,
        (record,),
        notes=(_PLAIN,) * first.plain + (MARKUP,) * sum(row.marked for row in rows) + (_GATHERED,) * (len(rows) - 1),
        split=first.split,
        rows=len(rows),
    )
