"""``[CLASSIFY]``: the category path of a product, with candidates from a retriever (:mod:`converters.transforms.candidates`).

The retriever is fitted on the training split, so the candidates are added when the splits are written: until then the prompt
lists none. The right path may not be among them, in training as in the test.
"""

from collections.abc import Sequence
from dataclasses import replace

from converters.schema import Listing
from converters.tasks import category
from converters.tasks.base import with_texts


def prompt(record: Listing) -> str:
    """Return the instruction, then one labelled line per piece of product text."""
    instruction = f"{category.PREFIX} Category path of this product, one of these or, if none fits, another:"
    return with_texts(instruction, record.texts)


def listed(text: str, candidates: Sequence[str]) -> str:
    r"""Return a prompt with candidates, likeliest first, after its instruction.

    >>> listed("[CLASSIFY] Path:\nTitle: Mug", ["Home > Mugs", "Home"])
    '[CLASSIFY] Path:\n- Home > Mugs\n- Home\nTitle: Mug'
    """
    instruction, _, texts = text.partition("\n")
    return "\n".join([instruction, *(f"- {path}" for path in candidates), texts])


TASK = replace(category.TASK, prompt=prompt, style_of="category")
