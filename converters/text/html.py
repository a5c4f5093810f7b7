"""HTML in product text: whether a text holds markup, and the text without it."""

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from html.entities import html5
from importlib import import_module
from types import ModuleType

import numpy as np

from converters.core.hidden import hidden
from converters.text.entities import NUMBER, closed, is_entity

# Tags that only separate texts, the usual ones first. Any other one (script, title, ...) changes how a parser reads what follows.
_SEPARATORS = (
    "p|br|b|li|ul|div|i|strong|span|font|td|tr|table|a|abbr|address|big|blockquote|body|center|code|dd|dl|dt|em|h[1-6]|hr|html|img|"
    "ol|pre|q|s|small|strike|sub|sup|tbody|tfoot|th|thead|tt|u"
)
_VALUES = r"(?:\s+[a-z][a-z-]*=(?:\"[^\"<>&]*\"|'[^'<>&]*'))*\s*"
_COMMENTED = r"!--[^<>-]+(?:-[^<>-]+)*--"
# With the text of style and script, where it has no bracket: only there is its end beyond doubt.
_ANY_TAG = re.compile(
    rf"<(?:/(?:{_SEPARATORS})\s*|(?:{_SEPARATORS}){_VALUES}/?|{_COMMENTED}|(style|script){_VALUES}>[^<>]*</\1)>",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"#[1-9]\d{1,3}", re.ASCII)
_NAMED = {name.removesuffix(";"): character for name, character in html5.items()}  # BeautifulSoup's
_DETECTORS = ("cchardet", "chardet", "charset_normalizer")  # of encodings: seconds to import, and a text has none
LEAST_STYLED = 20  # words after the first that look like a style sheet's; each has a sign of _SIGNS
_STYLED = b".#vx-"
_SIGNS = _STYLED + b":<"
_DULL = bytes({*range(32, 127)} - {*_SIGNS})  # printed ASCII: of all white space, it has the blank alone
_SEPARATOR = "\x1f"  # stands before each of the texts that are looked at together
_CLEAN = _DULL.replace(b"&", b"")  # and of these no text has to be changed
_WEIGHTS = np.full(256, LEAST_STYLED)  # of the bytes that are left: a text of LEAST_STYLED may have to be changed
_WEIGHTS[[*_STYLED]], _WEIGHTS[ord(_SEPARATOR)] = 1, 0
LEFT_OVER = ("<a href", "javascript:", "background-color:", "background-image:", " li:", ".aloha")
_UNWEIGHED = ("  ", "getTime", ".aloha")  # what changes a text, or costs it, whatever its bytes weigh


def clean_mave(source: str, text: str) -> str:
    """Return a text as MAVE's offsets count it, or nothing where MAVE drops it.

    >>> clean_mave("description", "<p>Holds 1.5&nbsp;L</p><ul><li>Steel &amp; glass</li></ul>")
    'Holds 1.5 L Steel & glass'
    >>> clean_mave("title", "new Date().getTime()"), clean_mave("feature", "see <style>p {}</style> javascript:go()")
    ('', '')
    """
    text = text.strip()
    if source == "title" and "getTime" in text:
        return ""
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode()
    text = strings(text).replace("\xa0", " ")  # which markup has often
    signs = text.encode("utf-8", "ignore").translate(None, _DULL)
    if signs.translate(None, _SIGNS):
        text = " ".join(text.split())
    else:  # the blank is all its white space
        text = " ".join(filter(None, [part.strip(" ") for part in text.split("  ")]))
    # Most texts have none of the signs that every LEFT_OVER has one of, and too few of all for a style sheet.
    if (b":" in signs or b"<" in signs or (b"." in signs and ".a" in text)) and any(
        markup in text for markup in LEFT_OVER
    ):
        return ""
    return "" if len(signs) >= LEAST_STYLED and is_css(text) else text


