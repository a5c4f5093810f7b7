"""What a word is, and where it may begin and end, in any script: one notion for all that counts, finds, cuts or compares texts.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without blanks. There, every letter with its marks is a word, and a
value may begin or end at any of them. Elsewhere a word is a run of letters, marks and digits (as in UAX 29, plainly).
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

import regex

_SCRIPTS = ("Han", "Hira", "Kana", "Bopo", "Thai", "Laoo", "Khmr", "Mymr")
# The scripts that write no blanks between words. Script extensions count: the long vowel mark is of both kana.
UNSPACED = "".join(rf"\p{{scx={script}}}" for script in _SCRIPTS)
_LETTER = rf"[[{UNSPACED}]&&\w]"
_ASCII = re.compile(r"\w+")
_WORD = regex.compile(rf"(?V1){_LETTER}\p{{M}}*|[\w--{_LETTER}]+")
# Hangul writes blanks, but joins particles to nouns: what is searched for is found in pieces, as in scripts without blanks.
_JOINED = rf"[[{UNSPACED}\p{{scx=Hang}}]&&\w]"
_PIECE = regex.compile(rf"(?V1)((?:{_JOINED}\p{{M}}*)+)|[\w--{_JOINED}]+")
_SIGN = regex.compile(r"\w\p{M}*")
# Marks that writers leave out: accents on capitals, vowels of Arabic and Hebrew, and the stroke that lengthens Arabic words.
_OPTIONAL = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670]")


def words(text: str) -> list[str]:
    """Return the words of a text after NFKC, case folded; in a script without blanks every letter is one.

    >>> words("It's 1.5 L!"), words("１.５リットル"), words("Größe ПРИВЕТ")
    (['it', 's', '1', '5', 'l'], ['1', '5', 'リ', 'ッ', 'ト', 'ル'], ['grösse', 'привет'])
    >>> words("ขนาด 5 นิ้ว"), words("हिन्दी में")
    (['ข', 'น', 'า', 'ด', '5', 'นิ้', 'ว'], ['हिन्दी', 'में'])
    """
    if text.isascii():
        return _ASCII.findall(text.lower())
    found: list[str] = _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
    return found


def terms(text: str) -> list[str]:
    """Return what a search or a comparison counts: words without accents, and pairs of letters where no blanks part the words.

    Hangul counts as such a script, since its particles are joined to the words (as Lucene's CJKAnalyzer has it).

    >>> terms("Café mugs"), terms("容量は1.5 l"), terms("블랙은"), terms("赤")
    (['cafe', 'mugs'], ['容量', '量は', '1', '5', 'l'], ['블랙', '랙은'], ['赤'])
    """
    return list(_ASCII.findall(text.lower()) if text.isascii() else _terms(text))


def unaccented(text: str) -> str:
    """Return a text after NFKC, case folded, without the marks that writers leave out: accents, vowels of Arabic and Hebrew.

    >>> unaccented("Café ＭＵＧ"), unaccented("がま口"), unaccented("हिन्दी")
    ('cafe mug', 'がま口', 'हिन्दी')
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _OPTIONAL.sub("", unicodedata.normalize("NFD", folded)))


def _terms(text: str) -> Iterator[str]:
    for run in _PIECE.finditer(unaccented(text)):
        letters = _SIGN.findall(run[0]) if run[1] else ()
        if len(letters) > 1:
            yield from map("".join, pairwise(letters))
        else:
            yield run[0]
