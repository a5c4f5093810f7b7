"""How sure a model is of its answers and their parts: the probabilities of the tokens that write them. Needs no torch.

A confidence is raw: it orders answers, and only a calibration on other rows says how often one of them is right. A token that
stands in two units counts in both; one that stands in none, such as a comma between two attributes, in none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import exp, fsum
from sys import float_info

from converters import tasks
from converters.schema import Row
from eval.answers import Kind, kind_of
from eval.inference.backends.base import Answer

Logprobs = Sequence[tuple[int, float]]


def confidences(kind: Kind, prediction: str, logprobs: Logprobs) -> dict[str, float]:
    """Return the confidence of each unit of a readable prediction: the joint probability of its tokens, or their mean one.

    ``logprobs`` has, for each token in order, the character of ``prediction`` at which it ends and its log-probability (natural
    logarithm). A token that writes no whole character counts with the one that follows.

    >>> from eval.answers import get
    >>> confidences(get("path"), "Home > Mugs", [(4, -0.1), (6, -0.2), (11, -0.3), (11, -0.4)])
    {'path': 0.367879, 'level 1': 0.740818, 'level 2': 0.367879}
    """
    return _probabilities(_units(kind, prediction, logprobs))


def of_row(row: Row, answers: Sequence[Answer]) -> dict[str, float] | None:
    """Return the confidences of a row's prediction, which is the last of ``answers``: those before it are the turns of a walk.

    A prediction that cannot be read has none; ``None``: the backend told no log-probabilities.
    """
    text, task = answers[-1].prediction, tasks.get(row.task)
    if text is None or (found := task.parse(text)) is None or task.settle(found, row.extra) is None:
        return {}
    if not all(answer.logprobs for answer in answers):
        return None
    kind = kind_of(row.task)
    return _probabilities(_walked([_units(kind, str(a.prediction), a.logprobs) for a in answers]))


def _units(kind: Kind, prediction: str, logprobs: Logprobs) -> dict[str, float]:
    """Return the log-probability of each unit."""
    values = [value for _, value in logprobs]
    ends = [end for end, _ in logprobs]
    starts = [0, *ends[:-1]]
    reached = [max(end, start + 1) for start, end in zip(starts, ends, strict=True)]
    found = {}
    for name, start, end in kind.units(prediction):
        tokens = values[bisect_right(reached, start) : bisect_left(starts, end)]
        if tokens:
            found[name] = fsum(tokens) / (len(tokens) if kind.average else 1)
    return found


def _walked(turns: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Multiply the turns of a walk: turn k decides level k, and the whole path and its last level take all turns."""
    *before, last = turns
    if not before:
        return last
    known = list(accumulate(next(iter(turn.values())) for turn in before))
    whole, *levels = last
    joint = {name: known[at] if at < len(known) else known[-1] + last[name] for at, name in enumerate(levels)}
    return {whole: known[-1] + last[whole], **joint, levels[-1]: known[-1] + last[whole]}


def _probabilities(logs: Mapping[str, float]) -> dict[str, float]:
    """Return probabilities to six digits, above 0 even where that is too small for a float."""
    return {name: max(float_info.min, float(f"{min(1.0, exp(log)):.6g}")) for name, log in logs.items()}