def clean_mave_texts(sources: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Return what :func:`clean_mave` does of each source and text; of hundreds at once, those to be kept as they are soon show.

    >>> clean_mave_texts(["title", "feature", "brand"], ["Kettle", " 1.5&nbsp;L  <br>steel", " "])
    ['Kettle', '1.5 L steel', '']
    """
    found = [*map(str.strip, texts)]
    for place in _doubtful(found):
        found[place] = clean_mave(sources[place], found[place])
    return found


def _doubtful(texts: Sequence[str]) -> Iterable[int]:
    """Return the places of the texts that are not certainly clean: of ASCII, single blanks between words, and no other markup."""
    joined = _SEPARATOR.join(["", *texts]).encode("utf-8", "surrogatepass")
    signs = np.frombuffer(joined.translate(None, _CLEAN), np.uint8)
    starts = np.flatnonzero(signs == ord(_SEPARATOR))
    if not len(starts) == len(texts) > 0:  # some text has one itself
        return range(len(texts))
    found = set(np.flatnonzero(np.add.reduceat(_WEIGHTS[signs], starts) >= LEAST_STYLED).tolist())
    every = np.frombuffer(joined, np.uint8)
    for mark in _UNWEIGHED:
        if ((every[:-1] == ord(mark[0])) & (every[1:] == ord(mark[1]))).any():  # sooner than "in", and seldom
            found.update(place for place, text in enumerate(texts) if mark in text)
    return found


def strings(html: str) -> str:
    """Return the strings of an HTML text, separated by white space, without those of style and script."""
    if "<" not in html and "&" not in html:
        return html
    bare = _ANY_TAG.sub(" ", html)
    if "<" in bare:
        return parsed(html)
    first, *rest = bare.split("&")
    parts = [first]
    for part in rest:
        name, end, after = part.partition(";")
        if not end or not (character := _NAMED.get(name) or _numbered(name)):
            return parsed(html)
        parts += (character, after)
    return "".join(parts)


def _numbered(name: str) -> str:
    """Return the character of an entity with a number if it is certain, else nothing."""
    if not _NUMBER.fullmatch(name):
        return ""
    # Below 256, numbers are read as Windows-1252, which is Latin-1 but for the range left out here.
    number = int(name[1:])
    return chr(number) if number in range(32, 127) or number in range(160, 10000) else ""


def parsed(html: str) -> str:
    """Return the same as :func:`strings`, by a whole parse."""
    bs4 = _bs4()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs4.MarkupResemblesLocatorWarning)
        soup = bs4.BeautifulSoup(html, "html.parser")
    for tag in soup(["style", "script"]):
        tag.decompose()
    return " ".join(soup.stripped_strings)


@cache
def _bs4() -> ModuleType:
    with hidden(*_DETECTORS):
        return import_module("bs4")


def is_css(text: str) -> bool:
    """Tell whether a text is a style sheet: more than 20 of its words, and more than 30 % of them, look like one.

    >>> is_css(".box { margin-top-x: 1px }"), is_css(".box 1px " * 20)
    (False, True)
    """
    # An upper bound of the words that look like one: it decides almost every text quickly.
    count = text.count
    bound = count(" .") + count(" #") + count(" div") + count("px") + count("-") // 2
    if len(text) < 42 or bound < LEAST_STYLED:
        return False
    words = text.split()
    styled = sum(word.startswith((".", "#", "div")) or "px" in word or word.count("-") > 1 for word in words)
    return styled > 20 and styled / len(words) > 0.3


# Tags within words: a browser shows the text before and after them as one word.
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|blink|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|nobr|o:p|q|rb|ruby|s|samp|small|span|"
    "strike|strong|sub|sup|time|tt|u|var|wbr"
)
_NAMES = _INLINE + (
    "|address|article|aside|audio|blockquote|body|br|button|caption|center|col|colgroup|dd|details|dir|div|dl|dt|embed|fieldset|"
    "figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|input|legend|li|link|main|map|menu|meta|nav|noscript|"
    "object|ol|option|p|param|picture|pre|script|section|select|source|style|summary|svg|table|tbody|td|template|textarea|tfoot|"
    "th|thead|title|tr|ul|video"
)
_ATTRIBUTES = r"""(?:[\s/]+[a-z][\w:.-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))*+[\s/]*>"""
_TAG = rf"(?:/?(?:{_NAMES}){_ATTRIBUTES}|!doctype\s)"
_COMMENT = r"<!--(?:(?!<!--)(?s:.))*?-->"  # one that is never closed is no comment
_FLAGS = re.IGNORECASE | re.ASCII
_WORDS = re.compile(rf"{_COMMENT}|</?(?:{_INLINE}){_ATTRIBUTES}", _FLAGS)
_MARKUP = re.compile(rf"{_COMMENT}|<{_TAG}|&(?:{NUMBER}|[a-z][a-z0-9]*;)", _FLAGS)
_NOT_MARKUP = re.compile(rf"<(?!{_TAG})|&(?!{NUMBER})([a-z][a-z0-9]*;)?", _FLAGS)
MARKUP = "markup taken out"  # the note of a row that had some


def has_markup(text: str) -> bool:
    """Tell whether :func:`untagged` changes a text.

    >>> has_markup("Plates &amp; more"), has_markup("<b>Mug</b>"), has_markup("R&D, a < b > c, I <3 it, <Acme>, &foo;")
    (True, True, False)
    """
    if "<" not in text and "&" not in text:
        return False
    return any(match[0][0] == "<" or is_entity(match[0]) for match in _MARKUP.finditer(closed(text)))


def untagged(text: str) -> str:
    """Return a text without tags, comments, scripts and styles, with entities as their characters; white space may change.

    Markup that an export escaped once more (``&lt;b&gt;``, ``&amp;nbsp;``) is taken out, too.

    >>> untagged("<p>Acme <b>green</b>, H<sub>2</sub>O<br>5 > 3 &amp;amp; I <3 it</p>").split()
    ['Acme', 'green,', 'H2O', '5', '>', '3', '&', 'I', '<3', 'it']
    """
    for _ in range(2):
        if not has_markup(text):
            break
        text = strings(_NOT_MARKUP.sub(_escaped, _WORDS.sub("", closed(text))))
    return text


def _escaped(sign: re.Match[str]) -> str:
    """Return a sign that is no markup so that it comes out of a parser as it went in."""
    return sign[0] if sign[1] in html5 else ("&lt;" if sign[0][0] == "<" else "&amp;") + sign[0][1:]
