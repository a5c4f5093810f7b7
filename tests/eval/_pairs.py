"""Pair test rows with predictions, as scoring takes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from converters.schema import Row
from eval.results.schema import Output


def join(rows: Sequence[Row], predictions: Mapping[str, Any]) -> list[tuple[Row, Output]]:
    return [(row, Output(predictions[row.id])) for row in rows]
