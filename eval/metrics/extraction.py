"""Metrics of attribute extraction: a slot is one (product, attribute).

The five counts are MAVE's (https://github.com/google-research-datasets/MAVE): nothing stated and nothing said, hallucinated,
missed, right, wrong. They look at a prediction's first value and accept any gold value. A key that was not asked for is a
hallucination. An unreadable answer misses every stated slot; its other slots are counted as ``unreadable``: they enter neither
precision nor recall, but they are not right.
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
from eval.metrics.base import Example, Floats, Metric, Tools, f1, lines, mean_where, ratio

COUNTS = ("both_none", "hallucinated", "missed", "right", "wrong", "unreadable")
_COLUMN = {name: column for column, name in enumerate(COUNTS)}
Values = Mapping[str, tuple[str, ...]]
Ints = NDArray[np.int64]


def slots(example: Example) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return gold and said values of each slot: those asked for, then keys that were made up.

    >>> slots(Example("1", "g", {"Brand": ("Acme",)}, {"Fit": ("slim",), "Size": ()}))
    {'Brand': (('Acme',), ()), 'Fit': ((), ('slim',))}
    """
    said: Values = example.said or {}
    asked = [*example.extra.get("attributes", ()), *example.gold]
    extra = [key for key, values in said.items() if values]
    return {key: (example.gold.get(key, ()), said.get(key, ())) for key in dict.fromkeys(asked + extra)}


def outcome(gold: Sequence[str], said: Sequence[str], normalise: Normalise) -> str:
    """Name which of the five counts a slot falls under.

    >>> outcome(["Red", "Blue"], ["blue"], str.lower), outcome([], ["Red"], str), outcome(["Red"], [], str)
    ('right', 'hallucinated', 'missed')
    """
    if not gold:
        return "hallucinated" if said else "both_none"
    if not said:
        return "missed"
    return "right" if normalise(said[0]) in map(normalise, gold) else "wrong"


def outcomes(example: Example, normalise: Normalise) -> dict[str, str]:
    """Return the outcome of each slot of one example."""
    if example.said is None:
        return {key: "missed" if gold else "unreadable" for key, (gold, _) in slots(example).items()}
    return {key: outcome(gold, said, normalise) for key, (gold, said) in slots(example).items()}


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
    """Return the slots of all examples.

    >>> gold = {"Brand": ("Acme",), "Size": ()}
    >>> said = {"Brand": ("Acme",), "Fit": ("slim",)}, None
    >>> found = slotted([Example("1", "g", gold, answer) for answer in said], Tools(str))
    >>> [COUNTS[number] for number in found.outcome], found.made_up.tolist(), found.ends.tolist()
    (['right', 'both_none', 'missed', 'unreadable'], [1, 0], [0, 2, 4])
    """
    numbers: dict[str, int] = {}
    key, outcome, ends, made_up = array("q"), array("q"), array("q", [0]), array("q")
    for example in examples:
        found = outcomes(example, tools.normalise)
        asked = len({*example.extra.get("attributes", ()), *example.gold})
        for name, said in islice(found.items(), asked):
            key.append(numbers.setdefault(name, len(numbers)))
            outcome.append(_COLUMN[said])
        ends.append(len(key))
        made_up.append(len(found) - asked)
    edges = _numbers(ends)
    row = np.repeat(np.arange(len(examples)), np.diff(edges))
    return Slots(list(numbers), row, _numbers(key), _numbers(outcome), edges, _numbers(made_up))


def _numbers(found: "array[int]") -> Ints:
    return np.array(found, dtype=np.int64)


def slot_lines(found: Slots) -> sparse.csr_array:
    """Return one line a slot, with a 1 at its outcome: the table of :func:`counts` for slots alone."""
    count = len(found.outcome)
    return sparse.csr_array((np.ones(count), (np.arange(count), found.outcome)), shape=(count, len(COUNTS)))


