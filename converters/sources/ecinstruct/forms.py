"""The forms of ECInstruct's ten tasks: a row's input, options and output become one of our records.

The forms are those that https://github.com/ninglab/eCeLLM (``data_processing/*.ipynb``) writes. Instructions are not kept: they
only say the same in other words, so each task has one question here.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from converters.core.hashing import digest
from converters.io.rows import literal
from converters.schema import Attributes, Choice, Question, Ranking, Record, Text, Verdict
from converters.sources.esci import GAINS, RELEVANCE, SUBSTITUTE
from converters.tasks.choice import letter, settle
from converters.tasks.yes_no import parse
from converters.text.matching import product_group, query_group
from converters.text.sanitize import one_line

_FOLDED = "\noptions: "
_NOTHING = {"", "nan", "none", "null"}
_KEYS = {
    ("query", "product title"): "Multiclass_Product_Classification",
    ("query", "product list"): "Query_Product_Rank",
    ("query", "product"): "Product_Substitute_Identification",
}


class Given(NamedTuple):
    """A row as far as it is used: its input's text, the value that this spells (keys in lower case), the options, the output."""

    text: str
    input: Any
    options: tuple[str, ...]
    output: str


def given(text: str, options: str | Sequence[str] | None, output: str) -> Given:
    """Return what a row gives; options come without their letters."""
    if not options and _FOLDED in text:
        text, _, options = text.rpartition(_FOLDED)
    found = value(text)
    found = {key.strip(" :").lower(): item for key, item in found.items()} if isinstance(found, dict) else found
    listed = value(options) if isinstance(options, str) else options
    return Given(text, found, tuple(unlettered(listed)) if isinstance(listed, list | tuple) else (), output)


def value(text: str) -> Any:
    """Return the JSON or Python value that a text spells, or the text: the dataset has both."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    for read in (json.loads, literal):
        try:
            return read(text)
        except (ValueError, RecursionError):
            continue
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
    text = one_line(html.unescape(value)) if isinstance(value, str) else ""
    return "" if text.lower() in _NOTHING else text


def task(row: Given, instruction: str) -> str:
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
        asked = "yes" in instruction.lower() and row.output.strip().lower() in ("yes", "no")
        return "Answerability_Prediction" if asked else "Answer_Generation"
    return _KEYS.get(tuple(row.input), "")


SAME = "Are these the same product?"
RELATION = "How are the two products related?"
SENTIMENT = "Which sentiment does the review express?"
NEXT = "Which product will the customer most likely buy next?"
ANSWERABLE = "Do the snippets answer the question?"
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th): ")


class UnusableError(Exception):
    """A row that is not of its task's form; the text is the reason that gets counted."""


def record(task: str, row: Given) -> Record:
    """Return the record of a row; :class:`UnusableError` says why there is none."""
    kind = list if task == "Sequential_Recommendation" else object if task == "Sentiment_Analysis" else dict
    if not isinstance(row.input, kind):
        raise UnusableError("input is not of the task's form")
    found = FORMS[task](row)
    named: Record = replace(found, id=f"{task}:{digest(found)}")
    return named


def _need(row: Given, key: str) -> str:
    text = plain_text(row.input.get(key))
    if not text:
        raise UnusableError(f"no {key}")
    return text


def _choice(row: Given, group: str, question: str, texts: Sequence[Text], product: str = "") -> Record:
    answer = settle(plain_text(row.output), {"options": row.options})
    options = tuple(dict.fromkeys(row.options))
    if not answer or not all(options):
        raise UnusableError("output is none of the options")
    return Choice("", group, question, tuple(texts), options, answer, product)


def _verdict(row: Given, group: str, question: str, texts: Iterable[Text], product: str = "") -> Record:
    verdict = parse(row.output)
    if verdict is None:
        raise UnusableError("output is not yes or no")
    return Verdict("", group, question, tuple(texts), verdict, product)


def _relevance(row: Given) -> Record:
    query, title = _need(row, "query"), _need(row, "product title")
    texts = (Text("Query", query), Text("Title", title))
    return _choice(row, query_group(query), RELEVANCE, texts, product_group("", title))


def _substitute(row: Given) -> Record:
    query, title = _need(row, "query"), _need(row, "product")
    texts = (Text("Query", query), Text("Title", title))
    return _verdict(row, query_group(query), SUBSTITUTE, texts, product_group("", title))


def _relation(row: Given) -> Record:
    titles = [_need(row, f"product {number}") for number in (1, 2)]
    texts = [Text(f"Product {number}", title) for number, title in enumerate(titles, 1)]
    return _choice(row, product_group("", titles[0]), RELATION, texts, product_group("", titles[1]))


def _sentiment(row: Given) -> Record:
    review = plain_text(row.text)
    if not review:
        raise UnusableError("no review")
    return _choice(row, f"review:{digest(review.lower())}", SENTIMENT, [Text("Review", review)])


