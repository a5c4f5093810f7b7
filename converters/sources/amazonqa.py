"""AmazonQA: questions about a product, review snippets, and the community's answers.

Raw formats, known by their keys, in any mixture of files:

* ``*-qar.jsonl``: a question a line with ``review_snippets``, ``answers`` and ``is_answerable`` (Gupta et al., "AmazonQA: A
  Review-Based Question Answering Task", IJCAI 2019). ``is_answerable`` is a classifier's output on these snippets, not human
  gold: so a question is shown its own snippets and no other ones, and the abstention is the target where it is 0.
* ``qa_*.json.gz``: an answer a line, each line a Python literal (McAuley and Yang, WWW 2016). The answers of one product's
  question are gathered. ``QA_*.json.gz`` and the raw records of AmazonQA: a product a row with all its ``questions``.
* ``reviews_*.json.gz`` (``asin, reviewText``): what the questions of the older files are answered from. Without reviews there is
  nothing to read: such a question is rejected, and with ``closed_book`` it is asked without snippets.

The target is the answer with most votes up less down; of equal ones that whose yes or no most others say, then whose words most
others use. All others are references but those that say no where it says yes. It cites the snippets that say it word for word.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec

from converters.core.hashing import digest
from converters.io import decoded, unpacked_size
from converters.io.grouping import grouped
from converters.schema import Answerable, Outcome, Question, Record
from converters.sources._qa import Answer, Raw, agreeing, asked, best_first, holds, reviews, said, text_of
from converters.text import retrieval as retrieving
from converters.text.matching import product_group
from converters.text.retrieval import Retrieval

URL = "https://github.com/amazonqa/amazonqa; older files: https://jmcauley.ucsd.edu/data/amazon/qa/"
LICENCE = "none stated; questions, answers and reviews from Amazon, research use"
FILES = "train-qar.jsonl, val-qar.jsonl, test-qar.jsonl; older: qa_Appliances.json.gz with reviews_Appliances.json.gz"
TASKS = ("answer", "answerable")
BESIDE = ("tokenizer",)
_HIDDEN = "is_answerable is about all snippets: some of them are not shown"
_GATHERED = "answer gathered with those to the same question of the product"


@dataclass(frozen=True, slots=True)
class Rules:
    """The options: how snippets are chosen, and whether a question without any is asked all the same."""

    how: Retrieval
    closed_book: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What one question of a product gave: records, or the reason why none, and notes."""

    records: tuple[Record, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()


def read(
    paths: Sequence[Path],
    *,
    snippets: Annotated[int, "how many to show at most, without near repeats"] = 10,
    retrieval: Annotated[
        str, "what orders them: dataset (as they come; reviews by BM25), bm25, dense (by the encoder) or fusion of both"
    ] = "dataset",
    budget: retrieving.Budget = None,
    encoder: retrieving.EncoderName = retrieving.MINILM,
    tokenizer: retrieving.TokenizerFile = None,
    closed_book: Annotated[bool, "ask a question that has no snippet without any, instead of rejecting it"] = False,
) -> Iterator[Outcome]:
    """Yield one outcome a row; rows that were gathered are counted with the first of them."""
    rules = Rules(retrieving.configure(retrieval, snippets, budget, encoder, tokenizer), closed_book)
    searched = replace(rules, how=replace(rules.how, method="bm25")) if retrieval == "dataset" else rules
    reading = msgspec.msgpack.Decoder(tuple[str, Raw])
    for found in grouped(_dealt(paths, rules), unpacked_size(paths)):
        if isinstance(found, Outcome):
            yield found
        else:
            yield from _product([reading.decode(value) for value in found], searched)


def _dealt(paths: Sequence[Path], rules: Rules) -> Iterator[tuple[bytes, bytes] | Outcome]:
    """Yield the outcome of a row that has its own snippets, and any other row by its product."""
    for where, row in decoded(paths, Raw, literals=True):
        if isinstance(row, Outcome):
            yield row
        elif row.review_snippets is None:
            yield row.asin.encode(), msgspec.msgpack.encode((where, row))
        else:
            own = {text_of(row.questionText): said(row.answers)}
            (found,) = _questions(row.asin, own, row.review_snippets, row.is_answerable, rules)
            yield Outcome(where, found.records, found.reason, found.notes)


def _product(rows: Sequence[tuple[str, Raw]], rules: Rules) -> Iterator[Outcome]:
    """Yield the outcomes of one product's rows: questions, whole records and reviews."""
    pool = [text for _, row in rows for review in reviews(row) for text in retrieving.passages(review)]
    gathered: dict[str, dict[int, list[Answer]]] = {}
    for number, (_, row) in enumerate(rows):
        for one in asked(row):
            given = gathered.setdefault(text_of(one.questionText), {}).setdefault(number, [])
            given.extend(said(one.answers))
    everything = {question: [a for given in parts.values() for a in given] for question, parts in gathered.items()}
    found = _questions(rows[0][1].asin, everything, pool, None, rules)
    yield from _outcomes(rows, list(zip(gathered.values(), found, strict=True)))


def _outcomes(
    rows: Sequence[tuple[str, Raw]], questions: Sequence[tuple[Mapping[int, Sequence[Answer]], Found]]
) -> Iterator[Outcome]:
    """Deal what a product's questions gave to its rows: a question's records go to the first row that has an answer to it."""
    opened: dict[int, list[Found]] = defaultdict(list)
    homes: dict[int, int] = {}
    reasons: dict[int, list[str]] = defaultdict(list)
    for parts, found in questions:
        givers = [number for number, given in parts.items() if given] if found.records else []
        if givers:
            opened[givers[0]].append(replace(found, notes=found.notes + (_GATHERED,) * (len(givers) - 1)))
            homes.update((number, givers[0]) for number in givers)
        for number in parts.keys() - set(givers):
            reasons[number].append(found.reason or "no answer")
    home = min(opened, default=None)
    if home is not None:  # where a question is asked, the product's reviews have been read
        homes.update((number, home) for number, (_, row) in enumerate(rows) if row.reviewText is not None)
    riders = Counter(homes[number] for number in homes if number not in opened)
    for number, (where, row) in enumerate(rows):
        if number in opened:
            records = tuple(record for found in opened[number] for record in found.records)
            notes = [note for found in opened[number] for note in found.notes]
            notes += [f"question left out: {reason}" for reason in reasons[number]]
            yield Outcome(where, records, notes=tuple(notes), rows=1 + riders[number])
        elif number not in homes:
            alone = "no question" if row.reviewText is None else "review of a product without a question to use"
            yield Outcome(where, reason=next(iter(reasons[number]), alone))


def _questions(
    asin: str, questions: Mapping[str, Sequence[Answer]], candidates: Sequence[str], judged: int | None, rules: Rules
) -> list[Found]:
    """Return what each question of a product gave; ``judged`` tells whether the candidates answer it, if anyone knows."""
    texts = tuple(dict.fromkeys(filter(None, map(text_of, candidates))))
    orders = retrieving.rank(list(questions), texts, rules.how)
    return [
        _question(asin, question, best_first(answers), [texts[place] for place in order], judged, rules)
        for (question, answers), order in zip(questions.items(), orders, strict=True)
    ]


def _question(
    asin: str, question: str, answers: tuple[Answer, ...], texts: Sequence[str], judged: int | None, rules: Rules
) -> Found:
    """Return what a question gave; ``texts`` are the candidates, best first."""
    shown = retrieving.select(question, texts, range(len(texts)), rules.how)
    snippets = tuple(text for _, text in shown)
    answered = bool(judged is None or judged or not snippets)
    reason = _reason(question, texts, snippets, answers, answered, rules.closed_book)
    if reason:
        return Found(reason=reason)
    replies, notes = agreeing(answers) if answered else ((), ())
    target = replies[0] if replies else None
    cited = tuple(number for number, text in enumerate(snippets, 1) if target and holds(text, target))
    searched = target if rules.how.method != "dataset" and len(texts) > 1 else None
    ranks = tuple(rank for rank, text in enumerate(texts, 1) if searched and holds(text, searched))
    identifier, group = f"{asin}:{digest(question, snippets, answers)}", product_group(asin, asin)
    records: list[Record] = [Question(identifier, group, question, snippets, target, cited, replies[1:], ranks)]
    if judged is not None and snippets:
        records.append(Answerable(identifier, group, question, snippets, bool(judged)))
        notes += (_HIDDEN,) * (len(snippets) < len(texts))
    return Found(tuple(records), notes=notes)


def _reason(
    question: str,
    texts: Sequence[str],
    snippets: Sequence[str],
    answers: Sequence[Answer],
    answered: bool,
    closed_book: bool,
) -> str:
    if not question:
        return "no question"
    if texts and not snippets:
        return "no room for a snippet in the budget"
    if not snippets and not closed_book:
        return "no snippet"
    return "answerable but without an answer" if answered and not answers else ""
