"""Test rows under other evidence than their own, so that what a model says can be held against what it was shown.

Citations in a row's target keep their numbers, which are those of its own snippets: the text of the target alone is compared.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from converters.core.errors import InputError
from converters.examples import gold
from converters.io.files import unpacked_size
from converters.schema import Outcome, Question, Row, Turn
from converters.tasks.answer import ABSTENTION, numbered, prompt, question_of, snippets
from converters.text.matching import product_group
from eval.production.asking import store as stores
from eval.production.asking import texts, training
from eval.production.asking.answering import Settings, prepare
from eval.production.asking.guardrails import orders
from eval.production.asking.questions import Asked
from eval.production.asking.snippets import Snippet

WAYS = OWN, CITED, RETRIEVED, NONE, ELSEWHERE = "own", "cited", "retrieved", "none", "elsewhere"
"""What a row is shown: its own snippets; those that its target cites, or its own where it cites none; what retrieval finds in all
snippets of its product; nothing; those of another product, where nothing is known to answer it."""


def with_snippets(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the answer task that show snippets; none is an ``InputError``."""
    shown = [row for row in rows if row.task == training.TASK and texts_of(row)]
    if not shown:
        raise InputError(f"found no row of task {training.TASK!r} with snippets, expected some to measure answers on")
    return shown


def texts_of(row: Row) -> list[str]:
    """Return the snippets that a row shows."""
    return snippets(row.messages[-2].content)


def asked(row: Row) -> str:
    """Return the question of a row."""
    return question_of(row.messages[-2].content)


def showing(row: Row, way: str, shown: Sequence[str]) -> Row:
    """Return a row that shows ``shown``, under an id that ends in ``way``; without any it has the prompt of such rows."""
    content, question = row.messages[-2].content, asked(row)
    before, after = (Question("", "", question, tuple(of), None) for of in (texts_of(row), shown))
    changed = content.removesuffix(numbered(before)) + numbered(after) if shown else prompt(after)
    messages = [*row.messages[:-2], Turn("user", changed), row.messages[-1]]
    return replace(row, id=f"{row.id}:{way}", messages=messages)


def cited(row: Row) -> list[str]:
    """Return the snippets that a row's target cites, all that it shows where it cites none."""
    shown = texts_of(row)
    return [shown[number - 1] for number in getattr(gold(row), "cited", ()) if number <= len(shown)] or shown


def elsewhere(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the snippets of the next one's product and the abstention as their target.

    Those that are followed by a row of their own product are left out.
    """
    return [
        replace(moved, messages=[*moved.messages[:-1], Turn("assistant", ABSTENTION)], meta="{}")
        for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True)
        if row.group != other.group
        for moved in [showing(row, ELSEWHERE, texts_of(other))]
    ]


def planted(row: Row) -> Row:
    """Return a row whose first snippet is an order to the model, the others numbered on."""
    return showing(row, "planted", [orders.text_alone(orders.PLANTED), *texts_of(row)])


Retrieve = Callable[[Row], Sequence[str] | None]
"""A row to the snippets that retrieval shows it, ``None`` where its question would not be asked."""


def retriever(rows: Sequence[Row], reviews: Path | None, context: training.Context, folder: Path) -> Retrieve:
    """Return the retrieval of ``ecom-eval ask`` over an index in ``folder`` of the rows' snippets and ``reviews``.

    A product is a group of the rows; reviews name it by its id, and those of other products are left out.
    """
    size = sum(len(row.messages[-2].content) for row in rows) + (unpacked_size([reviews]) if reviews else 0)
    stores.build(_pool(rows, reviews), folder, stores.Record(stores.FORMAT, {}, {}, None), size)
    store = stores.opened(folder)

    def retrieve(row: Row) -> Sequence[str] | None:
        prepared = prepare(store, context, Asked(row.id, asked(row), row.group), Settings())
        return None if prepared.row is None else [snippet.text for snippet in prepared.shown]

    return retrieve


def _pool(rows: Sequence[Row], reviews: Path | None) -> Iterator[Snippet | Outcome]:
    yield from (Snippet(row.group, text, "catalogue", row.id) for row in rows for text in texts_of(row))
    for found in texts.of_reviews(reviews) if reviews else ():
        if isinstance(found, Snippet):
            found = replace(found, product=product_group(found.product, found.product))
        yield found
