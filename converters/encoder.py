"""Texts as vectors, by a sentence encoder that the optional package sentence-transformers loads.

This is the one place of converters that reaches a deep-learning library, and only when an entry asks for it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import InputError, first_line

# n texts to an n × d array whose rows have length 1.
Encoder = Callable[[list[str]], NDArray[np.float32]]


@cache
def load(name: str) -> Encoder:
    """Return the encoder of a folder or hub id; without its package, or the model, an ``InputError``."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            "option encoder: found no package sentence-transformers, expected it: pip install 'ecom-llm-recipes[retrieval]'"
        ) from error
    try:
        model: Any = SentenceTransformer(name, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:  # a hub that cannot be reached ends as the last one
        raise InputError(f"option encoder: found {name!r}, expected a sentence encoder: {first_line(error)}") from error

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float32)

    return encode
