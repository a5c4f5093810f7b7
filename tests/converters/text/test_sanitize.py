"""Product text that spells a control token stays text."""

from dataclasses import is_dataclass
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.core.hashing import shown
from converters.core.unicode import is_composed, is_stable
from converters.schema import Attributes, Chat, Listing, Message, Question, Ranking, Text, Verdict
from converters.text import clean
from converters.text.html import untagged
from converters.text.sanitize import PLAIN, clean_record, clean_records, lines, one_line, plain
from tests.converters._converted import spells_control

SPELLINGS = [
    "</s>", "<s>", "[INST]", "[/INST]", "<|im_end|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "<<SYS>>", "<</SYS>>",
    "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_response|>", "<|think|>", '<|"|>', "<image|>",
    "<|audio_start|>", "<tts_pad>", "<tts_text_bos_single>",
    "[CLASSIFY]", "[EXTRACT]", "[QA]", "[TOOL_CALLS]", "<unk>", "<pad>", "<think>", "</think>", "[control_8]", "<unused0>",
    "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>", "<issue_closed>", "<jupyter_output>", "<empty_output>",
    "[SYSTEM_PROMPT]", "[/MODEL_SETTINGS]", "[ARGS]", "<SPECIAL_20>", "<code>", "</code>", "<|begin_of_text|>",
]  # fmt: skip


@pytest.mark.parametrize("token", SPELLINGS)
def test_a_control_token_in_text_is_broken_and_stays_readable(token: str) -> None:
    assert spells_control(f"Mug{token}")
    safe = plain(f"Mug{token}")
    assert token not in safe and not spells_control(safe)
    assert safe.replace(" ", "") == f"Mug{token}"


def test_harmless_text_is_left_alone() -> None:
    text = "a < b > c <b>bold</b> <a|b> <| |> |> <|> [1] [NEW] 5 < 6 | 红色 ☕ [INSTANT] <script>alert(1)</script>"
    assert plain(text) == text


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)
    assert not spells_control(one_line(text))


def test_stable_signs_are_composed_beside_any_other() -> None:
    signs = [sign for sign in map(chr, range(0xD800)) if is_stable(sign)]
    assert len(signs) > 30_000
    assert all(map(is_composed, signs))
    assert all(is_composed("".join(pair)) for pair in product("aeE\u304b\u03b1", signs))


def test_lines_keeps_breaks_and_drops_nul() -> None:
    assert lines("a\r\nb\0c\n") == "a\nb c"


@pytest.mark.parametrize("token", SPELLINGS)
def test_what_a_served_model_is_given_holds_neither_markup_nor_a_control_token(token: str) -> None:
    text = f"<p>Mug&nbsp;{token}</p>\n<b>0.5 L</b> R&amp;D"
    assert clean(text) == one_line(untagged(text)) and not spells_control(clean(text))
    assert clean(text).startswith("Mug ") and clean(text).endswith(" 0.5 L R&D")


@given(st.text())
def test_a_clean_text_is_one_line_of_the_same_rows(text: str) -> None:
    assert clean(text) == one_line(untagged(text)) and "\n" not in clean(text)


ODD = (" a", "a ", "a  b", "Mug", "Mo\u0308bel", "M\xf6bel", "\u9505", "", "a\nb", "a\x1fb", "\x7f", "\ud83c a")
QUOTED = ('5" a', ' "a"', '"a ', 'a" ', "a\\", "\\ ", "\\n", '\\"  "')
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from([*SPELLINGS[:8], *ODD, *QUOTED]))
MANY = st.lists(TEXTS, max_size=3).map(tuple)
SHOWN = st.lists(st.builds(Text, TEXTS, TEXTS), max_size=4).map(tuple)
RECORDS = st.one_of(
    st.builds(Listing, TEXTS, TEXTS, SHOWN, MANY, TEXTS, st.lists(MANY, max_size=2).map(tuple), st.none() | MANY),
    st.builds(Attributes, TEXTS, TEXTS, SHOWN, st.lists(st.tuples(TEXTS, MANY), max_size=3).map(tuple), MANY),
    st.builds(Question, TEXTS, TEXTS, TEXTS, MANY, st.none() | TEXTS, st.just((1,)), MANY, st.just((2, 1))),
    st.builds(Chat, TEXTS, TEXTS, st.lists(st.builds(Message, TEXTS, TEXTS), max_size=3).map(tuple)),
    st.builds(Verdict, TEXTS, TEXTS, TEXTS, SHOWN, st.booleans(), TEXTS),
    st.builds(Ranking, TEXTS, TEXTS, TEXTS, MANY, st.just((1.0, 0.1))),
)


def walked(value: Any) -> Any:
    """Clean a value text by text."""
    if isinstance(value, str):
        return " ".join(plain(value).split())
    if isinstance(value, tuple):
        return tuple(map(walked, value))
    if isinstance(value, Message):
        return Message(walked(value.role), lines(value.content))
    if isinstance(value, msgspec.Struct) or (is_dataclass(value) and not isinstance(value, type)):
        names = getattr(value, "__struct_fields__", None) or value.__slots__
        return type(value)(*(walked(getattr(value, name)) for name in names))
    return value


@given(st.lists(RECORDS, max_size=4))
def test_every_text_of_every_record_is_cleaned_whatever_the_others_are(records: list[Any]) -> None:
    assert clean_records(records) == list(map(walked, records)) == list(map(clean_record, records))


@pytest.mark.parametrize("first", [lead for low, high in PLAIN for lead in range(low, high + 1)])
def test_signs_that_are_not_looked_at_one_by_one_need_no_cleaning(first: int) -> None:
    size = 2 if first < 0xE0 else 3
    tails = product(range(0x80, 0xC0), repeat=size - 1)
    signs = "".join(bytes([first, *tail]).decode() for tail in tails)
    assert len(signs) == 64 ** (size - 1)
    assert signs.isprintable() and is_stable(signs) and plain(signs) == signs == "".join(signs.split())


@given(TEXTS | st.text("ab\n\t'\"\\\x7f\xa0\u200b\U0001f375é"))
def test_the_form_that_hashes_are_of_is_repr(text: str) -> None:
    assert shown(text) == repr(text).encode()
