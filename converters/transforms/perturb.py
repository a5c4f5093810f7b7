"""Hard inputs on purpose: a record as a worse shop would have written it, its answer still true.

Law: each value that an attribute keeps stands in the text that is left, unless it is implicit; a value that went with its text
is no longer an answer (``null``). A kind that cannot keep the law, or that has nothing to do, is not applied. A category stays
what it was; of a question only the question's own words change, so its snippets are its evidence as before.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.core.patterns import late
from converters.schema import Attributes, Listing, Question, Record, Text
from converters.text.matching import occurs
from converters.text.sanitize import clean_record
from converters.text.words import cuts

Product = Listing | Attributes
Texts = tuple[Text, ...]
Rates = Mapping[str, float]
Spans = list[tuple[int, int]]

_WORD = late(r"(?:(?!\p{M})[^\W\d_]){4,}+(?!\p{M})")  # none of whose letters has a mark of its own
_LETTERS = re.compile(r"[A-Za-z]{3,}")
_SHORT = {
    "with": "w/", "without": "w/o", "and": "&", "inch": "in", "inches": "in", "feet": "ft", "pieces": "pcs", "piece": "pc",
    "pack": "pk", "package": "pkg", "count": "ct", "small": "sm", "medium": "med", "large": "lg", "black": "blk", "white": "wht",
    "blue": "blu", "green": "grn", "yellow": "ylw", "brown": "brn", "silver": "slv", "stainless": "stnls", "steel": "stl",
    "women": "wmn", "womens": "wmns", "mens": "mns", "kids": "kds", "assorted": "asst", "quantity": "qty", "weight": "wt",
    "height": "ht", "length": "lgth", "diameter": "dia", "adjustable": "adj", "replacement": "repl", "original": "orig",
}  # fmt: skip
# Attributes that no text states without one of these signs: where none is found, the right answer is null.
_ABSENT = {
    "SPF": r"spf|sun",
    "ISBN": r"isbn|\d{9}",
    "Thread Count": r"thread|\btc\b|count",
    "Megapixels": r"mp\b|pixel",
    "Horsepower": r"hp\b|horse",
    "Refresh Rate": r"hz|hertz|refresh",
    "Alcohol Content": r"%|abv|proof|alcohol",
    "Voltage": r"\dv\b|\d v\b|volt",
    "Carat Weight": r"carat|karat|\bct|ctw|\d ?k",
    "Expiry Date": r"exp|best before|best by|use by|shelf|valid",
    "Thermal Resistance": r"\btog|thermal|r-value|clo\b",
    "Fuel Type": r"fuel|gas|petrol|diesel|electric|propane|butane|oil|wood|coal|battery|solar",
}


def kind_of(record: Record, rates: Rates, seed: int) -> str:
    """Return the kind that is drawn for a record by its id, or nothing: at most one kind a record, each at its rate."""
    at = random.Random(f"{seed}:kind:{record.id}").random()
    for kind in KINDS:
        at -= rates.get(kind, 0.0)
        if at < 0:
            return kind
    return ""


def harden(record: Record, kind: str, seed: int) -> Record | None:
    """Return a record made hard in one way, its texts made safe first; ``None`` where the kind does not fit it."""
    safe = clean_record(record)
    if not isinstance(safe, FITS[kind]) or not _sound(safe):
        return None
    harder: Record | None = KINDS[kind](safe, random.Random(f"{seed}:{kind}:{record.id}"))
    return harder if harder != safe else None


def _casing(record: Product | Question, draw: random.Random) -> Record | None:
    """Write everything in small or in capital letters."""
    changes: list[Callable[[str], str]] = draw.sample([str.lower, str.upper], 2)
    return next((changed for change in changes if (changed := _cased(record, change)) not in (None, record)), None)


def _cased(record: Product | Question, change: Callable[[str], str]) -> Record | None:
    if isinstance(record, Question):
        return replace(record, question=change(record.question))
    texts = tuple(Text(text.label, change(text.text)) for text in record.texts)
    if isinstance(record, Listing):
        return replace(record, texts=texts)
    values = (
        (name, values if name in record.implicit else tuple(dict.fromkeys(map(change, values))))
        for name, values in record.values
    )
    changed = replace(record, texts=texts, values=tuple(values))
    stated = all(any(value in text.text for text in texts) for _, value in _explicit(changed))
    return changed if stated else None


def _typos(record: Product | Question, draw: random.Random) -> Record | None:
    if isinstance(record, Question):
        return replace(record, question=_mistyped(record.question, [], draw))
    texts = tuple(Text(t.label, _mistyped(t.text, _spans(t.text, record), draw)) for t in record.texts)
    return _unharmed(record, texts)


def _mistyped(text: str, spans: Spans, draw: random.Random) -> str:
    """Return a text with a slip in one word of six, and in one at least."""
    words = _free(_WORD(), text, spans)
    for start, end in sorted(draw.sample(words, -(-len(words) // 6)), reverse=True):
        at = draw.randrange(start + 1, end - 1)
        slips = (text[at + 1] + text[at], text[at], text[at] * 2 + text[at + 1])
        text = text[:at] + draw.choice(slips) + text[at + 2 :]
    return text


def _abbreviated(record: Product, draw: random.Random) -> Record | None:
    title, *rest = record.texts
    words = [place for place in _free(_LETTERS, title.text, _spans(title.text, record)) if _short(title.text, place)]
    text = title.text
    for start, end in sorted(draw.sample(words, -(-len(words) // 2)), reverse=True):
        text = text[:start] + _short(text, (start, end)) + text[end:]
    return _unharmed(record, (Text(title.label, text), *rest))


def _short(text: str, place: tuple[int, int]) -> str:
    """Return a word as shops shorten it, nothing where that saves less than two letters."""
    word = text[slice(*place)]
    known = _SHORT.get(word.lower(), "")
    without = word[0] + re.sub("[aeiouAEIOU]", "", word[1:])
    return known or (without if len(word) >= 6 and len(without) <= len(word) - 2 else "")


def _truncated(record: Product, draw: random.Random) -> Record | None:
    """Cut the text with the most words between two of its words, where no value is, after 40 to 80 % of them."""
    at = max(range(len(record.texts)), key=lambda number: sum(1 for _ in cuts(record.texts[number].text)))
    text, spans = record.texts[at].text, _spans(record.texts[at].text, record)
    ends = [*cuts(text)]
    low, high = max(3, len(ends) * 2 // 5), len(ends) * 4 // 5
    free = [end for end in ends[low - 1 : high] if not any(a < end < b for a, b in spans)]
    if not free:
        return None
    shorter = Text(record.texts[at].label, text[: draw.choice(free)])
    return _less(record, (*record.texts[:at], shorter, *record.texts[at + 1 :]))


def _missing(record: Product, draw: random.Random) -> Record | None:
    """Leave out one text, but never the first."""
    if len(record.texts) < 2:
        return None
    at = draw.randrange(1, len(record.texts))
    return _less(record, (*record.texts[:at], *record.texts[at + 1 :]))


def _absent(record: Attributes, draw: random.Random) -> Record | None:
    """Ask for one or two more attributes, of which the text says nothing."""
    text, asked = _joined(record.texts), {name.casefold() for name, _ in record.values}
    names = [name for name, sign in _ABSENT.items() if name.casefold() not in asked and not re.search(sign, text, re.I)]
    values = list(record.values)
    for name in draw.sample(names, min(len(names), draw.choice((1, 2)))):
        values.insert(draw.randint(0, len(values)), (name, ()))
    return replace(record, values=tuple(values))


# In the order in which rates are laid end to end.
KINDS: Mapping[str, Callable[[Any, random.Random], Record | None]] = {
    "abbreviated": _abbreviated,
    "missing": _missing,
    "casing": _casing,
    "typos": _typos,
    "truncated": _truncated,
    "absent": _absent,
}
FITS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(KINDS, (Listing, Attributes)),
    "casing": (Listing, Attributes, Question),
    "typos": (Listing, Attributes, Question),
    "absent": (Attributes,),
}


def _explicit(record: Attributes) -> Iterable[tuple[str, str]]:
    return ((name, value) for name, values in record.values if name not in record.implicit for value in values)


def _joined(texts: Texts) -> str:
    return "\n".join(text.text for text in texts)


def _sound(record: Record) -> bool:
    """Tell whether a record has texts, and whether they state what it says they do."""
    if not isinstance(record, Attributes):
        return not isinstance(record, Listing) or bool(record.texts)
    return bool(record.texts) and all(occurs(value, _joined(record.texts), False) for _, value in _explicit(record))


def _left(record: Attributes, texts: Texts) -> Attributes:
    """Return a record with other texts, and those of its values that they state in the way in which the old ones did."""
    before, after = _joined(record.texts), _joined(texts)

    def holds(name: str, value: str) -> bool:
        return name in record.implicit or occurs(value, after, occurs(value, before, True))

    values = tuple((name, tuple(v for v in values if holds(name, v))) for name, values in record.values)
    return replace(record, texts=texts, values=values)


def _less(record: Product, texts: Texts) -> Product:
    return replace(record, texts=texts) if isinstance(record, Listing) else _left(record, texts)


def _unharmed(record: Product, texts: Texts) -> Product | None:
    """Return a record with other texts, if it has lost no value."""
    changed = _less(record, texts)
    return changed if isinstance(record, Listing) or changed == replace(record, texts=texts) else None


def _spans(text: str, record: Product) -> Spans:
    """Return where values stand in a text."""
    values: Sequence[str] = [value for _, value in _explicit(record)] if isinstance(record, Attributes) else []
    return [match.span() for value in values for match in re.finditer(re.escape(value), text, re.IGNORECASE)]


def _free(pattern: Any, text: str, spans: Spans) -> Spans:
    """Return the words of a text that no value touches."""
    words = (word.span() for word in pattern.finditer(text))
    return [(a, b) for a, b in words if not any(a < end and start < b for start, end in spans)]
