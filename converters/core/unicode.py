"""One form for texts that Unicode can spell in several ways."""

import unicodedata
from typing import Any


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


def all_composed(value: Any) -> Any:
    """Return a text, or lists, tuples and mappings of texts and other values, with every text in it composed."""
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, dict):
        return {all_composed(key): all_composed(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(all_composed, value))
    return value
