"""From converted datasets to the three splits: pins, hold-outs, duplicates, the general share and the shuffle.

Everything is decided by hashes of ids and groups, so the same inputs and seed give the same bytes whatever the order.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from converters.convert import Converted
from converters.errors import InputError
from converters.examples import Row
from converters.outcome import digest
from converters.spec import Spec
from converters.split import SPLITS, draw, split_of

Splits = dict[str, list[Row]]


def mix(parts: Sequence[Converted], spec: Spec) -> tuple[Splits, list[Converted]]:
    """Return the rows of each split, shuffled, and the parts with what each lost on the way."""
    parts = [capped(part, spec.seed) for part in parts]
    pins = pinned(parts)
    seen: set[str] = set()
    placed: dict[str, list[tuple[int, Row]]] = {name: [] for name in SPLITS}
    # Test first: a product or prompt that a test row has leaves the other splits, never the other way round.
    for name in reversed(SPLITS):
        for number, part in enumerate(parts):
            placed[name] += [(number, row) for row in kept(part, name, pins, spec, seen)]
    mixed = {name: balanced(placed[name], parts, spec, name) for name in SPLITS}
    return {name: sorted(rows, key=lambda row: draw(row.id, spec.seed)) for name, rows in mixed.items()}, parts


def capped(part: Converted, seed: int) -> Converted:
    """Keep at most ``limit`` examples of a part: a random, stable choice, not the first ones of the file."""
    limit = part.entry.limit
    dropped = Counter(part.dropped)
    if limit is None or len(part.rows) <= limit:
        return replace(part, dropped=dropped)
    dropped["over the entry's limit"] += len(part.rows) - limit
    return replace(part, rows=sorted(part.rows, key=lambda row: draw(row.id, seed))[:limit], dropped=dropped)


def pinned(parts: Iterable[Converted]) -> Mapping[str, str]:
    """Return the split of every group that an official split fixes; test wins over validation over train."""
    pins: dict[str, str] = {}
    for part in parts:
        split = part.entry.split
        for row in part.rows if split else ():
            pins[row.group] = max(pins.get(row.group, "train"), split or "train", key=SPLITS.index)
    return pins


def kept(part: Converted, name: str, pins: Mapping[str, str], spec: Spec, seen: set[str]) -> Iterable[Row]:
    """Yield a part's rows of one split, counting those held out for another source's split and the repeated ones."""
    for row in part.rows:
        pin = pins.get(row.group)
        if (part.entry.split or pin or split_of(row.group, spec.seed, spec.splits)) != name:
            continue
        asked = digest(row.task, [(turn.role, turn.content) for turn in row.messages[:-1]])
        if pin and pin != (part.entry.split or "train"):
            part.dropped["product held out by another source's split"] += 1
        elif asked in seen or row.id in seen:
            part.dropped["same prompt again"] += 1
        else:
            seen.update((asked, row.id))
            yield row


def balanced(placed: Sequence[tuple[int, Row]], parts: Sequence[Converted], spec: Spec, name: str) -> list[Row]:
    """Return a split's rows with general instructions at exactly the share asked for; the surplus is counted."""
    general = sorted((p for p in placed if p[1].task == "general"), key=lambda p: draw(p[1].id, spec.seed))
    shop = [row for _, row in placed if row.task != "general"]
    wanted = general_rows(len(shop), spec.general_share)
    if wanted > len(general):
        raise InputError(
            f"split {name!r}: {len(shop)} rows need {wanted} general ones for general_share {spec.general_share}, found "
            f"{len(general)}: add general data, lower general_share or set a limit on the other sources"
        )
    if shop:
        for number, _ in general[wanted:]:
            parts[number].dropped["general row over the share"] += 1
        general = general[:wanted]
    return shop + [row for _, row in general]


def general_rows(others: int, share: float) -> int:
    """Return how many general rows make ``share`` of the sum, to the nearest row.

    >>> general_rows(900, 0.10), general_rows(27000, 0.10), general_rows(10, 0.0)
    (100, 3000, 0)
    """
    return math.floor(others * share / (1 - share) + 0.5)
