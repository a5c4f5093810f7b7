"""Scoring against the libraries that define the scores: both sides in one run, on one core, results compared first."""

import json
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import f1_score

from eval import RESAMPLES, metrics
from eval.metrics import generation
from eval.metrics.base import Example, Tools
from eval.scoring import stats

PAIRS, CATEGORIES, MANY = 10_000, 5_595, 1_000_000
ENDINGS = ("", "s", "ed", "ing", "er", "ly", "ness", "ation", "able")
METRIC = metrics.get("weighted_f1")


def timed(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Return the least processor time of several runs, to which other programs on the machine can only add, and the result."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        found = work()
        taken.append(time.process_time() - start)
    return min(taken), found


def pairs() -> list[tuple[str, str]]:
    """Return answers with their references, four words in ten changed, words as frequent as in Zipf's law.

    Lengths are log-normal with median 22 and sigma 1.19 in words, as those of AmazonQA's answers on appliances, 300 at most.
    """
    draw = random.Random(0)
    stems = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 7))) for _ in range(700)]
    words = [stem + ending for stem in stems for ending in ENDINGS]
    draw.shuffle(words)
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    found = []
    for _ in range(PAIRS):
        length = min(300, max(1, round(draw.lognormvariate(math.log(22), 1.19))))
        target = draw.choices(words, weights, k=length)
        said = [word if draw.random() < 0.6 else draw.choice(words) for word in target]
        found.append((" ".join(said).capitalize() + ".", " ".join(target)))
    return found


def texts() -> None:
    """Compare ROUGE-L with rouge-score's, the stems not yet known."""
    found = pairs()
    for stem, goal in ((False, 15), (True, 20)):
        scorer = RougeScorer(["rougeL"], use_stemmer=stem)
        slow, theirs = timed(lambda: [scorer.score(target, said)["rougeL"].fmeasure for said, target in found], 1)  # noqa: B023
        fast, ours = timed(lambda: _rouge(found, stem))  # noqa: B023 - both run at once
        assert ours == theirs
        name = "stemmed ROUGE-L" if stem else "ROUGE-L"
        say(f"{name} of {PAIRS:,} pairs, against rouge-score, equal to the last bit", slow / fast, goal)


def _rouge(found: Sequence[tuple[str, str]], stem: bool) -> list[float]:
    generation.stemmer.cache_clear()
    return [generation.best(said, (target,), stem) for said, target in found]


def say(what: str, ratio: float, goal: float) -> None:
    """Print a ratio and the goal."""
    print(f"{what}: {ratio:.0f}x (goal {goal:g}x)")


def drawn(rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gold and said classes, 70 % of them right."""
    draw = np.random.default_rng(0)
    gold = draw.integers(0, width, rows, np.int32)
    return gold, np.where(draw.random(rows) < 0.7, gold, draw.integers(0, width, rows, np.int32))


def f1s(rows: int, width: int) -> None:
    """Compare weighted F1, and its bootstrap over groups of two rows, with scikit-learn's on the same draws."""
    gold, said = drawn(rows, width)
    labels, shape = np.arange(width), f"{rows:,} answers, {width:,} classes"
    groups = [f"g{row // 2}" for row in range(rows)]

    def theirs(chosen: np.ndarray) -> float:
        return float(f1_score(gold[chosen], said[chosen], labels=labels, average="weighted", zero_division=0))

    examples = [Example(str(n), "g", (f"c{g}",), (f"c{s}",)) for n, (g, s) in enumerate(zip(gold, said, strict=True))]
    every, table = np.arange(rows), METRIC.table(examples, Tools(str))
    (slow, value), (fast, ours) = timed(lambda: theirs(every), 5), timed(lambda: stats.value(table, METRIC), 9)
    assert abs(ours - value) < 1e-12
    say(f"weighted F1 of a table ({shape}), against scikit-learn on integers", slow / fast, 30)
    names = [[f"c{value}" for value in column] for column in (gold, said)]
    slow, _ = timed(lambda: f1_score(*names, average="weighted", zero_division=0))
    fast, _ = timed(lambda: stats.value(METRIC.table(examples, Tools(str)), METRIC))
    print(f"  from the answers as objects on, against scikit-learn on names: {slow / fast:.0f}x")
    weights = stats.drawn(np.random.default_rng(0), len(set(groups)), 5)
    slow, values = timed(lambda: [theirs(np.repeat(every, times.astype(int)[every // 2])) for times in weights.T])
    found = stats.bootstrap([(table, METRIC)], groups, 5, 0)
    assert np.abs(found[0].draws - values).max() < 1e-12
    fast, _ = timed(lambda: stats.bootstrap([(table, METRIC)], groups, RESAMPLES), 2)
    say(f"its group bootstrap ({shape}), against resampling and scikit-learn", slow / 5 / (fast / RESAMPLES), 20)


def million() -> None:
    """Score a million predictions with intervals, in a process of its own."""
    found = json.loads(
        subprocess.run([sys.executable, "-m", "tests.bench.metrics"], check=True, capture_output=True).stdout
    )
    print(
        f"weighted and macro F1 of {MANY:,} answers over {CATEGORIES:,} categories with intervals ({RESAMPLES:,} resamples): "
        f"{found['seconds']:.0f} s, {found['held']:.0f} MiB to hold the answers, {found['more']:.0f} MiB more to score them"
    )


def measured() -> dict[str, float]:
    """Return the seconds and MiB of a million predictions; each has a group of its own."""
    gold, said = drawn(MANY, CATEGORIES)
    paths = [("Home", f"Part {number % 21}", f"Thing {number}") for number in range(CATEGORIES)]
    examples = [Example(f"{n}", f"g{n}", paths[g], paths[s]) for n, (g, s) in enumerate(zip(gold, said, strict=True))]
    held, start = _peak(), time.process_time()
    table = METRIC.table(examples, Tools(str))
    columns = [(table, METRIC), (table, metrics.get("macro_f1"))]
    for (_, metric), sample in zip(
        columns, stats.bootstrap(columns, [example.group for example in examples]), strict=True
    ):
        value = stats.value(table, metric)
        found = stats.score_interval(value, sample)
        assert found.low is not None and found.high is not None and found.low < value < found.high
    return {"seconds": time.process_time() - start, "held": held, "more": _peak() - held}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print all ratios."""
    texts()
    f1s(5_000, 200)
    f1s(100_000, CATEGORIES)
    million()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured()))
