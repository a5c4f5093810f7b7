"""Break control tokens that product text spells: titles, descriptions and reviews are data.

A tokenizer turns ``</s>`` inside a title into its end-of-sequence id. One space after the opening bracket prevents that for
every model family and keeps the text readable. Texts come in Unicode's composed form, so that one text has one spelling. At
serving time, use :func:`converters.text.clean`.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeVar, get_type_hints

import msgspec
import numpy as np

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
_LATER = (0x80, 0xBF)  # the bytes of a sign in UTF-8 but its first
# First bytes of signs that are printable and stable: Latin letters, most ideographs and most of Hangul.
PLAIN = ((0xC3, 0xCB), (0xE5, 0xE8), (0xEB, 0xEC))
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
    if not text.isprintable() and _CONTROL.search(unusual(text)):  # line breaks are common, and not looked for
        text = _CONTROL.sub(" ", text)
    if "<" in text or "[" in text:
        text = _spelling().sub(_apart, text)
    return text


def _apart(bracket: re.Match[str]) -> str:
    return f"{bracket[0]} "


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
    return plain(text.replace("\r\n", "\n") if "\r" in text else text).strip()


_cached_line = lru_cache(1 << 14)(one_line)


def _line(text: str) -> str:
    return _cached_line(text) if len(text) < 24 else one_line(text)  # labels, names and values repeat; ids do not


def clean_record(record: T) -> T:
    """Return a record with every text in it made safe; a message keeps its line breaks."""
    return clean_records([record])[0]


def clean_records(records: Sequence[T]) -> list[T]:
    """Return what :func:`clean_record` does of each; to look at the texts of hundreds at once takes a fraction of the time."""
    texts, labels, messages, ends = list[str](), set[str](), set[int](), list[int]()
    for record in records:
        _gather(_parts(record), texts, labels, messages)
        ends.append(len(texts))
    names = {label: _line(label) for label in labels}
    found, changed = list(records), set[int]()
    if any(names[label] != label for label in labels):  # hardly ever
        changed.update(range(len(records)))
    for place in _unsafe(texts):
        text = lines(texts[place]) if place in messages else _line(texts[place])
        if text != texts[place]:
            texts[place] = text
            changed.add(bisect_right(ends, place))
    for number in changed:
        own = texts[ends[number - 1] if number else 0 : ends[number]]
        found[number] = _with(records[number], iter(own), names)
    return found


def _unsafe(texts: Sequence[str]) -> list[int]:
    """Return the places of the texts that are not certainly safe: of plain signs, with single blanks between words."""
    try:
        quoted = _quoted(texts)
    except UnicodeEncodeError:  # half a pair of surrogates
        return [*range(len(texts))]
    kinds = np.frombuffer(quoted.translate(_KINDS), np.uint8)
    looked_at = kinds & _WRONG
    looked_at[1:] |= kinds[1:] & kinds[:-1]
    [places] = (looked_at != 0).nonzero()
    is_end = kinds[places] == _END
    numbers = (np.cumsum(is_end) - is_end)[~is_end]
    found: list[int] = numbers[np.flatnonzero(np.diff(numbers, prepend=-1))].tolist()
    return found


# Each text as a line of JSON: within its quotes all signs are themselves, but for those that a backslash stands before.
_quoted = msgspec.json.Encoder().encode_lines


def _kind(sign: int) -> int:
    """Return what a byte of such a line makes of its text."""
    if sign in b' "\n':
        return _END if sign == ord("\n") else _APART
    is_plain = ord(" ") < sign < 127 and sign not in b"<[\\"
    return _SAFE if is_plain or any(low <= sign <= high for low, high in (_LATER, *PLAIN)) else _WRONG


# Bits: an end is looked at as what is wrong is. Two that are apart never stand side by side in a safe text.
_SAFE, _WRONG, _APART, _END = 0b000, 0b001, 0b010, 0b101
_KINDS = bytes(map(_kind, range(256)))


def _gather(values: Iterable[Any], texts: list[str], labels: set[str], messages: set[int]) -> None:
    """Add all texts in values that are not empty, the few labels apart, and the places of those that keep their line breaks."""
    for value in values:
        if not value:  # as is most of what a record may have
            continue
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is tuple and type(value[0]) is Text:  # there are ten or more
            labels.update([text.label for text in value])
            texts += [text.text for text in value]
        elif kind is tuple:
            _gather(value, texts, labels, messages)
        elif kind is Message:
            texts += (value.role, value.content)
            messages.add(len(texts) - 1)


def _with(value: Any, texts: Iterator[str], names: Mapping[str, str]) -> Any:
    """Return a value with these texts in place of those that :func:`_gather` finds in it; ``names`` has those for labels."""
    kind = type(value)
    if not value or kind in (int, float, bool):
        return value
    if kind is str:
        return next(texts)
    if kind is Message:
        return Message(next(texts), next(texts))
    if kind is not tuple:
        return kind(*[_with(part, texts, names) for part in _parts(value)])
    if type(value[0]) is Text:
        return tuple([Text(names[text.label], next(texts)) for text in value])
    return tuple([_with(item, texts, names) for item in value])


def _parts(record: Any) -> Iterable[Any]:
    kind: Any = type(record)
    return _values(kind)(record)


@cache
def _values(kind: Any) -> Callable[[Any], Iterable[Any]]:
    return attrgetter(*get_type_hints(kind))
