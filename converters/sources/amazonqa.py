"""AmazonQA: questions about a product, review snippets, and the community's answers.

Raw formats, known by their keys, in any mixture of files:

* ``*-qar.jsonl``: a question a line with ``review_snippets``, ``answers`` and ``is_answerable`` (Gupta et al., "AmazonQA: A
  Review-Based Question Answering Task", IJCAI 2019). ``is_answerable`` is a classifier's output on these snippets, not human
  gold: so a question has its own snippets and no others, and the abstention is the target where it is 0.
* ``qa_*.json.gz``: an answer a line, each line a Python literal (McAuley and Yang, WWW 2016). The answers of one product's
  question are gathered. ``QA_*.json.gz`` and the raw records of AmazonQA: a product a row with all its ``questions``.
* ``reviews_*.json.gz`` (``asin, reviewText``): what the questions of the older files are answered from. Without reviews there is
  nothing to read: such a question is rejected, and with ``closed_book`` it is asked without snippets.

The target is the answer with most votes up less down; of equal ones that whose yes or no most others say, then whose words most
others use. All others are references but those that say no where it says yes. It cites the snippets that say it word for word.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import structs

from converters.core.hashing import digest
from converters.io import decoded, unpacked_size
from converters.io.grouping import Gathering, gathered
from converters.io.pieces import Source
from converters.schema import Answerable, Outcome, Question, Record
from converters.sources._qa import Answer, Count, agreeing, best_first, holds, unescaped
from converters.text import retrieval as retrieving
from converters.text.matching import product_group

URL = "https://github.com/amazonqa/amazonqa; older files: https://jmcauley.ucsd.edu/data/amazon/qa/"
LICENCE = "none stated; questions, answers and reviews from Amazon, research use"
FILES = "train-qar.jsonl, val-qar.jsonl, test-qar.jsonl; older: qa_Appliances.json.gz with reviews_Appliances.json.gz"
TASKS = ("answer", "answerable")
FILE_OPTIONS = ("tokenizer",)
_GATHERED = "answer gathered with those to the same question of the product"
_UNMATCHED = "no snippet shares a word with the question: they are in the order of the file"


class Options(NamedTuple):
    """How snippets are chosen, and whether a question without any is asked all the same."""

    retrieval: retrieving.Retrieval
    closed_book: bool


class ProductQuestion(msgspec.Struct, frozen=True, rename={"text": "questionText"}):
    """One question of a product's record."""

    text: str
    answers: list[Answer] = []


class Review(msgspec.Struct, frozen=True, rename={"text": "reviewText"}):
    """One review of a product's record."""

    text: str = ""


class Raw(msgspec.Struct, frozen=True):
    """One row in any of the formats, as far as it is used."""

    asin: str
    questionText: str = ""  # noqa: N815 - the dataset's name
    review_snippets: list[str] | None = None
    answers: list[Answer] = []
    is_answerable: Count | bool | None = None
    question: str = ""
    answer: str = ""
    answerType: str | None = None  # noqa: N815
    questions: list[ProductQuestion] | None = None
    reviews: list[Review] = []
    reviewText: str | None = None  # noqa: N815


RAW = Raw


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
    how = gathering(snippets, retrieval, budget, encoder, tokenizer, closed_book)
    yield from gathered(how, paths, unpacked_size(paths))


def gathering(
    snippets: int, retrieval: str, budget: int | None, encoder: str, tokenizer: str | None, closed_book: bool
) -> Gathering:
    """Return how rows are brought together, by their product; the options are those of :func:`read`."""
    how = retrieving.configure(retrieval, snippets, budget, encoder, tokenizer)
    passage_how = replace(how, method="bm25") if retrieval == "dataset" else how
    decode = msgspec.msgpack.Decoder(tuple[str, Raw]).decode
    return Gathering(
        lambda sources: _by_product(sources, Options(how, closed_book)),
        lambda values: _product(list(map(decode, values)), Options(passage_how, closed_book)),
    )


def _by_product(sources: Sequence[Source], options: Options) -> Iterator[tuple[bytes, bytes] | Outcome]:
    """Yield the outcome of a row that has its own snippets, and any other row with its product's key."""
    for where, row in decoded(sources, Raw, literals=True):
        if isinstance(row, Outcome):
            yield row
        elif row.review_snippets is None:
            yield row.asin.encode(), msgspec.msgpack.encode((where, row))
        else:
            question = {unescaped(row.questionText): _with_text(row.answers)}
            [outcome] = _questions(row.asin, question, row.review_snippets, row.is_answerable, options)
            yield structs.replace(outcome, where=where)


def _with_text(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if unescaped(answer.answerText)]


