"""Near-duplicates across splits: training rows whose text is almost that of a held-out one, found by MinHash.

Broder, "On the resemblance and containment of documents", 1997. A text is the set of its runs of three words; two texts are
near when the Jaccard similarity of their sets, estimated from 128 permutations, reaches the threshold.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from converters.examples import Turn, asked
from converters.tasks.choice import listed

PERMUTATIONS, BANDS, SEED = 128, 32, 1
OPTIONS = '"options":'


class Asked(msgspec.Struct):
    """As much of a row as is compared."""

    task: str
    messages: list[Turn]
    meta: str = "{}"


def near(lines: Iterable[tuple[bytes, bool]], held: Iterable[bytes], threshold: float) -> Iterator[bool]:
    """Yield for each ``(line, whether to look)`` whether its row is near one of ``held``, rows of our format."""
    from rensa import RMinHashLSH

    decoder = msgspec.json.Decoder(Asked)
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS)
    signatures = [_signature(decoder.decode(line)) for line in held]
    for number, signature in enumerate(signatures):
        index.insert(number, signature)
    for line, look in lines:
        yield look and _near(_signature(decoder.decode(line)), index, signatures, threshold)


def _near(signature: Any, index: Any, signatures: list[Any], threshold: float) -> bool:
    return any(signature.jaccard(signatures[number]) >= threshold for number in index.query(signature))


def _signature(row: Asked) -> Any:
    from rensa import RMinHash

    found = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    found.update(shingles(row))
    return found


def shingles(row: Asked) -> list[str]:
    """Return the runs of three words of what a row asks about; instruction and options, the same in every row, are left out.

    >>> shingles(Asked("category", [Turn("user", "[CLASSIFY] Category:\\nTitle: Red Acme mug"), Turn("assistant", "Mugs")]))
    ['title red acme', 'red acme mug']
    """
    text = asked(row.task, row.messages)[-1].content
    body = text.partition("\n")[2] if text.startswith("[") else text
    if OPTIONS in row.meta:
        options = frozenset(listed(msgspec.json.decode(row.meta)["options"]))
        body = "\n".join(line for line in body.splitlines() if line not in options)
    words = re.findall(r"\w+", (body or text).lower())
    return [" ".join(words[n : n + 3]) for n in range(max(1, len(words) - 2))]
