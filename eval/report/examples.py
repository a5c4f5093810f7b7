"""Which rows a page embeds: a bounded number per task, worst first, with some of every reason and slice."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from eval.report.formatting import clip, label, title
from eval.results.schema import ScoredRow

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
    """The worst rows of every bucket of a task, in bounded memory."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[Bucket, list[Any]]] = defaultdict(dict)
        self.offered: dict[str, int] = defaultdict(int)

    def offer(self, task: str, buckets: Iterable[tuple[Bucket, int]], badness: float, item: Any) -> None:
        """Offer an item to buckets, each with its size; of equal badness the earlier one stays."""
        order = self.offered[task]
        self.offered[task] += 1
        for bucket, size in buckets:
            heaps = self.buckets[task]
            if bucket not in heaps and len(heaps) >= BUCKETS:
                continue
            heap = heaps.setdefault(bucket, [])
            push = heapq.heappush if len(heap) < size else heapq.heappushpop
            push(heap, (badness, -order, item))

    def taken(self, task: str, most: int) -> list[Any]:
        """Return at most ``most`` items, the worst first: first every bucket's worst, then every bucket's second, …"""
        rank: dict[int, tuple[int, float, int]] = {}
        items: dict[int, Any] = {}
        for heap in self.buckets[task].values():
            for place, (badness, order, item) in enumerate(sorted(heap, key=lambda line: (-line[0], -line[1]))):
                key = (place, -badness, -order)
                rank[-order] = min(rank.get(-order, key), key)
                items[-order] = item
        best = sorted(rank, key=rank.__getitem__)[:most]
        return [items[order] for order in sorted(best, key=lambda order: rank[order][1:])]


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


def _remark(row: ScoredRow) -> str:
    return "" if row.valid else f"unreadable: {row.reason}" if row.reason else "unreadable"


def entry(row: ScoredRow, answers: Mapping[str, ScoredRow], tags: list[str]) -> Entry:
    """Return an example with the answers of one run or several, by name."""
    rows = list(answers.values())
    shared = [name for name in row.values if all(name in other.values for other in rows)]
    return Entry(
        row.task,
        clip(row.id, 200),
        clip(row.prompt, PROMPT),
        clip(row.gold),
        [(clip(name, 60), clip(each.prediction), _remark(each)) for name, each in answers.items()],
        [(title(name), [each.values[name] for each in rows]) for name in shared],
        tags,
        [clip(name, 80) for name in slices(row)],
    )
