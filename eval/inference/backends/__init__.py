"""What generates answers, one :class:`base.Backend` a file: the only modules that import torch or a serving engine."""

import sys
from typing import cast

from converters.core import registry
from eval.inference.backends.base import Backend


def names() -> list[str]:
    """Return the names of all backends, sorted."""
    return registry.names(sys.modules[__name__])


def get(name: str) -> Backend:
    """Return the backend called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    return cast(Backend, registry.load(sys.modules[__name__], name))
