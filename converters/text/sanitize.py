"""Break control tokens that product text spells: titles, descriptions and reviews are data.

A tokenizer turns ``</s>`` inside a title into its end-of-sequence id. One space after the opening bracket prevents that for
every model family and keeps the text readable. Texts come in Unicode's composed form, so that one text has one spelling. At
serving time, use :func:`converters.text.clean`.
"""

import re
from dataclasses import is_dataclass
from functools import cache, lru_cache
from typing import Any, TypeVar

from converters import tasks
from converters.core.unicode import composed
from converters.schema import Message

T = TypeVar("T")
_WORDS = (
    "s|unk|pad|bos|eos|mask|cls|sep|start_of_turn|end_of_turn|start_of_image|end_of_image|think|tool_call|tool_response|code|"
    "tools|image|video|audio|fim_prefix|fim_middle|fim_suffix|begin_of_text|end_of_text|"
    "repo_name|reponame|file_sep|filename|gh_stars|issue_(?:start|comment|closed)|jupyter_(?:start|text|code|output|script)|"
    "empty_output|unused\\d+|SPECIAL_\\d+|extra_id_\\d+|"
    "tts_pad|tts_text_bos|tts_text_eod|tts_text_bos_single"
)
_BRACKETED = (
    "INST|SYS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|TOOL_CALL|AVAILABLE_TOOLS|SYSTEM_PROMPT|MODEL_SETTINGS|ARGS|CALL_ID|THINK|"
    "BOS|EOS|UNK|PAD|CLS|SEP|MASK|REF|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX|multimodal|"
    "STREAMING_PAD|STREAMING_WORD|OUTPUT_AUDIO|REPEAT_AUDIO_TEXT|NEXT_AUDIO_TEXT|REFERENCE_DOC_\\d+|control_\\d+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@cache
def _spelling() -> re.Pattern[str]:
    prefixes = "|".join(re.escape(tasks.get(name).prefix[1:-1]) for name in tasks.names() if tasks.get(name).prefix)
    piped = r"\|[^<>\s]*\|>|\|\w+>|\w+\|>"  # Qwen's and Llama's <|im_end|>, Gemma 4's <|turn> and <turn|>
    return re.compile(rf"<(?={piped}|<?/?(?:{_WORDS}|SYS)>)|\[(?=/?(?:{_BRACKETED}|{prefixes})\])", re.IGNORECASE)


def plain(text: str) -> str:
    """Return ``text`` composed, with control characters blanked and control tokens broken by one space.

    >>> plain("Mug</s>[/INST] <|im_end|> [QA] a < b <b>bold</b>")
    'Mug< /s>[ /INST] < |im_end|> [ QA] a < b <b>bold</b>'
    """
    text = composed(text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    if "<" in text or "[" in text:
        text = _spelling().sub(r"\g<0> ", text)
    return text


def one_line(text: str) -> str:
    r"""Return :func:`plain` text on one line, white space collapsed.

    >>> one_line(" Mug\n\n 0.5\x00L ")
    'Mug 0.5 L'
    """
    return " ".join(plain(text).split())


def lines(text: str) -> str:
    """Return :func:`plain` text with its line breaks kept, ends stripped."""
    return plain(text.replace("\r\n", "\n")).strip()


_cached_line = lru_cache(1 << 14)(one_line)


def clean_record(value: T) -> T:
    """Return a record with every text in it made safe; a message keeps its line breaks."""
    safe: Any = value
    if isinstance(value, str):
        safe = _cached_line(value) if len(value) < 64 else one_line(value)  # labels, names and values repeat
    elif isinstance(value, tuple):
        safe = tuple(map(clean_record, value))
    elif isinstance(value, Message):
        safe = Message(clean_record(value.role), lines(value.content))
    elif is_dataclass(value):
        safe = type(safe)(*(clean_record(getattr(value, name)) for name in safe.__slots__))
    return safe  # type: ignore[no-any-return]
