"""Splits work on groups, before anything is rendered: one product is never in two of them."""

import hashlib
from collections.abc import Mapping

SPLITS = ("train", "validation", "test")


def draw(key: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on nothing but ``key`` and ``seed``, so order and rebuilds change nothing.

    >>> draw("asin:B0002H0A3S", 0) == draw("asin:B0002H0A3S", 0) != draw("asin:B0002H0A3S", 1)
    True
    """
    return int.from_bytes(hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=7).digest()) / 2**56


def split_of(group: str, seed: int, shares: Mapping[str, float]) -> str:
    """Return the split of a group; ``shares`` are those of validation and test, the rest is train.

    >>> split_of("asin:B0002H0A3S", 0, {"test": 1.0})
    'test'
    """
    at, edge = draw(group, seed), 0.0
    for name in ("test", "validation"):
        edge += shares.get(name, 0.0)
        if at < edge:
            return name
    return "train"
