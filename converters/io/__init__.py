"""Reading raw files as their publishers ship them: JSON lines, JSON lists, Parquet, delimited text, hub datasets.

All but Parquet may be plain, ``.gz`` or ``.zst``. A row that cannot be used is an ``Outcome`` with its reason;
a file that cannot be used is one ``InputError``. Uses schema and core. What a column means is for sources.
"""

from converters.io.files import AS_UTF8, NOT_UTF8, describe, expand, need_columns, open_raw, reading, unpacked_size
from converters.io.rows import LIMIT, Long, decoded, json_values
from converters.io.tables import table

__all__ = [
    "AS_UTF8", "LIMIT", "NOT_UTF8", "Long", "decoded", "describe", "expand", "json_values", "need_columns", "open_raw", "reading",
    "table",
    "unpacked_size",
]  # fmt: skip
