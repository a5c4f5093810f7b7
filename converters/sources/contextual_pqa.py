"""hetPQA's attribute evidence, a notation close to JSON, as a text that a person would read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from converters.core.hashing import digest
from converters.io import need_columns, table, unpacked_size
from converters.io.grouping import grouped
from converters.schema import Outcome, Question
from converters.sources._qa import Answer, agreeing, best_first
from converters.sources.esci import official
from converters.text import retrieval as retrieving
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import product_group
from converters.text.retrieval import Retrieval
from converters.text.sanitize import one_line

_TOKEN = re.compile(r"""\s*(?:([{}\[\],:;])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^{}\[\],:;"']+))""")
_SAID = {"true": "yes", "false": "no"}
_VALUES = ("value", "decimal_value", "string_value", "normalized_value")
_ASIDE = {*_VALUES, "standardized_values", "unit", "type"}

Value = str | list["Value"] | dict[str, "Value"]


def readable(evidence: str) -> str | None:
    """Return the attribute's name and its values in words, ``None`` where the evidence is not in this notation.

    >>> readable('item_weight:  { unit:kilograms, normalized_value:{ unit:pounds, value:2.2 }, value:1.0 }')
    'item weight: 1.0 kilograms'
    >>> readable('num_batteries:  { quantity:3, type:d }; { quantity:3, type:lithium_ion }')
    'num batteries: quantity 3, type d; quantity 3, type lithium ion'
    >>> readable("it is red.") is None
    True
    """
    name, colon, rest = evidence.partition(":")
    tokens = _tokens(rest)
    if not (colon and tokens and re.fullmatch(r"\w+", name.strip())):
        return None
    values: list[str] = []
    try:
        while tokens:
            values.append(_told(_value(tokens)))
            if tokens and tokens.pop()[0] != ";":
                return None
    except (IndexError, ValueError, RecursionError):
        return None
    return f"{_words(name.strip())}: {'; '.join(values)}" if all(values) else None


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return signs and texts, the first one last; nothing if something else is among them."""
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if not token:
            return []
        sign, double, single, bare = token.groups()
        quoted = double if double is not None else single
        said = _words(bare.strip()) if bare else re.sub(r"\\(.)", r"\1", quoted or "")
        found.append((sign or "", "" if sign else _SAID.get(said, said)))
        at = token.end()
    return found[::-1]


def _words(text: str) -> str:
    return text.replace("_", " ")


def _value(tokens: list[tuple[str, str]]) -> Value:
    """Take one value from the end of ``tokens``; what is no value is a ``ValueError`` or ``IndexError``."""
    sign, text = tokens.pop()
    if not sign:
        return text
    if sign not in "{[":
        raise ValueError
    pairs: dict[str, Value] = {}
    several: list[Value] = []
    closing = "}" if sign == "{" else "]"
    while tokens[-1][0] != closing:
        if sign == "{":
            key = tokens.pop()[1].replace(" ", "_")
            if not key or tokens.pop()[0] != ":":
                raise ValueError
            pairs[key] = _value(tokens)
        else:
            several.append(_value(tokens))
        if tokens[-1][0] == ",":
            tokens.pop()
        elif tokens[-1][0] != closing:
            raise ValueError
    tokens.pop()
    return pairs if sign == "{" else several


def _told(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    main = next((value[key] for key in _VALUES if key in value), None)
    if main is None or value.keys() - _ASIDE:
        return ", ".join(f"{_words(key)} {_told(part)}" for key, part in value.items())
    return _measured(_told(main), value)


def _measured(text: str, value: Mapping[str, Value]) -> str:
    unit, kind = (_told(value.get(key, "")) for key in ("unit", "type"))
    return f"{text} {unit}".strip() + (f" ({kind})" if kind not in ("", "unknown") else "")


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
    how = retrieving.configure(retrieval, snippets, budget, encoder, tokenizer)
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
    orders = dict(zip(questions, retrieving.rank(questions, texts, how), strict=True))
    for same in gathered.values():
        yield _outcome(same, texts, orders[same[0].question], how)


def _outcome(rows: Sequence[Row], texts: Sequence[str], order: Sequence[int], how: Retrieval) -> Outcome:
    first = rows[0]
    place = texts.index(first.evidence)
    shown = retrieving.select(first.question, texts, order, how, first=place)
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
