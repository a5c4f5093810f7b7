"""Where a task's answers go wrong: answer lengths, abstentions, confused categories, and the examples that a page shows."""

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from eval.metrics._tokens import english, tokens
from eval.metrics.generation import abstains
from eval.report.pages import clip, label, title
from eval.results.schema import ScoredRow

Path = tuple[str, ...]
Bucket = tuple[str, ...]

STEPS = (1, 3, 6, 11, 21, 41, 81, 161)  # the shortest answer, in words, of each bar
PARENTS, CHILDREN, TAKEN = 8, 8, 3  # how many of each are listed
PER_TASK, IN_ALL = 120, 1000  # examples on a page
WORST, OF_EACH, BUCKETS = 100, 4, 300
PROMPT = 1200


@dataclass(slots=True)
class Answers:
    """Counts over one task's rows: words of gold and predicted answers, and (gold has an answer, what was done)."""

    gold: Counter[int] = field(default_factory=Counter)
    predicted: Counter[int] = field(default_factory=Counter)
    abstention: Counter[tuple[bool, str]] = field(default_factory=Counter)

    def add(self, gold: Any, predicted: Any | None, may_abstain: bool) -> None:
        """Count one row; an abstention has no length.

        >>> from converters.tasks.answer import Reply
        >>> answers = Answers()
        >>> answers.add(Reply("Yes it does."), Reply(None), True)
        >>> answers.gold, answers.predicted, answers.abstention
        (Counter({1: 1}), Counter(), Counter({(True, 'abstained'): 1}))
        """
        for answer, counter in ((gold, self.gold), (predicted, self.predicted)):
            if answer is not None and not abstains(answer):
                counter[bisect_right(STEPS, max(1, length(str(answer)))) - 1] += 1
        if may_abstain:
            done = "unreadable" if predicted is None else "abstained" if abstains(predicted) else "answered"
            self.abstention[not abstains(gold), done] += 1


def length(text: str) -> int:
    """Return how many words a text has, between blanks in English.

    >>> length("It's 1.5 L"), length("静かです。")
    (3, 4)
    """
    return len(text.split() if english(text) else tokens(text))


def lengths(answers: Answers) -> list[tuple[str, float, float]]:
    """Return each bar's words, and which share of the gold and of the predicted answers it holds, up to the last that holds any.

    >>> lengths(Answers(Counter({0: 3, 1: 1}), Counter({0: 2})))
    [('1–2', 0.75, 1.0), ('3–5', 0.25, 0.0)]
    """
    last = max((*answers.gold, *answers.predicted), default=-1)
    names = [f"{low}–{high - 1}" for low, high in pairwise(STEPS)] + [f"{STEPS[-1]}+"]
    gold, predicted = max(1, answers.gold.total()), max(1, answers.predicted.total())
    return [(names[bar], answers.gold[bar] / gold, answers.predicted[bar] / predicted) for bar in range(last + 1)]


@dataclass(frozen=True, slots=True)
class Child:
    """One child of a parent: ``n`` rows that got to the parent and belong below this child, and which ones they took."""

    name: str
    n: int
    taken: tuple[tuple[str, int, bool], ...]  # name, rows, whether some gold path has it
    wrong: int


@dataclass(frozen=True, slots=True)
class Parent:
    """A node whose children are mixed up: ``n`` rows got there and go on below it, ``wrong`` of them under another child."""

    path: Path
    n: int
    wrong: int
    children: tuple[Child, ...]
    further: int


@dataclass(slots=True)
class Confusion:
    """What paths do, added up row by row."""

    ends: Counter[str] = field(default_factory=Counter)  # "right", "stopped early", "went on too deep", "unreadable"
    left: Counter[int] = field(default_factory=Counter)  # depth, from 1, of the first node that is not the gold one
    reached: Counter[Path] = field(default_factory=Counter)  # gold nodes whose parent the answer got to
    taken: Counter[tuple[Path, str]] = field(default_factory=Counter)  # gold node, the sibling predicted in its place
    known: set[Path] = field(default_factory=set)

    def add(self, gold: Path, predicted: Path | None, rows: int = 1) -> None:
        """Count rows of one gold and predicted path.

        >>> counts = Confusion()
        >>> counts.add(("Home", "Mugs"), ("Home", "Pans"))
        >>> counts.left, counts.taken
        (Counter({2: 1}), Counter({(('Home', 'Mugs'), 'Pans'): 1}))
        """
        self.known.update(gold[: depth + 1] for depth in range(len(gold)))
        if predicted is None:
            self.ends["unreadable"] += rows
            return
        pairs = enumerate(zip(gold, predicted, strict=False))
        same = next((at for at, (a, b) in pairs if a != b), min(len(gold), len(predicted)))
        for depth in range(min(same + (same < len(predicted)), len(gold))):
            self.reached[gold[: depth + 1]] += rows
        if same < len(gold) and same < len(predicted):
            self.left[same + 1] += rows
            self.taken[gold[: same + 1], predicted[same]] += rows
        else:
            wrong = "stopped early" if len(predicted) < len(gold) else "went on too deep"
            self.ends["right" if gold == predicted else wrong] += rows


