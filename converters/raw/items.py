"""The items of a JSON list, one at a time: the list is cut at its own commas, block by block, and never held whole."""

import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from converters.errors import InputError
from converters.raw.files import BLOCK
from converters.raw.lines import LIMIT, Long

# A run of text and whole strings, then group 1: a bracket or comma outside of strings, or group 2: a string without its end,
# or the block's end: every match begins where the last one ended, never inside a string.
_STRING = rb'"(?:[^"\\]++|\\.)*+'
_TOKEN = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb'")*+(?:([\[\]{},])|(' + _STRING + rb")|\Z)", re.DOTALL)
_STEP = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def items(path: Path, file: BufferedReader, limit: int = LIMIT) -> Iterator[tuple[str, bytes]]:
    """Yield ``(file:#n, JSON text)``; an item over ``limit`` bytes is a :class:`Long`. A broken list is an ``InputError``.

    What is wrong inside an item is left to its decoder, so that one bad item costs only itself.
    """
    number, mark = 0, b""
    for number, (text, mark) in enumerate(_texts(_pieces(path, file), limit), 1):
        if isinstance(text, Long) or text.strip():
            yield f"{path}:#{number}", text
        elif mark != b"]" or number > 1:
            raise _broken(path, f"nothing where item #{number} should be")
    if mark != b"]":
        raise _broken(path, f"the file ends inside item #{number + 1}")


def _texts(pieces: Iterator[tuple[bytes, bytes]], limit: int) -> Iterator[tuple[bytes, bytes]]:
    """Join the pieces of each item; yield its text and the mark that ends it."""
    parts, size = list[bytes](), 0
    for piece, mark in pieces:
        size += len(piece)
        parts.append(piece)
        if size > limit:
            parts.clear()
        if mark:
            yield (Long() if size > limit else b"".join(parts)), mark
            parts, size = [], 0


def _pieces(path: Path, file: BufferedReader) -> Iterator[tuple[bytes, bytes]]:
    """Yield pieces of the list's text and what follows each: ``,`` or ``]`` of the list itself, or nothing."""
    depth, rest = 0, b""
    while new := file.read(BLOCK):
        block, start, end = rest + new, len(rest) and 1, len(rest + new)
        rest = b""
        for token in _TOKEN.finditer(block):
            sign = token[1]
            depth += _STEP.get(sign, 0)
            if token[2]:
                # A string goes on in the next block, which gets a quote in front so that it starts inside of one. What the
                # token leaves is a backslash whose letter is still to come.
                end, rest = token.end(), b'"' + block[token.end() :]
            elif depth == 1 and sign == b"[":
                start = token.end()
            elif sign and (depth == 0 or (depth == 1 and sign == b",")):
                yield block[start : token.end() - 1], sign
                start = token.end()
                if depth == 0:
                    _end(path, block[start:], file)
                    return
        if depth:
            yield block[start:end], b""


def _end(path: Path, rest: bytes, file: BufferedReader) -> None:
    while not rest.strip() and (rest := file.read(BLOCK)):
        pass
    if rest.strip():
        raise _broken(path, f"{rest.strip()[:30]!r} after the list")


def _broken(path: Path, what: str) -> InputError:
    return InputError(f"{path}: found a broken JSON list, expected [{{...}}, ...]: {what}")
