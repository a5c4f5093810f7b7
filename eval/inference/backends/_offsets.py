"""At which character of an answer's text each token ends: from ids and a tokenizer, or from the bytes that a server sends.

A token that ends within a character, or writes nothing, ends where the last whole character did. No end is before an earlier one.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from eval.inference.backends.base import decode

LOWEST = -9999.0  # JSON has no infinity; vLLM's server takes the same number
PARTS = 4  # most tokens that one character is split over: its bytes
_CUT = "\ufffd"  # what decoding makes of a part of a character

Logprobs = list[tuple[int, float]]


def of_ids(tokenizer: Any, line: Sequence[int], text: str, values: Sequence[float]) -> Logprobs:
    """Return the end of each id of an answer in its decoded ``text``, with the id's log-probability."""
    return _paired(ends(tokenizer, line, text), values)


def of_bytes(tokens: Sequence[tuple[float, bytes]], text: str) -> Logprobs:
    """Return the end of each token in the ``text`` that a server sent, with its log-probability; empty if they do not write it.

    Tokens before the text, such as those of a reasoning, are left out; those behind it are the end token.

    >>> of_bytes([(-0.1, b" A"), (-0.2, b"\\xc3"), (-0.3, b"\\xa9b"), (-0.4, b"</s>")], "Aéb")
    [(1, -0.1), (1, -0.2), (3, -0.3), (3, -0.4)]
    """
    written, wanted = b"".join(piece for _, piece in tokens), text.encode("utf-8", "surrogatepass")
    start = _start(written, wanted)
    if start < 0:
        return []
    places = accumulate(len(piece) for _, piece in tokens)
    blank = not written[:start].strip()
    kept = [(at - start, value) for at, (value, _) in zip(places, tokens, strict=True) if blank or at > start]
    found = [len(wanted[: max(0, at)].decode("utf-8", "ignore")) for at, _ in kept]
    return _paired(found, [value for _, value in kept])


def _start(written: bytes, wanted: bytes) -> int:
    bare = written.lstrip()  # servers leave out the space before the first word
    lead = len(written) - len(bare)
    return next((at for at in (0, lead) if written.startswith(wanted, at)), written.rfind(wanted))


def ends(tokenizer: Any, line: Sequence[int], text: str) -> list[int]:
    """Return the end of each id of an answer in its decoded ``text``.

    Ids are decoded one by one, behind another token, since decoding takes the space from a first word; where that does not give
    the text, as many ids as there are up to each.
    """
    found, whole, part = list[int](), "", tuple[int, ...]()
    for id_ in line:
        part = (*part, id_)
        piece = _piece(tokenizer, part)
        if len(part) == PARTS or not piece.endswith(_CUT):
            whole, part = whole + piece, ()
        found.append(len(whole))
    whole += _piece(tokenizer, part)
    lost = len(whole) - len(text)
    if lost >= 0 and whole[lost:] == text and not whole[:lost].strip():
        return [max(0, end - lost) for end in found]
    prefixes = (decode(tokenizer, line[:count]) for count in range(1, len(line) + 1))
    return list(accumulate((_common(prefix, text) for prefix in prefixes), max))


def _common(prefix: str, text: str) -> int:
    pairs = enumerate(zip(prefix, text, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(prefix), len(text)))


@lru_cache(maxsize=1 << 16)
def _piece(tokenizer: Any, ids: tuple[int, ...]) -> str:
    """Return what ids write behind another token."""
    first, width = _other(tokenizer)
    return decode(tokenizer, [*first, *ids])[width:] if ids else ""


@lru_cache(maxsize=4)
def _other(tokenizer: Any) -> tuple[list[int], int]:
    first = list(tokenizer("a", add_special_tokens=False)["input_ids"][-1:])
    return first, len(decode(tokenizer, first))


def _paired(ends: Sequence[int], values: Sequence[float]) -> Logprobs:
    return [(end, round(max(LOWEST, min(0.0, value)), 6) + 0.0) for end, value in zip(ends, values, strict=True)]
