"""The gate of a build: is a task significantly worse than in the first run?"""

from eval.compare import Comparison, Pair
from eval.shown import chance, interval, number, signed, title


def gate(comparison: Comparison) -> tuple[bool, list[str]]:
    """Return whether no task's headline metric is worse, and a sentence for each task of each later run."""
    heads = [pair for pair in comparison.pairs if pair.headline]
    return all(pair.verdict != "worse" for pair in heads), [_sentence(pair) for pair in heads]


def _sentence(pair: Pair) -> str:
    mark = "fail" if pair.verdict == "worse" else "pass"
    between = "" if pair.low is None else f" [{interval(pair.low, pair.high, signed)}]"
    chances = "" if pair.p_holm is None else f", p {chance(pair.p_holm)}"
    return (
        f"{mark}: {pair.b} is {pair.verdict} {'from' if pair.verdict.endswith('differ') else 'than'} {pair.a} on {pair.task}: "
        f"{title(pair.metric)} {number(pair.value_a)} to {number(pair.value_b)}, {signed(pair.difference)}{between}{chances}"
    )
