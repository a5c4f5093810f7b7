"""The loss curve of a run as a picture, ``loss.svg``, and its figures, ``logs/history.jsonl``; both anew at every logging."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from converters.jsonl import replacing, write_lines

PICTURE, HISTORY = "loss.svg", "logs/history.jsonl"
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 360, 64, 40, 48
LINES = (("loss", "training", "#2563eb"), ("eval_loss", "validation", "#ea580c"))
MOST_POINTS = 1000  # a longer history is thinned out: more points than pixels make a large file and the same picture

Point = tuple[float, float]


def write(run: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write figures and picture of a training; ``history`` is the trainer's, one mapping a logging step."""
    write_lines(run / HISTORY, history)
    with replacing(run / PICTURE) as file:
        file.write(draw(run.name, history).encode())


def points(history: Sequence[Mapping[str, Any]], key: str) -> list[Point]:
    """Return ``(step, value)`` of the entries that carry ``key``, at most ``MOST_POINTS`` of them, the last always.

    >>> points([{"step": 1, "loss": 3.0}, {"step": 1, "eval_loss": 2.5}, {"step": 2, "loss": "nan"}], "loss")
    [(1.0, 3.0)]
    """
    found = [(float(entry["step"]), float(entry[key])) for entry in history if key in entry]
    finite = [point for point in found if abs(point[1]) < float("inf")]
    stride = -(-len(finite) // MOST_POINTS) or 1
    return finite[-1::-stride][::-1]


def draw(title: str, history: Sequence[Mapping[str, Any]]) -> str:
    """Return the curves as SVG: steps to the right, loss upwards from the lowest value."""
    curves = [(name, colour, found) for key, name, colour in LINES if (found := points(history, key))]
    every = [point for _, _, found in curves for point in found]
    if not every:
        return _page(title, [])
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)

    def place(point: Point) -> Point:
        across, up = (point[0] - left) / (right - left or 1), (point[1] - low) / (high - low or 1)
        return LEFT + across * (WIDTH - LEFT - 20), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [part for share in (0, 0.25, 0.5, 0.75, 1) for part in _rule(low + share * (high - low), place, left)]
    parts += [
        _text(LEFT, HEIGHT - BOTTOM + 20, f"step {left:,.0f}", "start"),
        _text(WIDTH - 20, HEIGHT - BOTTOM + 20, f"step {right:,.0f}", "end"),
    ]
    for row, (name, colour, found) in enumerate(curves):
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, found))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{places}"/>')
        parts.append(_text(WIDTH - 26, TOP + 18 + 16 * row, f"{name} {found[-1][1]:.4f}", "end", colour))
    return _page(title, parts)


def _rule(value: float, place: Any, left: float) -> list[str]:
    x, y = place((left, value))
    line = f'<line x1="{x:.1f}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>'
    return [line, _text(x - 8, y + 4, f"{value:.3g}", "end")]


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#374151") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _page(title: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, back, _text(LEFT, 22, f"{title}: loss", "start"), *parts, "</svg>", ""])
