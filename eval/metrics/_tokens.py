"""The tokens of a text in any script, for every metric over texts.

English keeps the tokens of the tools that its figures are held against, rouge-score and SQuAD's script. They know no other
letters than those of ASCII, so that any other text, and a text in two scripts, is read by :func:`tokens`.
"""

import unicodedata
from itertools import chain

import regex

from converters.text.words import digits, words

# A change of a token changes the number: scores by another tokeniser are not compared.
TOKENISER = "rouge-score/words-1"

# Signs of English typography, which rouge-score passes over and SQuAD's script keeps.
_OF_ENGLISH = "\u2010-\u2015‘’“”…′″•·†‡‰§¶ªºµ"
_EAST_ASIAN = "\u3000-\u33ff\uff00-\uffef"  # blanks, units in one sign and full-width forms
_FOREIGN = regex.compile(rf"(?V1)[[\p{{L}}\p{{Nd}}\p{{P}}{_EAST_ASIAN}]--[\p{{ASCII}}{_OF_ENGLISH}]]|[A-Za-z]\p{{M}}")
# What is not seen, marks around a sign, and the stroke that lengthens Arabic words.
_IGNORED = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Me}\u0640]")
_SYMBOL = regex.compile(r"(?V1)([\p{S}--[\p{ASCII}\u2044]])")
# Turkish has two letters i, and which of them "I" is depends on the language: case must not matter, so they count as one.
_DOTS = (("i\u0307", "i"), ("ı", "i"))


def english(text: str) -> bool:
    """Tell whether a text has no letter, digit or punctuation but those of English: ASCII, and what typography adds.

    >>> english("It’s 90 °C – 1½ × ™ 👍"), english("café"), english("２８ L"), english("¿Cabe?"), english("OK。")
    (True, False, False, False, False)
    """
    return text.isascii() or not _FOREIGN.search(text)


def folded(text: str) -> str:
    """Fold case, compatibility characters and digits, and leave out what is not seen: NFKC_Casefold (UAX 31) and digits.

    >>> folded("Ｇröße １．５Ｌ"), folded("İstanbul"), folded("٤ ق\u200cط")
    ('grösse 1.5l', 'istanbul', '4 قط')
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for pair in _DOTS:
        plain = plain.replace(*pair)
    return digits(_IGNORED.sub("", plain))


def tokens(text: str) -> list[str]:
    """Return the words of a text after :func:`folded`, as :mod:`converters.text.words` has them, and its symbols.

    A symbol of ASCII is none, as in English; others say something ("○" is yes and "×" is no).

    >>> tokens("容量は１．５リットル！"), tokens("对应：○"), tokens("Размер: ٣ см"), tokens("👍🏽")
    (['容', '量', 'は', '1', '5', 'リ', 'ッ', 'ト', 'ル'], ['对', '应', '○'], ['размер', '3', 'см'], ['👍', '🏽'])
    """
    pieces = _SYMBOL.split(folded(text).replace("_", " "))
    found = chain.from_iterable([piece] if number % 2 else words(piece) for number, piece in enumerate(pieces))
    return [token for token in found if token[0].isalnum() or _SYMBOL.match(token)]  # others are marks without a letter
