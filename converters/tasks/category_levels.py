"""``[CLASSIFY]``: the category path level by level: a turn lists the names to choose from, the answer is the path so far.

Where the last node of the path has children, a last turn lists them and the answer repeats the path: it stops there.
Training learns every answer. A held-out row is asked turn by turn, each turn with the right answers to the earlier ones; what
counts is the first answer that is not the right one, or the last: that is where a real walk down the tree would leave its path.
So accuracy is a real walk's, and hierarchical scores count the walk as stopped at its first mistake. An answer that runs ahead
to the whole right path is right.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from converters.schema import Listing, Message
from converters.tasks import category
from converters.tasks.base import RenderError, Task

BETWEEN = " | "
CHOOSE = " Choose from: "
FIRST = "Category path of this product, level by level, the same path again where no name below fits."


def prompt(record: Listing) -> str:
    """Return the last turn's question."""
    return _questions(record)[-1]


def history(record: Listing) -> tuple[Message, ...]:
    """Return the turns before it, each answered with the path so far."""
    *earlier, _ = _questions(record)
    return tuple(chain.from_iterable(_turns(earlier, record.path)))


def _turns(questions: list[str], path: tuple[str, ...]) -> Iterator[tuple[Message, Message]]:
    for depth, question in enumerate(questions, 1):
        yield Message("user", question), Message("assistant", category.render(path[:depth]))


def _questions(record: Listing) -> list[str]:
    """Return the question of each turn; only the first has the product's texts, and all stand on their first line else."""
    if not record.children:
        raise RenderError("no taxonomy to list children from")
    *levels, below = record.children
    if len(levels) != len(record.path) or not all(map(tuple.__contains__, levels, record.path)):
        raise RenderError("the path is not among the children listed")
    first, *rest = [BETWEEN.join(names) for names in [*levels, *([below] if below else [])]]
    texts = "".join(f"\n{text.label}: {text.text}" for text in record.texts)
    return [f"{category.PREFIX} {FIRST}{CHOOSE}{first}{texts}", *(f"{category.PREFIX} {names}" for names in rest)]


def choices(said: Sequence[str]) -> list[str]:
    """Return the answers that the last question allows; ``said`` are the turns up to it.

    >>> choices([f"[CLASSIFY] {FIRST} Choose from: Home | Car\\nTitle: Mug"])
    ['Home', 'Car']
    >>> choices(["", "Home", "[CLASSIFY] Mugs | Pans"])
    ['Home > Mugs', 'Home > Pans', 'Home']
    """
    line, so_far = said[-1].partition("\n")[0], list(said[-2:-1])
    listed = line.partition(CHOOSE)[2] if not so_far else line.removeprefix(f"{category.PREFIX} ")
    return [*(category.SEPARATOR.join([*so_far, name]) for name in listed.split(BETWEEN)), *so_far]


TASK = Task(
    prefix=category.PREFIX,
    record=Listing,
    prompt=prompt,
    answer=category.answer,
    render=category.render,
    parse=category.parse,
    kind="path",
    history=history,
    meta=category.meta,
    metrics=category.TASK.metrics,
    style_of="category",
    walk=True,
)
