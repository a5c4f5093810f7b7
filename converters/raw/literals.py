"""Rows that are Python literals instead of JSON, as the older files of Amazon data have them: ``{'asin': 'B0...', ...}``.

They are read by Python's own reader of literals, which runs no code.
"""

import ast
import re
import warnings
from typing import TypeVar

import msgspec

T = TypeVar("T")

LONGEST = 1 << 20  # bytes; the reader may take a hundred times its text in memory
_START = re.compile(rb"\s*\{\s*u?'")


def is_literal(text: bytes) -> bool:
    """Tell whether a row starts as a Python dictionary does, and no JSON object can.

    >>> is_literal(b"{'asin': 1}"), is_literal(b'{"asin": 1}')
    (True, False)
    """
    return bool(_START.match(text))


def decoded_literal(text: bytes, kind: type[T]) -> T | str:
    """Return the value of a row, or the reason why there is none; a wrong form is a ``msgspec.ValidationError``.

    >>> decoded_literal(b"{'a': 1}", dict), decoded_literal(b"{'a': open('x')}", dict)
    ({'a': 1}, 'not a Python literal')
    """
    if len(text) > LONGEST:
        return f"Python literal longer than {LONGEST >> 20} MiB"
    try:
        with warnings.catch_warnings(action="ignore"):  # about backslashes that mean nothing
            value = ast.literal_eval(text.decode().strip())
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return "not a Python literal"
    return msgspec.convert(value, kind)
