"""Raw files as their publishers ship them: JSON lines, JSON lists, Parquet, delimited text and hub datasets.

All but Parquet may be plain, ``.gz`` or ``.zst``. Every reader streams, but for a JSON list, which is held in memory. A row that
cannot be used comes as an :class:`~converters.outcome.Outcome` with its reason; a file that cannot be used is an ``InputError``.
"""

from converters.raw.columns import need_columns
from converters.raw.files import AS_UTF8, NOT_UTF8, describe, expand, open_raw, unpacked_size, whole
from converters.raw.lines import LIMIT, Long
from converters.raw.rows import decoded, json_values
from converters.raw.tables import table

__all__ = [
    "AS_UTF8",
    "LIMIT",
    "NOT_UTF8",
    "Long",
    "decoded",
    "describe",
    "expand",
    "json_values",
    "need_columns",
    "open_raw",
    "table",
    "unpacked_size",
    "whole",
]
