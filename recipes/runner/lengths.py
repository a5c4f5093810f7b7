"""Rows longer than ``sequence_len``: Axolotl drops them with one line in its log, so they are counted by task, before."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.examples import Row
from converters.jsonl import decode, numbered

TEMPLATE_TOKENS = 96  # more than any family's template adds to a row


def count(paths: Sequence[Path], tokenizer: Any, limit: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return all rows and those of more than ``limit`` tokens, by task; a task that would lose all is an ``InputError``."""
    rows: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for path in paths:
        for number, line in numbered(path):
            row = decode(line, Row, f"{path}:{number}")
            rows[row.task] += 1
            longer[row.task] += too_long(row, tokenizer, limit)
    for task, found in longer.items():
        if found == rows[task]:
            raise InputError(f"sequence_len {limit}: all {found} rows of task {task!r} are longer and would be dropped")
    return dict(sorted(rows.items())), {task: found for task, found in sorted(longer.items()) if found}


def too_long(row: Row, tokenizer: Any, limit: int) -> bool:
    """Tell whether a row has more than ``limit`` tokens. No token is shorter than a byte, so most rows need no tokenizing."""
    if sum(len(turn.content.encode()) + 1 for turn in row.messages) + TEMPLATE_TOKENS <= limit:
        return False
    messages = [{"role": turn.role, "content": turn.content} for turn in row.messages]
    return len(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)) > limit