def depths(counts: Confusion) -> list[tuple[str, int]]:
    """Return how the rows end, for people, in the order in which a walk down the tree meets them."""
    left = [(f"leaves at level {depth}", counts.left[depth]) for depth in sorted(counts.left)]
    rest = [(name, n) for name in ("stopped early", "went on too deep", "unreadable") if (n := counts.ends[name])]
    return [("right", counts.ends["right"]), *left, *rest]


def parents(counts: Confusion, most: int = PARENTS) -> list[Parent]:
    """Return the parents below which most rows go wrong, in the order of the tree."""
    wrong: dict[Path, Counter[Path]] = defaultdict(Counter)
    siblings: dict[Path, Counter[str]] = defaultdict(Counter)
    for (node, name), rows in counts.taken.items():
        wrong[node[:-1]][node] += rows
        siblings[node][name] += rows
    totals = Counter[Path]()
    for node, rows in counts.reached.items():
        totals[node[:-1]] += rows
    worst = sorted(wrong, key=lambda path: (-wrong[path].total(), path))[:most]
    return [_parent(counts, path, totals[path], wrong[path], siblings) for path in sorted(worst)]


def _parent(counts: Confusion, path: Path, n: int, wrong: Counter[Path], siblings: dict[Path, Counter[str]]) -> Parent:
    nodes, children = sorted(wrong, key=lambda node: (-wrong[node], node)), []
    for node in nodes[:CHILDREN]:
        names = sorted(siblings[node].items(), key=lambda pair: (-pair[1], pair[0]))[:TAKEN]
        taken = tuple((name, rows, (*path, name) in counts.known) for name, rows in names)
        children.append(Child(node[-1], counts.reached[node], taken, wrong[node]))
    return Parent(path, n, wrong.total(), tuple(children), len(nodes) - len(children))


def tree(parents: Sequence[Parent]) -> list[tuple[Path, Parent | None]]:
    """Return the parents with the nodes above them, each once, from the root down.

    >>> [(path, bool(parent)) for path, parent in tree([Parent(("Home", "Mugs"), 3, 1, (), 0)])]
    [((), False), (('Home',), False), (('Home', 'Mugs'), True)]
    """
    at = {parent.path: parent for parent in parents}
    nodes = sorted({path[:depth] for path in at for depth in range(len(path) + 1)})
    return [(path, at.get(path)) for path in nodes]


class Entry(msgspec.Struct, frozen=True):
    """One example as the page's script reads it; ``predicted`` holds (who, text, remark), ``values`` (metric, figures)."""

    task: str
    id: str
    prompt: str
    gold: str
    predicted: list[tuple[str, str, str]]
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


def entry(row: ScoredRow, answers: Mapping[str, ScoredRow], tags: list[str]) -> Entry:
    """Return an example with the answers of one run or several, by name."""
    rows = list(answers.values())
    shared = [name for name in row.values if all(name in other.values for other in rows)]
    remarks = ["" if each.valid else ": ".join(filter(None, ("unreadable", each.reason))) for each in rows]
    predicted = zip(answers, (clip(each.prediction) for each in rows), remarks, strict=True)
    return Entry(
        row.task,
        clip(row.id, 200),
        clip(row.prompt, PROMPT),
        clip(row.gold),
        [(clip(name, 60), prediction, remark) for name, prediction, remark in predicted],
        [(title(name), [each.values[name] for each in rows]) for name in shared],
        tags,
        [clip(name, 80) for name in slices(row)],
    )
