"""Do 95 % intervals hold the truth 95 times in 100? Test sets drawn from a known truth, scored by the code that scores runs.

``make coverage`` prints the README's table. A test set is some products with 1 to 6 rows each; rows of a product are alike, and
two runs, equally good, are alike where a row is hard for both. Each set gives an interval of the first run's value and one of the
paired difference: how often the former holds the truth, and how often the latter leaves 0 out, a false alarm.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import binom, norm

from eval.metrics.base import Floats, Metric, f1, mean
from eval.metrics.classification import macro_f1
from eval.scoring import stats

GROUPS, SETS, BATCH, RESAMPLES = (20, 50, 300), 2000, 250, 1000
LEVEL = (0.025, 0.975)
DISCOUNT = 1 / np.log2(np.arange(2, 12))
Generator = np.random.Generator
Tables = tuple[Floats, Floats]  # sets × rows × columns, for each of two runs
Ends = tuple[Floats, Floats]  # of an interval for each set
METHODS = {
    "percentile": "percentile (before)",
    "expanded": "expanded percentile",
    "bca": "BCa, expanded",
    "bootstrap-t": "bootstrap-t",
    "t": "t",
    "mcnemar": "McNemar over rows (before)",
    "ours": "Wilson and t (now)",
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """Which shares of a row's difficulty are its product's, its own, and its product's under one run alone; the rest is noise."""

    product: float = 0.2
    row: float = 0.2
    run: float = 0.1


@dataclass(frozen=True, slots=True)
class Sets:
    """Drawn test sets: the sizes of their groups, and the two runs' tables."""

    sizes: np.ndarray
    tables: Tables


@dataclass(frozen=True, slots=True)
class Case:
    """A metric over a kind of test sets. ``draw`` makes tables from difficulties (sets × rows, standard normal) of two runs."""

    name: str
    reduce: Callable[[Floats], Floats]
    truth: float
    draw: Callable[[Generator, Floats, Floats], Floats]
    likeness: Likeness = Likeness()
    large: bool = False  # the first group has 30 % of the rows


def drawn(case: Case, random: Generator, groups: int, sets: int) -> Sets:
    """Return test sets of ``groups`` groups."""
    sizes = random.integers(1, 7, groups)
    if case.large:
        sizes[0] = round(0.3 / 0.7 * sizes[1:].sum())
    group, like = np.repeat(np.arange(groups), sizes), case.likeness
    shape = (sets, len(group))
    shared = np.sqrt(like.product) * random.standard_normal((sets, groups))[:, group]
    shared += np.sqrt(like.row) * random.standard_normal(shape)
    fixed = random.random((sets, groups))[:, group]  # what the rows of a group share besides, such as their class
    tables = []
    for _ in range(2):
        own = np.sqrt(like.run) * random.standard_normal((sets, groups))[:, group]
        noise = np.sqrt(1 - like.product - like.row - like.run) * random.standard_normal(shape)
        tables.append(case.draw(random, shared + own + noise, fixed))
    return Sets(sizes, (tables[0], tables[1]))


def averaged(values: NDArray[Any]) -> Floats:
    """Return the tables of a plain average."""
    return np.stack([values, np.ones_like(values)], axis=-1).astype(np.float64)


def accuracy(share: float, name: str = "", likeness: Likeness = Likeness(), large: bool = False) -> Case:
    """Return rows of which a ``share`` is right."""
    return Case(
        f"accuracy {share:g}{name}", mean, share, lambda _, z, __: averaged((z < ndtri(share)) * 1.0), likeness, large
    )


def micro(share: float) -> Case:
    """Return records of three slots, 70 % of them stated; what is not right is left out, wrong or made up."""

    def draw(random: Generator, z: Floats, _: Floats) -> Floats:
        shape = (*z.shape, 3)
        right = np.sqrt(0.5) * (z[..., None] + random.standard_normal(shape)) < ndtri(share)
        stated, answered = random.random(shape) < 0.7, random.random(shape) < 0.6
        said = (stated & (right | answered)) | (~stated & ~right)
        counts = (stated & right).sum(-1), said.sum(-1), stated.sum(-1)
        return np.stack(counts, axis=-1).astype(np.float64)

    hits = 0.7 * share
    return Case("micro F1", f1, 2 * hits / (hits + (0.7 * 0.6 + 0.3) * (1 - share) + 0.7), draw)


