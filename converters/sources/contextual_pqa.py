"""hetPQA and ePQA: human answers to product questions, each written from one piece of evidence.

Raw formats: hetPQA's tab-separated columns ``ASIN, question, candidate, answer, source`` in files named ``.csv`` (Shen et al.,
"semiPQA / hetPQA", ACL 2022 ECNLP), and ePQA's comma-separated ones, with a ``label`` (Shen et al., "xPQA", ACL 2023). A
question is asked once for each evidence that answers it, and several answers from one evidence are one question with
references: the target is the one whose words the others use most, of those whose numbers the evidence states. Evidence that
does not answer its question (label 0, no answer) makes one abstention of all such evidence to a question: shown is what is
likeliest taken for an answer, and nothing that may be one. Attribute evidence, which comes in a notation close to JSON, is put
into words. The official split is in the file's name; the dataset's own splits share products, and the mixture keeps what is
held out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from converters.core.hashing import digest
from converters.io import need_columns, table, unpacked_size
from converters.io.grouping import Gathering, gathered
from converters.io.pieces import Source, path_of
from converters.schema import Outcome, Question
from converters.sources._qa import Answer, agreeing, best_first
from converters.sources.esci import official
from converters.text import retrieval as retrieving
from converters.text.figures import unstated
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import product_group
from converters.text.sanitize import one_line

URL = "https://github.com/amazon-science/contextual-product-qa"
LICENCE = "CDLA-Sharing-1.0"
FILES = "hetPQA__answer_generation__{train,dev,test}.csv; ePQA: {train,dev,test}.csv"
TASKS = ("answer",)
FILE_OPTIONS = ("tokenizer",)
COLUMNS = ("ASIN", "question", "candidate", "answer")
_SPLIT = re.compile(r"(?<![a-z])(train|dev|val|validation|test)(?![a-z])")
_GATHERED = "answer gathered with those to the same question and evidence"
_DENIED = "evidence gathered into one abstention of its question"
_UNREAD = "attribute evidence left as it is: not in the usual notation"
# A text in double quotes, in single quotes or in none; a comma after the last value; a quote that is never closed.
_TOKEN = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^{}\[\],:;"'\s][^{}\[\],:;"']*)|,(?=\s*[}\]])|["']""")
_WORDS = {"true": "yes", "false": "no"}
_VALUES = ("value", "decimal_value", "string_value", "normalized_value", "standardized_values")
_QUALIFIERS = {*_VALUES, "unit", "type"}
_ZERO = re.compile(r"0(?:\.0)?")
_ZEROS = re.compile(r"(?<=\d)\.0*(?!\d)")


class Row(msgspec.Struct, frozen=True):
    """One usable row; ``unread`` marks attribute evidence in another notation, ``marked`` a row with markup.

    Without an ``answer``, the evidence is known not to answer the question.
    """

    where: str
    asin: str
    question: str
    evidence: str
    answer: str
    split: str
    unread: bool
    marked: bool


def read(
    paths: Sequence[Path],
    *,
    snippets: Annotated[int, "how many to show at most; above 1, evidence of the product's other questions, too"] = 1,
    retrieval: Annotated[str, "what chooses and orders them: bm25, dense (by the encoder) or fusion of both"] = "bm25",
    budget: retrieving.Budget = None,
    encoder: retrieving.EncoderName = retrieving.MINILM,
    tokenizer: retrieving.TokenizerFile = None,
    abstentions: Annotated[
        bool, "make one abstention a question of the evidence with label 0; false rejects these rows"
    ] = True,
    dev: Annotated[
        Literal["validation", "test"], "split of a dev file's rows: test, for instance, as hetPQA has no other one"
    ] = "validation",
) -> Iterator[Outcome]:
    """Yield one outcome a row; a question's own evidence is always among what it is shown."""
    how = gathering(snippets, retrieval, budget, encoder, tokenizer, abstentions, dev)
    yield from gathered(how, paths, unpacked_size(paths))


