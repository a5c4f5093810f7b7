"""What a run's answers cost, from the record beside its predictions."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from eval.shown import whole


def cost(record: Mapping[str, Any] | None, products: int) -> list[tuple[str, str]]:
    """Return figures with their units, as far as the record has them; ``products`` is the number of groups.

    A run that was resumed has no times: its seconds are those of the last part alone.

    >>> cost({"rows": 200, "seconds": 10.0, "generated_tokens": 500, "prompt_tokens": 4000}, 100)[:2]
    [('seconds per 1,000 products', '100.0'), ('seconds per 1,000 rows', '50.0')]
    """
    if not record:
        return []
    return [*_times(record, products), *_latency(record), *_tokens(record)]


def _times(record: Mapping[str, Any], products: int) -> list[tuple[str, str]]:
    seconds, rows = record.get("seconds"), record.get("rows")
    if not (_figure(seconds) and _figure(rows)):
        return []
    if record.get("rows_resumed"):
        return [("seconds", f"not known: {whole(record['rows_resumed'])} of {whole(rows)} rows were answered earlier")]
    found = [(products, "products"), (rows, "rows")]
    lines = [(f"seconds per 1,000 {name}", f"{1000 * seconds / count:,.1f}") for count, name in found if count]
    for key, name in (("generated_tokens", "generated tokens/s"), ("prompt_tokens", "prompt tokens/s")):
        if _figure(record.get(key)):
            lines.append((name, f"{record[key] / seconds:,.0f}"))
    return lines


def _latency(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = record.get("latency") or {}
    found = [(name, latency.get(name)) for name in ("p50", "p95")] if isinstance(latency, dict) else []
    return [(f"latency {name}", f"{value:,.3f} s") for name, value in found if _figure(value)]


def _tokens(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {
        "prompt_tokens": "prompt tokens",
        "generated_tokens": "generated tokens",
        "cut_at_max_new_tokens": "answers cut at the token limit",
    }
    return [(name, whole(record[key])) for key, name in names.items() if isinstance(record.get(key), int)]


def _figure(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and value > 0
