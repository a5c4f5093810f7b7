"""Published numbers (``anchors.yaml``), shown only beside scores that they can be compared with."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published number: whose, of what, how it was computed, its source, and why ours compares."""

    model: str
    task: str
    metric: str
    value: float
    rows_from: str
    n: int
    variant: str
    source: str
    why: str
    normaliser: str | None = None
    scorer: str | None = None  # of ours, None: the right one
    part: str | None = None  # ECInstruct's name of the task


@cache
def anchors() -> tuple[Anchor, ...]:
    """Return all anchors of the file."""
    return tuple(msgspec.yaml.decode((resources.files(__package__) / "anchors.yaml").read_bytes(), type=list[Anchor]))


def beside(task: str, rows_from: Mapping[str, int], normaliser: str | None) -> list[Anchor]:
    """Return the anchors that a task's scores can be compared with; ``rows_from`` counts its rows by their source.

    All rows must be from the anchor's source, and as many as it was computed on.

    >>> [anchor.value for anchor in beside("ranking", {"esci": 14496}, "strict")], beside("ranking", {"esci": 14495}, "strict")
    ([0.83], [])
    """
    right = [anchor for anchor in anchors() if anchor.scorer is None and anchor.task == task]
    same_rows = [anchor for anchor in right if rows_from == {anchor.rows_from: anchor.n}]
    return [anchor for anchor in same_rows if anchor.normaliser in (None, normaliser)]


def beside_published(part: str, n: int) -> list[Anchor]:
    """Return the anchors that one of ECInstruct's tasks can be compared with when scored as eCeLLM's script does.

    >>> [anchor.model for anchor in beside_published("Query_Product_Rank", 1000)][0]
    'eCeLLM-M (Mistral-7B-Instruct-v0.2)'
    """
    return [each for each in anchors() if each.scorer == "ecellm-compat" and (each.part, each.n) == (part, n)]