def attribute_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 6A: the same for each of the A attributes that some gold states; keys beyond these have no column."""
    stated = {
        key: number for number, key in enumerate(dict.fromkeys(k for e in examples for k, v in e.gold.items() if v))
    }
    cells = [
        (row, _COLUMN[name] * len(stated) + stated[key])
        for row, example in enumerate(examples)
        for key, name in outcomes(example, tools.normalise).items()
        if key in stated
    ]
    places = np.asarray(cells, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_array((np.ones(len(cells)), tuple(places)), shape=(len(examples), len(COUNTS) * len(stated)))


def precision(sums: Floats) -> Floats:
    """Return right / (right + wrong + hallucinated); 0 if nothing was said, NaN if nothing was stated."""
    _, hallucinated, missed, right, wrong, _ = np.moveaxis(sums, -1, 0)
    return ratio(right, right + wrong + hallucinated, right + wrong + missed)


def recall(sums: Floats) -> Floats:
    """Return right / (right + wrong + missed); NaN if nothing was stated."""
    _, _, missed, right, wrong, _ = np.moveaxis(sums, -1, 0)
    return ratio(right, right + wrong + missed)


def counts_f1(sums: Floats) -> Floats:
    """Return the harmonic mean of :func:`precision` and :func:`recall`, written so that it is never 0 / 0.

    >>> counts_f1(np.array([3.0, 1, 1, 4, 1, 0])).item().__round__(4)
    0.6667
    """
    _, hallucinated, missed, right, wrong, _ = np.moveaxis(sums, -1, 0)
    return ratio(2 * right, 2 * (right + wrong) + hallucinated + missed, right + wrong + missed)


def attribute_macro_f1(sums: Floats) -> Floats:
    """Average F1 over the attributes that some gold states, each alike."""
    by_attribute = np.swapaxes(sums.reshape(*sums.shape[:-1], len(COUNTS), -1), -1, -2)
    return mean_where(counts_f1(by_attribute), by_attribute[..., 2:5].sum(-1))


def slot_accuracy(sums: Floats) -> Floats:
    """Return the share of slots that are right, a rightly empty one included; a made-up key is a wrong slot."""
    return ratio(sums[..., 0] + sums[..., 3], sums.sum(-1))


def value_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 3: values in common, said and gold, each value once, matched one to one within its slot."""
    return lines(_value_line(example, tools.normalise) for example in examples)


def _value_line(example: Example, normalise: Normalise) -> tuple[int, int, int]:
    pairs = [({normalise(v) for v in said}, {normalise(v) for v in gold}) for gold, said in slots(example).values()]
    return sum(len(s & g) for s, g in pairs), sum(len(s) for s, _ in pairs), sum(len(g) for _, g in pairs)


def same_record(example: Example, normalise: Normalise) -> bool:
    """Tell whether every slot has the gold's values, no more and no fewer."""
    pairs = slots(example).values()
    return example.said is not None and all(set(map(normalise, g)) == set(map(normalise, s)) for g, s in pairs)


def slot_tokens(example: Example) -> tuple[float, float, float]:
    """Return the sum of token F1 over slots where something is stated or said, their number, and how many are stated."""
    pairs = [(gold, said) for gold, said in slots(example).values() if gold or said]
    total = sum(token_f1(_tokens(said), _tokens(gold)) for gold, said in pairs if gold and said)
    return total, len(pairs), sum(bool(gold) for gold, _ in pairs)


def _tokens(values: Sequence[str]) -> list[str]:
    """Tokens of a slot's values; those that differ in case or punctuation only are one, so that a repetition never helps."""
    return [token for value in dict.fromkeys(map(mave, values)) for token in value.split()]


METRICS = {
    "micro_precision": Metric(counts, precision),
    "micro_recall": Metric(counts, recall),
    "micro_f1": Metric(counts, counts_f1),
    "attribute_macro_f1": Metric(attribute_counts, attribute_macro_f1, each=False),
    "slot_accuracy": Metric(counts, slot_accuracy),
    "slot_accuracy_stated": Metric(counts, recall),
    "value_f1": Metric(value_counts, f1),
}
