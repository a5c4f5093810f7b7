"""Texts in any script: what is the same answer, what is another, and what English is held to."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eval import metrics
from eval.metrics import _normalise, _tokens
from eval.metrics.base import Example, Tools
from eval.scoring import stats

TEXT_METRICS = ("rouge_l", "token_f1")
# One product's answer twice: in other letters, with other signs, or typed on another keyboard.
SAME = {
    "Japanese, full-width": ("容量は７５０ｍｌで、食洗機可です。", "容量は750mlで食洗機可です"),
    "Japanese, half-width kana": ("ﾌﾞﾙｰのｶｯﾌﾟ", "ブルーのカップ"),
    "Japanese, unit in one sign": ("広さは約6㎡！", "広さは約6m2"),
    "Chinese": ("「不锈钢」，可以机洗。", "不锈钢可以机洗"),
    "Thai": ("กันน้ำได้ค่ะ!", "กันน้ำได้ค่ะ"),
    "Korean": ("네, 세탁기로 빨 수 있어요.", "네 세탁기로 빨 수 있어요"),
    "Korean, decomposed": (unicodedata.normalize("NFD", "보증은 3년"), "보증은 3년"),
    "Russian": ("Нет, только ручная стирка!", "НЕТ, ТОЛЬКО РУЧНАЯ СТИРКА"),
    "Greek": ("Είναι ανοξείδωτος.", "ΕΊΝΑΙ ΑΝΟΞΕΊΔΩΤΟΣ"),
    "Arabic, its digits": ("السعة ٧٥٠ مل، والوزن ٢ كجم؟", "السعة 750 مل والوزن 2 كجم"),
    "Arabic, lengthened": ("أحمـــر", "أحمر"),
    "Persian, joined or not seen to be": ("می\u200cچرخد", "میچرخد"),
    "Hindi": ("क्षमता ७५० मिली है।", "क्षमता 750 मिली है"),
    "Spanish": ("¿Lavable? ¡Sí, a máquina!", "lavable sí a máquina"),
    "Spanish, decomposed": ("Sí, también a mano", "Si\u0301, tambie\u0301n a mano"),
    "Spanish in ASCII alone": ("¡Lavable!", "lavable"),
    "German": ("Weiß, 5 Füße groß", "WEISS, 5 FÜSSE GROSS"),
    "Turkish": ("IŞIKLI İBRİK", "ışıklı ibrik"),
    "Vietnamese": ("Được, chịu nhiệt", "ĐƯỢC CHỊU NHIỆT"),
    "Hebrew": ("כן, רחיץ", "כן רחיץ."),
    "Japanese and English": ("HDMI２本・USB‐C１本", "hdmi2本 usb‐c1本"),
    "full-width English": ("ＢＬＵＥ　Ｍｕｇ！", "blue mug"),
}
OTHER = {
    "Japanese": ("容量は750mlです。", "保証は750日までです。"),
    "Japanese, a mark for yes and one for no": ("食洗機：○", "食洗機：×"),
    "Chinese": ("可以放3升水", "重3公斤，不可以"),
    "Thai": ("จุได้ 3 ลิตร", "หนัก 3 กิโลกรัม"),
    "Korean": ("네, 3리터 들어가요.", "아니요, 무게가 3킬로예요."),
    "Russian": ("Объём 3 литра", "Вес 3 кг"),
    "Greek": ("Χωράει 3 λίτρα", "Ζυγίζει 3 κιλά"),
    "Arabic": ("تتسع 3 لترات", "وزنها 3 كيلو"),
    "Hindi": ("३ लीटर पानी", "3 किलो वज़न"),
    "Spanish": ("Sí, tres años", "No, tres días más"),
    "emoji": ("👍", "👎"),
}
SCRIPTS = st.text(
    st.sampled_from("ab İıßé1½²’–.,!_™漢字かナｶﾞ、。！ー２ไทยน้ำ한국Рус ςΣαعربي٣؟،ـहिन्दी।५👍🏽○×\u200d\u0301\ufe0f㎏①"),
    max_size=20,
)
ANY = st.one_of(SCRIPTS, st.text(max_size=20)).filter(str.strip)


def value(name: str, gold: str, answer: str) -> float:
    table = metrics.get(name).table([Example("1", "g", gold, answer)], Tools(_normalise.mave))
    return stats.value(table, metrics.get(name))


@pytest.mark.parametrize("name", [*TEXT_METRICS, "exact_match"])
@pytest.mark.parametrize("script", SAME)
def test_the_same_answer_is_worth_1(script: str, name: str) -> None:
    gold, answer = SAME[script]
    assert value(name, gold, answer) == value(name, answer, gold) == 1


@pytest.mark.parametrize("script", OTHER)
def test_another_answer_with_the_same_digits_is_not(script: str) -> None:
    gold, answer = OTHER[script]
    assert all(value(name, gold, answer) < 0.8 for name in TEXT_METRICS)
    assert value("exact_match", gold, answer) == 0


@settings(deadline=None)
@given(ANY, ANY)
@example("。", "！")
def test_any_text_is_itself_and_values_are_bounded_and_fair(one: str, other: str) -> None:
    for name in (*TEXT_METRICS, "exact_match"):
        assert value(name, one, one) == 1
        assert 0 <= value(name, one, other) == value(name, other, one) <= 1


@settings(deadline=None)
@given(ANY.filter(lambda text: not _tokens.english(text)), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_how_a_text_is_composed_does_not_matter(text: str, form: str) -> None:
    other = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert _tokens.tokens(text) == _tokens.tokens(other)
    assert _normalise.strict(text) == _normalise.strict(other)


@given(st.text(st.sampled_from("aB1 .,-’“”—½×°™👍_!"), max_size=30))
def test_english_is_normalised_as_squads_script_does(text: str) -> None:
    import re
    import string

    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    assert _normalise.mave(text) == " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def test_quantities_are_read_in_the_digits_of_any_script() -> None:
    assert _normalise.units("٢٫٥ kg") == _normalise.units("２．５ｋｇ") == _normalise.units("२.५ kg") == "2500 g"
