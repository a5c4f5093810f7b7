"""Entities in texts: which ones count, with their semicolon or without, and their characters.

One whose semicolon is missing (``&amp``, ``&#39``) counts by the same rules in every source: not in the query of a URL
(``&copy=2``), and not where it may be a word (``scan&copy``). MAVE alone is read as its own program reads it.
"""

import re
from html import unescape
from html.entities import html5

NUMBER = r"#(?:\d{1,7}|x[0-9a-f]{1,6});"
# Names that are entities without a semicolon, too. Some are words: "&copy 2020", "5&times6", but not "scan&copy" or "&copyright".
_WORDLIKE = {"cent", "copy", "divide", "micro", "not", "para", "pound", "sect", "shy", "times", "yen"}
_LEGACY = sorted({name for name in html5 if name[-1] != ";" and not name.isupper()} - _WORDLIKE, key=len, reverse=True)
_ACCENTED = r"(?:[aeiouyAEIOUY](?:acute|grave|circ|uml)|[anoANO]tilde|[cC]cedil|[aA]ring|[oO]slash|(?:AE|ae|sz)lig)"
_OPEN = re.compile(
    rf"&(?:(?:nbsp|[lg]t(?!d\b)|{_ACCENTED})(?!;)|(?:{'|'.join(_LEGACY)}|(?<![a-zA-Z]&)(?:{'|'.join(sorted(_WORDLIKE))}))(?![a-z;])"
    r"|#\d{2,6}(?![\d;])|#[xX][0-9a-fA-F]{2,5}(?![0-9a-fA-F;]))(?!\w*=)",
    re.ASCII,
)
_CLOSED = re.compile(rf"&(?:{NUMBER}|[a-z][a-z0-9]*;)", re.IGNORECASE | re.ASCII)


def closed(text: str) -> str:
    """Return a text with the semicolons that its entities lack.

    >>> closed("Caf&eacute&nbspbar &amp grill, it&#39s"), closed("x?a=1&copy=2&lt=3, R&D, scan&copy, &notify")
    ('Caf&eacute;&nbsp;bar &amp; grill, it&#39;s', 'x?a=1&copy=2&lt=3, R&D, scan&copy, &notify')
    """
    return _OPEN.sub(r"\g<0>;", text) if "&" in text else text


def entities(text: str) -> str:
    """Return a text with its entities as characters, once more where an export escaped them twice; tags stay.

    >>> entities("5 &lt 6 &amp;quot;inches&amp;quot; &foo; ?a=1&amp;copy=2")
    '5 < 6 "inches" &foo; ?a=1&copy=2'
    """
    for _ in range(2):
        if "&" not in text:
            break
        text = _CLOSED.sub(lambda match: unescape(match[0]) if is_entity(match[0]) else match[0], closed(text))
    return text


def is_entity(text: str) -> bool:
    """Tell whether ``&...;`` is an entity: a number, or a name of HTML5."""
    return text[1] == "#" or text[1:] in html5
