"""General instructions in Alpaca's format: small chores with words and numbers, nothing about products."""

import random
from collections.abc import Iterator

OPPOSITES = {
    **{"hot": "cold", "big": "small", "open": "closed", "wet": "dry", "old": "new"},
    **{"fast": "slow", "up": "down", "full": "empty", "rich": "poor", "day": "night"},
}


def instructions(draw: random.Random, count: int) -> Iterator[dict[str, str]]:
    """Yield ``count`` different rows."""
    prompts: set[tuple[str, str]] = set()
    while len(prompts) < count:
        instruction, given, output = _chore(draw)
        if (instruction, given) not in prompts:
            prompts.add((instruction, given))
            yield {"instruction": instruction, "input": given, "output": output}


def _chore(draw: random.Random) -> tuple[str, str, str]:
    kind = draw.choice(("repeat", "opposites", "reverse"))
    if kind == "repeat":
        number = str(draw.randint(10, 9999))
        return "Say the number once more.", number, number
    words = [draw.choice(list(OPPOSITES)) for _ in range(draw.choice((2, 3, 4)))]
    if kind == "opposites":
        return "Write the opposites.", " ".join(words), " ".join(OPPOSITES[word] for word in words)
    return "Write the words in reverse order.", " ".join(words), " ".join(reversed(words))
