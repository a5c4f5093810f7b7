"""``ecom-eval``: predict, score, calibrate, compare, cascade, label, answer, try, send out. Each module adds its commands.

Uses every room. Nothing here decides or computes.
"""

from eval.cli import answering, applying, asking, confidence, outward, routing, scoring, trying
from eval.cli.group import main

__all__ = ["answering", "applying", "asking", "confidence", "main", "outward", "routing", "scoring", "trying"]
