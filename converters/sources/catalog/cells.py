"""Read one cell of a shop's export: a category path."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from converters.text.html import untagged
from converters.text.sanitize import one_line

SEPARATORS = (">>", ">", "|", "/")


@lru_cache(1 << 16)
def parse_category(cell: str, separator: str | None) -> tuple[str, ...]:
    """Return the nodes of a path, broadest first.

    Without a ``separator`` it is the first of ``>>``, ``>``, ``|``, ``/`` that the text holds, so that a slash is part of a name
    wherever another sign separates the nodes. The text may stand in a JSON list, and its separators may be written as entities.

    >>> parse_category('["Clothing >> Tops / T-Shirts"]', None), parse_category("Home / Kitchen", ">")
    (('Clothing', 'Tops / T-Shirts'), ('Home / Kitchen',))
    """
    if cell.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            items = json.loads(cell)
            cell = items[0] if items and isinstance(items[0], str) else ""
    text = untagged(cell)
    mark = separator or next((mark for mark in SEPARATORS if mark in text), SEPARATORS[0])
    nodes = tuple(map(one_line, text.split(mark)))
    return nodes if any(nodes) else ()


def without_title(path: Sequence[str], title: str) -> tuple[str, ...]:
    """Return a path without a last node that is the product's own title, perhaps cut short by dots.

    >>> without_title(("Home", "Mugs", "Red mug with..."), "Red mug with handle")
    ('Home', 'Mugs')
    """
    last, title = path[-1] if path else "", one_line(title)
    start = last.rstrip(".").rstrip()
    is_title = title.startswith(start) if last.endswith("...") and start else last == title
    return tuple(path[:-1] if is_title else path)
