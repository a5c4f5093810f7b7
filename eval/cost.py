"""What a run's answers cost, from the record beside its predictions."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from eval.shown import whole

SPEEDS = {"generated_tokens": "generated tokens/s", "prompt_tokens": "prompt tokens/s"}
COUNTS = {
    "prompt_tokens": "prompt tokens",
    "generated_tokens": "generated tokens",
    "cut_at_max_new_tokens": "answers cut at the token limit",
}


def cost(record: Mapping[str, Any] | None, products: int) -> list[tuple[str, str]]:
    """Return figures with their units, as far as the record has them; ``products`` is the number of groups.

    A resumed run has no times: its seconds are those of the last sitting alone.

    >>> cost({"rows": 200, "seconds": 10.0, "generated_tokens": 500, "prompt_tokens": 4000}, 100)[:2]
    [('seconds per 1,000 products', '100.0'), ('seconds per 1,000 rows', '50.0')]
    """
    if not record:
        return []
    latency = record.get("latency_seconds")
    waits = [(name, latency.get(name)) for name in ("p50", "p95")] if isinstance(latency, dict) else []
    return [
        *_times(record, products),
        *((f"latency {name}", f"{value:,.3f} s") for name, value in waits if _positive(value)),
        *((name, whole(record[key])) for key, name in COUNTS.items() if isinstance(record.get(key), int)),
    ]


def _times(record: Mapping[str, Any], products: int) -> list[tuple[str, str]]:
    seconds, rows = record.get("seconds"), record.get("rows")
    if not (_positive(seconds) and _positive(rows)):
        return []
    if record.get("rows_resumed"):
        return [("seconds", f"not known: {whole(record['rows_resumed'])} of {whole(rows)} rows were answered earlier")]
    counts = {"products": products, "rows": rows}
    lines = [(f"seconds per 1,000 {name}", f"{1000 * seconds / n:,.1f}") for name, n in counts.items() if n]
    speeds = [(name, record[key] / seconds) for key, name in SPEEDS.items() if _positive(record.get(key))]
    return lines + [(name, f"{speed:,.0f}") for name, speed in speeds]


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and value > 0
