"""Normalisers, which decide when two texts are equal: strict, mave (SQuAD's rule) and units (compares quantities).

``units`` rewrites each number with a unit as an exact decimal in the base unit of its dimension ("1.5 L" becomes "1500 ml"),
lower-cases the rest and keeps punctuation. Numbers joined by "x", "-", "/", "to", "and" … share the unit that follows them, and
feet with inches or pounds with ounces become one quantity. What is ambiguous (8/16 GB, 2 in 1, m²) is left as it is.
Units: the international yard and pound (1959), US customary volumes. SQuAD: Rajpurkar et al. 2016, ``evaluate-v1.1.py``; in
other scripts as MLQA has it (Lewis et al. 2020, ``mlqa_evaluation_v1.py``).
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import regex

from converters.core.errors import InputError, nearest
from converters.text.words import digits
from eval.metrics._tokens import english, folded, tokens

Normalise = Callable[[str], str]

KEPT = 1 << 13  # texts whose normal form is kept, for the values of a catalogue repeat

# Base unit: {factor: names}; factors are exact.
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
    | {"²": "^2", "³": "^3", "٫": ".", "٬": ","}
)
_VULGAR = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅞])")
_FLUID = re.compile(r"(?<![a-z])(?:fl\.? ?oz|fluid ounces?)(?![a-z0-9_])")
_NAMES = "|".join(re.escape(name) for name in sorted(_UNITS, key=len, reverse=True) if name[0] not in "\"'%")
_CROSS = re.compile(rf"([0-9](?: ?(?:{_NAMES})|[\"'])?) ?x ?(?=\.?[0-9])")
_NUMBER = re.compile(
    r"(?<![a-z0-9_.,])"
    r"(?P<number>(?:[0-9]{1,6}[ -])?[0-9]{1,2}/(?:2|3|4|8|16|32|64)(?![0-9/])"
    r"|[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,15})?|[0-9]{1,15}(?:[.,][0-9]{1,30})?|\.[0-9]{1,30})(?![.,]?[0-9])"
    r"(?P<unit> ?%|\"|''|'(?![a-z'])"
    rf"|[ -]?(?!in[ -]?[0-9])(?:{_NAMES})(?![a-z0-9_^]))?(?:(?<=[a-z])\.(?= |$))?"
)
_JOINT = re.compile(r" ?([x*/&-]) ?| (to|by|and|or) |(,) ")


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number in a text: its value, ``None`` if it has none, and its unit, written after it or shared."""

    begin: int
    end: int
    value: Fraction | None
    unit: tuple[str, Fraction] | None


@lru_cache(maxsize=KEPT)
def units(text: str) -> str:
    """Rewrite every quantity in the base unit of its dimension, as described at the top of this file.

    >>> units("1.5L"), units("1.5 l"), units("1500 ml"), units("15 L"), units("1,5 l"), units("1,500 ML")
    ('1500 ml', '1500 ml', '1500 ml', '15000 ml', '1500 ml', '1500 ml')
    >>> units("A"), units("Size M"), units("2 in 1"), units("USB 2.10"), units("Red-Mug!")
    ('a', 'size m', '2 in 1', 'usb 2.10', 'red-mug!')
    >>> units('10x20 cm'), units('5\\'10"'), units("1-1/2 in."), units("16 oz") == units("16 fl oz")
    ('100 mm x 200 mm', '1778 mm', '38.1 mm', False)
    """
    for _ in range(4):  # once is enough for all but a few odd characters
        rewritten = _rewrite(text)
        if rewritten == text:
            break
        text = rewritten
    return text


def _rewrite(text: str) -> str:
    spaced = _VULGAR.sub(" ", text.translate(_MARKS))
    plain = digits(unicodedata.normalize("NFKC", spaced)).casefold().translate(_MARKS)
    text = _CROSS.sub(r"\1 x ", _FLUID.sub("floz", " ".join(plain.split())))
    quantities: list[_Quantity] = []
    for match in reversed([*_NUMBER.finditer(text)]):
        name = (match["unit"] or "").lstrip(" -")
        unit = _UNITS["in"] if name == "''" else _UNITS.get(name)
        begin, end = match.start(), match.end() if unit else match.end("number")
        if not unit and quantities and _JOINT.fullmatch(text, end, quantities[-1].begin):
            unit = quantities[-1].unit
        quantities.append(_Quantity(begin, end, _value(match["number"]), unit))
    return " ".join("".join(_pieces(quantities[::-1], text)).split())


