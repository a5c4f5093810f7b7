"""``[CLASSIFY]``: the category path of a product, with candidates: its own, or a retriever's.

The retriever (:mod:`converters.transforms.candidates`) is fitted on the training split, so its candidates are added when the
splits are written: until then the prompt lists none. The right path may not be among them, in training as in the test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.schema import Listing
from converters.tasks import category
from converters.tasks.base import RenderError, with_texts


def prompt(record: Listing) -> str:
    """Return the instruction, the product's own candidates, then one labelled line per piece of product text."""
    instruction = f"{category.PREFIX} Category path of this product, one of these or, if none fits, another:"
    text = with_texts(instruction, record.texts)
    if record.candidates is None:
        return text
    if not record.candidates:
        raise RenderError("no candidates")
    return listed(text, record.candidates)


def meta(record: Listing) -> Mapping[str, Any]:
    """Return the taxonomy release that the path belongs to, and the product's own candidates."""
    return {**category.meta(record), **({"candidates": list(record.candidates)} if record.candidates else {})}


def listed(text: str, candidates: Sequence[str]) -> str:
    r"""Return a prompt with candidates, likeliest first, after its instruction.

    >>> listed("[CLASSIFY] Path:\nTitle: Mug", ["Home > Mugs", "Home"])
    '[CLASSIFY] Path:\n- Home > Mugs\n- Home\nTitle: Mug'
    """
    instruction, _, texts = text.partition("\n")
    return "\n".join([instruction, *map(line, candidates), texts])


def line(candidate: str) -> str:
    """Return the line of a candidate."""
    return f"- {candidate}"


TASK = replace(category.TASK, prompt=prompt, meta=meta, style_of="category")
