r"""Where a value stands in a text, and how the text spells it.

Exports hold handles and codes (``organic-cotton``, ``stainless_steel``, ``poliester``) of what the texts write as words. Case,
accents, hyphens and underscores are folded on both sides, sign by sign, so that what is found can be read off the text itself.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from converters.text.words import digits, places, stands

_DROPPED = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f]"
)
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0f"
# What Unicode does not decompose, as handles are written.
_LETTERS = {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h"}
_HANDLE = re.compile(r"[^\W_]+(?:[-_]+[^\W_]+)+")
_NUMBER = re.compile(r"[-_]\d{1,2}\Z")  # of the second of two entries of one name
_WORD = re.compile(r"[^\W\d_]{3}")
# What a handle's hyphen may stand for: a blank, a sign as in "1.5", "100% ", a sign between blanks as in "black & white".
_GAP = r"(?: |[.,:;!?]|[^\w\s.,:;!?] ?| [&/+·|] )"


def spelling(value: str, text: str) -> str | None:
    """Return a value as it is if a text on one line has it in any case, else as the text spells it; none if it has neither.

    >>> spelling("NAVY", "Navy mugs"), spelling("red", "Hundred mugs"), spelling("5", "1.5 l")
    ('NAVY', None, None)
    >>> spelling("organic-cotton", "Organic Cotton"), spelling("18-24-meses", "de 18–24 meses")
    ('Organic Cotton', '18–24 meses')
    >>> spelling("rosa-2", "Taza rosa"), spelling("acero_inoxidable", "De acero inoxidable."), spelling("1-5-l", "1.5 L")
    ('rosa', 'acero inoxidable', '1.5 L')
    >>> spelling("poliéster", "de poliester"), spelling("strasse", "Straße"), spelling("ipek", "İPEK")
    ('poliester', 'Straße', 'İPEK')
    >>> spelling("S", "Men's tee"), spelling("M", "2 m long"), spelling("l", "Sizes M/L"), spelling("L", "holds 2 L")
    (None, None, 'L', None)
    >>> spelling("500 مل", "الحجم ٥٠٠ مل"), spelling("1.5", "१.५ लीटर"), spelling("5", "१.५ लीटर")
    ('٥٠٠ مل', '१.५', None)
    >>> spelling("红色", "中国红色杯子"), spelling("500ml", "ボトル500ML入り"), spelling("블랙", "블랙은 품절")
    ('红色', '500ml', '블랙')
    """
    if not (wanted := value.strip()):
        return None
    if len(wanted) == 1 and wanted.upper() != wanted.lower():
        return _letter(wanted, text)
    if any(places(wanted.lower(), _lower(text))):
        return value
    folded = _fold(wanted).strip()
    if found := _first(places(folded, _folded(text)), text):
        return found
    if wanted != wanted.lower() or not _HANDLE.fullmatch(wanted):
        return None
    if found := _first(_gapped(folded, _folded(text)), text):
        return found
    stem = _NUMBER.sub("", wanted)
    if stem == wanted or not _WORD.search(stem):
        return None
    return _first(_uncounted(_fold(stem).strip(), _folded(text)), text)


def _letter(value: str, text: str) -> str | None:
    """Return a letter, such as a size, where it stands as a capital by itself: not in "Men's", "2 m" or "l'or"."""
    capital = value.upper()
    alone = re.compile(rf"(?<![^\W_]['’])(?<!\d)(?<!\d[ \u00a0]){re.escape(capital)}(?!['’][^\W_])")
    found = any(stands(text, *match.span()) for match in alone.finditer(text))
    return capital if found else None


@lru_cache(8)
def _lower(text: str) -> str:
    return text.lower()


class _Folds(dict[int, str]):
    """What each sign is folded to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if sign.isspace() or sign == "_" or unicodedata.category(sign) == "Pd":
            folded = " "
        else:
            letters = digits(unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sign).casefold()))
            folded = "".join(_LETTERS.get(letter, letter) for letter in _DROPPED.sub("", letters))
        self[code] = folded
        return folded


_FOLDS = _Folds()


def _fold(text: str) -> str:
    return text.translate(_FOLDS)


@lru_cache(8)
def _folded(text: str) -> str:
    return _fold(text)


@lru_cache(8)
def _ends(text: str) -> list[int]:
    """Return for each sign of a text where it ends in the folded text."""
    return list(accumulate(map(len, map(_FOLDS.__getitem__, map(ord, text)))))


def _first(spans: Iterator[tuple[int, int]], text: str) -> str | None:
    """Return the part of a text at the first span of the folded text that begins and ends with a whole sign."""
    for start, end in spans:
        if text.isascii():
            return text[start:end]
        ends = _ends(text)
        first, last = bisect_right(ends, start), bisect_right(ends, end)
        if (ends[first - 1] if first else 0) == start and ends[last - 1] == end:
            return text[first:last].rstrip(_INVISIBLE)
    return None


def _gapped(value: str, text: str) -> Iterator[tuple[int, int]]:
    first, *others = value.split()
    if first in text:
        for match in re.finditer(_GAP.join(map(re.escape, (first, *others))), text):
            if stands(text, *match.span()):
                yield match.span()


_COUNT = re.compile(r"[ :-] ?(?:of )?\d")


def _uncounted(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a handle stands that is no word of a count: "pack-6" is not the pack of "pack of 8" or "8 pack"."""
    for start, end in _gapped(value, text):
        if not _COUNT.match(text, end) and not re.search(r"\d[ -]?$", text[max(start - 2, 0) : start]):
            yield start, end