def _value(number: str) -> Fraction | None:
    """Read a number; ``None`` for thirds, which no decimal can write, and fractions that look like two numbers (8/16)."""
    if "/" in number:
        whole, _, part = number.replace("-", " ").rpartition(" ")
        top, bottom = map(int, part.split("/"))
        simple = bottom != 3 and top % 2 and top < bottom
        return Fraction(whole or 0) + Fraction(top, bottom) if simple else None
    thousands = re.fullmatch(r"(?!0,)[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", number)
    return Fraction(number.replace(",", "" if thousands else "."))


def _pieces(quantities: Sequence[_Quantity], text: str) -> Iterator[str]:
    """Yield the pieces of the text with its quantities rewritten."""
    known = [
        (item, item.value * item.unit[1], item.unit) for item in quantities if item.unit and item.value is not None
    ]
    done = place = 0
    while place < len(known):
        first, total, unit = known[place]
        gap, joint = text[done : first.begin], _JOINT.fullmatch(text, done, first.begin) if place else None
        if joint:
            sign, word, comma = joint.groups()
            gap = f"{comma} " if comma else f" {word or sign.replace('*', 'x')} "
        done, place = first.end, place + 1
        if place < len(known):
            second, value, smaller = known[place]
            if (unit, smaller) in _PAIRS and text[done : second.begin] in ("", " "):
                total, done, place = total + value, second.end, place + 1
        yield f"{gap}{_decimal(total)} {unit[0]}"
    yield text[done:]


def _decimal(value: Fraction) -> str:
    """Write a fraction of powers of 2 and 5 in full."""
    places = 0
    while value.denominator > 1:
        value, places = value * 10, places + 1
    digits = str(value.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ANY_PUNCTUATION = regex.compile(rf"[\p{{P}}{re.escape(string.punctuation)}]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@lru_cache(maxsize=KEPT)
def strict(text: str) -> str:
    """Strip the ends only: ``1.5L`` is not ``1.5 L``, and ``red`` is not ``Red``. NFKC where a text is not :func:`english`.

    >>> strict(" 1.5 L "), strict("２８ ㎝"), strict("cafe\u0301") == strict("café")
    ('1.5 L', '28 cm', True)
    """
    return (text if english(text) else unicodedata.normalize("NFKC", text)).strip()


@lru_cache(maxsize=KEPT)
def mave(text: str) -> str:
    """Normalise as SQuAD does: lower case, no ASCII punctuation, no English articles, white space collapsed.

    It breaks values in which these carry meaning: ``1.5 L`` equals ``15 L``, and the size ``A`` becomes empty. A text that is
    not :func:`english` is folded and loses the punctuation of every script; its tokens are parted by blanks.

    >>> mave("The 1.5 L  Kettle!"), mave("A"), mave("１．５ Ｌ"), mave("はい、静か。"), mave("¿Sí?")
    ('15 l kettle', '', '15 l', 'は い 静 か', 'sí')
    """
    plain = text if english(text) else folded(text)
    if english(plain):
        return " ".join(_ARTICLES.sub(" ", plain.lower().translate(_PUNCTUATION)).split())
    return " ".join(tokens(_ARTICLES.sub(" ", _ANY_PUNCTUATION.sub("", plain))))


NORMALISERS: dict[str, Normalise] = {"strict": strict, "mave": mave, "units": units}


def normaliser(name: str) -> Normalise:
    """Return the normaliser called ``name``; an unknown name is an ``InputError`` that suggests the nearest known one."""
    if name not in NORMALISERS:
        raise InputError(f"unknown normaliser {name!r}{nearest(name, list(NORMALISERS))}")
    return NORMALISERS[name]


def token_f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    """Return SQuAD's F1 of two multisets of tokens, 2 · common / (answer + gold), from 0 to 1.

    Where either is empty it is 1 if both are, else 0.

    >>> round(token_f1(["red", "red", "mug"], ["red", "mug"]), 3)
    0.8
    """
    if not answer or not gold:
        return float(list(answer) == list(gold))
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold))
