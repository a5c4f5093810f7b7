"""The kinds of answers: one file each, all that evaluation knows of an answer's shape. The folder is their registry.

A task names its kind (``kind="path"`` in ``converters/tasks/``). Uses results, metrics and converters. What scores, predicts or
reports asks a kind and never looks at an answer's type; what depends on no shape does not belong here.
"""

import sys
from functools import cache

from converters import tasks
from converters.core import registry
from eval.answers.base import Kind

__all__ = ["Kind", "get", "kind_of", "names"]


def names() -> list[str]:
    """Return the names of all kinds, sorted."""
    return registry.names(sys.modules[__name__])


@cache
def get(name: str) -> Kind:
    """Return the kind called ``name``; an unknown name is an ``InputError`` that suggests the nearest known one."""
    kind: Kind = registry.load(sys.modules[__name__], name).KIND
    return kind


def kind_of(task: str) -> Kind:
    """Return the kind of a task's answers."""
    return get(tasks.get(task).kind)
