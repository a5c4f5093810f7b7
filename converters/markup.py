"""Product text out of HTML, character for character as MAVE's own program cleans it, so that its labels' offsets hold.

Program: https://github.com/google-research-datasets/MAVE (``clean_amazon_product_metadata_main.py``). It parses every text with
BeautifulSoup; here, texts whose markup is plain enough to be sure of the result are read by one pattern, the rest as there.
"""

import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from bs4.dammit import EntitySubstitution

# Tags that only part texts. Any other one (script, template, title, ...) changes how a parser reads what follows.
_PARTING = (
    "a|abbr|address|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|hr|html|i|img|li|ol|p|pre|q|s|small|span|"
    "strike|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul"
)
_TAG = re.compile(
    rf"<(?:(?:{_PARTING})(?:\s+[a-z][a-z-]*=(?:\"[^\"<>&]*\"|'[^'<>&]*'))*\s*/?|/(?:{_PARTING})\s*)>",
    re.IGNORECASE | re.ASCII,
)
_ENTITY = re.compile(r"&(?:([a-zA-Z][a-zA-Z0-9]*)|#([1-9]\d{1,3}));", re.ASCII)
_NAMED = EntitySubstitution.HTML_ENTITY_TO_CHARACTER
LEFT_OVER = ("<a href", "javascript:", "background-color:", "background-image:", " li:", ".aloha")


def clean(source: str, text: str) -> str:
    """Return a text as MAVE's offsets count it, or nothing where MAVE drops it.

    >>> clean("description", "<p>Holds 1.5&nbsp;L</p><ul><li>Steel &amp; glass</li></ul>")
    'Holds 1.5 L Steel & glass'
    >>> clean("title", "new Date().getTime()"), clean("feature", "see <style>p {}</style> javascript:go()")
    ('', '')
    """
    text = text.strip()
    if source == "title" and "getTime" in text:
        return ""
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode()
    found = " ".join(strings(text).split())
    # Most texts have neither sign, and then none of what is looked for.
    if ":" in found or "<" in found or "." in found:
        for left in LEFT_OVER:
            if left in found:
                return ""
    return "" if is_css(found) else found


def strings(html: str) -> str:
    """Return the strings of an HTML text, parted by white space, without those of style and script."""
    if "<" not in html and "&" not in html:
        return html
    bare = _TAG.sub(" ", html)
    if "<" in bare or "&" in _ENTITY.sub(_known, bare):
        return parsed(html)
    return _ENTITY.sub(_character, bare)


def _known(entity: re.Match[str]) -> str:
    """Return nothing for an entity whose character is certain, the entity itself for any other."""
    name, number = entity.groups()
    # Below 256, numbers are read as Windows-1252, which is Latin-1 but for the range left out here.
    certain = name in _NAMED if name else int(number) in range(32, 127) or int(number) in range(160, 10000)
    return "" if certain else entity[0]


def _character(entity: re.Match[str]) -> str:
    name, number = entity.groups()
    return _NAMED[name] if name else chr(int(number))


def parsed(html: str) -> str:
    """Do the same by a whole parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(html, "html.parser")
    for tag in soup(["style", "script"]):
        tag.decompose()
    return " ".join(soup.stripped_strings)


def is_css(text: str) -> bool:
    """Tell whether a text is a style sheet: more than 20 of its words, and more than 30 % of them, look like one.

    >>> is_css(".box { margin-top-x: 1px }"), is_css(".box 1px " * 20)
    (False, True)
    """
    # At most so many words can look like one: a quick no for almost every text.
    count = text.count
    if len(text) < 42 or count(" .") + count(" #") + count(" div") + count("px") + count("-") // 2 < 20:
        return False
    words = text.split()
    styled = sum(word.startswith((".", "#", "div")) or "px" in word or word.count("-") > 1 for word in words)
    return styled > 20 and styled / len(words) > 0.3
