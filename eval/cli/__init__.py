"""``ecom-eval``: predict, score, calibrate, compare, cascade, label, answer, try, hold a server against a run, send out.

Each module puts commands into ``main``. Uses every room. Nothing here decides or computes.
"""

from eval.cli import answering, applying, asking, confidence, outward, routing, scoring, serving, trying
from eval.cli.group import main

__all__ = [
    "answering",
    "applying",
    "asking",
    "confidence",
    "main",
    "outward",
    "routing",
    "scoring",
    "serving",
    "trying",
]
