"""The unit-aware normaliser: quantities that are the same are written the same, and only those.

The rule, in the order it is applied:

1. Case and width of characters are folded (Unicode NFKC and case folding), white space is collapsed. Nothing else of the text
   changes: no word, digit or punctuation mark is dropped, so the value ``A`` stays a value and ``15 L`` is not ``1.5 L``.
2. A number and a unit of the table below are one quantity, with or without a space or a hyphen between them, and are written in
   the base unit of their dimension, exactly (fractions, no rounding): ``1.5L`` and ``1500 ml`` are equal, ``6 in`` is
   ``15.24 cm`` and not ``15.2 cm``. Feet and inches, and pounds and ounces, that follow each other are one quantity.
3. A number before ``x`` (with spaces or not), a hyphen, a slash, ``&``, ``to``, ``by``, ``and``, ``or`` or a comma and a space
   has the unit of the number after it: ``10x20 cm`` is ``100 mm x 200 mm``.
4. A point is the decimal mark. A comma is, too, unless three digits follow it: ``1,5 l`` is 1.5 l, but ``1,500 ml`` is 1500 ml,
   as English texts write thousands; ``0,500 l`` is half a litre. What mixes both otherwise (``1.500,5``) is no number.
5. A number without a unit is left as it is (``2.10`` may be a version, ``1,5`` a list), as are thirds, a fraction that may be
   two numbers (``8/16 GB``), and a number of more than 15 digits.

Units: metric and US customary (NIST Handbook 44, appendix C; a fluid ounce is the US one, ``oz`` alone is a weight), electrical,
data in powers of 1,000. Case does not tell units apart (``Mb`` is ``mb``), so milli and mega of one unit are not both here.
``in`` is an inch unless a number follows it (``2 in 1``); ``"`` and ``'`` are inch and foot right after a number. Areas and
volumes written as powers (``m²``, ``cm3``) are left as they are.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

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
