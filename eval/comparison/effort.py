"""What a row takes under a model: tokens, as its predictions counted them, and what those cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from converters.core.errors import InputError

PER = 1_000_000  # tokens that a price is for


class Price(msgspec.Struct, frozen=True):
    """What a million tokens of a prompt and of an answer cost, in any currency."""

    prompt: float
    answer: float


class Effort(msgspec.Struct, frozen=True):
    """Tokens that a model takes for a row, on average over its test file, and the price of tokens if one is given."""

    prompt_tokens: float
    answer_tokens: float
    price: Price | None = None

    @property
    def tokens(self) -> float:
        """Return all tokens of a row."""
        return self.prompt_tokens + self.answer_tokens

    @property
    def cost(self) -> float | None:
        """Return what a row costs."""
        if self.price is None:
            return None
        return (self.prompt_tokens * self.price.prompt + self.answer_tokens * self.price.answer) / PER


def efforts(
    records: Sequence[Mapping[str, Any]], prices: Sequence[tuple[float, float] | None]
) -> tuple[Effort, Effort] | None:
    """Return what a row takes under each model, from the records beside their predictions; ``None`` if one tells no tokens.

    ``prices`` are those of a million tokens of the prompt and of the answer; one without the other is an ``InputError``.
    """
    if len({price is None for price in prices}) > 1:
        raise InputError("one price alone draws no cost: give both --small-price and --large-price")
    if not all(record.get(key) for record in records for key in ("rows", "prompt_tokens", "generated_tokens")):
        if any(prices):
            raise InputError(
                "a price needs tokens, and the record beside one model's predictions (predictions.json) counts none"
            )
        return None
    found = [
        Effort(r["prompt_tokens"] / r["rows"], r["generated_tokens"] / r["rows"], Price(*price) if price else None)
        for r, price in zip(records, prices, strict=True)
    ]
    return found[0], found[1]