def _next(row: Given) -> Record:
    bought = [_ORDINAL.sub("", text, count=1) for text in map(plain_text, row.input) if text]
    if not bought:
        raise UnusableError("no purchase")
    # The sets hold one customer's history at three lengths: its start is what they have in common.
    texts = [Text(f"Purchase {number}", title) for number, title in enumerate(bought, 1)]
    return _choice(row, f"history:{digest(bought[:2])}", NEXT, texts)


def _matching(row: Given) -> Record:
    texts = [text for number in (1, 2) for text in _product(f"Product {number}", row.input.get(f"product {number}"))]
    titles = [text.text for text in texts if text.label.endswith("title")]
    if len(titles) != 2:
        raise UnusableError("no title of both products")
    return _verdict(row, product_group("", titles[0]), SAME, texts, product_group("", titles[1]))


def _product(name: str, fields: Any) -> Iterator[Text]:
    for key, text in fields.items() if isinstance(fields, dict) else ():
        if plain_text(text):
            yield Text(f"{name} {key}", plain_text(text))


def _snippets(row: Given) -> tuple[str, ...]:
    document = row.input.get("document")
    found = document if isinstance(document, list) else [document]
    snippets = tuple(dict.fromkeys(filter(None, map(plain_text, found))))
    if not snippets:
        raise UnusableError("no document")
    return snippets


def _question_group(question: str) -> str:
    return "question:" + digest(" ".join(re.findall(r"\w+", question.lower())) or question)


def _answerable(row: Given) -> Record:
    question = _need(row, "question")
    texts = [Text(f"Snippet {number}", text) for number, text in enumerate(_snippets(row), 1)]
    return _verdict(row, _question_group(question), ANSWERABLE, [Text("Question", question), *texts])


def _answer(row: Given) -> Record:
    question, snippets = _need(row, "question"), _snippets(row)
    answer = plain_text(row.output)
    if not answer:
        raise UnusableError("no output")
    return Question("", _question_group(question), question, snippets, answer)


def _rank(row: Given) -> Record:
    """Return the list with gains of E, S, C, I by place: it has one product of each grade, but does not say which grades."""
    query, listed = _need(row, "query"), row.input.get("product list")
    products = tuple(unlettered(listed)) if isinstance(listed, list) else ()
    order = [said.strip() for said in row.output.split(",")]
    if not all(products) or sorted(order) != [letter(number) for number in range(len(products))]:
        raise UnusableError("output is no order of the products")
    if not 2 <= len(products) <= len(GAINS):
        raise UnusableError("not two to four products")
    gains = dict(zip(order, GAINS.values(), strict=False))
    shown = tuple(gains[letter(number)] for number in range(len(products)))
    return Ranking("", query_group(query), query, products, shown)


def _attributes(row: Given) -> Record:
    """Return the attributes with values as the product's text spells them: the output has them in lower case."""
    texts = tuple(
        Text(key.removeprefix("product ").capitalize(), plain_text(value))
        for key, value in row.input.items()
        if key != "target attributes" and plain_text(value)
    )
    found = _triples(row.output)
    asked = {name.strip().lower(): name.strip() for name in _need(row, "target attributes").split(" and ")}
    # A name that holds an "and" cannot be told from two: then the output's names stand.
    names = asked if set(asked) == set(found) else {name: name for name in found}
    if not texts or not all(names):
        raise UnusableError("no product text" if not texts else "attribute without a name")
    values = tuple((name, _spelt(found[key], texts)) for key, name in names.items())
    return Attributes("", product_group("", texts[0].text), texts, values)


def _triples(output: str) -> Mapping[str, list[str]]:
    listed, found = value(output), dict[str, list[str]]()
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise UnusableError("output is no list of attributes")
    for item in listed:
        values = found.setdefault(plain_text(item.get("attribute")).lower(), [])
        values += [plain_text(item.get("value"))] if plain_text(item.get("value")) else []
    return found


def _spelt(values: Sequence[str], texts: Sequence[Text]) -> tuple[str, ...]:
    whole = "\n".join(text.text for text in texts)
    found = [re.search(re.escape(value), whole, re.IGNORECASE) for value in values]
    if not all(found):
        raise UnusableError("a value is not in the product's text")
    # The output is a set without an order of its own: values come in the order of the text.
    spans = sorted((match.start(), match.group()) for match in found if match)
    return tuple(dict.fromkeys(text for _, text in spans))


FORMS: dict[str, Callable[[Given], Any]] = {
    "Answer_Generation": _answer,
    "Answerability_Prediction": _answerable,
    "Attribute_Value_Extraction": _attributes,
    "Multiclass_Product_Classification": _relevance,
    "Product_Matching": _matching,
    "Product_Relation_Prediction": _relation,
    "Product_Substitute_Identification": _substitute,
    "Query_Product_Rank": _rank,
    "Sentiment_Analysis": _sentiment,
    "Sequential_Recommendation": _next,
}
