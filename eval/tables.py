"""Scores and comparisons as text tables for the terminal."""

from typing import Any

import pandas as pd

from eval.compare import Comparison, notes
from eval.score import Scores
from eval.shown import chance, floor_flag, interval, number, signed


def of_scores(scores: Scores) -> str:
    """Return the scores as a text table."""
    return _text(
        [
            {
                "task": task,
                "metric": name,
                "value": number(s.value),
                "95 % interval": interval(s.low, s.high),
                "floor": f"{number(s.floor)} ({s.floor_by})",
                "unreadable": f"{found.invalid} of {found.n}",
            }
            for task, found in scores.tasks.items()
            for name, s in found.metrics.items()
        ]
    )


def of_comparison(comparison: Comparison) -> str:
    """Return the comparison as a text table and how to read it; the headline metric of each task carries a star."""
    table = _text(
        [
            {
                "run": pair.b,
                "task": pair.task,
                "metric": pair.metric + (" *" if pair.headline else ""),
                pair.a: number(pair.value_a),
                "value": number(pair.value_b),
                "difference": signed(pair.difference),
                "95 % interval": interval(pair.low, pair.high, signed),
                "p (Holm)": chance(pair.p_holm),
                "verdict": ", ".join(filter(None, [pair.verdict, floor_flag(pair.score_b)])),
            }
            for pair in comparison.pairs
        ]
    )
    return "\n".join([table, "", *notes(comparison)])


def _text(lines: list[dict[str, Any]]) -> str:
    return pd.DataFrame(lines).to_string(index=False)
