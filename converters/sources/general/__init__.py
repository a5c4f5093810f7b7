"""General instructions for replay: Alpaca, Dolly and chat files.

Raw formats, in any mixture: ``{instruction, input, output}`` (Alpaca), with ``system`` and ``history`` (LLaMA-Factory),
``{system_prompt, question, response}`` (Orca), ``{instruction, context, response}`` (Dolly), ``{prompt, completion}``,
``{prompt, answer}`` with or without Alpaca's wrapper around the prompt, ``{messages: [{role, content}]}`` (OpenAI) and
``{conversations: [{from, value}]}`` (ShareGPT) with or without ``system``; a JSON list or one object a line. Every key
that holds text of a conversation becomes a turn of it, or the row is rejected with the key's name. End-of-text marks
that an export left at the end of an answer are cut.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from converters.core.hashing import digest_of_form, shown
from converters.core.unicode import composed
from converters.io import decoded
from converters.io.pieces import Source
from converters.schema import Chat, Message, Outcome
from converters.sources.general.forms import UnusableError, conversation
from converters.sources.general.keys import SEEN
from converters.sources.general.keys import told as told

URL = "https://github.com/tatsu-lab/stanford_alpaca, https://huggingface.co/datasets/databricks/databricks-dolly-15k"
LICENCE = "Alpaca: CC BY-NC 4.0 (not for commercial use); Dolly: CC BY-SA 3.0"
FILES = "alpaca_data.json, databricks-dolly-15k.jsonl, any chat file"
TASKS = ("general",)
RAW = dict[str, Any]
# What some exports leave at the end of an answer: the end that their own training wrote.
_MARK = r"(?:###\s*eos_token\s*###|</s>|<eos>|<\|(?:endoftext|im_end|end_of_text|eot_id)\|>)"
_END = re.compile(rf"{_MARK}(?:\s*{_MARK})*\s*$")  # begins with a sign, for which a text is searched quickly


def read(
    paths: Sequence[Source],
    *,
    system: Annotated[
        Literal["turn", "user"],
        "what becomes of a system text: a turn of its own, or the beginning of the first user turn, for templates without system",
    ] = "turn",
) -> Iterator[Outcome]:
    """Yield one outcome a row; templates that were never filled in (``{{name}}``) are rejected."""
    for where, row in decoded(paths, RAW):
        yield row if isinstance(row, Outcome) else _outcome(where, row, system == "user")


def _outcome(where: str, row: dict[str, Any], fold: bool) -> Outcome:
    notes: list[str] = []
    try:
        pairs = conversation(row, notes)
    except UnusableError as error:
        return Outcome(where, reason=str(error), notes=_seen(notes), detail=error.detail)
    turns = tuple(
        [Message(role, composed((_ended(text) if role == "assistant" else text).strip())) for role, text in pairs]
    )
    if reason := _reason(turns):
        return Outcome(where, reason=reason, notes=_seen(notes))
    turns = _folded(turns) if fold else turns
    identity, asked = _digests(turns)
    return Outcome(where, (Chat(identity, f"general:{asked}", turns),), notes=tuple(notes))


def _digests(turns: Sequence[Message]) -> tuple[str, str]:
    """Return the digests of turns, of which there are two or more, and of all but the last.

    >>> from converters.core.hashing import digest
    >>> turns = (Message("user", "Hot?"), Message("assistant", "It's.\\n"))
    >>> _digests(turns) == (digest(turns), digest(turns[:-1]))
    True
    """
    forms = [b"Message(role=%b, content=%b)" % (_shown_role(turn.role), shown(turn.content)) for turn in turns]
    whole, asked = b", ".join(forms), b", ".join(forms[:-1])
    comma = b"," * (len(forms) == 2)  # behind the one item of a tuple
    return digest_of_form(b"((%b),)" % whole), digest_of_form(b"((%b%b),)" % (asked, comma))


_shown_role = cache(shown)  # there are three


def _seen(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(SEEN + note for note in notes)


def _ended(answer: str) -> str:
    """Return an answer without the marks at its end."""
    return _END.sub("", answer) if answer.rstrip().endswith((">", "#")) else answer


def _folded(turns: Sequence[Message]) -> tuple[Message, ...]:
    """Return turns with the system's text before the first user's."""
    first, *rest = turns
    if first.role != "system":
        return tuple(turns)
    return (Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:])


def _reason(turns: Sequence[Message]) -> str:
    roles, said = [turn.role for turn in turns], [turn.content for turn in turns]
    talk = [role for role in roles if role != "system"]
    if len(talk) < 2 or talk != ["user", "assistant"] * (len(talk) // 2):
        return "turns do not alternate between user and assistant"
    if "system" in roles[1:] or "" in said:
        return "empty turn, or a system turn that is not the first"
    return "unfilled placeholder" if any("{{" in text for text in said) else ""
