"""``[CLASSIFY]``: the category path of a product, with candidates that an expert proposes (:mod:`converters.shortlist`).

The expert knows the training split only, so the candidates come when the splits are written: until then the prompt lists none.
The right path may not be among them, in training as in the test.
"""

from collections.abc import Sequence

from converters.schema import Listing
from converters.tasks import category
from converters.tasks.base import Task


def prompt(record: Listing) -> str:
    """Return the instruction, then one labelled line per piece of product text."""
    lines = [f"{category.PREFIX} Category path of this product, one of these or, if none fits, another:"]
    return "\n".join(lines + [f"{text.label}: {text.text}" for text in record.texts])


def listed(text: str, candidates: Sequence[str]) -> str:
    r"""Return a prompt with candidates, likeliest first, after its instruction.

    >>> listed("[CLASSIFY] Path:\nTitle: Mug", ["Home > Mugs", "Home"])
    '[CLASSIFY] Path:\n- Home > Mugs\n- Home\nTitle: Mug'
    """
    instruction, _, texts = text.partition("\n")
    return "\n".join([instruction, *(f"- {path}" for path in candidates), texts])


TASK = Task(
    prefix=category.PREFIX,
    record=Listing,
    prompt=prompt,
    answer=category.answer,
    render=category.render,
    parse=category.parse,
    kind="path",
    meta=category.meta,
    metrics=category.TASK.metrics,
    style_of="category",
)
