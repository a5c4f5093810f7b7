"""The page on which a run is tried: two forms, and what came of the one that was sent."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from eval.production.trying.views import About, Answer, Part, Product
from eval.report import pages

WIDE = 100  # units of a drawn confidence


@cache
def _template() -> Any:
    found = pages.templates(script="")
    found.globals |= {"drawn": drawn}
    return found.get_template("try.html.j2")


def html(about: About, given: Mapping[str, str], result: Product | Answer | None, error: str) -> str:
    """Return the page: its forms filled with the fields ``given``, and a result, or in one sentence what was wrong."""
    return str(
        _template().render(
            about=about,
            given=given,
            product=result if isinstance(result, Product) else None,
            answer=result if isinstance(result, Answer) else None,
            error=error,
        )
    )


def drawn(part: Part) -> dict[str, Any]:
    """Return how a confidence is drawn: the bar's width, the place of the threshold, if any, and both in words.

    >>> drawn(Part("path", "Home", 0.25, 0.5, "review"))
    {'bar': 25.0, 'tick': 50.0, 'words': 'confidence 0.250, accepted from 0.500'}
    >>> drawn(Part("path", "Home"))
    {'bar': 0.0, 'tick': None, 'words': 'confidence not available'}
    """
    sure, least = part.confidence, part.threshold
    words = "confidence not available" if sure is None else f"confidence {pages.number(sure)}"
    return {
        "bar": round(WIDE * (sure or 0.0), 2),
        "tick": None if least is None else round(WIDE * least, 2),
        "words": words if least is None else f"{words}, accepted from {pages.number(least)}",
    }
