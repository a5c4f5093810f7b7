"""A linear classifier on TF-IDF vectors: logistic regression by stochastic gradient descent, one class against the rest.

A tree of categories is walked down from its root, a classifier at each node choosing among its children (or to stop there), and
a path is as likely as its steps together: Dumais and Chen, SIGIR 2000; Silla and Freitas, "A survey of hierarchical
classification across different application domains", 2011. So 5,595 categories cost a few children a level, in time and memory.
SGD was chosen over LinearSVC for its time, which grows with the rows and not with how hard they are to tell apart.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.schema import Row
from eval.answers import kind_of
from eval.answers.base import Route
from eval.answers.choice import LEARNT, OFTEN
from eval.baselines import base
from eval.baselines.base import CANDIDATES, Baseline, Guess, Predict, Solved, Tell, text

PASSES, ALPHA, SEED = 3, 1e-6, 0
LARGE = 1e6  # rows times children from which a node's classifier uses all cores and tells how far it is
ROUNDED = 5  # digits, so that the last bits of another machine make no other order

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree: its classifier (none where it has one child) over some words, and its children in a fixed order."""

    model: Any
    words: Ints
    steps: tuple[Hashable, ...]


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Fit a classifier, or a tree of them."""
    answers, tasks = list[Any](), set[str]()

    def texts() -> Iterator[str]:
        for row, answer in rows:
            answers.append(answer)
            tasks.add(row.task)
            yield text(row)

    vectorise, vectors = base.fit(texts())
    routed = kind_of(min(tasks)).routes(Counter(answers)) if tasks else {}  # one family: all have the same kind
    learnt = [place for place, answer in enumerate(answers) if answer in routed]
    if not learnt:
        return lambda asked: [None] * len(asked)
    tree = _tree(vectors[learnt], [routed[answers[place]] for place in learnt], tell)
    answer_of = {route: answer for answer, route in routed.items()}

    def predict(asked: Sequence[Row]) -> Iterator[Guess | None]:
        for chunk in base.chunks(asked):
            keep = LEARNT if any("options" in row.extra for row in chunk) else CANDIDATES
            best = ranked(tree, vectorise([text(row) for row in chunk]), keep)
            for row, routes in zip(chunk, best, strict=True):
                answers = [answer_of[route] for route in routes]
                options = row.extra.get("options", answers)
                answers = [answer for answer in answers if answer in options]
                ranking = tuple(answers) if kind_of(row.task).ranked else ()
                yield Guess(answers[0], ranking) if answers else None

    return predict


def _tree(vectors: Any, routes: Sequence[Route], tell: Tell) -> dict[Route, Node]:
    """Fit a node for each way that routes begin; a node is known by the steps to it."""
    at: dict[Route, list[int]] = defaultdict(list)
    for place, route in enumerate(routes):
        for depth in range(len(route)):
            at[route[:depth]].append(place)
    tree = {}
    for number, (start, places) in enumerate(at.items(), 1):
        tree[start] = _node(vectors[places], [routes[place][len(start)] for place in places], tell)
        tell(f"{number:,} of {len(at):,} nodes")
    return tree


def _node(vectors: Any, chosen: Sequence[Hashable], tell: Tell) -> Node:
    from sklearn.linear_model import SGDClassifier

    steps = tuple(dict.fromkeys(chosen))
    if len(steps) == 1:
        return Node(None, np.empty(0, np.int64), steps)
    numbers = {step: number for number, step in enumerate(steps)}
    labels, words = np.array([numbers[step] for step in chosen]), np.unique(vectors.indices)
    large = len(chosen) * len(steps) > LARGE
    model = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=SEED, n_jobs=-1 if large else None)
    own = vectors[:, words]
    for turn in range(1, PASSES + 1):
        model.partial_fit(own, labels, np.arange(len(steps)))
        if large:
            tell(f"{len(steps):,} classes, pass {turn} of {PASSES}")
    return Node(model, words, steps)


def ranked(tree: Mapping[Route, Node], vectors: Any, keep: int) -> list[list[Route]]:
    """Return the likeliest routes of each vector, best first, at most ``keep``; equally likely ones as they were learnt."""
    beams: list[list[tuple[float, Route]]] = [[(0.0, ())] for _ in range(vectors.shape[0])]
    while waiting := _open(beams, tree):
        longer: dict[int, list[tuple[float, Route]]] = defaultdict(list)
        for start, places in waiting.items():
            node = tree[start]
            for place, gains in zip(places, _logs(node, vectors[list(places)]), strict=True):
                steps = zip(gains, node.steps, strict=True)
                routes = [(places[place] + gain, (*start, step)) for gain, step in steps]
                longer[place] += sorted(routes, key=lambda pair: -pair[0])[:keep]
        for place, routes in longer.items():
            ended = [pair for pair in beams[place] if pair[1] not in tree]
            beams[place] = sorted(ended + routes, key=lambda pair: -round(pair[0], ROUNDED))[:keep]
    return [[route for _, route in beam] for beam in beams]


def _open(beams: list[list[tuple[float, Route]]], tree: Mapping[Route, Node]) -> dict[Route, dict[int, float]]:
    """Return, for each node that is still to be asked, the vectors that reached it and their log-probability there."""
    waiting: dict[Route, dict[int, float]] = defaultdict(dict)
    for place, beam in enumerate(beams):
        for logp, route in beam:
            if route in tree:
                waiting[route][place] = logp
    return waiting


def _logs(node: Node, vectors: Any) -> Any:
    """Return the log-probability of each child for each vector, vectors × children."""
    if node.model is None:
        return [[0.0]] * vectors.shape[0]
    return np.log(node.model.predict_proba(vectors[:, node.words]) + 1e-12).tolist()


LIMITS = {"words": base.WORDS, "options": LEARNT, "often": OFTEN}
BASELINE = Baseline(fit, ("choice", "path", "verdict"), LIMITS | {"passes": PASSES, "alpha": ALPHA, "seed": SEED})
