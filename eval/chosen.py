"""Which rows a page embeds: a bounded number for each task, the worst first, some of every reason and slice among them."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from eval.scored import ScoredRow
from eval.shown import clip, label, title

PER_TASK, IN_ALL = 120, 1000
WORST, OF_EACH, BUCKETS = 100, 4, 300
PROMPT = 1200

Bucket = tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """One example as the page's script reads it; ``said`` holds (who, text, remark), ``values`` (metric, figures)."""

    task: str
    id: str
    prompt: str
    gold: str
    said: list[tuple[str, str, str]]
    values: list[tuple[str, list[float]]]
    tags: list[str]
    slices: list[str]


class Chosen:
    """Keeps the worst rows of every bucket of a task, in bounded memory however many rows are offered."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[Bucket, list[Any]]] = defaultdict(dict)
        self.offered: dict[str, int] = defaultdict(int)

    def offer(self, task: str, buckets: Iterable[tuple[Bucket, int]], badness: float, item: Any) -> None:
        """Offer an item to buckets, each with its size; of equal badness the earlier one stays."""
        order = self.offered[task]
        self.offered[task] += 1
        for bucket, size in buckets:
            found = self.buckets[task]
            if bucket not in found and len(found) >= BUCKETS:
                continue
            heap = found.setdefault(bucket, [])
            if len(heap) < size:
                heapq.heappush(heap, (badness, -order, item))
            else:
                heapq.heappushpop(heap, (badness, -order, item))

    def taken(self, task: str, most: int) -> list[Any]:
        """Return at most ``most`` items, the worst first: first every bucket's worst, then every bucket's second, …"""
        rank: dict[int, tuple[int, float, int]] = {}
        items: dict[int, Any] = {}
        for heap in self.buckets[task].values():
            for place, (badness, order, item) in enumerate(sorted(heap, key=lambda line: (-line[0], -line[1]))):
                key = (place, -badness, -order)
                rank[-order] = min(rank.get(-order, key), key)
                items[-order] = item
        kept = sorted(rank, key=rank.__getitem__)[:most]
        return [items[order] for order in sorted(kept, key=lambda order: rank[order][1:])]


def buckets(row: ScoredRow) -> Iterator[tuple[Bucket, int]]:
    """Yield the buckets of a row with their sizes."""
    yield ("worst",), WORST
    if not row.valid:
        yield ("reason", row.reason), 2 * OF_EACH
    for kind, names in row.slices.items():
        for name in names:
            yield ("slice", kind, name), OF_EACH


def slices(row: ScoredRow) -> list[str]:
    """Return a row's slices, each as one text."""
    return [f"{label(kind)}: {name}" for kind, names in row.slices.items() for name in names]


def remark(row: ScoredRow) -> str:
    """Return what is to be said of a prediction beside its text: nothing if it is readable."""
    if row.valid:
        return ""
    return f"unreadable: {row.reason}" if row.reason else "unreadable"


def entry(row: ScoredRow, said: Mapping[str, ScoredRow], tags: list[str]) -> Entry:
    """Return an example with the answers of one run or several, by name."""
    rows = list(said.values())
    return Entry(
        row.task,
        clip(row.id, 200),
        clip(row.prompt, PROMPT),
        clip(row.gold),
        [(clip(name, 60), clip(one.prediction), remark(one)) for name, one in said.items()],
        [
            (title(name), [one.values[name] for one in rows])
            for name in row.values
            if all(name in o.values for o in rows)
        ],
        tags,
        [clip(name, 80) for name in slices(row)],
    )
