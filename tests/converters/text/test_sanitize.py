"""Product text that spells a control token stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.text import clean
from converters.text.html import untagged
from converters.text.sanitize import lines, one_line, plain
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