def gathering(
    snippets: int,
    retrieval: str,
    budget: int | None,
    encoder: str,
    tokenizer: str | None,
    abstentions: bool,
    dev: str,
) -> Gathering:
    """Return how rows are brought together, by their product; the options are those of :func:`read`."""
    how = retrieving.configure(retrieval, snippets, budget, encoder, tokenizer)
    decode = msgspec.msgpack.Decoder(Row).decode
    return Gathering(
        lambda sources: _by_product(sources, abstentions, dev),
        lambda values: _product(list(map(decode, values)), how),
    )


def _by_product(sources: Iterable[Source], abstentions: bool, dev: str) -> Iterator[tuple[bytes, bytes] | Outcome]:
    for path in map(path_of, sources):
        name = _SPLIT.search(path.name.lower())
        split = official(name[1]) if name else ""
        split = dev if split == "validation" else split
        for where, cells in table(path):
            if isinstance(cells, Outcome):
                yield cells
                continue
            need_columns(path, cells, COLUMNS)
            marked = any(has_markup(cells[column]) for column in COLUMNS)
            asin, question, evidence, answer = (one_line(untagged(cells[column])) for column in COLUMNS)
            phrase = readable(evidence) if cells.get("source", "").strip() == "attribute" else evidence
            row = Row(where, asin, question, phrase or evidence, answer, split or "", phrase is None, marked)
            if reason := _reason(row, cells.get("label", ""), abstentions):
                yield Outcome(where, reason=reason)
            else:
                # Without an ASIN nobody knows what else is about the product.
                yield (asin or question).encode(), msgspec.msgpack.encode(row)


def _reason(row: Row, label: str, abstentions: bool) -> str:
    denied = bool(_ZERO.fullmatch(label.strip()))
    if denied and row.answer:
        return "label 0, but an answer"
    if not (row.question and row.evidence and (row.answer or denied)):
        return "no question, evidence or answer"
    return "evidence with label 0" if denied and not abstentions else ""


def readable(evidence: str) -> str | None:
    """Return an attribute's name and values in words, ``None`` where the evidence is not in hetPQA's notation.

    The notation is JSON with bare words, single quotes, and semicolons between the values.

    >>> readable('item_weight:  { unit:kilograms, normalized_value:{ unit:pounds, value:2.2 }, value:1.0 }')
    'item weight: 1.0 kilograms (2.2 pounds)'
    >>> readable('num_batteries:  { quantity:3, type:d }; { quantity:3, type:lithium_ion }')
    'num batteries: quantity 3, type d; quantity 3, type lithium ion'
    >>> readable("it is red.") is None
    True
    """
    name, _, values = evidence.partition(":")
    if not re.fullmatch(r"\w+", name.strip()):
        return None
    decode = json.JSONDecoder(object_pairs_hook=_object).raw_decode
    rest, phrases = _TOKEN.sub(_as_json, values.strip()), list[str]()
    try:
        while rest:
            value, end = decode(rest)
            phrases.append(_phrase(value))
            rest = rest[end:].strip()
            if rest and rest[0] != ";":
                return None
            rest = rest[1:].strip()
    except (ValueError, RecursionError):
        return None
    return f"{name.strip().replace('_', ' ')}: {'; '.join(phrases)}" if phrases and all(phrases) else None


def _as_json(token: re.Match[str]) -> str:
    double, single, bare = token.groups()
    if double is single is bare is None:
        return "" if token[0] == "," else "?"  # which no JSON has
    text = bare.strip().replace("_", " ") if bare else re.sub(r"\\(.)", r"\1", double or single or "")
    return json.dumps(_WORDS.get(text, text))


