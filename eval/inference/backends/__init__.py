"""What generates answers: one file each, the only modules that import torch or a serving engine. A backend module has

* ``load(checkpoint, plan) -> model``: an ``InputError`` if it cannot,
* ``describe(model, plan) -> dict``: what the answers depend on beside the plan, for the record and to know a partial file by,
* ``ranked_by(model, plan) -> str``: how it finds and ranks further candidates, for the record,
* ``confidence_by(model, plan) -> str``: which probabilities of its tokens it tells, for the record,
* ``batches(model, plan, prompts) -> list[list[Prompt]]``: the same whatever is answered already; a batch counts only whole,
* ``answers(model, plan, batches) -> Iterator[list[Answer]]``: those of some batches, each in one piece, in any order.
"""

import sys
from types import ModuleType

from converters.core import registry


def names() -> list[str]:
    """Return the names of all backends, sorted."""
    return registry.names(sys.modules[__name__])


def get(name: str) -> ModuleType:
    """Return the backend called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    return registry.load(sys.modules[__name__], name)
