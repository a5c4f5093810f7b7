"""The page of a cascade: for each task a chart of quality against the share that is sent upward and what that costs."""

from collections.abc import Sequence
from typing import Any

from eval.comparison.cascade import BEATS, Curve
from eval.comparison.effort import Effort

WIDE, HIGH = 100.0, 60.0  # units of a chart's view box
MARGIN = 0.04  # of the chart's height kept free above and below the lines


def of_cascade(curves: Sequence[Curve], names: tuple[str, str], facts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what the page shows; ``names`` are the small and the large run's."""
    return {
        "small": names[0],
        "large": names[1],
        "sections": [{"curve": curve, "chart": chart(curve)} for curve in curves],
        "sentence": sentence(curves),
        "facts": facts,
    }


def sentence(curves: Sequence[Curve]) -> str:
    """Say on which tasks the cascade beats random routing and on which that is not shown."""
    verdicts = dict.fromkeys([BEATS, *(curve.gain.verdict for curve in curves)])
    said = [f"{verdict} on {', '.join(of) or 'none'}" for verdict in verdicts for of in [_of(curves, verdict)]]
    return "; ".join(said).capitalize() + "."


def _of(curves: Sequence[Curve], verdict: str) -> list[str]:
    return [curve.task for curve in curves if curve.gain.verdict == verdict]


def chart(curve: Curve) -> dict[str, Any]:
    """Return a curve's chart: lines over the share sent, the ends of the vertical axis, and what both cost if known."""
    points = curve.points
    ends = [end for point in points for end in (point.low, point.high, point.value, point.random, point.kept)]
    known = [end for end in ends if end is not None]
    space = MARGIN * (max(known) - min(known)) or MARGIN
    low, high = max(0.0, min(known) - space), min(1.0, max(known) + space)

    def line(name: str) -> str:
        values = ((point.share, getattr(point, name)) for point in points)
        places = ((WIDE * x, HIGH * (high - y) / (high - low)) for x, y in values if y is not None)
        return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)

    return {
        "up": (low, high),
        "lines": {name: line(name) for name in ("value", "random", "kept")},
        "band": " ".join([line("low"), *reversed(line("high").split())]) if points[0].low is not None else "",
        "costs": [1000 * point.cost for point in (points[0], points[-1]) if point.cost is not None],
    }


def effort_facts(name: str, effort: Effort) -> list[tuple[str, str]]:
    """Return the lines that say what a model's row takes."""
    lines = [(f"{name}: tokens a row", f"{effort.prompt_tokens:,.1f} of prompt, {effort.answer_tokens:,.1f} of answer")]
    if effort.price is not None:
        price = f"{effort.price.prompt:g} for prompts, {effort.price.answer:g} for answers"
        lines.append((f"{name}: price of a million tokens, as given", price))
    return lines
