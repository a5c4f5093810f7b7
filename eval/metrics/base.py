"""What a metric is: an additive table with one line per example, and a reduction of the summed lines to one number.

Because lines add up, a bootstrap over groups is one matrix product (``weights @ group sums``) for every metric alike. Every
value lies in [0, 1]; it is NaN where the *gold* leaves nothing to score, never where only the answer does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics._normalise import Normalise

T = TypeVar("T")
Floats = NDArray[np.float64]

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Factored:
    """A table of whole numbers as a product: lines × parts, which several tables share, and parts × columns."""

    lines: sparse.csr_array
    columns: sparse.csr_array
    __array_ufunc__: ClassVar[None] = None  # so that an array leaves its product with a table to the table

    @property
    def shape(self) -> tuple[int, int]:
        """How many lines and columns the table has."""
        return self.lines.shape[0], self.columns.shape[1]

    def __getitem__(self, lines: Any) -> "Factored":
        return Factored(self.lines[lines], self.columns)

    def __rmatmul__(self, weights: Any) -> Any:
        return (weights @ self.lines) @ self.columns

    def toarray(self) -> "Floats":
        """Return the product."""
        return np.asarray((self.lines @ self.columns).toarray())


Table = Floats | sparse.csr_array | Factored


def dense(table: Table) -> Floats:
    """Return a table with every cell."""
    return np.asarray(table if isinstance(table, np.ndarray) else table.toarray(), dtype=np.float64)


Encode = Callable[[Sequence[str]], Floats]
Bert = Callable[[Sequence[str], Sequence[Sequence[str]]], Floats]


@dataclass(frozen=True, slots=True)
class Example:
    """One test row and its answer. ``answer`` is the prediction as its task reads it, ``None`` if it is unreadable.

    ``ranked`` are the candidates in order as the task reads them, () if there are none; a candidate that is unreadable or equals
    an earlier one is ``None`` and keeps its rank. ``judged`` are a judge's marks (relevance, grounded), each from 0 to 1.
    ``extra`` is the row's meta. ``kind`` is what :mod:`eval.answers` knows of the shape of ``gold`` and ``answer``, at the least
    a :class:`Shape`; without it both count as texts.
    """

    id: str
    group: str
    gold: Any
    answer: Any | None
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    prompt: str = ""
    ranked: tuple[Any, ...] = ()
    judged: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    kind: Any = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What a metric may use besides the examples.

    ``encode`` turns n texts into n × d unit vectors; ``bert`` turns n texts and the references of each into n BERTScore F1.
    ``None``: not loaded, and the metrics that need it are not available. ``known`` is what :meth:`once` has made.
    """

    normalise: Normalise
    encode: Encode | None = None
    bert: Bert | None = None
    known: dict[Any, tuple[Any, Any]] = field(default_factory=dict, compare=False, repr=False)

    def once(self, make: "Callable[[Sequence[Example], Tools], T]", examples: Sequence[Example]) -> T:
        """Return what ``make`` makes of the examples, made once as long as they are the last ones asked for."""
        of, found = self.known.get(make, (None, None))
        if of is not examples:
            found = make(examples, self)
            self.known[make] = examples, found
        return cast(T, found)


class Match(NamedTuple):
    """Texts of the answer, the gold texts that they may match, and how many of these there are to find."""

    answer: tuple[str, ...]
    gold: tuple[str, ...]
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What metrics ask of a kind of answer.

    ``same``: the answer is right after normalising. ``tokens``: the sum of token F1, over how many, and how many of these the
    gold states. ``matches``: what is matched by meaning. ``borrow`` turns another example's gold into an answer to this one.
    """

    same: Callable[[Example, Normalise], bool]
    tokens: Callable[[Example], tuple[float, float, float]]
    matches: Callable[[Example, Tools], list[Match]]
    borrow: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    ``table`` turns n examples into an n × k table, ``reduce`` turns summed lines ``(…, k)`` into values ``(…)``. ``each``: a
    single line has a meaning, to be shown per example. ``missing`` says why the metric is not available for these examples with
    these tools, "" if it is. The floor is the best of the trivial predictors' answers (unless ``trivial`` is false) and of
    ``guesses``, tables of what chance scores, by name. ``of_rows``: the row alone decides, not the answer, so that no run can be
    better than another. ``if_any``: where the gold has nothing to score, it is left out without a word. ``of`` are the columns
    that it divides by, () for all: a line that holds nothing in any of them does not count.
    """

    table: Callable[[Sequence[Example], Tools], Table]
    reduce: Callable[[Floats], Floats]
    each: bool = True
    missing: Callable[[Sequence[Example], Tools], str] = lambda examples, tools: ""
    guesses: Mapping[str, Callable[[Sequence[Example], Tools], Table]] = field(default_factory=lambda: NOTHING)
    trivial: bool = True
    of_rows: bool = False
    if_any: bool = False
    of: tuple[int, ...] = ()


def lines(values: Iterable[Sequence[float]]) -> Floats:
    """Return a dense table from its lines."""
    return np.asarray(list(values), dtype=np.float64)


def scores(values: Iterable[float]) -> Floats:
    """Return the table of a plain average: columns value and 1."""
    column = np.fromiter(values, dtype=np.float64)
    return np.stack([column, np.ones_like(column)], axis=1)


def ratio(top: Floats, bottom: Floats, applies: Floats | None = None) -> Floats:
    """Return ``top / bottom``; 0 where ``bottom`` is 0, NaN where ``applies`` (default: ``bottom``) is 0.

    >>> ratio(np.array([1.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0])).tolist()
    [0.5, 0.0, nan]
    """
    value = np.divide(top, bottom, out=np.zeros_like(bottom), where=bottom > 0)
    return np.where((bottom if applies is None else applies) > 0, value, np.nan)


def mean(sums: Floats) -> Floats:
    """Reduce a table made by :func:`scores`: sum of values / their number."""
    return ratio(sums[..., 0], sums[..., 1])


def precision(sums: Floats) -> Floats:
    """Reduce columns common, answer, gold to common / answer; 0 without an answer, NaN without gold."""
    return ratio(sums[..., 0], sums[..., 1], sums[..., 2])


def recall(sums: Floats) -> Floats:
    """Reduce columns common, answer, gold to common / gold; NaN without gold."""
    return ratio(sums[..., 0], sums[..., 2])


def f1(sums: Floats) -> Floats:
    """Reduce columns common, answer, gold to F1 = 2 · common / (answer + gold); NaN without gold.

    >>> f1(lines([(1, 2, 2), (0, 1, 0)])).tolist()
    [0.5, nan]
    """
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2], sums[..., 2])


def mean_where(values: Floats, applies: Floats) -> Floats:
    """Average the last axis over the places where ``applies`` is above 0; NaN where it never is."""
    chosen = applies > 0
    return ratio(np.where(chosen, values, 0.0).sum(-1), chosen.sum(-1).astype(np.float64))
