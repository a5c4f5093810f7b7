"""How often Python looks for objects that refer to each other in a circle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 100_000  # more lists and records than a piece of work holds at a time


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look seldom while rows are made, in whose thousands of records there is no circle: that takes a tenth of the time else."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
