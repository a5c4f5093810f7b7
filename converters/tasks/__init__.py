"""The tasks: one file each, the only place where a task's prefix and wording occur."""

import sys

from converters.core import registry
from converters.tasks.base import Task


def names() -> list[str]:
    """Return the names of all tasks, sorted."""
    return registry.names(sys.modules[__name__])


def get(name: str) -> Task:
    """Return the task called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    task: Task = registry.load(sys.modules[__name__], name).TASK
    return task
