"""Tables and sentences for the terminal: scores, comparisons, and the gate of a build."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from eval.compare import Comparison, Pair, notes
from eval.scored import Scores
from eval.shown import chance, floor_flag, interval, number, signed, title


def text(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a text table; what a row lacks is left empty."""
    return pd.DataFrame(rows).fillna("").to_string(index=False)


def of_scores(scores: Scores) -> str:
    """Return the scores as a text table."""
    return text(
        [
            {
                "task": task,
                "metric": name,
                "value": number(score.value),
                "95 % interval": interval(score.low, score.high),
                "floor": f"{number(score.floor)} ({score.floor_by})",
                "unreadable": f"{of_task.invalid} of {of_task.n}",
            }
            for task, of_task in scores.tasks.items()
            for name, score in of_task.metrics.items()
        ]
    )


def of_comparison(comparison: Comparison) -> str:
    """Return the comparison as a text table and how to read it; the headline metric of each task carries a star."""
    table = text(
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


def gate(comparison: Comparison) -> tuple[bool, list[str]]:
    """Return whether no task's headline metric is significantly worse, and a sentence for each task of each later run."""
    heads = [pair for pair in comparison.pairs if pair.headline]
    return all(pair.verdict != "worse" for pair in heads), [_gate_line(pair) for pair in heads]


def _gate_line(pair: Pair) -> str:
    mark = "fail" if pair.verdict == "worse" else "pass"
    between = "" if pair.low is None else f" [{interval(pair.low, pair.high, signed)}]"
    chances = "" if pair.p_holm is None else f", p {chance(pair.p_holm)}"
    return (
        f"{mark}: {pair.b} is {pair.verdict} {'from' if pair.verdict.endswith('differ') else 'than'} {pair.a} on {pair.task}: "
        f"{title(pair.metric)} {number(pair.value_a)} to {number(pair.value_b)}, {signed(pair.difference)}{between}{chances}"
    )
