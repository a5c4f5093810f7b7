"""What a shop writes as a handle, a code or a measure is found in a text, and the text's spelling is what comes back."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.text import units
from converters.text.spelling import spelling


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("Oiled OAK", "a board of oiled oak", "Oiled OAK"),  # in another case: as it is
        ("oak", "a soaked board", None),
        ("brushed-steel", "In Brushed Steel.", "Brushed Steel"),
        ("brushed_steel", "In brushed\u2011steel.", "brushed\u2011steel"),
        ("Brushed Steel", "in brushed-steel", "brushed-steel"),
        ("12-18-mois", "Pour 12–18 mois", "12–18 mois"),
        ("2-5-l", "Fasst 2,5 l.", "2,5 l"),
        ("black-white", "In Black & White", "Black & White"),
        ("black-white", "Black. White too", None),  # two sentences
        ("verde-3", "Tetera verde, 2 l", "verde"),
        ("pack-6", "A pack of 8", None),
        ("size-10", "Size: 10", None),  # the number of a size is no number of a handle
        ("xl-2", "In XL", None),  # too short to be told from a code
        ("S", "Men's and women’s tee", None),
        ("S", "Men's tee, size S", "S"),
        ("L", "Robe d'été de l'atelier L'or", None),
        ("M", "A cable of 2 m", None),
        ("L", "Holds 2 L", None),
        ("m", "Sizes S/M/L", "M"),  # a handle
        ("É", "classe é", None),
        ("Щ", "размер Щ", "Щ"),
        ("5", "Holds 1.5 l", None),
        ("1.5", "Holds 1.55 l", None),
        ("poliéster", "100% poliester", "poliester"),
        ("grosse", "Die große Kanne", "große"),
        ("isik", "IŞIK rengi", "IŞIK"),
        ("ΜΑΥΡΟΣ", "χρώμα μαύρος", "μαύρος"),
        ("cafe", unicodedata.normalize("NFD", "un café noir"), unicodedata.normalize("NFD", "café")),
        ("棉", "纯棉T恤", "棉"),
        ("ステンレス", "ステンレス製", "ステンレス"),
        ("ステンレス", "ステンレスボトル", "ステンレス"),
        ("か", "が", None),
        ("블랙", "블랙은 품절", "블랙"),
        ("면", "면적", None),
        ("ไม้", "ทำจากไม้สัก", "ไม้"),
        ("כחול", "ספל כָּחוֹל", "כָּחוֹל"),
        ("20", "العدد ٢٠ قطعة", "٢٠"),
        ("2", "العدد ٢٠ قطعة", None),
        ("", "a", None),
        ("-", "a", None),
    ],
)
def test_a_value_is_found_as_words_and_read_off_the_text(value: str, text: str, found: str | None) -> None:
    assert spelling(value, text) == found


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("0.75 l", "holds 0,75 L", "0,75 L"),
        ("0.75 l", "holds 0.75-litre", "0.75-litre"),
        ("20 cm", "20.0 centimetres wide", "20.0 centimetres"),
        ("20 cm", "120 cm wide, 20 cmx", None),
        ("2500 g", "2.500 Gramm", "2.500 Gramm"),
        ("30 cm", "30 x 20 cm", None),
        ("500 ml", "容量500mL入り", "500mL"),
        ("20 cm", "20 inches", None),
        ("250 г", "кофе 250г.", "250г"),
        ("250 г", "250 гнёзд", None),
        ("2 kg", "重さは２キログラムです", "２キログラム"),
        ("2公斤", "12公斤", None),
        ("350 mm", "350ミリリットル", None),
        ('75 ס"מ', "אורך 75ס״מ", "75ס״מ"),
        ("40 सेमी", "चौड़ाई ४०सेमी", "४०सेमी"),
        ("1,5 λίτρα", "χωρά 1.5 λίτρα", "1.5 λίτρα"),
        ("3 Riegel", "3 riegel", None),  # a unit that is not known is a word like any other
    ],
)
def test_a_measure_is_read_off_the_text(value: str, text: str, found: str | None) -> None:
    assert units.spelling(value, text) == found


SIGN = st.text(st.sampled_from("aAéßİıœ½ﬁ\u0301\u00ad\u200f -_–.,&5红がカ가각ไ้א\u05b8") | st.characters(), max_size=30)


@given(SIGN, SIGN, SIGN)
def test_what_is_found_stands_in_the_text(before: str, value: str, after: str) -> None:
    text = before + value + after
    for wanted in (value, value.casefold(), unicodedata.normalize("NFD", value), value.replace(" ", "-")):
        found = spelling(wanted, text)
        assert found is None or found.casefold() in text.casefold() or found.lower() in text.lower()
        assert found == wanted or found is None or found in text
    assert (spelling(value, f"({value})") is not None) == bool(value.strip())
