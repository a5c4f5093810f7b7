"""Product text out of a shop's export, which is often HTML, without taking for markup what is none: ``<3``, ``a < b``, ``R&D``.

A tag is one that HTML has (its standard's index of elements, and the obsolete ones), whole, its attributes with values; an entity
is one that HTML has, with its semicolon. Everything else stays as it is written.
"""

import re
from html.entities import html5

from converters.markup import strings

# Tags of letters and words: a browser shows what they part as one word.
_INLINE = "abbr|b|big|cite|code|del|em|font|i|ins|mark|nobr|q|s|small|strike|strong|sub|sup|tt|u|wbr"
_NAMES = _INLINE + (
    "|a|acronym|address|article|aside|audio|blockquote|body|br|button|caption|center|col|colgroup|dd|details|dfn|dir|div|dl|dt|"
    "embed|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|input|kbd|label|legend|li|link|main|map|"
    "menu|meta|nav|noscript|object|ol|option|o:p|p|param|picture|pre|samp|script|section|select|source|span|style|summary|svg|"
    "table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|ul|var|video"
)
_ATTRIBUTES = r"""(?:[\s/]+[a-z][\w:.-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))*+[\s/]*>"""
_TAG = rf"(?:/?(?:{_NAMES}){_ATTRIBUTES}|!doctype\s)"
_COMMENT = r"<!--(?:(?!<!--)(?s:.))*?-->"  # one that is never closed is none
_NUMBER = r"#(?:\d{1,7}|x[0-9a-f]{1,6});"
_FLAGS = re.IGNORECASE | re.ASCII
_WORDS = re.compile(rf"{_COMMENT}|</?(?:{_INLINE}){_ATTRIBUTES}", _FLAGS)
_MARKUP = re.compile(rf"{_COMMENT}|<{_TAG}|&(?:{_NUMBER}|[a-z][a-z0-9]*;)", _FLAGS)
_NONE = re.compile(rf"<(?!{_TAG})|&(?!{_NUMBER})([a-z][a-z0-9]*;)?", _FLAGS)
MARKUP = "markup taken out"  # what a source notes of a row in which it was
_ESCAPED = {"<": "&lt;", "&": "&amp;"}


def has_markup(text: str) -> bool:
    """Tell whether :func:`untagged` takes something out of a text.

    >>> has_markup("Plates &amp; more"), has_markup("<b>Mug</b>"), has_markup("R&D, a < b > c, I <3 it, <Acme>, &foo;")
    (True, True, False)
    """
    if "<" not in text and "&" not in text:
        return False
    return any(found[0][0] == "<" or found[0][1] == "#" or found[0][1:] in html5 for found in _MARKUP.finditer(text))


def untagged(text: str) -> str:
    """Return a text without tags, comments, scripts and styles, entities as their characters; white space may have changed.

    What an export escaped on top of its markup (``&lt;b&gt;``, ``&amp;nbsp;``) is taken out, too.

    >>> untagged("<p>Acme <b>green</b>, H<sub>2</sub>O<br>5 > 3 &amp;amp; I <3 it</p>").split()
    ['Acme', 'green,', 'H2O', '5', '>', '3', '&', 'I', '<3', 'it']
    """
    for _ in range(2):
        if not has_markup(text):
            break
        text = strings(_NONE.sub(_escaped, _WORDS.sub("", text)))
    return text


def _escaped(sign: re.Match[str]) -> str:
    """Return a sign that is no markup so that it comes out of a parser as it went in."""
    return sign[0] if sign[1] in html5 else _ESCAPED[sign[0][0]] + sign[0][1:]
