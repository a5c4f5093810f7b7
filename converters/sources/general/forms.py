"""The forms of a raw row: its keys become the turns of a conversation, or the row is unusable."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from converters.io.rows import other_format
from converters.sources.general import keys
from converters.sources.general.keys import filled, fold, is_told, is_untrained, texts, unknown

Pair = tuple[str, str]  # a role and a text
_INSTRUCTION, _INPUT, _RESPONSE = "### Instruction:\n", "\n\n### Input:\n", "\n\n### Response:"  # Alpaca's wrapper
_PREAMBLE = re.compile(r"Below is an instruction that describes a task[^\n]*")
_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "ai"), "assistant"),
}
_CALL = ("call", "response", "results")
_TOOLS = {
    "tool",
    "function",
    "observation",
    "ipython",
    *(f"{kind}{part}" for kind in ("tool", "function") for part in _CALL),
}
_SPEAKER, _SAID = ("role", "from"), ("content", "value", "text")
_OF_TURN = frozenset((*_SPEAKER, *_SAID))


class UnusableError(Exception):
    """A row that is no conversation; the text is the reason that gets counted, ``detail`` what is specific to the row."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class Raw(msgspec.Struct, frozen=True):
    """The keys that become turns, folded."""

    system: str = ""
    systemprompt: str = ""
    systemmessage: str = ""
    instruction: str = ""
    prompt: str | list[dict[str, Any]] = ""
    question: str = ""
    query: str = ""
    input: str = ""
    context: str = ""
    output: str = ""
    response: str = ""
    answer: str = ""
    completion: str | list[dict[str, Any]] = ""
    messages: list[dict[str, Any]] = []
    conversations: list[dict[str, Any]] = []
    conversation: list[dict[str, Any]] = []
    history: list[tuple[str | None, str | None] | dict[str, Any]] = []

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        """Return the texts that are no blanks and stand in no other one, under their keys."""
        there = {key: text for key in names if (text := getattr(self, key))}
        named = {key: text for key, text in there.items() if isinstance(text, str) and not text.isspace()}
        if len(named) < 2:
            return named
        distinct = {text.strip(): key for key, text in reversed(named.items())}
        whole = {text for text in distinct if not any(text in other for other in distinct if other != text)}
        return {key: named[key] for text, key in reversed(distinct.items()) if text in whole}


_FIELDS = frozenset(Raw.__struct_fields__)


def conversation(row: Mapping[str, Any], notes: list[str]) -> list[Pair]:
    """Return a row's turns, oldest first; an :class:`UnusableError` says why there are none.

    ``notes`` get one on each key that is left out, of a row that is then unusable, too.
    """
    present = filled(row)
    known = {fold(key): value for key, value in present.items()}
    if len(known) < len(present):
        raise UnusableError("one key in two spellings", ", ".join(present))
    if key := is_untrained(known):
        raise UnusableError(f"marked as not to be learnt by {key!r}")
    try:
        raw = msgspec.convert(known, Raw)
    except msgspec.ValidationError as error:
        raise UnusableError(other_format(error)) from error
    listed = [_turn(turn, notes) for turn in _listed(raw)]
    turns = _chat(raw, listed) if listed else [*_history(raw, notes), *_single(raw)]
    turns = _with_system(raw, turns)
    others = {} if known.keys() <= _FIELDS else {k: value for k, value in present.items() if fold(k) not in _FIELDS}
    said = [text for _, text in turns]
    _need_told(others, said)
    notes += unknown(others, said)
    return turns


def _need_told(others: Mapping[str, Any], said: Sequence[str], place: str = "") -> None:
    """Raise an :class:`UnusableError` for a key of conversations that is no turn, unless turns say the same."""
    for key, value in others.items():
        what = None if isinstance(value, int | float) else keys.REJECTED.get(fold(key))
        found = list(texts(value)) if what else []
        if what and not (found and all(text in keys.NOTHING or is_told(text, said) for text in found)):
            raise UnusableError(f"{key!r}{place} holds {what}")


def _one(texts: Mapping[str, str]) -> str:
    if len(texts) > 1:
        raise UnusableError(f"{' and '.join(map(repr, texts))} hold different texts")
    return next(iter(texts.values()), "")


