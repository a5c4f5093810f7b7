"""A record: the values of each attribute, none where nothing is stated. A slot is one attribute of one product."""

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from converters.core.unicode import composed
from converters.text.none import is_none
from eval.answers.base import Kind, Labels, Predictor, Schema, Times, Unit, commonest, frequencies, pieces, seen_label
from eval.metrics import extraction as counting
from eval.metrics._normalise import Normalise
from eval.metrics.base import Example, Match, Tools
from eval.metrics.extraction import Slots, Values

LONGEST = 10_000  # characters of a text without JSON that are looked at
_MARKS = " \t*`\"'"
_DECODE = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
_BETWEEN = re.compile(r"[\s{,:]*")
OBJECTS = 8  # most objects of a text that are tried


def reason(text: str) -> str:
    """Say why a text is no record."""
    twice = False

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        twice |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once, parse_int=str, parse_float=str)
    except RecursionError:
        return "JSON nested too deep"
    except ValueError:
        return "JSON in a code fence" if "```" in text else "not JSON"
    if not isinstance(value, dict):
        return "no JSON object"
    return "an attribute named twice" if twice else "a value of another kind"


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the record without values, each attribute's commonest value and, where gold has several, its commonest values."""
    values: dict[str, list[str]] = {}
    lists: dict[str, list[tuple[str, ...]]] = {}
    for example in examples:
        for key, stated in example.gold.items():
            if stated:
                values.setdefault(key, []).extend(stated)
                lists.setdefault(key, []).append(stated)
    usual = {key: (commonest(stated),) for key, stated in values.items()}
    blind: dict[str, Predictor] = {
        "all null": lambda e: dict.fromkeys(e.gold, ()),
        "commonest value": lambda e: {key: usual.get(key, ()) for key in e.gold},
    }
    if any(len(stated) > 1 for of_key in lists.values() for stated in of_key):
        whole = {key: commonest(of_key) for key, of_key in lists.items()}
        blind["commonest values"] = lambda e: {key: whole.get(key, ()) for key in e.gold}
    return blind


def lenient(text: str) -> Iterator[str]:
    """Yield the JSON objects that start at the first braces; one inside another is no answer of its own."""
    decode, end = json.JSONDecoder(), 0
    for _ in range(OBJECTS):
        at = text.find("{", end)
        if at < 0:
            return
        try:
            _, end = decode.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
            continue
        yield text[at:end]


def listed(text: str, meta: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lines of ``name: value`` say of the attributes asked for, or the text alone if one is asked for, as JSON.

    >>> list(listed("- Color: Red, Blue", {"attributes": ["color"]})), list(listed("M", {"attributes": ["Size"]}))
    (['{"color": "Red, Blue"}'], ['{"Size": "M"}'])
    """
    asked = {name.casefold(): name for name in meta.get("attributes", ())}
    pairs = [line.strip(" -*•").partition(":") for line in text[:LONGEST].splitlines() if line.strip()]
    named = [
        (asked.get(name.strip(_MARKS).casefold(), ""), value.strip(_MARKS)) for name, colon, value in pairs if colon
    ]
    found = {name: None if is_none(value) else value for name, value in named if name}
    if found and len(named) == len(pairs) == len(found):
        yield json.dumps(found, ensure_ascii=False)
    elif len(asked) == len(pairs) == 1 and not named:
        [name], value = asked.values(), text.strip()
        try:
            several = json.loads(value)
        except (ValueError, RecursionError):
            several = value
        yield json.dumps({name: several if isinstance(several, list) else value}, ensure_ascii=False)


def spread(record: Values, gold: Values) -> Values:
    """Take apart the values of attributes that have several."""
    lists = {
        key: pieces(values[0]) for key, values in record.items() if len(values) == 1 and len(gold.get(key, ())) > 1
    }
    return {**record, **{key: tuple(dict.fromkeys(values)) for key, values in lists.items() if values}}


def slots(examples: Sequence[Example], tools: Tools, times: Times | None) -> tuple[Slots, Labels]:
    """Return the slots and their slices: by attribute, implied or stated, frequency, and whether training has the value."""
    table = counting.slotted(examples, tools)
    keys = [table.keys[code] for code in table.key.tolist()]
    pairs = [(examples[row], key) for row, key in zip(table.row.tolist(), keys, strict=True)]
    labels: Labels = {"attribute": keys}
    if any("implicit" in e.extra for e in examples):
        implicit = [(key in e.extra.get("implicit", ()), e.gold.get(key)) for e, key in pairs]
        labels["implicit"] = [("implicit" if hidden else "explicit") if gold else "" for hidden, gold in implicit]
    labels["frequency"] = frequencies(keys, times)
    if times:
        most = [max((times((key, tools.normalise(v))) for v in e.gold.get(key, ())), default=-1) for e, key in pairs]
        labels["seen"] = ["" if count < 0 else seen_label(count) for count in most]
    return table, labels


def training_keys(record: Values, normalise: Normalise) -> Iterable[Hashable]:
    """Return each value with its attribute, then the attributes that are stated."""
    values = [(name, normalise(value)) for name, stated in record.items() for value in stated]
    return [*values, *(name for name, stated in record.items() if stated)]


def matches(example: Example, tools: Tools) -> list[Match]:
    """Return the answer's and the gold's values slot by slot; those that are equal after normalising count once."""
    pairs = [(_distinct(answer, tools), _distinct(gold, tools)) for gold, answer in counting.slots(example).values()]
    return [Match(answer, gold, len(gold)) for answer, gold in pairs]


def _distinct(values: Iterable[str], tools: Tools) -> tuple[str, ...]:
    distinct: dict[str, str] = {}
    for value in values:
        distinct.setdefault(tools.normalise(value), value)
    return tuple(distinct.values())


def units(text: str) -> Iterator[Unit]:
    """Yield each attribute's value or null as it stands in a text that is one JSON object, quotes and brackets included.

    >>> list(units('{"Brand": "Acme", "Size": null}'))
    [('Brand', 10, 16), ('Size', 26, 30)]
    """
    end = 0
    while text.startswith('"', at := _after(text, end)):
        name, end = _DECODE(text, at)
        start = _after(text, end)
        _, end = _DECODE(text, start)
        yield composed(name.strip()), start, end


def _after(text: str, end: int) -> int:
    between = _BETWEEN.match(text, end)
    return between.end() if between else end


KIND = Kind(
    reason=reason,
    predictors=predictors,
    lenient=lenient,
    listed=listed,
    spread=spread,
    limit=lambda row, paths: Schema(tuple(row.extra.get("attributes", ()))),
    slots=slots,
    training_keys=training_keys,
    same=counting.same_record,
    tokens=counting.slot_tokens,
    matches=matches,
    borrow=lambda gold, other: {key: other.get(key, ()) for key in gold},
    units=units,
)
