"""MAVE's format: attributes with their evidences in the positives, attributes that the text does not state in the negatives."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from converters.demo import words
from converters.demo.products import Pattern, Product, title


def positives(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> Iterator[dict[str, Any]]:
    """Yield one record a product; a few titles hold dirt, a few offsets do not hold, a few paragraphs are empty."""
    for item in items:
        text = title(item, draw.choice(patterns))
        if draw.random() < 0.02:
            text += " " + draw.choice(words.DIRT)
        keys = draw.sample(list(item.values), draw.choice((1, 2, 2, 3)))
        yield _product(draw, item, text, [_attribute(draw, text, key, item.values[key]) for key in keys])


def negatives(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> Iterator[dict[str, Any]]:
    """Yield one record a product, which asks for an attribute that its title does not state."""
    for item in items:
        key = draw.choice(list(item.values))
        text = title(item, draw.choice(patterns), [key])
        yield _product(draw, item, text, [{"key": key, "evidences": []}])


def _attribute(draw: random.Random, text: str, key: str, value: str) -> dict[str, Any]:
    begin = text.index(value)
    if draw.random() < 0.005:
        begin = draw.choice((-1, begin + 1))
    return {"key": key, "evidences": [{"value": value, "pid": 0, "begin": begin, "end": begin + len(value)}]}


def _product(draw: random.Random, item: Product, text: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    paragraphs = [{"text": text, "source": "title"}]
    if draw.random() < 0.02:
        paragraphs.append({"text": " ", "source": "description"})
    return {"id": item.asin, "category": item.path[-1], "paragraphs": paragraphs, "attributes": attributes}