def _listed(raw: Raw) -> list[dict[str, Any]]:
    """Return the turns of a row that lists them: under one key, or prompt and completion."""
    chats = {key: turns for key in keys.CHATS if (turns := getattr(raw, key))}
    if len(chats) > 1:
        raise UnusableError(f"{' and '.join(map(repr, chats))} both hold turns")
    pair = [part for part in (raw.prompt, raw.completion) if isinstance(part, list)]
    if chats and pair:
        raise UnusableError(f"{next(iter(chats))!r} and 'prompt' or 'completion' hold turns")
    answer = [{"role": "assistant", "content": raw.completion}] if pair and isinstance(raw.completion, str) else []
    return [*next(iter(chats.values()), []), *(turn for part in pair for turn in part), *answer]


def _turn(turn: Mapping[str, Any], notes: list[str]) -> Pair:
    """Return a listed turn's role and text."""
    present = filled(turn)
    known = {fold(key): value for key, value in present.items()}
    speaker = next((name for key in _SPEAKER if isinstance(name := known.get(key), str)), "")
    role = _ROLES.get(fold(speaker), "")
    if not role:
        if fold(speaker) in _TOOLS:
            raise UnusableError(f"a turn of the role {fold(speaker)!r}: calls of tools are not used")
        raise UnusableError(
            "a turn whose role is not system, user or assistant", f"{speaker or ', '.join(present)}"[:200]
        )
    if role == "assistant" and (key := is_untrained(known)):
        raise UnusableError(f"an answer marked as not to be learnt by {key!r}")
    text = _one({key: said for key in _SAID if (said := _text(known.get(key)))})
    if not known.keys() <= _OF_TURN:
        others = {key: value for key, value in present.items() if fold(key) not in _OF_TURN}
        _need_told(others, [text] if text else [], " of a turn")
        notes += unknown(others, [text])
    return role, text


def _text(content: Any) -> str:
    """Return what a turn says: a text, or the texts of its parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content] if content is not None else []
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    said = [text for text in found if isinstance(text, str)]
    if len(said) < len(found):
        raise UnusableError("a turn, or a part of one, that is no text")
    return "\n".join(said)


def _chat(raw: Raw, turns: list[Pair]) -> list[Pair]:
    """Return the turns that a row lists; what its other keys say must stand in them."""
    said = [text for _, text in turns]
    if raw.history:
        raise UnusableError("'history' beside a list of turns")
    for key, text in raw.texts((*keys.QUESTION, *keys.CONTEXT, *keys.ANSWER)).items():
        if not is_told(text, said):
            raise UnusableError(f"{key!r} beside a list of turns")
    return turns


def _history(raw: Raw, notes: list[str]) -> Iterator[Pair]:
    """Yield the earlier turns: pairs of question and answer, or turns as chats list them."""
    for item in raw.history:
        if isinstance(item, dict):
            yield _turn(item, notes)
        else:
            yield from zip(("user", "assistant"), (text or "" for text in item), strict=True)


def _single(raw: Raw) -> Iterator[Pair]:
    """Yield the question and the answer of a row that has keys for them, and what stands before Alpaca's wrapper."""
    wrapped = _unwrapped(raw.prompt) if isinstance(raw.prompt, str) else None
    if wrapped:
        preamble, *parts = wrapped
        _one(raw.texts((*keys.QUESTION, *keys.CONTEXT)))  # the same in keys of their own is no second text
        if preamble and not _PREAMBLE.fullmatch(preamble):
            yield "system", preamble
    else:
        parts = [_one(raw.texts(keys.QUESTION)), *raw.texts(keys.CONTEXT).values()]
    yield "user", "\n\n".join(filter(None, parts))
    yield "assistant", _one(raw.texts(keys.ANSWER))


def _unwrapped(prompt: str) -> tuple[str, str, str] | None:
    """Return what stands before Alpaca's wrapper, the instruction in it and the input; ``None`` without one, or with several."""
    preamble, mark, rest = prompt.partition(_INSTRUCTION)
    body = rest.rstrip()
    if not mark or not body.endswith(_RESPONSE) or _INSTRUCTION in body:
        return None
    instruction, _, context = body.removesuffix(_RESPONSE).partition(_INPUT)
    return preamble.strip(), instruction, context


def _with_system(raw: Raw, turns: list[Pair]) -> list[Pair]:
    """Return turns with the text of a system key as the first one."""
    system = _one(raw.texts(keys.SYSTEM))
    own = [text for role, text in turns if role == "system"]
    if not system or [text.strip() for text in own] == [system.strip()]:
        return turns
    if own:
        raise UnusableError("a system turn beside a key of another system text")
    return [("system", system), *turns]
