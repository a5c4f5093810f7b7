"""``[CLASSIFY]``: the category path of a product in one go, broadest node first."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from converters.schema import Listing
from converters.tasks.base import Task, with_texts

PREFIX = "[CLASSIFY]"
SEPARATOR = " > "

Path = tuple[str, ...]


def prompt(record: Listing) -> str:
    """Return the instruction, then one labelled line per piece of product text."""
    return with_texts(f"{PREFIX} Category path of this product:", record.texts)


def render(path: Path) -> str:
    """Write a path.

    >>> render(("Home & Garden", "Kitchen", "Kettles"))
    'Home & Garden > Kitchen > Kettles'
    """
    return SEPARATOR.join(path)


def parse(text: str) -> Path | None:
    """Read a path; more than one line or an empty node is unreadable.

    >>> parse(" Home & Garden >Kitchen ")
    ('Home & Garden', 'Kitchen')
    >>> parse("Home > > Kitchen") is None
    True
    """
    text = text.strip()
    path = tuple(node.strip() for node in text.split(">"))
    return path if all(path) and len(text.splitlines()) == 1 else None


def meta(record: Listing) -> Mapping[str, Any]:
    """Return the taxonomy release that the path belongs to."""
    return {"taxonomy": record.taxonomy} if record.taxonomy else {}


LEVELS = 8  # of a path that are scored apart, from the top; Google's taxonomy has seven
METRICS = (
    "weighted_f1", "macro_f1", "accuracy", "hierarchical_f1", "hierarchical_f1_mean", "mlperf_hierarchical_f1",
    "macro_precision", "macro_recall", "macro_f1_gold_and_said", "top_3_accuracy", "top_5_accuracy", "semantic_f1",
    *(f"level_{depth}_{name}" for depth in range(1, LEVELS + 1) for name in ("accuracy", "macro_f1")),
)  # fmt: skip
TASK = Task(PREFIX, Listing, prompt, attrgetter("path"), render, parse, kind="path", metrics=METRICS, meta=meta)