def _product(rows: Sequence[tuple[str, Raw]], options: Options) -> Iterator[Outcome]:
    """Yield the outcomes of one product's rows: questions, whole records and reviews."""
    reviews = [text for _, row in rows for text in (row.reviewText or "", *(review.text for review in row.reviews))]
    passages = [passage for text in reviews for passage in retrieving.passages(unescaped(text))]
    answers: dict[str, dict[int, list[Answer]]] = {}  # by question and row
    for number, (_, row) in enumerate(rows):
        for question in _asked(row):
            by_row = answers.setdefault(unescaped(question.text), {})
            by_row.setdefault(number, []).extend(_with_text(question.answers))
    merged = {question: [answer for part in by_row.values() for answer in part] for question, by_row in answers.items()}
    outcomes = _questions(rows[0][1].asin, merged, passages, None, options)
    yield from _by_row(rows, list(zip(answers.values(), outcomes, strict=True)))


def _asked(row: Raw) -> list[ProductQuestion]:
    """Return the questions of a row: none of a review, several of a product's record."""
    if row.reviewText is not None:
        return []
    if row.questions is not None:
        return row.questions
    single = [Answer(row.answer, row.answerType)] if row.answer else []
    return [ProductQuestion(row.questionText or row.question, [*row.answers, *single])]


def _by_row(
    rows: Sequence[tuple[str, Raw]], questions: Sequence[tuple[Mapping[int, Sequence[Answer]], Outcome]]
) -> Iterator[Outcome]:
    """Yield a product's outcomes row by row: a question's records go to the first row that has an answer to it."""
    outcomes = defaultdict[int, list[Outcome]](list)  # of the questions whose records a row has
    counted_with: dict[int, int] = {}  # a row to the one that has the records of its question
    reasons = defaultdict[int, list[str]](list)
    for answers, outcome in questions:
        givers = [number for number, texts in answers.items() if texts] if outcome.records else []
        if givers:
            outcomes[givers[0]].append(structs.replace(outcome, notes=outcome.notes + (_GATHERED,) * (len(givers) - 1)))
            counted_with.update(dict.fromkeys(givers, givers[0]))
        for number in answers.keys() - set(givers):
            reasons[number].append(outcome.reason or "no answer")
    if outcomes:  # where a question is asked, the product's reviews have been read
        reviews = [number for number, (_, row) in enumerate(rows) if row.reviewText is not None]
        counted_with.update(dict.fromkeys(reviews, min(outcomes)))
    merged = Counter(counted_with[number] for number in counted_with if number not in outcomes)
    for number, (where, row) in enumerate(rows):
        if number in outcomes:
            records = tuple(record for outcome in outcomes[number] for record in outcome.records)
            notes = [note for outcome in outcomes[number] for note in outcome.notes]
            notes += [f"question left out: {reason}" for reason in reasons[number]]
            yield Outcome(where, records, notes=tuple(notes), rows=1 + merged[number])
        elif number not in counted_with:
            alone = "no question" if row.reviewText is None else "review of a product without a question to use"
            yield Outcome(where, reason=next(iter(reasons[number]), alone))


def _questions(
    asin: str, questions: Mapping[str, Sequence[Answer]], snippets: Sequence[str], judged: int | None, options: Options
) -> list[Outcome]:
    """Return an outcome for each question of a product; ``judged`` tells whether the snippets answer it, if anyone knows."""
    texts = tuple(dict.fromkeys(filter(None, map(unescaped, snippets))))
    orders = retrieving.rank(list(questions), texts, options.retrieval)
    return [
        _question(asin, question, best_first(answers), [texts[place] for place in order], judged, options)
        for (question, answers), order in zip(questions.items(), orders, strict=True)
    ]


def _question(
    asin: str, question: str, answers: tuple[Answer, ...], texts: Sequence[str], judged: int | None, options: Options
) -> Outcome:
    """Return the outcome of a question, whose row is not known here; ``texts`` are the candidates, best first."""
    how, closed_book = options
    chosen = retrieving.select(question, texts, range(len(texts)), how)
    snippets = tuple(text for _, text in chosen)
    answered = bool(judged is None or judged or not snippets)
    reasons = {
        "no question": not question,
        "no room for a snippet in the budget": texts and not snippets,
        "no snippet": not snippets and not closed_book,
        "answerable but without an answer": answered and not answers,
    }
    if reason := next((reason for reason, applies in reasons.items() if applies), ""):
        return Outcome("", reason=reason)
    replies, notes = agreeing(answers) if answered else ((), ())
    target = replies[0] if replies else None
    cited = tuple(number for number, text in enumerate(snippets, 1) if target and holds(text, target))
    searched = target if how.method != "dataset" and len(texts) > 1 else None
    ranks = tuple(rank for rank, text in enumerate(texts, 1) if searched and holds(text, searched))
    identifier, group = f"{asin}:{digest(question, snippets, answers)}", product_group(asin, asin)
    records: list[Record] = [Question(identifier, group, question, snippets, target, cited, replies[1:], ranks)]
    if snippets and retrieving.unmatched(question, texts[0], how):
        notes += (_UNMATCHED,)
    if judged is not None and snippets:
        records.append(Answerable(identifier, group, question, snippets, bool(judged)))
        notes += ("is_answerable is about all snippets: some of them are not shown",) * (len(snippets) < len(texts))
    return Outcome("", tuple(records), notes=notes)
