"""Rows that are Python literals instead of JSON, as the older files of Amazon data have them: ``{'asin': 'B0...', ...}``.

They are read by Python's own reader of literals, which runs no code.
"""

import ast
import re
import warnings
from typing import Any

LONGEST = 1 << 20  # signs; the reader may take a hundred times its text in memory
_START = re.compile(rb"\s*\{\s*u?'")


def is_literal(text: bytes) -> bool:
    """Tell whether a row starts as a Python dictionary does, and no JSON object can.

    >>> is_literal(b"{'asin': 1}"), is_literal(b'{"asin": 1}')
    (True, False)
    """
    return bool(_START.match(text))


def literal(text: str) -> Any:
    """Return the value that a text spells; one that is no literal, or too long, is a ``ValueError``."""
    if len(text) > LONGEST:
        raise ValueError(f"Python literal longer than {LONGEST >> 20} MiB")
    try:
        with warnings.catch_warnings(action="ignore"):  # about backslashes that mean nothing
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("not a Python literal") from error
