"""General instructions in Alpaca's format: small chores with words and numbers, nothing about products."""

import random
from collections.abc import Iterator

OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "open": "closed",
    "wet": "dry",
    "old": "new",
    "fast": "slow",
    "up": "down",
    "full": "empty",
    "rich": "poor",
    "day": "night",
}


def instructions(draw: random.Random, count: int) -> Iterator[dict[str, str]]:
    """Yield ``count`` different rows."""
    seen: set[tuple[str, str]] = set()
    while len(seen) < count:
        asked, given, said = draw.choice((_repeat, _opposites, _reverse))(draw)
        if (asked, given) not in seen:
            seen.add((asked, given))
            yield {"instruction": asked, "input": given, "output": said}


def _words(draw: random.Random) -> list[str]:
    return [draw.choice(list(OPPOSITES)) for _ in range(draw.choice((2, 3, 4)))]


def _repeat(draw: random.Random) -> tuple[str, str, str]:
    number = str(draw.randint(10, 9999))
    return "Say the number once more.", number, number


def _opposites(draw: random.Random) -> tuple[str, str, str]:
    given = _words(draw)
    return "Write the opposites.", " ".join(given), " ".join(OPPOSITES[word] for word in given)


def _reverse(draw: random.Random) -> tuple[str, str, str]:
    given = _words(draw)
    return "Write the words in reverse order.", " ".join(given), " ".join(reversed(given))
