"""What was tried in which script, as a Markdown table: ``python -m tests.bench.scripts``.

Values, texts and answers are short ones in each script; longer texts are invented words of its letters, with blanks between them
where the script writes blanks.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from converters.examples import example
from converters.mixture.near import indexed, near, signatures
from converters.schema import Attributes, Listing, Row, Text
from converters.sources._qa import holds
from converters.text import retrieval
from converters.text.lengths import ruler
from converters.text.matching import occurs, spelling
from converters.text.words import words
from converters.transforms import candidates
from converters.transforms.trim import fitted, too_long
from eval.baselines import base, dictionary

LIMIT = 400  # characters of a row that is cut
TRIED = 20  # questions, titles


@dataclass(frozen=True)
class Script:
    """A value, a text that states it, a text in which it is a part of a longer word (or letter), and an answer.

    ``letters`` are those that invented words are made of; ``apart`` is what stands between words.
    """

    value: str
    text: str
    part: tuple[str, str]
    answer: str
    letters: str
    apart: str = " "


HANGUL, KANA = "가나다라마바사아자차카타파하고노도로모보소오", "あかさたなはまやらイキシチニヒミエケセテネ"
SCRIPTS = {
    "Latin": Script("roja", "Taza roja, 350 ml", ("roja", "Tazas rojas"), "Cabe en el lavavajillas.", "aeiolmnrstñ"),
    "Cyrillic": Script("синий", "Чайник синий", ("синий", "Тёмносиний чай"), "Можно мыть в машине.", "аеиолмнрств"),
    "Greek": Script("μπλε", "Κούπα μπλε", ("μπλε", "Κούπα γαλαζομπλε"), "Πλένεται στο πλυντήριο.", "αειολμνρστκ"),
    "Armenian": Script("կապույտ", "Բաժակ կապույտ", ("կապույտ", "Մուգկապույտ"), "Լվացվում է մեքենայով։", "աեիոլմնրստկ"),
    "Georgian": Script("ლურჯი", "ჭიქა ლურჯი", ("ლურჯი", "მუქლურჯი"), "ირეცხება ჭურჭლის მანქანაში.", "აეიოლმნრსტკ"),
    "Arabic": Script("أزرق", "كوب أزرق كبير", ("أزرق", "الأزرقان هنا"), "يغسل في غسالة الصحون؟", "ابتدرسعفكلمن"),
    "Hebrew": Script("כחול", "ספל כחול גדול", ("כחול", "ספלים כחולים"), "נשטף במדיח כלים.", "אבגדהוכלמנרש"),
    "Devanagari": Script("नीला", "नीला मग", ("नील", "नीला मग"), "यह मशीन में धुलता है।", "कागिमेनोरसीलु"),
    "Tamil": Script("நீலம்", "குவளை நீலம்", ("நீலம்", "கருநீலம் குவளை"), "இதை இயந்திரத்தில் கழுவலாம்.", "கமிநுராலவீசெ"),
    "Thai": Script("สีฟ้า", "แก้วสีฟ้าใบใหญ่", ("สีฟ", "แก้วสีฟ้า"), "ล้างในเครื่องได้สบายๆ", "กขงจดตนปมรลสิี", ""),
    "Lao": Script("ສີຟ້າ", "ຈອກສີຟ້າໃຫຍ່", ("ສີຟ", "ຈອກສີຟ້າ"), "ລ້າງໃນເຄື່ອງໄດ້ງ່າຍ", "ກຂງຈດຕນປມຣລສິີ", ""),
    "Khmer": Script("ខៀវ", "កែវពណ៌ខៀវធំ", ("ខ", "កែវខៀវ"), "អាចលាងក្នុងម៉ាស៊ីនបាន។", "កខគងចដតនបមរលសិ", ""),
    "Burmese": Script("အပြာ", "ခွက်အပြာကြီး", ("အပ", "ခွက်အပြာ"), "စက်ဖြင့်ဆေးနိုင်သည်။", "ကခဂငစတနပမရလသိ", ""),
    "Hangul": Script("파란색", "파란색은 품절", ("파란색", "파란색상자"), "식기세척기에 넣을 수 있습니다.", HANGUL),
    "Han": Script("蓝色", "陶瓷蓝色马克杯", ("5米", "1.5米蓝色"), "可以放进洗碗机。", "大小红蓝杯子水茶木石金银花草山海", ""),
    "Kana": Script("アオ", "アオのマグ", ("カラ", "カラーのマグ"), "しょくせんきであらえます。", KANA, ""),
}  # fmt: skip


def invented(script: Script, draw: random.Random, count: int) -> list[str]:
    """Return so many words of four to six letters, none of which begins with a mark."""
    heads = [letter for letter in script.letters if letter.isalpha()]
    return [draw.choice(heads) + "".join(draw.choices(script.letters, k=draw.randint(3, 5))) for _ in range(count)]


def sees_words(script: Script) -> bool:
    """Tell whether a value's words have all its letters and marks, and twice as many come from the value written twice."""
    own = words(script.value)
    return "".join(own) == script.value and words(script.apart.join([script.value] * 2)) == own * 2


