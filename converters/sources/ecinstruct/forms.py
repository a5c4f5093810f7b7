"""The forms of ECInstruct's ten tasks: a row's input, options and output become one of our records.

The forms are those that https://github.com/ninglab/eCeLLM (``data_processing/*.ipynb``) writes. Instructions are not kept: they
only say the same in other words, so each task has one question here.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from converters.core.hashing import digest
from converters.io.rows import literal
from converters.schema import Attributes, Choice, Question, Ranking, Record, Text, Verdict
from converters.sources._qa import unescaped
from converters.sources.esci import GAINS, RELEVANCE, SUBSTITUTE
from converters.tasks.choice import letter, settle
from converters.tasks.yes_no import parse
from converters.text.matching import product_group, query_group
from converters.text.words import words

T = TypeVar("T")

SAME = "Are these the same product?"
RELATION = "How are the two products related?"
SENTIMENT = "Which sentiment does the review express?"
NEXT = "Which product will the customer most likely buy next?"
ANSWERABLE = "Do the snippets answer the question?"
_OPTIONS = "\noptions: "
_NOTHING = {"", "nan", "none", "null"}
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th): ")
_BY_KEYS = {
    ("query", "product title"): "Multiclass_Product_Classification",
    ("query", "product list"): "Query_Product_Rank",
    ("query", "product"): "Product_Substitute_Identification",
}


class UnusableError(Exception):
    """A row that is not of its task's form; the text is the reason that gets counted."""


class Fields(NamedTuple):
    """A row as far as it is used: its input's text, the value that this spells (keys in lower case), the options, the output."""

    text: str
    input: Any
    options: tuple[str, ...]
    output: str


def fields_of(text: str, options: str | Sequence[str] | None, output: str) -> Fields:
    """Return the fields of a raw row; options come without their letters."""
    if not options and _OPTIONS in text:
        text, _, options = text.rpartition(_OPTIONS)
    tree = value(text)
    tree = {key.strip(" :").lower(): item for key, item in tree.items()} if isinstance(tree, dict) else tree
    listed = value(options) if isinstance(options, str) else options
    return Fields(text, tree, tuple(unlettered(listed)) if isinstance(listed, list | tuple) else (), output)


def value(text: str) -> Any:
    """Return the JSON or Python value that a text spells, or the text: the dataset has both."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    for read in (json.loads, literal):
        with suppress(ValueError, RecursionError):
            return read(text)
    return text


def unlettered(options: Iterable[Any]) -> Iterator[str]:
    """Yield the texts of options such as ``A: Very positive``.

    >>> list(unlettered(["A: Very positive", "C: Neutral"]))
    ['Very positive', 'C: Neutral']
    """
    for number, option in enumerate(options):
        yield plain_text(option).removeprefix(f"{letter(number)}: ")


def plain_text(value: Any) -> str:
    """Return a text on one line without HTML entities; what stands for nothing, such as ``NaN``, is empty.

    >>> plain_text(" Salt &amp; pepper"), plain_text("nan"), plain_text(float("nan"))
    ('Salt & pepper', '', '')
    """
    text = unescaped(value) if isinstance(value, str) else ""
    return "" if text.lower() in _NOTHING else text


def task_of(row: Fields, instruction: str) -> str:
    """Return the task that a row's form is of, for files that do not name it; nothing for a row of no known form."""
    if isinstance(row.input, list):
        return "Sequential_Recommendation"
    if not isinstance(row.input, dict):
        return "Sentiment_Analysis" if row.options else ""
    if "target attributes" in row.input:
        return "Attribute_Value_Extraction"
    if "product 1" in row.input:
        return "Product_Relation_Prediction" if row.options else "Product_Matching"
    if "question" in row.input:
        is_verdict = "yes" in instruction.lower() and row.output.strip().lower() in ("yes", "no")
        return "Answerability_Prediction" if is_verdict else "Answer_Generation"
    return _BY_KEYS.get(tuple(row.input), "")


def record(task: str, row: Fields) -> Record:
    """Return the record of a row; :class:`UnusableError` says why there is none."""
    kind = {"Sequential_Recommendation": list, "Sentiment_Analysis": object}.get(task, dict)
    if not isinstance(row.input, kind):
        raise UnusableError("input is not of the task's form")
    nameless = FORMS[task](row)
    named: Record = replace(nameless, id=f"{task}:{digest(nameless)}")
    return named


def _need(value: T, name: str) -> T:
    if not value:
        raise UnusableError(f"no {name}")
    return value


def _field(row: Fields, key: str) -> str:
    return _need(plain_text(row.input.get(key)), key)


def _choice(row: Fields, question: str, group: str, texts: Sequence[Text], product: str = "") -> Choice:
    answer = settle(plain_text(row.output), {"options": row.options})
    options = tuple(dict.fromkeys(row.options))
    if not answer or not all(options):
        raise UnusableError("output is none of the options")
    return Choice("", group, question, tuple(texts), options, answer, product)


def _verdict(row: Fields, question: str, group: str, texts: Sequence[Text], product: str = "") -> Verdict:
    verdict = parse(row.output)
    if verdict is None:
        raise UnusableError("output is not yes or no")
    return Verdict("", group, question, tuple(texts), verdict, product)


def _query_and_product(row: Fields, key: str) -> tuple[str, Sequence[Text], str]:
    """Return what a choice or a verdict is about: its group, its texts, and the group of its product."""
    query, title = _field(row, "query"), _field(row, key)
    return query_group(query), [Text("Query", query), Text("Title", title)], product_group("", title)


