"""General instructions for replay: Alpaca, Dolly and chat files.

Raw formats: ``{instruction, input, output}`` (Alpaca), ``{instruction, context, response}`` (Dolly), ``{prompt, answer}`` with or
without Alpaca's wrapper around the prompt, ``{messages: [{role, content}]}`` and ``{conversations: [{from, value}]}`` (ShareGPT);
a JSON list or one object a line. End-of-text marks that an export left at the end of an answer are cut.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from converters.core.hashing import digest
from converters.core.unicode import composed
from converters.io import decoded
from converters.schema import Chat, Message, Outcome

URL = "https://github.com/tatsu-lab/stanford_alpaca, https://huggingface.co/datasets/databricks/databricks-dolly-15k"
LICENCE = "Alpaca: CC BY-NC 4.0 (not for commercial use); Dolly: CC BY-SA 3.0"
FILES = "alpaca_data.json, databricks-dolly-15k.jsonl, any chat file"
TASKS = ("general",)
_WRAPPED = re.compile(r"### Instruction:\n(.*?)(?:\n\n### Input:\n(.*?))?\n\n### Response:", re.DOTALL)
_ROLES = {"human": "user", "gpt": "assistant"}
# What some exports leave at the end of an answer: the end that their own training wrote.
_END = re.compile(r"(?:\s*(?:###\s*eos_token\s*###|</s>|<eos>|<\|(?:endoftext|im_end|end_of_text|eot_id)\|>))+\s*$")


class Turn(msgspec.Struct, frozen=True):
    """One chat turn, in either spelling."""

    role: str = ""
    content: str = ""
    speaker: str = msgspec.field(default="", name="from")
    value: str = ""


class Instruction(msgspec.Struct, frozen=True):
    """One raw row in any of the formats."""

    instruction: str = ""
    input: str | None = None
    context: str | None = None
    prompt: str = ""
    output: str = ""
    response: str = ""
    answer: str = ""
    messages: list[Turn] = []
    conversations: list[Turn] = []


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a row; templates that were never filled in (``{{name}}``) are rejected."""
    for where, row in decoded(paths, Instruction):
        if isinstance(row, Outcome):
            yield row
            continue
        texts = ((role, _END.sub("", text) if role == "assistant" else text) for role, text in _turns(row))
        turns = tuple(Message(role, composed(text.strip())) for role, text in texts)
        if reason := _reason(turns):
            yield Outcome(where, reason=reason)
        else:
            yield Outcome(where, (Chat(digest(turns), f"general:{digest(turns[:-1])}", turns),))


def _turns(row: Instruction) -> list[tuple[str, str]]:
    if chat := row.messages or row.conversations:
        turns = [(turn.role or turn.speaker, turn.content or turn.value) for turn in chat]
        return [(_ROLES.get(role, role), text) for role, text in turns]
    answer = row.output or row.response or row.answer
    wrapped = _WRAPPED.search(row.prompt)
    parts = wrapped.groups() if wrapped else (row.instruction or row.prompt, row.input or row.context)
    return [("user", "\n\n".join(filter(None, parts))), ("assistant", answer)]


def _reason(turns: Sequence[Message]) -> str:
    roles = [turn.role for turn in turns if turn.role != "system"]
    if len(roles) < 2 or roles != ["user", "assistant"] * (len(roles) // 2):
        return "turns do not alternate between user and assistant"
    if any(turn.role == "system" for turn in turns[1:]) or not all(turn.content for turn in turns):
        return "empty turn, or a system turn that is not the first"
    return "unfilled placeholder" if any("{{" in turn.content for turn in turns) else ""
