"""One form for texts that Unicode can spell in several ways."""

import re
import unicodedata
from typing import Any

_PRINTABLE = bytes(range(32, 127))
# Signs that never change when a text is composed, whatever stands beside them.
_STABLE = re.compile(
    "[\x00-\u02ff\u2010-\u205e\u3001-\u3029\u3030-\u3096\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]*"
)


def composed(text: str) -> str:
    r"""Return a text with its letters and marks composed (NFC): equal texts then are the same characters, and look as before.

    Files that passed through macOS or some databases are decomposed. What only looks alike (full and half width, ligatures)
    stays as it is written.

    >>> composed("Mo\u0308bel"), composed("\u212b"), composed("ﬁne ﾌﾞ")
    ('Möbel', 'Å', 'ﬁne ﾌﾞ')
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_composed(text: str) -> bool:
    """Tell whether a text is as :func:`composed` returns it."""
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def unusual(text: str) -> str:
    r"""Return the signs of a text that are not printable ASCII: few or none, found in a fifth of the time of ``str.isprintable``.

    >>> unusual("Möbel\t, 不锈钢"), unusual("a mug")
    ('ö\t不锈钢', '')
    """
    return text.encode("utf-8", "surrogatepass").translate(None, _PRINTABLE).decode("utf-8", "surrogatepass")


def is_stable(signs: str) -> bool:
    """Tell whether no text without other signs, ASCII apart, changes when it is composed."""
    return _STABLE.fullmatch(signs) is not None


def all_composed(value: Any) -> Any:
    """Return a text, or lists, tuples and mappings of texts and other values, with every text in it composed."""
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, dict):
        return {all_composed(key): all_composed(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(all_composed, value))
    return value
