"""What a word is, and where it may begin and end, in any script: one notion for all that counts, finds, cuts or compares texts.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without blanks. There, every letter with its marks is a word, and a
value may begin or end at any of them. Elsewhere a word is a run of letters, marks and digits (as in UAX 29, plainly). Properties
of characters are Unicode's: line-breaking classes after UAX 14, sentence ends after UAX 29.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

from converters.core.patterns import late

# Letters of scripts that write no blanks, for a class of a pattern: ideographs, kana and bopomofo; line-breaking class SA.
_EASTERN = (
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\ua48c\uf900-\ufad9\uff66-\uff9f\U00016ff0-\U00016ff6"
    "\U0001aff0-\U0001b168\U00020000-\U0003ffff"
)
_SOUTHERN = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd"
    "\u1950-\u19c9\u1a20-\u1a7c\u1aa7\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaadd"
)
_HANGUL = "\u1100-\u11ff\u302e\u302f\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc"
UNSPACED = _EASTERN + _SOUTHERN
_LETTER, _SPACED = f"[{UNSPACED}]", rf"[[\w\p{{N}}]--[{UNSPACED}]]"
# What no word begins with after a letter: small kana, the long vowel mark, Thai and Lao vowels after their consonant.
_AFTER = r"[[\p{lb=CJ}々ゝゞヽヾﾞﾟะาำๅະາຳ]--[ヵヶ]]"
_STACKED = r"[\u1039\u17d2]"  # Burmese and Khmer: the next letter stands below this one
_RUN = rf"[{_SPACED}--[{_HANGUL}]]"
_JOINER = r"[\u200c\u200d]"
_CLUSTER = rf"\p{{LOE}}?{_LETTER}(?:{_STACKED}{_LETTER}|[\p{{M}}\u200c\u200d]|{_AFTER})*"
# Latin, Greek, Cyrillic, Armenian, and signs: a text of nothing but these needs no more than Python's \w, which knows no marks.
_COMMON = (
    "\x00-\xac\xae-\u012f\u0131-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u200b\u2010-\u205f\u2070-\u20cf\u2100-\u2bff"
    "\U0001f300-\U0001f3fa\U0001f400-\U0001faff"
)
_OTHER = re.compile(f"[^{_COMMON}]")
# Letters that no more than case is folded of: Latin, Cyrillic, kana and ideographs in their usual form. And signs that stay.
_CASED = re.compile(
    "[\x00-\x7f\xa1-\xa7\xa9\xab\xac\xae\xb0\xb1\xb6\xb7\xbb\xbf-\u012f\u0134-\u013e\u0141-\u0148\u014a-\u017e\u0400-\u045f\u2013"
    "\u2014\u2018-\u201e\u2020-\u2022\u20ac\u3001-\u3003\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff]*"
)
_MARKED = late(f"[^{_COMMON}{_EASTERN}{_HANGUL}\u3000-\u3020\uff01-\uff65]", "re")

_PLAIN = re.compile(r"\w+")
# Letters, digits and the underscore of ASCII in lower case, and blanks for all other signs: parts words in half the time.
_WORDS = bytes(ord(sign.lower()) if _PLAIN.match(sign) else ord(" ") for sign in map(chr, range(128))) + bytes(128)
_WORD = late(rf"{_LETTER}\p{{M}}*|[^\W{UNSPACED}]+")
_EASTERN_WORD = late(rf"[{_EASTERN}]|[^\W{_EASTERN}]+", "re")
# Hangul writes blanks, but joins particles to nouns: what is searched for is found in pieces, as in scripts without blanks.
_TERM = late(rf"([{UNSPACED}{_HANGUL}][{UNSPACED}{_HANGUL}\p{{M}}]*)|[^\W{UNSPACED}{_HANGUL}]+")
_EASTERN_TERM = late(rf"([{_EASTERN}{_HANGUL}]+)|[^\W{_EASTERN}{_HANGUL}]+", "re")
_SIGN = late(r"\w\p{M}*")
_TOKEN = late(rf"(?V1){_CLUSTER}|(?=[{_HANGUL}])\X|{_RUN}+(?:{_JOINER}+{_RUN}+)*|(?![\s\x1c-\x1f])\X")
_PLAIN_TOKEN = re.compile(r"\w+|[^\w\s]")
_CUT = late(rf"(?V1)[\p{{Ps}}\p{{Pi}}]*{_CLUSTER}[\p{{Pe}}\p{{Pf}}\p{{Po}}]*|[^\s\x1c-\x1f{UNSPACED}]+")
_PLAIN_CUT = re.compile(r"\S+")
_STOP = late(r"(?V1)[.!?]\s+|[\p{SB=STerm}--[!?]]+[\p{Pe}\p{Pf}]*\s*")

_EASTERN_LETTER, _SOUTHERN_LETTER = late(f"[{_EASTERN}]", "re"), late(rf"(?!\p{{M}})[{_SOUTHERN}]")
_FULL_STOP = late(r"[.\p{SB=STerm}]")

# Signs that NFKC would write as letters or digits of the word before them.
_APART = re.compile("[™℠\u00bc-\u00be\u2150-\u215e\u2189]")
# What cannot be seen (Unicode's default ignorables), but for the blank without a width, which parts words.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff]"
)
_DIGIT = re.compile(r"[^\D0-9]")
_JOINED = re.compile(r"\b(?:(?:[وفبك]?ال|لل){1,2}(?=\w{2})|[ושכבלמה]{1,3}(?=\w{3}))")
_ALONE = late(r"\p{Han}|[가-힣]")  # letters that are often words by themselves
# Marks that writers leave out: vowels of Arabic and Hebrew, and the stroke that lengthens Arabic words; accents on capitals.
_OPTIONAL = re.compile("[\u0591-\u05c7\u0640\u064b-\u065f\u0670]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_COMPOSED = re.compile("[\u00c0-\u06ff\u1e00-\u1fff]")  # letters that may have one of these


def _common(text: str) -> bool:
    return text.isascii() or not _OTHER.search(text)


def fold(text: str) -> str:
    """Return a text for comparison: NFKC, case folded, digits of ASCII, without characters that cannot be seen.

    >>> fold("１.５ リットル"), fold("Größe"), fold("Cot\\u00adton™"), fold("٥٠٠ مل"), fold("İpek")
    ('1.5 リットル', 'grösse', 'cotton ', '500 مل', 'ipek')
    """
    if text.isascii():
        return text.lower()
    return text.casefold() if _CASED.fullmatch(text) else _fold(text)


@lru_cache(256)
def _fold(text: str) -> str:
    apart = _APART.sub(lambda sign: " " if sign[0] in "™℠" else f" {sign[0]}", _HIDDEN.sub("", text))
    # "i\u0307" is the small letter of Turkish "İ".
    return digits(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", apart).casefold())).replace(
        "i\u0307", "i"
    )


def digits(text: str) -> str:
    """Write the decimal digits of every script as those of ASCII, which NFKC leaves undone.

    >>> digits("٣ और ४"), digits("½ ③"), digits(chr(0x1E4F0)) in (chr(0x1E4F0), "0")
    ('3 और 4', '½ ③', True)
    """
    return text if text.isascii() else _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def plain(text: str) -> str:
    """Return a folded text without accents and without the vowel marks of Arabic and Hebrew.

    >>> plain("Crème brûlée"), plain("ガラス")
    ('creme brulee', 'ガラス')
    """
    return _without(fold(text), _ACCENTS, _OPTIONAL)


def _without(text: str, *marks: re.Pattern[str]) -> str:
    if text.isascii() or not _COMPOSED.search(text):
        return text
    text = unicodedata.normalize("NFD", text)
    for mark in marks:
        text = mark.sub("", text)
    return unicodedata.normalize("NFC", text)


def words(text: str) -> list[str]:
    """Return the words of a folded text; in a script without blanks every letter is one.

    >>> words("It's 1.5 L!"), words("１.５リットル"), words("Größe ПРИВЕТ")
    (['it', 's', '1', '5', 'l'], ['1', '5', 'リ', 'ッ', 'ト', 'ル'], ['grösse', 'привет'])
    >>> words("ขนาด 5 นิ้ว"), words("हिन्दी में")
    (['ข', 'น', 'า', 'ด', '5', 'นิ้', 'ว'], ['हिन्दी', 'में'])
    """
    if text.isascii():
        return text.encode().translate(_WORDS).decode().split()
    folded = fold(text)
    if _common(folded):
        return _PLAIN.findall(folded)
    found: list[str] = (_WORD if _MARKED().search(folded) else _EASTERN_WORD)().findall(folded)
    return found


def terms(text: str, accents: bool = False) -> list[str]:
    """Return what a search or a comparison counts: words, and pairs of letters where no blanks part the words.

    Hangul counts as such a script, since its particles are joined to the words (as Lucene's CJKAnalyzer has it). With
    ``accents`` they stay, and Latin, Cyrillic and Greek words are those of ``\\w+`` in lower case.

    >>> terms("Café mugs"), terms("容量は1.5 l"), terms("블랙은"), terms("赤")
    (['cafe', 'mugs'], ['容量', '量は', '1', '5', 'l'], ['블랙', '랙은'], ['赤'])
    >>> terms("Café ½ m²", accents=True)
    ['café', '½', 'm²']
    """
    folded, find = term_finder(text, accents)
    return find(folded)


def term_finder(text: str, accents: bool) -> tuple[str, Callable[[str], list[str]]]:
    """Return a text folded for :func:`terms`, and what finds them in it, or in a part that begins and ends at a blank."""
    if _common(text):
        return text.lower() if accents else _without(text.casefold(), _ACCENTS), _PLAIN.findall
    folded = _without(fold(text), _OPTIONAL) if accents else plain(text)
    pattern = (_TERM if _MARKED().search(folded) else _EASTERN_TERM)()
    return folded, lambda part: [term for run in pattern.finditer(part) for term in _pairs(run[0], run[1] is not None)]


def searched(text: str, accents: bool = False) -> list[str]:
    """Return what a search goes by: the terms, and each ideograph and Hangul syllable, as in Lucene with outputUnigrams.

    A word of one letter is a part of other pairs wherever it stands: "色は黒ですか" and "黒の色" have no pair in common. Articles
    and prepositions that Arabic and Hebrew join to a word are taken off (light stemming: Larkey et al., SIGIR 2002).

    >>> searched("黒の Mug"), searched("赤"), searched("Mug"), searched("اللون الأحمر"), searched("הכחול")
    (['黒の', 'mug', '黒'], ['赤'], ['mug'], ['لون', 'احمر'], ['חול'])
    """
    found = terms(text, accents)
    if _common(text):
        return found
    if _JOINED.search(text):
        found = [_JOINED.sub("", term) for term in found]
    return [*(term for term in found if len(term) > 1 or not _ALONE().match(term)), *_ALONE().findall(fold(text))]


def _pairs(run: str, paired: bool) -> list[str]:
    # A mark is no letter to isalnum.
    letters = () if not paired else run if run.isalnum() else _SIGN().findall(run)
    return [first + second for first, second in pairwise(letters)] if len(letters) > 1 else [run]


def tokens(text: str) -> list[tuple[int, int]]:
    """Return where the words, the letters of scripts without blanks, and the other signs stand; none is a part of a letter.

    >>> [("1.5 L入り!"[start:end]) for start, end in tokens("1.5 L入り!")]
    ['1', '.', '5', 'L', '入', 'り', '!']
    """
    return [token.span() for token in (_PLAIN_TOKEN if _common(text) else _TOKEN()).finditer(text)]


def cuts(text: str) -> Iterator[int]:
    """Yield where a text may be cut off: after what blanks part, and after every letter in scripts without blanks.

    >>> [*cuts("It is red.")], [*cuts("「赤い」マグ。 500ml")]
    ([2, 5, 10], [2, 4, 5, 7, 13])
    """
    return (piece.end() for piece in (_PLAIN_CUT if _common(text) else _CUT()).finditer(text))


def sentence_ends(text: str) -> list[int]:
    """Return where the sentences of a text end: no blank need follow where the sign is of another script than Latin.

    >>> sentence_ends("It is 1.5 l. Red!"), sentence_ends("赤です。大きい！")
    ([13, 17], [4, 8])
    """
    ends = [stop.end() for stop in _STOP().finditer(text)]
    return ends if ends[-1:] == [len(text)] or not text else [*ends, len(text)]


def ends_sentence(text: str) -> bool:
    """Tell whether a text ends with a full stop or the like, in any script.

    >>> [ends_sentence(text) for text in ("Red.", "赤です。", "लाल।", "Red")]
    [True, True, True, False]
    """
    return bool(_FULL_STOP().fullmatch(text[-1:]))


def several_words(text: str) -> bool:
    """Tell whether a text without blanks is likely of more than one word: five ideographs or kana, or eight letters else.

    >>> [several_words(text) for text in ("是不锈钢的", "はい", "ใช่ครับ", "ทำจากสแตนเลส", "Stainless")]
    [True, False, False, True, False]
    """
    return len(_EASTERN_LETTER().findall(text)) / 5 + len(_SOUTHERN_LETTER().findall(text)) / 8 >= 1


_IN_NUMBER = re.compile(r"\d[.,٫٬]\d")
_INSIDE = late(
    rf"(?V1)(?s:.)\p{{M}}|{_LETTER}{_AFTER}|[\p{{LOE}}\u1039\u17d2\u200d](?s:.)|[{_SPACED}--[_{_HANGUL}]]{{2}}|[{_HANGUL}]{{2}}"
)
# Hangul writes blanks, and particles after a noun.
_PARTICLES = "은|는|이|가|을|를|의|와|과|로|으로|도|만|에|에서|에게|부터|까지|처럼|보다|하고|이나|이며|이고|입니다|이에요|예요|인"
_ARTICLE = re.compile(r"\b(?:[وفبك]?ال|لل|ו?ה)$")  # what Arabic and Hebrew join to the word after it
_PARTICLE = re.compile(rf"(?:{_PARTICLES}){{1,2}}(?!\w)")


def stands(text: str, start: int, end: int, numbers: bool = True) -> bool:
    """Tell whether a part of a text is no part of a longer word or, with ``numbers``, of a longer number.

    In scripts without blanks it may begin and end at any letter; in Hangul particles may follow, in Arabic and Hebrew the article
    may stand before it; an underscore parts words.

    >>> stands("Hundred", 4, 7), stands("1.5 l", 2, 5), stands("中国红色杯子", 2, 4), stands("カラー", 0, 2)
    (False, False, True, False)
    >>> stands("블랙은 품절", 0, 2), stands("블랙박스", 0, 2), stands("500ml입니다", 0, 5), stands("اللون الأحمر", 8, 12)
    (True, False, True, True)
    """
    if numbers and any(map(_IN_NUMBER.fullmatch, (text[max(start - 2, 0) : start + 1], text[end - 1 : end + 2]))):
        return False
    if _inside(text, start) and not (end - start > 2 and _ARTICLE.search(text[max(start - 4, 0) : start])):
        return False
    return not _inside(text, end) or bool(_PARTICLE.match(text, end))


def _inside(text: str, at: int) -> bool:
    edge = text[max(at - 1, 0) : at + 1]
    if len(edge) < 2 or edge.isascii():
        return len(edge) == 2 and edge.isalnum()
    return bool(_INSIDE().fullmatch(edge))


def places(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a value stands in a text as a word or as words, both spelled alike."""
    start = text.find(value) if value else -1
    while start >= 0:
        end = start + len(value)
        if stands(text, start, end):
            yield start, end
        start = text.find(value, start + 1)
