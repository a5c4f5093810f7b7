"""``ecom-data``: raw files in, Axolotl training mixtures out. Each module puts commands into ``main``."""

import atexit
import gc
import os

# NumPy would start one for each core, which wait at full speed for no work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from converters.cli import checking, converting
from converters.cli.group import main

__all__ = ["checking", "converting", "main"]

# What is left at the end goes with the process: Python would look through all of it for circles, several times.
atexit.register(gc.freeze)
