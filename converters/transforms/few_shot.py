"""Demonstrations: solved rows of the same source and task, put into a row's own question, after its instruction.

They are training rows of other products, so no answer of a held-out row can be read in a prompt.
"""

import random
from collections.abc import Mapping, Sequence

import msgspec

from converters import tasks
from converters.examples import prompt_turns
from converters.schema import Row, Turn

POOL = 1000  # products that demonstrations are chosen from
NOW = "Now:"  # the line between the last demonstration and what is asked about


def chosen(identifier: str, product: int, pool: Mapping[int, Row], count: int, seed: int) -> list[Row]:
    """Return ``count`` rows for a row of that id and product: of other products, by a draw that depends on the id alone.

    ``pool`` has one row for each of its products; there are fewer rows where it has fewer products.
    """
    draw = random.Random(f"{seed}:{identifier}")
    products = draw.sample([*pool], min(count + 1, len(pool)))
    return [pool[number] for number in products if number != product][:count]


def shown(row: Row, examples: Sequence[Row]) -> Row:
    """Return a row with examples between its instruction and what it asks about, and their ids in its meta.

    >>> ask = lambda id, *turns: Row(id=id, group=id, task="category", source="s", messages=[Turn("user", t) for t in turns])
    >>> row = shown(ask("1", "[CLASSIFY] Path:\\nTitle: Mug", ""), [ask("2", "[CLASSIFY] Path:\\nTitle: Pan", "Home > Pans")])
    >>> row.messages[0].content.splitlines()
    ['[CLASSIFY] Path:', 'Example:', 'Title: Pan', 'Answer: Home > Pans', 'Now:', 'Title: Mug']
    >>> row.meta
    '{"examples":["2"]}'
    """
    at = len(prompt_turns(row.task, row.messages)) - 1
    instruction, _, texts = row.messages[at].content.partition("\n")
    lines = [line for example in examples for line in _solved(example, instruction)]
    question = Turn(row.messages[at].role, "\n".join([instruction, *lines, NOW, texts]))
    meta: Mapping[str, object] = {**row.extra, "examples": [example.id for example in examples]}
    messages = [*row.messages[:at], question, *row.messages[at + 1 :]]
    return msgspec.structs.replace(row, messages=messages, meta=msgspec.json.encode(meta).decode())


def own(text: str) -> str:
    """Return the part of a question that is no example: what it asks about.

    >>> own("Path:\\nExample:\\nTitle: Pan\\nAnswer: Pans\\nNow:\\nTitle: Mug"), own("Path:\\nTitle: Mug")
    ('Title: Mug', 'Title: Mug')
    """
    return text.partition("\n")[2].rpartition(f"\n{NOW}\n")[2]


def _solved(row: Row, instruction: str) -> list[str]:
    """Return a row's lines with its answers, every one of a walk; an instruction of its own stands without the prefix."""
    before = prompt_turns(row.task, row.messages)
    own, _, texts = before[-1].content.partition("\n")
    instructions = [] if own == instruction else [own.removeprefix(tasks.get(row.task).prefix).strip()]
    answers = [f"Answer: {turn.content}" for turn in row.messages[len(before) :: 2]]
    return ["Example:", *instructions, texts, *answers]
