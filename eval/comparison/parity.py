"""Whether two sides answer alike: the share of rows with equal answers, by task, and the rows that differ.

Answers are equal when their texts are. A gate's bar is a share and not all of them: the same weights in another engine, in
another order of sums, or as a base and an adapter apart, round otherwise, and where two tokens are about equally likely the
greedy answer turns. Measured on the demo's 1,116 test rows, served by vLLM: 1.000 in float32, 0.982 in bfloat16. Two models
that answer alike are not told apart by it.
"""

from collections.abc import Mapping, Sequence

import msgspec

from converters.schema import Row
from eval.metrics.base import Metric, mean, scores
from eval.scoring import stats

EQUAL = Metric(table=lambda examples, tools: scores([]), reduce=mean)  # of a table that is there already


class Difference(msgspec.Struct, frozen=True):
    """A row that the server answers otherwise than the merged model."""

    id: str
    task: str
    merged: str | None
    served: str | None


class Parity(msgspec.Struct, frozen=True):
    """How many of the ``rows`` have ``equal`` answers: the ``share`` with its 95 % interval over products.

    ``low`` and ``high`` are ``None`` where there are too few products, and ``reason`` says so. ``tasks``: equal answers and rows.
    """

    rows: int
    equal: int
    share: float
    low: float | None
    high: float | None
    reason: str
    tasks: dict[str, tuple[int, int]]
    differences: list[Difference]


def measure(rows: Sequence[Row], merged: Mapping[str, str | None], served: Mapping[str, str | None]) -> Parity:
    """Compare both sides' answers to ``rows``, which they have by the row's id."""
    same = [merged[row.id] == served[row.id] for row in rows]
    table = scores(map(float, same))
    share = stats.value(table, EQUAL)
    interval = stats.score_interval(share, stats.bootstrap([(table, EQUAL)], [row.group for row in rows])[0])
    places = {task: [n for n, row in enumerate(rows) if row.task == task] for task in {row.task for row in rows}}
    tasks = {task: (sum(same[n] for n in own), len(own)) for task, own in sorted(places.items())}
    differing = [row for row, equal in zip(rows, same, strict=True) if not equal]
    pairs = [Difference(row.id, row.task, merged[row.id], served[row.id]) for row in differing]
    return Parity(len(rows), sum(same), share, interval.low, interval.high, interval.reason, tasks, pairs)
