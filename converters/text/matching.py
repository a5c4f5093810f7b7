"""Whether a value occurs in a text, and the keys by which products and queries are grouped."""

import re

from converters.core.hashing import digest
from converters.core.patterns import late
from converters.text.spelling import spelling
from converters.text.words import UNSPACED, fold, places, plain, words

__all__ = ["is_asin", "occurs", "product_group", "query_group", "spelling", "title_group"]
_ASIN = re.compile(r"B[0-9A-Z]{9}|\d{9}[\dX]")
_BETWEEN = late(rf"(?<=[{UNSPACED}]\p{{M}}*) (?=[{UNSPACED}])")  # letters of a script that writes no blanks


def occurs(value: str, text: str, whole: bool) -> bool:
    """Tell whether a value occurs in a text, in any case and form of Unicode; ``whole``: not as a part of a longer word.

    >>> occurs("red", "Hundred Red mugs", True), occurs("red", "Hundred mugs", True), occurs("red", "Hundred mugs", False)
    (True, False, True)
    """
    value, text = fold(value), fold(text)
    return any(places(value, text)) if whole else value in text


def is_asin(identifier: str) -> bool:
    """Tell whether an id has the form of an ASIN: ``B`` and nine letters or digits, or an ISBN-10.

    >>> is_asin("B0002H0A3S"), is_asin("2087")
    (True, False)
    """
    return bool(_ASIN.fullmatch(identifier))


def product_group(identifier: str, title: str) -> str:
    """Return the product's group: its ASIN if the id is one, otherwise the normalised title.

    >>> product_group("B0002H0A3S", "Strings")
    'asin:B0002H0A3S'
    >>> product_group("17", "Red  MUG!") == product_group("99", "red mug")
    True
    """
    return f"asin:{identifier}" if is_asin(identifier) else title_group(title) or f"title:{digest(identifier)}"


def title_group(title: str) -> str:
    """Return the group of products that are known by this title alone, nothing for a title without a word."""
    text = " ".join(words(title))
    return f"title:{digest(text)}" if text else ""


def query_group(query: str) -> str:
    """Return a query's group; queries that differ in case, accents, punctuation or white space share one.

    >>> query_group(" Café  mug!") == query_group("cafe mug") == "query:cafe mug"
    True
    >>> query_group("がま口") == query_group("かま口"), query_group("ｶﾞﾗｽ") == query_group("ガラス")
    (False, True)
    """
    letters = plain(query)
    return "query:" + (_BETWEEN().sub("", " ".join(words(letters))) or letters.strip())