def finds_value(script: Script) -> bool:
    """Tell whether a stated value is found, and how the text spells it, too."""
    return occurs(script.value, script.text, True) and spelling(script.value, script.text) == script.value


def keeps_words_whole(script: Script) -> bool:
    """Tell whether what is a part of a longer word, letter or number is not taken for a value."""
    value, text = script.part
    return value in text and not occurs(value, text, True) and spelling(value, text) is None


def finds_citation(script: Script) -> bool:
    """Tell whether a snippet is cited that says the answer, and not one that does not."""
    return holds(f"{script.text}. {script.answer}", script.answer) and not holds(script.text, script.answer)


def _listing(title: str, texts: str = "") -> Row:
    record = Listing("1", "g", tuple(Text(n, t) for n, t in (("Title", title), ("Text", texts)) if t), ("Shop", "Mugs"))
    return example(record, "category", "mine")


def finds_twin(script: Script) -> bool:
    """Tell whether a text of sixty words is near itself with one letter changed, and not near another text."""
    draw = random.Random(0)
    own, other = invented(script, draw, 60), invented(script, draw, 60)
    twin = [*own[:30], own[30][:-1] + script.letters[0], *own[31:]]
    lines = [msgspec.json.encode(_listing(script.apart.join(text))) for text in (own, twin, other)]
    return list(near(signatures(lines[1:]), indexed(signatures(lines[:1]), 0.8), 0.8)) == [True, False]


def finds_evidence(script: Script) -> int:
    """Return for how many of twenty questions BM25 puts the text first that shares three words with it."""
    draw, how, found = random.Random(1), retrieval.configure("bm25", 5, None, "", None), 0
    for _ in range(TRIED):
        texts = [invented(script, draw, 12) for _ in range(30)]
        place = draw.randrange(30)
        asked = script.apart.join([*invented(script, draw, 2), *texts[place][4:7], *invented(script, draw, 1)])
        found += retrieval.rank([asked], [script.apart.join(text) for text in texts], how)[0][0] == place
    return found


def finds_nearest(script: Script) -> int:
    """Return for how many of twenty titles, half of them changed, the nearest row and the shortlist's first are their own."""
    draw = random.Random(2)
    known = [invented(script, draw, 10) for _ in range(TRIED)]
    titles = [script.apart.join(title) for title in known]
    asked = [script.apart.join([*title[:5], *invented(script, draw, 5)]) for title in known]
    vectorise, vectors = base.fit(iter(titles))
    rows = np.asarray((vectorise(asked) @ vectors.T).toarray()).argmax(1)
    expert = candidates.fit(
        ((title, place, 0) for place, title in enumerate(titles)), [f"{n:02d}" for n in range(TRIED)]
    )
    out = np.full(TRIED, candidates.FOLDS)
    first = [int(listed[0]) for listed in candidates.propose(expert, asked, out, 1)]
    return sum(row == best == place for place, (row, best) in enumerate(zip(rows, first, strict=True)))


def dictionary_finds(script: Script) -> bool:
    """Tell whether the dictionary baseline reads a value off a text."""
    record = Attributes("1", "g", (Text("Title", script.text),), (("Colour", (script.value,)),))
    row = example(record, "attributes", "mine")
    predict = dictionary.BASELINE.fit(iter([(row, {"Colour": (script.value,)})]), lambda _: None)
    return [guess and guess.answer for guess in predict([row])] == [{"Colour": (script.value,)}]


def cuts(script: Script) -> bool:
    """Tell whether a long description is cut to what fits, at the end of a letter."""
    title, text = script.text, script.apart.join(invented(script, random.Random(3), 400))
    record = Listing("1", "g", (Text("Title", title), Text("Text", text)), ("Shop", "Mugs"))
    row = fitted(record, lambda made: example(made, "category", "mine"), lambda row: too_long(row, ruler(None), LIMIT))
    if row is None:
        return False
    kept = row.messages[0].content.partition("Text: ")[2]
    rest = text.removeprefix(kept)
    full = sum(len(turn.content) for turn in row.messages) > LIMIT - 20
    return full and (rest[:1].isalnum() or rest[:1] == " ")


CHECKS: dict[str, Callable[[Script], bool | int]] = {
    "words": sees_words,
    "value found": finds_value,
    "no part of a word": keeps_words_whole,
    "citation": finds_citation,
    "near-duplicate": finds_twin,
    "evidence": finds_evidence,
    "nearest row, shortlist": finds_nearest,
    "dictionary": dictionary_finds,
    "trim": cuts,
}


def table() -> str:
    """Return the table: a row a script, a column a check."""
    lines = [["script", *CHECKS], ["---"] * (len(CHECKS) + 1)]
    for name, script in SCRIPTS.items():
        found = [check(script) for check in CHECKS.values()]
        lines.append(
            [name, *(f"{n}/{TRIED}" if n is not True and n is not False else "yes" if n else "no" for n in found)]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
