"""Normalising answers before they are compared: strict, mave (as SQuAD's), and units, which compares quantities."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from converters.core.errors import InputError, nearest

# Base unit: {factor: names}. Factors are exact.
_TABLE: dict[str, dict[str, str]] = {
    "mm": {
        "1": "mm millimeter millimeters millimetre millimetres",
        "10": "cm centimeter centimeters centimetre centimetres",
        "1000": "m meter meters metre metres",
        "1000000": "km kilometer kilometers kilometre kilometres",
        "25.4": 'in inch inches "',
        "304.8": "ft foot feet '",
        "914.4": "yd yard yards",
    },
    "g": {
        "0.001": "mg milligram milligrams",
        "1": "g gr gram grams gramme grammes",
        "1000": "kg kgs kilo kilos kilogram kilograms",
        "28.349523125": "oz ounce ounces",
        "453.59237": "lb lbs pound pounds",
    },
    "ml": {
        "1": "ml milliliter milliliters millilitre millilitres",
        "10": "cl centiliter centiliters centilitre centilitres",
        "100": "dl deciliter deciliters decilitre decilitres",
        "1000": "l ltr liter liters litre litres",
        "29.5735295625": "floz",
        "473.176473": "pt pint pints",
        "946.352946": "qt quart quarts",
        "3785.411784": "gal gallon gallons",
    },
    "w": {"1": "w watt watts", "1000": "kw kilowatt kilowatts"},
    "v": {"1": "v volt volts", "1000": "kv"},
    "ma": {"1": "ma milliamp milliamps", "1000": "a amp amps ampere amperes"},
    "mah": {"1": "mah", "1000": "ah"},
    "wh": {"1": "wh", "1000": "kwh"},
    "hz": {"1": "hz hertz", "1000": "khz", "1000000": "mhz", "1000000000": "ghz"},
    "mb": {"0.001": "kb", "1": "mb", "1000": "gb", "1000000": "tb"},
    "s": {"1": "s sec secs second seconds", "60": "min mins minute minutes", "3600": "h hr hrs hour hours"},
    "%": {"1": "% percent"},
    "°c": {"1": "°c"},
    "°f": {"1": "°f"},
}
_UNITS = {
    name: (base, Fraction(factor))
    for base, sizes in _TABLE.items()
    for factor, names in sizes.items()
    for name in names.split()
}
_PAIRS = {(_UNITS["ft"], _UNITS["in"]), (_UNITS["lb"], _UNITS["oz"])}

_MARKS = str.maketrans(
    {**dict.fromkeys("″“”", '"'), **dict.fromkeys("′‘’", "'"), **dict.fromkeys("–—−", "-"), "×": "x", "⁄": "/"}
    | {"²": "^2", "³": "^3"}
)
_VULGAR = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅞])")
_FLUID = re.compile(r"(?<![a-z])(?:fl\.? ?oz|fluid ounces?)(?![a-z0-9_])")
_NAMES = "|".join(re.escape(name) for name in sorted(_UNITS, key=len, reverse=True) if name[0] not in "\"'%")
_CROSS = re.compile(rf"([0-9](?: ?(?:{_NAMES})|[\"'])?) ?x ?(?=\.?[0-9])")
_ITEM = re.compile(
    r"(?<![a-z0-9_.,])"
    r"(?P<number>(?:[0-9]{1,6}[ -])?[0-9]{1,2}/(?:2|3|4|8|16|32|64)(?![0-9/])"
    r"|[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,15})?|[0-9]{1,15}(?:[.,][0-9]{1,30})?|\.[0-9]{1,30})(?![.,]?[0-9])"
    r"(?P<unit> ?%|\"|''|'(?![a-z'])"
    rf"|[ -]?(?!in[ -]?[0-9])(?:{_NAMES})(?![a-z0-9_^]))?(?:(?<=[a-z])\.(?= |$))?"
)
_BETWEEN = re.compile(r" ?([x*/&-]) ?| (to|by|and|or) |(,) ")

Unit = tuple[str, Fraction]


@dataclass(frozen=True, slots=True)
class _Item:
    """A number in a text, its value where it is readable, and its unit, whether written after it or shared."""

    begin: int
    end: int
    value: Fraction | None
    unit: Unit | None


def units(text: str) -> str:
    """Return the text with every quantity in the base unit of its dimension; the rule stands above.

    >>> units("1.5L"), units("1.5 l"), units("1500 ml"), units("15 L"), units("1,5 l"), units("1,500 ML")
    ('1500 ml', '1500 ml', '1500 ml', '15000 ml', '1500 ml', '1500 ml')
    >>> units("A"), units("Size M"), units("2 in 1"), units("USB 2.10"), units("Red-Mug!")
    ('a', 'size m', '2 in 1', 'usb 2.10', 'red-mug!')
    >>> units('10x20 cm'), units('5\\'10"'), units("1-1/2 in."), units("16 oz") == units("16 fl oz")
    ('100 mm x 200 mm', '1778 mm', '38.1 mm', False)
    """
    for _ in range(4):  # once is enough for all but a few odd characters
        found = _once(text)
        if found == text:
            break
        text = found
    return text


def _once(text: str) -> str:
    text = _CROSS.sub(r"\1 x ", _FLUID.sub("floz", _folded(text)))
    items = _shared([_item(match) for match in _ITEM.finditer(text)], text)
    return " ".join("".join(_written(items, text)).split())


def _folded(text: str) -> str:
    marked = _VULGAR.sub(" ", text.translate(_MARKS))
    return " ".join(unicodedata.normalize("NFKC", marked).casefold().translate(_MARKS).split())


def _item(match: re.Match[str]) -> _Item:
    name = (match["unit"] or "").lstrip(" -")
    unit = _UNITS["in"] if name == "''" else _UNITS.get(name)
    return _Item(match.start(), match.end() if unit else match.end("number"), _value(match["number"]), unit)


def _value(number: str) -> Fraction | None:
    """Read a number; ``None`` for thirds, which no decimal can write, and fractions that look like two numbers (8/16)."""
    if "/" in number:
        whole, _, part = number.replace("-", " ").rpartition(" ")
        top, bottom = map(int, part.split("/"))
        simple = bottom != 3 and top % 2 and top < bottom
        return Fraction(whole or 0) + Fraction(top, bottom) if simple else None
    thousands = re.fullmatch(r"(?!0,)[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", number)
    return Fraction(number.replace(",", "" if thousands else "."))


def _shared(items: Sequence[_Item], text: str) -> list[_Item]:
    """Give a number the unit of the next one, where what stands between them joins them."""
    found: list[_Item] = []
    for item in reversed(items):
        joined = found and not item.unit and _BETWEEN.fullmatch(text, item.end, found[-1].begin)
        found.append(replace(item, unit=found[-1].unit) if joined else item)
    return found[::-1]


def _written(items: Sequence[_Item], text: str) -> Iterator[str]:
    """Yield the pieces of the text with its quantities rewritten."""
    known = [item for item in items if item.unit and item.value is not None]
    done, number = 0, 0
    while number < len(known):
        item, after = known[number], known[number + 1 : number + 2]
        pair = after and (item.unit, after[0].unit) in _PAIRS and text[item.end : after[0].begin] in ("", " ")
        gap = text[done : item.begin]
        joined = _BETWEEN.fullmatch(gap) if number else None
        yield _joint(joined) if joined else gap
        yield _quantity([item, *after] if pair else [item])
        number += 2 if pair else 1
        done = known[number - 1].end
    yield text[done:]


def _joint(found: re.Match[str]) -> str:
    sign, word, comma = found.groups()
    return f"{comma} " if comma else f" {word or sign.replace('*', 'x')} "


def _quantity(items: Sequence[_Item]) -> str:
    base = items[0].unit[0] if items[0].unit else ""
    total = sum(item.value * item.unit[1] for item in items if item.unit and item.value is not None)
    return f"{_decimal(Fraction(total))} {base}"


def _decimal(value: Fraction) -> str:
    """Write a fraction of powers of 2 and 5 in full.

    >>> _decimal(Fraction(3, 8)), _decimal(Fraction(1500))
    ('0.375', '1500')
    """
    places = 0
    while value.denominator > 1:
        value, places = value * 10, places + 1
    digits = str(value.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


Normalise = Callable[[str], str]

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def strict(text: str) -> str:
    """Return the text as it is, ends stripped. It forgives nothing: ``1.5L`` is not ``1.5 L`` and ``red`` is not ``Red``.

    >>> strict(" 1.5 L ")
    '1.5 L'
    """
    return text.strip()


def mave(text: str) -> str:
    """Return SQuAD-like text: lower case, no ASCII punctuation, no English articles, white space collapsed.

    It breaks values in which these carry meaning: ``1.5 L`` equals ``15 L``, and the size ``A`` equals nothing at all.

    >>> mave("The 1.5 L  Kettle!"), mave("A")
    ('15 l kettle', '')
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


NORMALISERS: dict[str, Normalise] = {"strict": strict, "mave": mave, "units": units}


def normaliser(name: str) -> Normalise:
    """Return the normaliser called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    if name not in NORMALISERS:
        raise InputError(f"unknown normaliser {name!r}{nearest(name, list(NORMALISERS))}")
    return NORMALISERS[name]


def tokens(text: str) -> list[str]:
    """Return SQuAD's tokens.

    >>> tokens("A 1.5 L kettle, the kettle")
    ['15', 'l', 'kettle', 'kettle']
    """
    return mave(text).split()


def token_f1(said: Sequence[str], gold: Sequence[str]) -> float:
    """Return SQuAD's F1 of two multisets of tokens; where either is empty, whether both are.

    >>> round(token_f1(["red", "red", "mug"], ["red", "mug"]), 3)
    0.8
    """
    if not said or not gold:
        return float(list(said) == list(gold))
    common = sum((Counter(said) & Counter(gold)).values())
    return 2 * common / (len(said) + len(gold))
