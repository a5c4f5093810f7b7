"""Metrics of attribute extraction: a slot is one (product, attribute). All lie in [0, 1].

Values are sets: those of the answer and of the gold that are equal after normalising are in common, within their slot. A slot is
right if its sets are equal. What the metrics called ``mave`` count is MAVE's rule for one value a slot
(https://github.com/google-research-datasets/MAVE): both none, hallucinated, missed, right, wrong, by an answer's first value,
which may be any of the gold's. Where gold and answer have one value a slot at most, both ways give the same scores.
A key that was not asked for is a hallucination. An unreadable answer misses every stated slot; its other slots count as
``unreadable``: they are not right, but enter neither precision nor recall.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics._normalise import Normalise, mave, token_f1
from eval.metrics.base import Example, Floats, Metric, Tools, f1, mean_where, precision, ratio, recall

COUNTS = ("both_none", "hallucinated", "missed", "right", "wrong", "unreadable")
_COLUMN = {name: column for column, name in enumerate(COUNTS)}
SAID = tuple(map(COUNTS.index, ("right", "wrong", "hallucinated")))
STATED = tuple(map(COUNTS.index, ("right", "wrong", "missed")))
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


def common(example: Example, normalise: Normalise) -> dict[str, tuple[int, int, int]]:
    """Count each slot's distinct values: in common, of the answer, of the gold.

    >>> gold = {"Color": ("Red", "Blue"), "Size": (), "Fit": ("slim",)}
    >>> common(Example("1", "g", gold, {"Color": ("blue", "Blue", "Green"), "Size": ("XL",)}), str.lower)
    {'Color': (1, 2, 2), 'Size': (0, 1, 0), 'Fit': (0, 0, 1)}
    """
    sets = {key: ({*map(normalise, a)}, {*map(normalise, g)}) for key, (g, a) in slots(example).items()}
    return {key: (len(answer & gold), len(answer), len(gold)) for key, (answer, gold) in sets.items()}


def outcomes(example: Example, normalise: Normalise) -> dict[str, str]:
    """Name which of :data:`COUNTS` each slot of one example falls under.

    >>> gold = {"Color": ("Red", "Blue"), "Size": (), "Fit": ("slim",)}
    >>> outcomes(Example("1", "g", gold, {"Color": ("blue",), "Size": ("XL",)}), str.lower)
    {'Color': 'right', 'Size': 'hallucinated', 'Fit': 'missed'}
    """
    return {key: _outcome(example, *pair, normalise) for key, pair in slots(example).items()}


def _outcome(example: Example, gold: Sequence[str], answer: Sequence[str], normalise: Normalise) -> str:
    if gold and answer:
        return "right" if normalise(answer[0]) in map(normalise, gold) else "wrong"
    if gold:
        return "missed"
    return "unreadable" if example.answer is None else "hallucinated" if answer else "both_none"


def counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 6: how often each of :data:`COUNTS`."""
    every = tools.once(_every_slot, examples)
    cells = np.bincount(every.row * len(COUNTS) + every.outcome, minlength=len(examples) * len(COUNTS))
    return cells.reshape(-1, len(COUNTS)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots that were asked for, as arrays: the example and the attribute of each, and the number of its outcome.

    ``values`` is slots × 3, what :func:`common` counts. ``ends[i] : ends[i + 1]`` are the slots of example ``i``; ``made_up`` is
    how many keys each example adds unasked.
    """

    keys: list[str]
    row: Ints
    key: Ints
    outcome: Ints
    values: NDArray[np.int32]
    ends: Ints
    made_up: Ints

    def of(self, places: Ints) -> "Slots":
        """Return the slots of rows, given the number of the example of each."""
        counts = np.diff(self.ends)[places]
        ends = np.concatenate([[0], counts.cumsum()])
        at = np.arange(ends[-1]) + np.repeat(self.ends[places] - ends[:-1], counts)
        row = np.repeat(np.arange(len(places)), counts)
        return Slots(self.keys, row, self.key[at], self.outcome[at], self.values[at], ends, self.made_up[places])


def _every_slot(examples: Sequence[Example], tools: Tools) -> Slots:
    """Return the slots of all examples with those that were made up, which come last in each."""
    numbers: dict[str, int] = {}
    keys, outcome, ends, made_up, values = array("i"), array("b"), array("q", [0]), array("i"), array("i")
    for example in examples:
        by_key = slots(example)
        for key, (gold, answer) in by_key.items():
            said, stated = {*map(tools.normalise, answer)}, {*map(tools.normalise, gold)}
            keys.append(numbers.setdefault(key, len(numbers)))
            outcome.append(_COLUMN[_outcome(example, gold, answer, tools.normalise)])
            values.extend((len(said & stated), len(said), len(stated)))
        ends.append(len(keys))
        made_up.append(len(by_key) - len({*example.extra.get("attributes", ()), *example.gold}))
    columns = (np.array(column, dtype=np.int64) for column in (keys, outcome, ends, made_up))
    return _slots(list(numbers), np.array(values, np.int32).reshape(-1, 3), *columns)


def _slots(keys: list[str], values: NDArray[np.int32], key: Ints, outcome: Ints, ends: Ints, made_up: Ints) -> Slots:
    return Slots(keys, np.repeat(np.arange(len(made_up)), np.diff(ends)), key, outcome, values, ends, made_up)


def slotted(examples: Sequence[Example], tools: Tools) -> Slots:
    """Return the slots of all examples that were asked for."""
    every = tools.once(_every_slot, examples)
    ends = every.ends[1:] - every.made_up.cumsum()
    asked = np.arange(len(every.row)) < (every.ends[1:] - every.made_up)[every.row]
    numbers: dict[int, int] = {}  # of the attributes that some example asks for, in the order of first sight
    key = np.array([numbers.setdefault(code, len(numbers)) for code in every.key[asked].tolist()], np.int64)
    keys = [every.keys[code] for code in numbers]
    return _slots(keys, every.values[asked], key, every.outcome[asked], np.array([0, *ends]), every.made_up)


def attribute_counts(examples: Sequence[Example], tools: Tools) -> sparse.csr_array:
    """Return n × 3A: what :func:`common` counts of each of the A attributes that some gold states; other keys have no column."""
    stated = dict.fromkeys(key for example in examples for key, values in example.gold.items() if values)
    numbers, every = {key: number for number, key in enumerate(stated)}, tools.once(_every_slot, examples)
    columns = np.array([numbers.get(key, -1) for key in every.keys], np.int32)[every.key]
    rows, places = np.nonzero((every.values > 0) & (columns >= 0)[:, None])
    entries = (every.values[rows, places].astype(np.float64), (every.row[rows], columns[rows] + places * len(numbers)))
    return sparse.csr_array(entries, shape=(len(examples), 3 * len(numbers)))


def totals(sums: Floats) -> Floats:
    """Reduce :data:`COUNTS` to columns right, answered = right + wrong + hallucinated, gold = right + wrong + missed."""
    _, hallucinated, missed, right, wrong, _ = np.moveaxis(sums, -1, 0)
    return np.stack([right, right + wrong + hallucinated, right + wrong + missed], axis=-1)


def macro(of_one: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Return the average of a precision, recall or F1 over the attributes that some gold states, all alike.

    >>> gold = {"Color": ("Red", "Blue"), "Fit": ("slim",)}
    >>> table = attribute_counts([Example("1", "g", gold, {"Color": ("Red",)})], Tools(str)).toarray()
    >>> macro(precision)(table).tolist(), macro(recall)(table).tolist()
    ([0.5], [0.25])
    """

    def reduce(sums: Floats) -> Floats:
        by_attribute = np.swapaxes(sums.reshape(*sums.shape[:-1], 3, -1), -1, -2)
        return mean_where(of_one(by_attribute), by_attribute[..., 2])

    return reduce


def value_counts(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 7: values in common, of the answer, of the gold; slots stated and right, stated, rightly null, all.

    >>> value_counts([Example("1", "g", {"Color": ("Red", "Blue"), "Fit": ()}, {"Color": ("Red",)})], Tools(str)).tolist()
    [[1.0, 1.0, 2.0, 0.0, 1.0, 1.0, 2.0]]
    """

    every = tools.once(_every_slot, examples)
    both, answer, gold = every.values.T
    readable = np.array([example.answer is not None for example in examples])[every.row]
    stated, null = gold > 0, (answer == 0) & (gold == 0) & readable
    same = stated & (both == answer) & (answer == gold)
    columns = (both, answer, gold, same, stated, null, np.ones_like(both))
    return np.stack([np.bincount(every.row, column, len(examples)) for column in columns], axis=1)


def slot_accuracy(sums: Floats) -> Floats:
    """Return (stated and right + rightly null) / all slots; a made-up key is a wrong slot."""
    return ratio(sums[..., 3] + sums[..., 5], sums[..., 6])


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
    "micro_precision": Metric(value_counts, precision, of=(1,)),
    "micro_recall": Metric(value_counts, recall, of=(2,)),
    "micro_f1": Metric(value_counts, f1, of=(1, 2)),
    "attribute_macro_precision": Metric(attribute_counts, macro(precision), each=False),
    "attribute_macro_recall": Metric(attribute_counts, macro(recall), each=False),
    "attribute_macro_f1": Metric(attribute_counts, macro(f1), each=False),
    "slot_accuracy": Metric(value_counts, slot_accuracy, of=(6,)),
    "slot_accuracy_stated": Metric(value_counts, lambda sums: ratio(sums[..., 3], sums[..., 4]), of=(4,)),
    "value_f1": Metric(value_counts, f1, each=False, of=(1, 2)),
    "mave_micro_precision": Metric(counts, lambda sums: precision(totals(sums)), each=False, of=SAID),
    "mave_micro_recall": Metric(counts, lambda sums: recall(totals(sums)), each=False, of=STATED),
    "mave_micro_f1": Metric(counts, lambda sums: f1(totals(sums)), each=False, of=(*SAID, *STATED)),
}
