"""Text in any script: words, values, citations, twins, evidence, baselines and cuts."""

import unicodedata
from itertools import pairwise

import msgspec
import numpy as np
import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from converters.mixture.near import Asked, indexed, near, signatures
from converters.mixture.runs import spaced
from converters.schema import Turn
from converters.sources._qa import holds
from converters.text import words as text_words
from converters.text.retrieval import PASSAGE, configure, ends, passages, rank, unmatched
from converters.text.words import UNSPACED, cuts, fold, sentence_ends, stands, terms, tokens, words
from converters.transforms import candidates
from tests.bench.scripts import CHECKS, SCRIPTS, TRIED

MIXED = st.text(
    st.sampled_from("aé½™ .,!?。「」赤カがーッ각은กีเ้กာ္ခ្កिन\u0301\u200d👩👧🇯🇵५5") | st.characters(), max_size=40
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script(script: str, check: str) -> None:
    found = CHECKS[check](SCRIPTS[script])
    assert found is True or found == TRIED


def test_the_classes_are_those_of_unicode() -> None:
    """And marks of repetition and length, which are of two scripts; extensions of scripts name Latin marks, too."""
    expected = regex.compile(
        r"(?V1)[\p{lb=SA}\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Yiii}々〆ー〱-〵〼\u3099\u309aｰﾞﾟ]"
    )
    unspaced, assigned = regex.compile(f"[{UNSPACED}]"), regex.compile(r"(?V1)[[\p{L}\p{M}\p{Nl}]--[\u302a-\u302d]]")
    signs = [
        chr(code) for code in (*range(0x3000), *range(0x3000, 0xA500), *range(0xAA00, 0xAB00), *range(0xF900, 0x10000))
    ]
    letters = [sign for sign in signs if assigned.fullmatch(sign)]
    assert len(letters) > 30000
    assert [sign for sign in letters if bool(expected.fullmatch(sign)) != bool(unspaced.fullmatch(sign))] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme™ 1½ m²", ["acme", "1", "1", "2", "m2"]),
        ("ｶﾞﾗｽ ＡＢＣ", ["ガ", "ラ", "ス", "abc"]),
        ("cot\u00adton tie\u0302\u0301ng", ["cotton", "tiếng"]),
        ("می\u200cخواهم", ["میخواهم"]),
        ("葛\U000e0100城 \u202bأحمر\u202c İPEK", ["葛", "城", "أحمر", "ipek"]),
        ("๑๒ ชิ้น", ["12", "ชิ้", "น"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_marks_that_writers_leave_out_make_no_other_term() -> None:
    assert terms("سِيرَامِيك") == terms("سيراميك") and terms("סֵפֶל") == terms("ספל")
    assert terms("ELÉCTRICA Κόκκινο") == terms("electrica κοκκινο") and terms("が") != terms("か")
    assert terms("électrique", accents=True) == ["électrique"] != terms("electrique", accents=True)


@given(st.text(st.sampled_from("aZé ß.,_-½²™—’“”1Ω") | st.characters(max_codepoint=0x2FF), max_size=60))
def test_what_latin_texts_count_is_unchanged(text: str) -> None:
    """As ``\\w+`` finds it in lower case, but for two letters that are made of two signs or cannot be seen."""
    text = text.replace("\u00ad", "").replace("İ", "")
    found = regex.findall(r"[\w\p{N}]+", text.lower())
    assert terms(text, accents=True) == spaced(text).decode().split() == found


@pytest.mark.parametrize(
    "signs", [range(0x20, 0x250), range(0x400, 0x460), range(0x2010, 0x2030), range(0x3001, 0xA000)]
)
def test_what_is_folded_is_composed_and_in_lower_case(signs: range) -> None:
    """As NFKC and Unicode's full case folding have it, but for signs that cannot be seen or would join the word before them."""
    seen = [
        sign for sign in map(chr, signs) if fold(sign) and sign not in "İ¼½¾" and unicodedata.category(sign) != "Nd"
    ]
    for text in ("".join(seen), *(f"A{sign}É" for sign in seen)):
        once = unicodedata.normalize("NFKC", text).casefold()
        assert fold(text) == unicodedata.normalize("NFKC", once)


@given(st.lists(MIXED | st.text(st.sampled_from("aZ.-_ ")), max_size=30).map(" ".join))
@example("Σ'Α ΑΣ'Α =\u0338 a\xa0\u0301b x\x85y\u2028 ½ 赤 " + "mug " * 40)
def test_terms_of_a_text_are_those_of_its_words(text: str) -> None:
    assert [word for word in spaced(text).decode().split(" ") if word] == terms(text, accents=True)


@given(MIXED)
def test_no_cut_is_within_a_letter(text: str) -> None:
    letters = [0]
    for letter in regex.findall(r"\X", text):
        letters.append(letters[-1] + len(letter))
    assert {*cuts(text), *ends(text)} <= {*letters}
    assert [*cuts(text)] == sorted({*cuts(text)})
    spans = tokens(text)
    assert all(a <= b for (_, a), (b, _) in pairwise(spans))
    ends_before, starts = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    assert not any(text[a:b].strip() for a, b in zip(ends_before, starts, strict=True))


@given(MIXED)
def test_passages_have_all_of_a_review_and_no_more_words_than_a_passage_may(text: str) -> None:
    parts = [*passages(text * 8)]
    assert "".join("".join(parts).split()) == "".join((text * 8).split())
    assert all(sum(1 for _ in cuts(part)) <= PASSAGE for part in parts)


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("500ml", "容量500ml入り", True),
        ("ml", "容量500ml入り", False),
        ("5リットル", "1.5リットル", False),
        ("Acme", "Acmeのマグ", True),
        ("Acm", "Acmeのマグ", False),
        ("が", "か\u3099", False),
        ("か", "か\u3099", False),
        ("三", "三ヶ月", True),
        ("블랙", "블랙에서는", True),
        ("블랙", "블랙박스", False),
        ("500ml", "500ml입니다", True),
        ("أزرق", "كوب بلون الأزرق", True),
        ("قطن", "من القطن والحرير", True),
        ("حرير", "من القطن والحرير", True),
        ("طن", "من القطن", False),
        ("ירוק", "הספל הירוק", True),
        ("ספל", "מספלים", False),
        ("၁၂", "၁၂၃", False),
        ("हरा", "हराभरा", False),
        ("e", "e\u0301", False),
        ("red", "dark_red", True),
    ],
)
def test_where_a_word_may_begin_and_end(value: str, text: str, found: bool) -> None:
    at = text.find(value)
    assert (at >= 0 and stands(text, at, at + len(value))) is found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("赤です。大きい！「軽い。」はい", ["赤です。", "大きい！", "「軽い。」", "はい"]),
        ("यह लाल है। बड़ा है।", ["यह लाल है। ", "बड़ा है।"]),
        ("هل يغسل؟نعم", ["هل يغسل؟", "نعم"]),
        ("Costs 1.5 l. Red!", ["Costs 1.5 l. ", "Red!"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    places = [0, *sentence_ends(text)]
    assert [text[a:b] for a, b in pairwise(places)] == expected


def test_a_review_without_blanks_is_split_into_whole_sentences() -> None:
    parts = [*passages("とても軽くて丈夫なので毎日使っています。" * 10)]
    assert [len(part) for part in parts] == [60, 60, 60, 20] and all(part.endswith("。") for part in parts)


@pytest.mark.parametrize(
    ("snippet", "answer", "found"),
    [
        ("はい、ステンレスですよ。", "ステンレスです。", True),
        ("長さは１２０ｃｍあります", "「120cm」", True),
        ("長さは1.120cmあります", "120cm", False),
        ("是的，很好", "是的。", False),
        ("ใช่ครับ ดีมาก", "ใช่ครับ", False),
        ("네, 식기세척기에 넣을 수 있어요", "식기세척기에 넣을 수 있어요.", True),
        ("It is not 15 l.", "5 l", False),
    ],
)
def test_an_answer_is_cited_where_it_is_specific(snippet: str, answer: str, found: bool) -> None:
    assert holds(snippet, answer) is found


def test_a_question_that_shares_no_word_with_its_snippets_is_told() -> None:
    how = configure("bm25", 5, None, "", None)
    assert unmatched("容量は？", "色がきれい", how) and not unmatched("容量は？", "容量は1.5 l", how)
    assert not unmatched("容量は？", "色がきれい", configure("dataset", 5, None, "", None))


@pytest.mark.parametrize(
    ("question", "said", "not_said"),
    [
        ("色は黒ですか", "黒の色が上品です。", ["白の色が上品です。", "紺の色が上品です。"]),
        ("这是布做的吗？", "布料厚实。", ["木料厚实。", "皮料厚实。"]),
        ("소재가 면인가요?", "면은 부드러워요.", ["울은 부드러워요.", "마는 부드러워요."]),
        ("هل لون الحذاء أبيض؟", "اللون الأبيض جميل", ["اللون الرمادي جميل", "اللون الكحلي جميل"]),
        ("האם הבקבוק לבן?", "בקבוק יפה, הצבע הלבן", ["בקבוק יפה, הצבע השחור", "בקבוק יפה, הצבע הירוק"]),
        ("هل الحجم 500 مل؟", "الحجم ٥٠٠ مل", ["الحجم ٧٥٠ مل", "الحجم ٢٥٠ مل"]),
    ],
)
def test_a_word_of_one_letter_finds_its_evidence(question: str, said: str, not_said: list[str]) -> None:
    how = configure("bm25", 1, None, "", None)
    assert rank([question], [*not_said, said], how)[0][0] == len(not_said)
    assert not unmatched(question, said, how)


def test_a_title_of_words_of_one_letter_has_a_shortlist() -> None:
    titles = ["傘 黒 60cm", "靴 黒 25cm"]
    expert = candidates.fit(((title, place, 0) for place, title in enumerate(titles)), ["家 > 傘", "家 > 靴"])
    listed = candidates.propose(expert, ["日傘 白", "靴 白"], np.full(2, candidates.FOLDS), 1)
    assert [*listed] == [["家 > 傘"], ["家 > 靴"]]


def test_what_is_folded_is_folded_once() -> None:
    for sign in map(chr, range(0x3000)):
        folded = text_words.fold(sign)
        assert text_words.fold(folded) == folded == unicodedata.normalize("NFC", folded)


BOXED = "手作り木箱入り贈答用お茶の間の定番品送料込み"


def asked(text: str) -> bytes:
    return msgspec.json.encode(
        Asked("category", [Turn("user", f"[CLASSIFY] Path:\nTitle: {text}"), Turn("assistant", "")])
    )


@pytest.mark.parametrize(
    ("held_out", "text", "twin"),
    [
        ("銅の卵焼き器木柄付き直火専用箱入り甲", "銅の卵焼き器木柄付き直火専用箱入り乙", True),
        ("店 Acme 500ml 真空断熱水筒直飲み保温保冷二重構造黒色", "店 Acme 500ml 真空断熱水筒直飲み保温保冷二重構造白色", True),
        ("ブランド Acme 500ml 真空断熱水筒", "ブランド Boreal 750ml 真空断熱水筒", False),
        ("赤いマグ", "青いマグ", False),
        ("柿渋染め帆布リュック大容量撥水加工通学通勤男女兼用", "柿渋染め帆布リュック大容量撥水加工通学 通勤男女兼用。", True),
        ("アクメ 折りたたみ傘 AX120 黒 60cm", "アクメ 折りたたみ傘 AX120 白 60cm", False),
        ("アクメ 折りたたみ傘 AX120 黒 60cm", "アクメ 折りたたみ傘 AX130 黒 60cm", False),
        ("艾可美不锈钢保温杯红色500毫升防漏", "艾可美不锈钢保温杯蓝色500毫升防漏", False),
        ("ร่มพับ Acme กันน้ำ สีดำ 60 ซม. ส่งฟรี", "ร่มพับ Acme กันน้ำ สีแดง 60 ซม. ส่งฟรี", False),
        ("아크메 접이식 우산 방수 블랙 60cm", "아크메 접이식 우산 방수 레드 60cm", False),
        (f"陶器の急須常滑焼茶こし付き三百五十ミリ朱泥{BOXED}", f"陶器の急須常滑焼茶こし付き三百五十ミリ黒泥{BOXED}", True),
        ("ＡＣＭＥ ｽﾃﾝﾚｽ ﾏｸﾞ", "acme ステンレス マグ", True),
        ("กระติกน้ำสแตนเลสเก็บความเย็นขนาดใหญ่ฝาเกลียวพร้อมหูหิ้วสีดำ", "กระติกน้ำสแตนเลสเก็บความเย็นขนาดใหญ่ฝาเกลียวพร้อมหูหิ้วสีแดง", True),
        ("กระติกน้ำสแตนเลสเก็บความเย็น", "เก้าอี้ไม้สักทำมือพนักพิงสูง", False),
        ("뚜껑 넓고 손잡이 튼튼한 스테인리스 보온병은 인기 제품", "뚜껑 넓고 손잡이 튼튼한 스테인리스 보온병은 인기 상품", True),
        ("سِتَارَة قُطْن", "ستارة قطن", True),
        ("ستارة قطن زرقاء", "ستارة صوف حمراء", False),
    ],
)  # fmt: skip
def test_a_twin_is_near_and_another_product_is_not(held_out: str, text: str, twin: bool) -> None:
    assert [*near(signatures([asked(text)]), indexed(signatures([asked(held_out)]), 0.8), 0.8)] == [twin]