def macro(classes: int, power: float) -> Case:
    """Return rows of classes as frequent as 1 / rank ** ``power``, some of which are harder than others."""
    often = np.arange(1, classes + 1) ** -power
    often /= often.sum()
    right = 0.75 + 0.15 * np.cos(2 * np.arange(classes))

    def draw(random: Generator, z: Floats, fixed: Floats) -> Floats:
        gold = np.minimum(np.searchsorted(often.cumsum(), fixed), classes - 1)
        said = np.where(z < ndtri(right)[gold], gold, random.choice(classes, z.shape, p=often))
        names = np.arange(classes)
        is_gold, is_said = gold[..., None] == names, said[..., None] == names
        table: Floats = np.concatenate([is_gold & is_said, is_said, is_gold], axis=-1).astype(np.float64)
        return table

    hits = often * (right + (1 - right) * often)
    said = often * right + often * (often * (1 - right)).sum()
    return Case(f"macro F1, {classes} classes", macro_f1, float((2 * hits / (said + often)).mean()), draw)


def rouge() -> Case:
    """Return values from 0 to 1 with a fifth of them at either end or so, as ROUGE-L has them."""
    grid = np.linspace(-8, 8, 100_001)
    truth = float((np.clip(0.45 + 0.45 * grid, 0, 1) * norm.pdf(grid)).sum() * (grid[1] - grid[0]))
    return Case("ROUGE-L", mean, truth, lambda _, z, __: averaged(np.clip(0.45 + 0.45 * z, 0, 1)))


def ndcg() -> Case:
    """Return the NDCG of orders of ten products, whose gains are as frequent as ESCI's."""

    def values(random: Generator, z: Floats) -> Floats:
        gains = random.choice([0.0, 0.01, 0.1, 1.0], (*z.shape, 10), p=[0.16, 0.05, 0.35, 0.44])
        gains[..., 0] = 1.0
        noise = 0.6 * np.exp(0.5 * z)[..., None] * random.standard_normal(gains.shape)
        found = np.take_along_axis(gains, np.argsort(-(gains + noise), axis=-1), axis=-1)
        return np.asarray(found @ DISCOUNT / (-np.sort(-gains, axis=-1) @ DISCOUNT))

    random = np.random.default_rng(7)
    truth = float(np.mean([values(random, random.standard_normal(20_000)).mean() for _ in range(20)]))
    return Case("NDCG", mean, truth, lambda random, z, _: averaged(values(random, z)))


CASES = (
    accuracy(0.5),
    accuracy(0.8),
    accuracy(0.95),
    accuracy(0.8, ", rows of a product nearly alike", Likeness(0.45, 0.1, 0.35)),
    accuracy(0.8, ", one product with 30 % of the rows", large=True),
    micro(0.8),
    macro(5, 0.5),
    macro(12, 1.0),
    rouge(),
    ndcg(),
)


