"""How a target is printed: both sides, the ratio, the goal, and whether it is met."""

from typing import Literal


def told(work: str, before: float, after: float, unit: str, goal: float, is_rate: bool = False) -> bool:
    """Print a line for the side ``before`` and the side ``after``; return whether the goal is met.

    The ratio is how many times less is taken now, or with ``is_rate`` how many times more is done; it is to be ``goal`` at least.
    """
    ratio = after / before if is_rate else before / after
    met = ratio >= goal
    print(f"{work}: {before:,.2f} {unit} before, {after:,.2f} now: {ratio:.2f}x (goal {goal:.2f}x: {verdict(met)})")
    return met


def bound(work: str, value: float, unit: str, goal: float, must: Literal["below", "above"] = "below") -> bool:
    """Print a line for what has a limit of its own; return whether it is met."""
    met = value <= goal if must == "below" else value >= goal
    print(
        f"{work}: {value:,.2f} {unit} (goal {'at most' if must == 'below' else 'at least'} {goal:,.2f}: {verdict(met)})"
    )
    return met


def verdict(met: bool) -> str:
    """Return the word for it."""
    return "met" if met else "NOT MET"
