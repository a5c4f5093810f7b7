"""The numbers of a text by their value, however they are written: what an answer states is held against its evidence."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from fractions import Fraction

from converters.core.patterns import late

# "46 1/2", "12-1/2", "3/4"; "1 200"; "1.5", "1,200.50", ".5".
_NUMBER = re.compile(
    r"(?:(?P<whole>\d{1,9})[ -])?(?P<over>\d{1,9})/(?P<under>[1-9]\d{0,8})(?!\d)"
    r"|\d{1,3}(?: \d{3})+(?!\d|[.,]\d)|\.?\d+(?:[.,]\d+)*"
)
_IN_NAME = late(r"[\p{Latin}\p{Greek}\p{Cyrillic}]-?$")  # "x4", "fa-100": a number that is part of a name
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([., ])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+)?")
_LONGEST = 30  # signs of a number; what is longer is compared sign by sign
_ROUNDED = Fraction(3, 100)  # the share by which a rounded number may differ: 20 for 19.69, but no 1 for 1.4

# What evidence may write in words: English, then one to twelve in six other languages, then words by the number's place.
_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
"""
_TENS = "_ ten twenty thirty forty fifty sixty seventy eighty ninety"
_OTHERS = """
eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf
un deux trois quatre cinq six sept huit neuf dix onze douze
uno dos tres cuatro cinco seis siete ocho nueve diez once doce
uno due tre quattro cinque sei sette otto nove dieci undici dodici
um dois três quatro cinco seis sete oito nove dez onze doze
een twee drie vier vijf zes zeven acht negen tien elf twaalf
single both third
first pair
_ couple
ein twice
eine double
une second
una
uma
"""
_WORDS = {word: number for number, word in enumerate(_ONES.split())} | {
    w: 10 * n for n, w in enumerate(_TENS.split()) if n
}
_MORE = {word: Fraction(n) for line in _OTHERS.splitlines() for n, word in enumerate(line.split(), 1)}
_MORE |= {"dozen": Fraction(12), "half": Fraction(1, 2), "quarter": Fraction(1, 4)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6}
_WORD = late(r"\p{L}[\p{L}\p{M}]*")
_TEN = re.compile("([一二三四五六七八九两兩]?)十([一二三四五六七八九]?)")


def unstated(answer: str, evidence: Iterable[str]) -> list[str]:
    """Return the numbers of an answer that no evidence states: by figures of any script or form, in words, or less rounded.

    >>> unstated("It holds 1.5 l, 12 cups.", ["容量は１，５リットル", "a dozen cups"])
    []
    >>> unstated('15" by 12 1/2", 2 lids', ['14.96" x 12.5"', "three lids"])
    ['2']
    """
    if not any(map(str.isnumeric, answer)):
        return []
    stated = {value for text in evidence for value in _stated(text)}
    return [
        number[0]
        for number in _NUMBER.finditer(digits(answer))
        if not _IN_NAME().search(number.string, max(0, number.start() - 2), number.start())
        and not _is_stated(number, stated)
    ]


def digits(text: str) -> str:
    """Return a text with figures of any script as 0 to 9, fractions as two of them, and one sign for each use.

    >>> digits("４６½ ٣٫٥ m²"), digits("１，５–２")
    ('46 1/2 3.5 m ', '1,5-2')
    """
    return _GROUPS.sub("", text if text.isascii() else "".join(map(_figure, text)))


_GROUPS = re.compile(r"(?<=\d)['’\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_SIGNS = str.maketrans("٫٬⁄‐‑–—−", ".,/-----")


def _figure(sign: str) -> str:
    value = unicodedata.numeric(sign, None)
    kind = unicodedata.category(sign)
    if value is None or kind not in ("Nd", "No"):
        return sign if sign.isalpha() or sign.isspace() else unicodedata.normalize("NFKC", sign.translate(_SIGNS))
    if kind == "No" and value != int(value):
        part = Fraction(value).limit_denominator(100)
        return f" {part.numerator}/{part.denominator}"
    # "m²" is no number of its own.
    return " " if unicodedata.decomposition(sign).startswith("<su") else str(int(value))


def _alternatives(number: re.Match[str]) -> Iterator[tuple[object, ...]]:
    """Yield what a number may mean: one value, or several that are written beside one another."""
    text = number[0]
    if len(text) > _LONGEST:
        yield (text,)
    elif number["under"]:
        whole, over, under = (int(number[part] or 0) for part in ("whole", "over", "under"))
        yield (whole + Fraction(over, under),)
        yield (*([whole] if number["whole"] else []), over, under)
    else:
        parts = re.split("[., ]", text)
        if len(parts) == 1:
            yield (Fraction(text),)
        if len(parts) == 2 and " " not in text:
            yield (Fraction(f"{parts[0] or 0}.{parts[1]}"),)
        if thousands := _THOUSANDS.fullmatch(text):
            yield (Fraction(text.replace(thousands[1], "").replace(",", ".")),)
        if len(parts) > 2 or "." not in text or not parts[0]:  # a list, a date; "end.5" of two sentences
            yield tuple(Fraction(part) for part in parts if part)


def _is_stated(number: re.Match[str], stated: set[object]) -> bool:
    return any(
        all(value in stated or _is_rounded(value, stated) for value in values) for values in _alternatives(number)
    )


def _is_rounded(value: object, stated: set[object]) -> bool:
    """Tell whether a value is one that is stated, with fewer decimals."""
    if not isinstance(value, Fraction):
        return False
    places = next((n for n in range(4) if (value * 10**n).denominator == 1), None)
    if places is None:
        return False
    most = min(Fraction(1, 2 * 10**places), _ROUNDED * value)
    return any(isinstance(other, Fraction) and other.denominator > 1 and abs(other - value) <= most for other in stated)


def _stated(text: str) -> Iterator[object]:
    """Yield the values of a text's numbers, in figures and in words."""
    for number in _NUMBER.finditer(digits(text)):
        for values in _alternatives(number):
            yield from values
    before = 0
    for word in _WORD().findall(text.casefold()):
        value = _WORDS.get(word)
        if value is not None:
            yield before + value if before >= 20 and value < 10 else value
        elif word in _SCALES:
            yield (before or 1) * _SCALES[word]
        else:
            yield from filter(None, [_MORE.get(word)])
        before = value or 0
    if not text.isascii():
        yield from (int(unicodedata.numeric(sign)) for sign in text if sign.isalpha() and sign.isnumeric())
        for tens, ones in _TEN.findall(text):
            yield int(10 * unicodedata.numeric(tens or "一") + (unicodedata.numeric(ones) if ones else 0))
