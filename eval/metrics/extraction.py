"""Metrics of attribute extraction: a slot is one (product, attribute). All lie in [0, 1].

The five counts are MAVE's (https://github.com/google-research-datasets/MAVE): both none, hallucinated, missed, right, wrong. They
look at an answer's first value and accept any gold value. A key that was not asked for is a hallucination. An unreadable answer
misses every stated slot; its other slots count as ``unreadable``: they are not right, but enter neither precision nor recall.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics._normalise import Normalise, mave, token_f1
from eval.metrics.base import Example, Floats, Metric, Tools, f1, lines, mean_where, precision, ratio, recall

COUNTS = ("both_none", "hallucinated", "missed", "right", "wrong", "unreadable")
_COLUMN = {name: column for column, name in enumerate(COUNTS)}
Values = Mapping[str, tuple[str, ...]]
Ints = NDArray[np.int64]


def slots(example: Example) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the gold's and the answer's values of each slot: those asked for, then keys that were made up.

    >>> slots(Example("1", "g", {"Brand": ("Acme",)}, {"Fit": ("slim",), "Size": ()}))
    {'Brand': (('Acme',), ()), 'Fit': ((), ('slim',))}
    """
    answer: Values = example.answer or {}
    requested = [*example.extra.get("attributes", ()), *example.gold]
    extra = [key for key, values in answer.items() if values]
    return {key: (example.gold.get(key, ()), answer.get(key, ())) for key in dict.fromkeys(requested + extra)}


def outcomes(example: Example, normalise: Normalise) -> dict[str, str]:
    """Name which of :data:`COUNTS` each slot of one example falls under.

    >>> gold = {"Color": ("Red", "Blue"), "Size": (), "Fit": ("slim",)}
    >>> outcomes(Example("1", "g", gold, {"Color": ("blue",), "Size": ("XL",)}), str.lower)
    {'Color': 'right', 'Size': 'hallucinated', 'Fit': 'missed'}
    """
    named = {}
    for key, (gold, answer) in slots(example).items():
        if gold and answer:
            named[key] = "right" if normalise(answer[0]) in map(normalise, gold) else "wrong"
        elif gold:
            named[key] = "missed"
        else:
            named[key] = "unreadable" if example.answer is None else "hallucinated" if answer else "both_none"
    return named


def counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 6: how often each of :data:`COUNTS`."""
    tallies = (Counter(outcomes(example, tools.normalise).values()) for example in examples)
    return lines([tally[name] for name in COUNTS] for tally in tallies)


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots that were asked for, as arrays: the example and the attribute of each, and the number of its outcome.

    ``ends[i] : ends[i + 1]`` are the slots of example ``i``; ``made_up`` is how many keys each example adds unasked.
    """

    keys: list[str]
    row: Ints
    key: Ints
    outcome: Ints
    ends: Ints
    made_up: Ints


def slotted(examples: Sequence[Example], tools: Tools) -> Slots:
    """Return the slots of all examples."""
    numbers: dict[str, int] = {}
    columns = array("q"), array("q"), array("q", [0]), array("q")
    for example in examples:
        by_key = outcomes(example, tools.normalise)
        requested = len({*example.extra.get("attributes", ()), *example.gold})
        for name, count in islice(by_key.items(), requested):
            columns[0].append(numbers.setdefault(name, len(numbers)))
            columns[1].append(_COLUMN[count])
        columns[2].append(len(columns[0]))
        columns[3].append(len(by_key) - requested)
    key, outcome, ends, made_up = (np.array(column, dtype=np.int64) for column in columns)
    return Slots(list(numbers), np.repeat(np.arange(len(examples)), np.diff(ends)), key, outcome, ends, made_up)


def slot_lines(table: Slots) -> sparse.csr_array:
    """Return one line per slot, with a 1 at its outcome: the table of :func:`counts` for slots alone."""
    count = len(table.outcome)
    return sparse.csr_array((np.ones(count), (np.arange(count), table.outcome)), shape=(count, len(COUNTS)))


def attribute_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 6A: :func:`counts` for each of the A attributes that some gold states; other keys have no column."""
    stated = dict.fromkeys(key for example in examples for key, values in example.gold.items() if values)
    numbers = {key: number for number, key in enumerate(stated)}
    cells = [
        (row, _COLUMN[name] * len(numbers) + numbers[key])
        for row, example in enumerate(examples)
        for key, name in outcomes(example, tools.normalise).items()
        if key in numbers
    ]
    places = np.asarray(cells, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_array((np.ones(len(cells)), tuple(places)), shape=(len(examples), len(COUNTS) * len(numbers)))


def totals(sums: Floats) -> Floats:
    """Reduce :data:`COUNTS` to columns right, answered = right + wrong + hallucinated, gold = right + wrong + missed."""
    _, hallucinated, missed, right, wrong, _ = np.moveaxis(sums, -1, 0)
    return np.stack([right, right + wrong + hallucinated, right + wrong + missed], axis=-1)


def counts_f1(sums: Floats) -> Floats:
    """Return 2 · right / (answered + gold)."""
    return f1(totals(sums))


def counts_recall(sums: Floats) -> Floats:
    """Return right / gold."""
    return recall(totals(sums))


def attribute_macro_f1(sums: Floats) -> Floats:
    """Average :func:`counts_f1` over the attributes that some gold states, all alike."""
    by_attribute = np.swapaxes(sums.reshape(*sums.shape[:-1], len(COUNTS), -1), -1, -2)
    return mean_where(counts_f1(by_attribute), totals(by_attribute)[..., 2])


def slot_accuracy(sums: Floats) -> Floats:
    """Return (right + both none) / all slots; a made-up key is a wrong slot."""
    return ratio(sums[..., 0] + sums[..., 3], sums.sum(-1))


def value_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: values in common, of the answer, of the gold; each counts once and is matched within its slot."""

    def line(example: Example) -> tuple[int, int, int]:
        pairs = [({*map(tools.normalise, a)}, {*map(tools.normalise, g)}) for g, a in slots(example).values()]
        return sum(len(a & g) for a, g in pairs), sum(len(a) for a, _ in pairs), sum(len(g) for _, g in pairs)

    return lines(map(line, examples))


def same_record(example: Example, normalise: Normalise) -> bool:
    """Tell whether every slot has the gold's values, no more and no fewer."""
    pairs = slots(example).values()
    return example.answer is not None and all({*map(normalise, g)} == {*map(normalise, a)} for g, a in pairs)


def slot_tokens(example: Example) -> tuple[float, float, float]:
    """Return the sum of token F1 over slots where gold or answer has a value, their number, and how many the gold states."""
    pairs = [(gold, answer) for gold, answer in slots(example).values() if gold or answer]
    total = sum(token_f1(_tokens(answer), _tokens(gold)) for gold, answer in pairs if gold and answer)
    return total, len(pairs), sum(bool(gold) for gold, _ in pairs)


def _tokens(values: Sequence[str]) -> list[str]:
    """Return a slot's tokens; values that differ only in case or punctuation are one, so that a repetition never helps."""
    return [token for value in dict.fromkeys(map(mave, values)) for token in value.split()]


METRICS = {
    "micro_precision": Metric(counts, lambda sums: precision(totals(sums))),
    "micro_recall": Metric(counts, counts_recall),
    "micro_f1": Metric(counts, counts_f1),
    "attribute_macro_f1": Metric(attribute_counts, attribute_macro_f1, each=False),
    "slot_accuracy": Metric(counts, slot_accuracy),
    "slot_accuracy_stated": Metric(counts, counts_recall),
    "value_f1": Metric(value_counts, f1),
}