def _object(pairs: Sequence[tuple[str, Any]]) -> str:
    """Return an object in words: its value with unit, type and what it is in other units or words, or all of its fields."""
    fields = {key.replace(" ", "_"): _phrase(value) for key, value in pairs}
    if "" in fields:
        raise ValueError("a field without a name")
    main = next((fields[key] for key in _VALUES[:-1] if key in fields), None)
    if main is None or fields.keys() - _QUALIFIERS:
        return ", ".join(f"{key.replace('_', ' ')} {phrase}" for key, phrase in fields.items())
    whole = f"{main} {fields.get('unit', '')}".strip()
    others = [fields[key] for key in _VALUES if key in fields]
    known = {_ZEROS.sub("", phrase) for phrase in (main, whole)}
    more = [phrase for phrase in dict.fromkeys(others) if _ZEROS.sub("", phrase) not in known]
    more += [kind] if (kind := fields.get("type", "")) not in ("", "unknown") else []
    return f"{whole} ({', '.join(more)})" if more else whole


def _phrase(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(map(_phrase, value))


def _product(rows: Sequence[Row], how: retrieving.Retrieval) -> Iterator[Outcome]:
    """Yield the outcomes of one product's rows; those of one question and evidence are counted with the first of them.

    So are those of a question that its evidence does not answer.
    """
    texts = list(dict.fromkeys(row.evidence for row in rows))
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.split, row.question, row.evidence if row.answer else ""), []).append(row)
    questions = list(dict.fromkeys(row.question for row in rows))
    orders = dict(zip(questions, retrieving.rank(questions, texts, how), strict=True))
    answering = {(row.question, row.evidence) for row in rows if row.answer}
    for group in groups.values():
        order = orders[group[0].question]
        denied = {row.evidence for row in group if (row.question, row.evidence) not in answering}
        yield _outcome(group, texts, order, how) if group[0].answer else _abstention(group, denied, texts, order, how)


def _abstention(
    rows: Sequence[Row], denied: AbstractSet[str], texts: Sequence[str], order: Sequence[int], how: retrieving.Retrieval
) -> Outcome:
    """Return a question with nothing but evidence that is known not to answer it."""
    first = rows[0]
    if not denied:
        return Outcome(first.where, reason="label 0, but an answer in another row", rows=len(rows))
    chosen = retrieving.select(first.question, texts, [place for place in order if texts[place] in denied], how)
    if not chosen:
        return Outcome(first.where, reason="no room for a snippet in the budget", rows=len(rows))
    snippets = tuple(text for _, text in chosen)
    group = product_group(first.asin, first.question)
    record = Question(f"{first.asin}:{digest(first.question, snippets)}", group, first.question, snippets, None)
    notes = (MARKUP,) * sum(row.marked for row in rows) + (_DENIED,) * (len(rows) - 1)
    return Outcome(first.where, (record,), notes=notes, split=first.split, rows=len(rows))


def _outcome(rows: Sequence[Row], texts: Sequence[str], order: Sequence[int], how: retrieving.Retrieval) -> Outcome:
    first = rows[0]
    place = texts.index(first.evidence)
    chosen = retrieving.select(first.question, texts, order, how, first=place)
    if not chosen:
        return Outcome(first.where, reason="no room for a snippet in the budget", rows=len(rows))
    replies, _ = agreeing(best_first([Answer(row.answer) for row in rows]))
    replies = tuple(sorted(replies, key=lambda reply: bool(unstated(reply, (first.evidence, first.question)))))
    places, snippets = zip(*chosen, strict=True)
    ranks = (order.index(place) + 1,) if how.most > 1 and len(texts) > 1 else ()
    identifier = f"{first.asin}:{digest(first.question, first.evidence, replies)}"
    group, cited = product_group(first.asin, first.question), (places.index(place) + 1,)
    record = Question(identifier, group, first.question, snippets, replies[0], cited, replies[1:], ranks)
    notes = (_UNREAD,) * first.unread + (MARKUP,) * sum(row.marked for row in rows) + (_GATHERED,) * (len(rows) - 1)
    return Outcome(first.where, (record,), notes=notes, split=first.split, rows=len(rows))