def _two_titles(row: Fields) -> tuple[str, Sequence[Text], str]:
    texts = [Text(f"Product {number}", _field(row, f"product {number}")) for number in (1, 2)]
    return product_group("", texts[0].text), texts, product_group("", texts[1].text)


def _two_products(row: Fields) -> tuple[str, Sequence[Text], str]:
    products = [(f"Product {number}", row.input.get(f"product {number}")) for number in (1, 2)]
    pairs = [
        (f"{name} {key}", text) for name, fields in products if isinstance(fields, dict) for key, text in fields.items()
    ]
    texts = [Text(label, plain_text(text)) for label, text in pairs if plain_text(text)]
    titles = [text.text for text in texts if text.label.endswith("title")]
    if len(titles) != 2:
        raise UnusableError("no title of both products")
    return product_group("", titles[0]), texts, product_group("", titles[1])


def _review(row: Fields) -> tuple[str, Sequence[Text]]:
    review = _need(plain_text(row.text), "review")
    return f"review:{digest(review.lower())}", [Text("Review", review)]


def _purchases(row: Fields) -> tuple[str, Sequence[Text]]:
    titles = _need([_ORDINAL.sub("", text, count=1) for text in map(plain_text, row.input) if text], "purchase")
    # The sets hold one customer's history at three lengths: its start is what they have in common.
    return f"history:{digest(titles[:2])}", [Text(f"Purchase {n}", title) for n, title in enumerate(titles, 1)]


def _question(row: Fields) -> tuple[str, str, tuple[str, ...]]:
    """Return a question's group, the question, and its snippets."""
    question, document = _field(row, "question"), row.input.get("document")
    snippets = map(plain_text, document if isinstance(document, list) else [document])
    distinct = _need(tuple(dict.fromkeys(filter(None, snippets))), "document")
    return f"question:{digest(' '.join(words(question)) or question)}", question, distinct


def _question_and_snippets(row: Fields) -> tuple[str, Sequence[Text]]:
    group, question, snippets = _question(row)
    return group, [Text("Question", question), *(Text(f"Snippet {n}", text) for n, text in enumerate(snippets, 1))]


def _rank(row: Fields) -> Ranking:
    """Return the list with gains of E, S, C, I by place: it has one product of each grade, but does not say which grades."""
    query, listed = _field(row, "query"), row.input.get("product list")
    products = tuple(unlettered(listed)) if isinstance(listed, list) else ()
    letters = [letter(number) for number in range(len(products))]
    order = list(map(str.strip, row.output.split(",")))
    if not all(products) or sorted(order) != letters:
        raise UnusableError("output is no order of the products")
    if not 2 <= len(products) <= len(GAINS):
        raise UnusableError("not two to four products")
    gains = dict(zip(order, GAINS.values(), strict=False))
    return Ranking("", query_group(query), query, products, tuple(map(gains.__getitem__, letters)))


def _attributes(row: Fields) -> Attributes:
    """Return the attributes with values as the product's text spells them: the output has them in lower case."""
    texts = tuple(
        Text(key.removeprefix("product ").capitalize(), plain_text(value))
        for key, value in row.input.items()
        if key != "target attributes" and plain_text(value)
    )
    values = _values(row.output)
    targets = {name.strip().lower(): name.strip() for name in _field(row, "target attributes").split(" and ")}
    # A name that holds an "and" cannot be told from two: then the output's names stand.
    names = targets if set(targets) == set(values) else {name: name for name in values}
    if not texts or not all(names):
        raise UnusableError("no product text" if not texts else "attribute without a name")
    spelt = tuple((name, _as_in_text(values[key], texts)) for key, name in names.items())
    return Attributes("", product_group("", texts[0].text), texts, spelt)


def _values(output: str) -> Mapping[str, list[str]]:
    items, values = value(output), defaultdict[str, list[str]](list)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise UnusableError("output is no list of attributes")
    for item in items:
        text = plain_text(item.get("value"))
        values[plain_text(item.get("attribute")).lower()] += [text] if text else []
    return values


def _as_in_text(values: Sequence[str], texts: Sequence[Text]) -> tuple[str, ...]:
    whole = "\n".join(text.text for text in texts)
    matches = [match for value in values if (match := re.search(re.escape(value), whole, re.IGNORECASE))]
    if len(matches) < len(values):
        raise UnusableError("a value is not in the product's text")
    # The output is a set without an order of its own: values come in the order of the text.
    return tuple(dict.fromkeys(text for _, text in sorted((match.start(), match.group()) for match in matches)))


FORMS: dict[str, Callable[[Fields], Any]] = {
    "Answer_Generation": lambda row: Question("", *_question(row), _need(plain_text(row.output), "output")),
    "Answerability_Prediction": lambda row: _verdict(row, ANSWERABLE, *_question_and_snippets(row)),
    "Attribute_Value_Extraction": _attributes,
    "Multiclass_Product_Classification": lambda row: _choice(row, RELEVANCE, *_query_and_product(row, "product title")),
    "Product_Matching": lambda row: _verdict(row, SAME, *_two_products(row)),
    "Product_Relation_Prediction": lambda row: _choice(row, RELATION, *_two_titles(row)),
    "Product_Substitute_Identification": lambda row: _verdict(row, SUBSTITUTE, *_query_and_product(row, "product")),
    "Query_Product_Rank": _rank,
    "Sentiment_Analysis": lambda row: _choice(row, SENTIMENT, *_review(row)),
    "Sequential_Recommendation": lambda row: _choice(row, NEXT, *_purchases(row)),
}