def samples(case: Case, found: Sets, seed: int) -> tuple[list[stats.Sample], list[stats.Sample]]:
    """Return how each set's value varies with its groups under either run."""
    metric = Metric(lambda examples, tools: np.empty(0), case.reduce)
    names = [str(group) for group in np.repeat(np.arange(len(found.sizes)), found.sizes)]
    columns = [(table, metric) for tables in found.tables for table in tables]
    both = stats.bootstrap(columns, names, RESAMPLES, seed)
    return both[: len(both) // 2], both[len(both) // 2 :]


def ours(points: Floats, found: Sequence[stats.Sample], difference: bool) -> Ends:
    """Return the intervals that scores and comparisons show."""
    interval = stats.difference_interval if difference else stats.score_interval
    ends = [interval(float(point), sample) for point, sample in zip(points, found, strict=True)]
    return np.array([end.low for end in ends], np.float64), np.array([end.high for end in ends], np.float64)


def others(points: Floats, found: Sequence[stats.Sample]) -> dict[str, Ends]:
    """Return what else there is: intervals by percentiles, and by t without Wilson's form."""
    draws, left = (np.stack([getattr(sample, name) for sample in found]) for name in ("draws", "left_out"))
    count, bias = found[0].units, draws.mean(axis=1) - points
    wide = float(np.sqrt(count / (count - 1)) * stdtrit(count - 1, LEVEL[1]))
    low, high = np.quantile(draws, LEVEL, axis=1)
    apart = left.mean(axis=1, keepdims=True) - left
    skew = (apart**3).sum(axis=1) / np.maximum(6 * (apart**2).sum(axis=1) ** 1.5, 1e-30)
    below = (draws < points[:, None]).mean(axis=1) + (draws == points[:, None]).mean(axis=1) / 2
    middle = ndtri(np.clip(below, 1e-3, 1 - 1e-3))
    levels = [ndtr(middle + (middle + z) / (1 - skew * (middle + z))) for z in (-wide, wide)]
    t = stdtrit([max(1.0, sample.effective - 1) for sample in found], LEVEL[1])
    half = t * [stats.standard_error(sample) for sample in found]
    return {
        "percentile": (low - bias, high - bias),
        "expanded": (np.quantile(draws, ndtr(-wide), axis=1), np.quantile(draws, ndtr(wide), axis=1)),
        "bca": (at(draws, levels[0]), at(draws, levels[1])),
        "t": (points - half, points + half),
    }


def at(draws: Floats, levels: Floats) -> Floats:
    """Return each line's quantile at its own level."""
    ranked, place = np.sort(draws, axis=1), levels * (draws.shape[1] - 1)
    first = np.floor(place).astype(int)
    rows, rest = np.arange(len(draws)), place - first
    return np.asarray(ranked[rows, first] * (1 - rest) + ranked[rows, np.minimum(first + 1, draws.shape[1] - 1)] * rest)


def bootstrap_t(case: Case, found: Sets, seed: int) -> dict[str, Ends]:
    """Return the studentised interval of a ratio of sums: each resample has a standard error of its own."""
    if case.reduce not in FRACTIONS:
        return {}
    sums = np.add.reduceat(found.tables[0], np.r_[0, found.sizes.cumsum()[:-1]], axis=1)
    top, bottom = FRACTIONS[case.reduce](sums)
    weights = stats.drawn(np.random.default_rng(seed), len(found.sizes), RESAMPLES)

    def estimate(weights: Floats) -> tuple[Floats, Floats]:
        tops, bottoms = top @ weights, bottom @ weights
        value = tops / bottoms
        squares = (top**2) @ weights - 2 * value * ((top * bottom) @ weights) + value**2 * ((bottom**2) @ weights)
        return value, np.sqrt(np.maximum(squares, 0)) / bottoms

    value, error = estimate(np.ones((len(weights), 1)))
    again, errors = estimate(weights)
    studentised = np.divide(again - value, errors, out=np.zeros_like(again), where=errors > 1e-9)
    low, high = np.quantile(studentised, LEVEL, axis=1)
    return {"bootstrap-t": (value[:, 0] - high * error[:, 0], value[:, 0] - low * error[:, 0])}


FRACTIONS: Mapping[Callable[[Floats], Floats], Callable[[Floats], tuple[Floats, Floats]]] = {
    mean: lambda sums: (sums[..., 0], sums[..., 1]),
    f1: lambda sums: (2 * sums[..., 0], sums[..., 1] + sums[..., 2]),
}


def row_alarms(tables: Tables) -> Floats:
    """Return for each set whether the exact McNemar test takes two runs' right rows for different."""
    first, second = (table[..., 0] for table in tables)
    gained, lost = (second > first).sum(axis=1), (second < first).sum(axis=1)
    return np.asarray(2 * binom.cdf(np.minimum(gained, lost), gained + lost, 0.5) < 0.05, np.float64)


def measure(case: Case, groups: int, sets: int = SETS, seed: int = 0) -> tuple[dict[str, float], dict[str, float]]:
    """Return by method how often the interval of a value holds the truth, and that of a difference leaves 0 out."""
    held, alarms = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for batch in range(-(-sets // BATCH)):
        random = np.random.default_rng([seed, batch, groups])
        found = drawn(case, random, groups, min(BATCH, sets - batch * BATCH))
        first, second = samples(case, found, batch)
        a, b = (case.reduce(tables.sum(axis=1)) for tables in found.tables)
        gaps = [y - x for x, y in zip(first, second, strict=True)]
        singles = {**others(a, first), **bootstrap_t(case, found, batch), "ours": ours(a, first, False)}
        for name, (low, high) in singles.items():
            held[name].append((low <= case.truth) & (case.truth <= high))
        for name, (low, high) in {**others(b - a, gaps), "ours": ours(b - a, gaps, True)}.items():
            alarms[name].append((low > 0) | (high < 0))
        if case.name.startswith("accuracy"):
            alarms["mcnemar"].append(row_alarms(found.tables))
    shares = ({name: float(np.concatenate(parts).mean()) for name, parts in by.items()} for by in (held, alarms))
    return next(shares), next(shares)


def report(sets: int = SETS, cases: Sequence[Case] = CASES, sizes: Sequence[int] = GROUPS) -> str:
    """Return coverage / false alarms in percent, as Markdown: before and now for each number of groups, then by method."""
    found = {(case.name, count): measure(case, count, sets) for case in cases for count in sizes}
    names = [case.name for case in cases]
    cells = [[_cell(found[name, count], ("percentile", "ours"), " → ") for count in sizes] for name in names]
    parts = [_table(["metric, data", *(f"{count} groups" for count in sizes)], names, cells)]
    for count in sizes:
        cells = [[_cell(found[name, count], (key,)) for key in METHODS] for name in names]
        parts.append(_table([f"{count} groups", *METHODS.values()], names, cells))
    return "\n\n".join(parts)


def _table(head: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([name, *line] for name, line in zip(names, cells, strict=True))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(shares: tuple[Mapping[str, float], Mapping[str, float]], keys: Sequence[str], between: str = "") -> str:
    return between.join(" / ".join(_percent(by, key) for by in shares) for key in keys)


def _percent(shares: Mapping[str, float], key: str) -> str:
    return f"{100 * shares[key]:.1f}" if key in shares else "–"


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else SETS))
