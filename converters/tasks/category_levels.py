"""``[CLASSIFY]``: the category path level by level: a turn lists the names to choose from, the answer is the path so far.

Where the last node of the path has children, a last turn lists them and the answer repeats the path: it stops there.
Training learns every answer. A held-out row is asked turn by turn, with the right answers to the earlier turns; the first wrong
answer counts, or else the last: there a real walk down the tree would leave its path. So accuracy is that of a real walk, and
hierarchical scores count the walk as stopped at its first mistake. An answer that runs ahead to the whole right path is right.
"""

from collections.abc import Sequence
from dataclasses import replace

from converters.schema import Listing, Message
from converters.tasks import category
from converters.tasks.base import RenderError

BETWEEN = " | "
CHOOSE = " Choose from: "
FIRST = "Category path of this product, level by level, the same path again where no name below fits."


def prompt(record: Listing) -> str:
    """Return the last turn's question."""
    return _questions(record)[-1]


def history(record: Listing) -> tuple[Message, ...]:
    """Return the turns before it, each answered with the path so far."""
    return tuple(
        turn
        for depth, question in enumerate(_questions(record)[:-1], 1)
        for turn in (Message("user", question), Message("assistant", category.render(record.path[:depth])))
    )


def _questions(record: Listing) -> list[str]:
    """Return the question of each turn, one line each; only the first is followed by the product's texts."""
    if not record.children:
        raise RenderError("no taxonomy to list children from")
    *levels, below = record.children
    if len(levels) != len(record.path) or not all(map(tuple.__contains__, levels, record.path)):
        raise RenderError("the path is not among the children listed")
    first, *rest = [BETWEEN.join(names) for names in [*levels, *([below] if below else [])]]
    texts = "".join(f"\n{text.label}: {text.text}" for text in record.texts)
    return [f"{category.PREFIX} {FIRST}{CHOOSE}{first}{texts}", *(f"{category.PREFIX} {names}" for names in rest)]


def choices(turns: Sequence[str]) -> list[str]:
    """Return the answers that the last of the turns, a question, allows.

    >>> choices([f"[CLASSIFY] {FIRST} Choose from: Home | Car\\nTitle: Mug"])
    ['Home', 'Car']
    >>> choices(["", "Home", "[CLASSIFY] Mugs | Pans"])
    ['Home > Mugs', 'Home > Pans', 'Home']
    """
    line, so_far = turns[-1].partition("\n")[0], list(turns[-2:-1])
    listed = line.partition(CHOOSE)[2] if not so_far else line.removeprefix(f"{category.PREFIX} ")
    return [*(category.SEPARATOR.join([*so_far, name]) for name in listed.split(BETWEEN)), *so_far]


TASK = replace(category.TASK, prompt=prompt, history=history, style_of="category", walk=True)
