"""The tasks: one prompt contract a file, the only place where a task's prefix and wording occur.

Uses schema and core. How an answer is scored is for ``eval``, and which rows a task gets is for sources and mixture.
"""

import sys
from functools import cache

from converters.core import registry
from converters.tasks.base import Task

_HERE = sys.modules[__name__]


def names() -> list[str]:
    """Return the names of all tasks, sorted."""
    return registry.names(_HERE)


@cache
def get(name: str) -> Task:
    """Return the task called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    task: Task = registry.load(_HERE, name).TASK
    return task
