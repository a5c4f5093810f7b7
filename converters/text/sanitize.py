"""Break control tokens that product text spells: titles, descriptions and reviews are data.

A tokenizer turns ``</s>`` inside a title into its end-of-sequence id. One space after the opening bracket prevents that for
every model family and keeps the text readable. Texts come in Unicode's composed form, so that one text has one spelling. At
serving time, use :func:`converters.text.clean`.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from converters import tasks
from converters.core.unicode import composed, is_composed, is_stable, unusual
from converters.schema import Message, Text

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
    return text.strip() if _is_safe(text) else " ".join(plain(text).split())


def _is_safe(text: str) -> bool:
    """Tell in a fraction of the time that :func:`one_line` would change nothing but the ends; most texts are such."""
    if "<" in text or "[" in text or "  " in text:
        return False
    signs = unusual(text)
    # No white space is printable but the blank.
    return not signs or (signs.isprintable() and (is_stable(signs) or is_composed(text)))


def lines(text: str) -> str:
    """Return :func:`plain` text with its line breaks kept, ends stripped."""
    return plain(text.replace("\r\n", "\n")).strip()


_cached_line = lru_cache(1 << 14)(one_line)


def _line(text: str) -> str:
    return _cached_line(text) if len(text) < 24 else one_line(text)  # labels, names and values repeat; ids do not


def clean_record(record: T) -> T:
    """Return a record with every text in it made safe; a message keeps its line breaks."""
    kind: Any = type(record)
    texts: list[str] = []
    _gather(_values(kind)(record), texts)
    joined = " ".join(filter(None, texts))  # a text that begins or ends with a blank makes two of them
    return record if _is_safe(joined) and joined == joined.strip() else _cleaner(kind)(record)


def _gather(values: Iterable[Any], texts: list[str]) -> None:
    for value in values:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, tuple):
            if value and isinstance(value[0], Text):  # there are ten or more
                texts += [text.label for text in value]
                texts += [text.text for text in value]
            else:
                _gather(value, texts)
        elif isinstance(value, Message):
            texts.append(f"{value.role}\n")  # is not one line, so that it is looked at by itself


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _values(kind: Any) -> Callable[[Any], Iterable[Any]]:
    return attrgetter(*_hints(kind))


@cache
def _cleaner(kind: Any) -> Callable[[Any], Any]:
    """Return what makes the texts of a type's values safe, put together once: to walk each value takes several times as long."""
    if kind is str:
        return _line
    if kind is Text:
        return lambda text: Text(_line(text.label), one_line(text.text))
    if kind in (bool, int, float):
        return lambda value: value
    if kind is Message:
        return lambda message: Message(one_line(message.role), lines(message.content))
    if get_origin(kind) is tuple:
        return _of_tuple(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return _of_optional(get_args(kind))
    parts = [(attrgetter(name), _cleaner(hint)) for name, hint in _hints(kind).items()]
    return lambda record: kind(*[clean(value(record)) for value, clean in parts])


def _of_tuple(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    parts = [_cleaner(kind) for kind in kinds if kind is not Ellipsis]
    if kinds[-1] is Ellipsis:
        [each] = parts
        return lambda values: tuple([each(value) for value in values])
    return lambda values: tuple([clean(value) for value, clean in zip(values, parts, strict=True)])


def _of_optional(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    [clean] = (_cleaner(kind) for kind in kinds if kind is not NoneType)
    return lambda value: None if value is None else clean(value)
