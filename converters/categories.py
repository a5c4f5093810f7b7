"""Category cells of a shop's export: what separates the nodes of a path, and what is no node at all."""

import json
from collections.abc import Sequence
from functools import lru_cache

from converters.untagged import untagged
from converters.untrusted import one_line

SEPARATORS = (">>", ">", "|", "/")


def nodes(cell: str, separator: str | None) -> tuple[str, ...]:
    """Return the nodes of a path, broadest first.

    Without a ``separator`` it is the first of ``>>``, ``>``, ``|``, ``/`` that the text holds, so that a slash is part of a name
    wherever the path is told otherwise. The text may stand in a JSON list, and its separators may be written as entities.

    >>> nodes('["Clothing >> Tops / T-Shirts"]', None), nodes("Home/Kitchen", None), nodes("Home / Kitchen", ">")
    (('Clothing', 'Tops / T-Shirts'), ('Home', 'Kitchen'), ('Home / Kitchen',))
    """
    return _split(_unlisted(cell), separator)


@lru_cache(1 << 16)
def _split(text: str, separator: str | None) -> tuple[str, ...]:
    text = untagged(text)
    mark = separator or next((mark for mark in SEPARATORS if mark in text), SEPARATORS[0])
    found = tuple(one_line(node) for node in text.split(mark))
    return found if any(found) else ()


def _unlisted(cell: str) -> str:
    """Take the text out of a cell such as ``["A >> B"]``."""
    if not cell.lstrip().startswith("["):
        return cell
    try:
        inner = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return str(inner[0]) if inner and isinstance(inner[0], str) else ""


def without_title(path: Sequence[str], title: str) -> tuple[str, ...]:
    """Return a path without a last node that is the product's own title, perhaps cut short by dots.

    >>> without_title(("Home", "Mugs", "Red mug with..."), "Red mug with handle")
    ('Home', 'Mugs')
    """
    return tuple(path[:-1]) if path and _is_title(path[-1], title) else tuple(path)


def _is_title(node: str, title: str) -> bool:
    short = node.rstrip(".").rstrip()
    return one_line(title).startswith(short) if node.endswith("...") and short else node == one_line(title)
