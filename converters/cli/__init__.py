"""``ecom-data``: raw files in, Axolotl training mixtures out. Each module puts commands into ``main``."""

import os

# NumPy would start one for each core, which wait at full speed for no work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from converters.cli import checking, converting
from converters.cli.group import main

__all__ = ["checking", "converting", "main"]
