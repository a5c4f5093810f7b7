"""The keys of instruction and chat files: those of a conversation's text, those that say something about it, and all others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from converters.text.words import words

SYSTEM = ("system", "systemprompt", "systemmessage")
QUESTION = ("instruction", "prompt", "question", "query")
CONTEXT = ("input", "context")
ANSWER = ("output", "response", "answer", "completion")
CHATS = ("messages", "conversations", "conversation")

_REJECTED = {
    "a choice between answers": "chosen, rejected",
    "calls of tools": "tools, functions, function_call, tool_calls, tool_call_id",
    "no text": "image, images, video, videos, audio, audios, file, files",
    "the reasoning of an answer": "reasoning, reasoning_content, thinking, thought, thoughts, rationale, chain_of_thought, cot",
    "text of the conversation": (
        "text, persona, character, background, knowledge, document, documents, passage, passages, dialog, dialogue, chat, "
        "prefix, examples, few_shot, demonstrations"
    ),
}
_ABOUT = """
id, idx, index, uid, uuid, guid, hash, prompt_id, conversation_id, conv_id, session_id, user_id, author, annotator,
source, dataset, dataset_name, origin, from, url, link, license, licence, copyright, domain, category, categories,
topic, topics, subject, task, task_type, task_name, type, kind, label, labels, tag, tags, keywords, skill, intent,
lang, language, locale, split, score, scores, quality, rating, rank, difficulty, level, length, tokens, turn, turns,
num_turns, round, version, model, generator, model_name, timestamp, date, time, created, created_at, updated,
updated_at, meta, metadata, extra, weight, train, training, toxic, redacted, moderation, openai_moderation, kto_tag,
mask, file_name, filename, path, note, notes, comment
"""


def fold(key: str) -> str:
    """Return a key without what its spellings differ in.

    >>> fold("systemPrompt") == fold("System-Prompt") == "systemprompt"
    True
    """
    return _cached_fold(key) if len(key) < 64 else _fold(key)


def _fold(key: str) -> str:
    return "".join(filter(str.isalnum, key.casefold()))


_cached_fold = lru_cache(1 << 10)(_fold)


REJECTED = {fold(key): what for what, names in _REJECTED.items() for key in names.split(",")}
ABOUT = frozenset(map(fold, _ABOUT.split(",")))
_MARKS = ("weight", "train", "training", "ktotag", "label")
MOST = 20  # names of unknown keys that notes tell apart
UNKNOWN = "key left out, not known: "
SEEN, OTHERS = "\0seen ", "\0others"  # begin no other note
NOTHING = ("", "[]", "{}", "null")  # what an export writes for no tools


def filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row holds: no nulls, empty texts, lists and objects."""
    return {key: value for key, value in row.items() if value or value not in (None, "", [], {})}


def is_untrained(row: Mapping[str, Any]) -> str:
    """Return the key by which a row, or a turn, is marked as not to be learnt, or nothing; its keys are folded."""
    if row.keys().isdisjoint(_MARKS):
        return ""
    off = (key for key in _MARKS[:3] if row.get(key) in (0, "0", "false", "False"))
    return next(off, next((key for key in _MARKS[3:] if row.get(key) is False), ""))


def texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value, at any depth."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item


def is_told(text: str, turns: Sequence[str]) -> bool:
    """Tell whether turns say a text, or it says all of them: a copy of one, or the conversation once more as one text."""
    text = text.strip()
    return any(text in turn for turn in turns) or (bool(turns) and all(turn.strip() in text for turn in turns))


def unknown(row: Mapping[str, Any], turns: Sequence[str]) -> Iterator[str]:
    """Yield a note for each key that nobody knows and that may hold text of the conversation: three words that no turn says."""
    for key, value in row.items():
        if fold(key) not in ABOUT and any(len(words(t)) > 2 and not is_told(t, turns) for t in texts(value)):
            yield UNKNOWN + key[:40]


def told(noted: Counter[str], last: bool) -> None:
    """Count keys that nobody knows together, but for the first ones: a file of many keys has no note for each.

    ``noted`` are counts of notes in the order of the rows, folded before or not; those that begin with ``SEEN`` are of rows that
    are unusable: they have a place among the first, and no count. After the ``last`` row they go.
    """
    names = [note for note in noted if note.removeprefix(SEEN).startswith(UNKNOWN)]
    first = set([*dict.fromkeys(note.removeprefix(SEEN) for note in names)][:MOST])
    for note in names:
        if note.removeprefix(SEEN) not in first or (last and note.startswith(SEEN)):
            count = noted.pop(note)
            noted[OTHERS] += 0 if note.startswith(SEEN) else count
    if last and (others := noted.pop(OTHERS, 0)):
        noted[f"{UNKNOWN}others"] += others
