"""Shared by all baselines: what one is, what it may see, and TF-IDF."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from scipy import sparse

from converters import examples, tasks
from converters.examples import prompt_turns
from converters.schema import Row, Turn
from converters.text.words import searched
from converters.transforms import few_shot

SHOWN = ("attributes", "candidates", "options")  # what a row's meta repeats of its prompt
CANDIDATES = 10  # ranked answers beside the first one, for top-K accuracy
WORDS = 2**18  # places that words are hashed to
CHUNK = 4096

Solved = tuple[Row, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer as its task reads it, and the likeliest answers, best first, where the baseline ranks them."""

    answer: Any
    candidates: tuple[Any, ...] = ()


Predict = Callable[[Sequence[Row]], Iterable[Guess | None]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One baseline.

    ``fit`` takes training rows of one family, each with its answer, read once; it returns a function from blinded rows of that
    family to a :class:`Guess` each, or ``None`` where it has none. ``kinds`` are the kinds of answers that it is for, all if
    none is named. ``settings`` are recorded with the predictions.
    """

    fit: Callable[[Iterator[Solved], Tell], Predict]
    kinds: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def family(task: str) -> str:
    """Return the task that ``task`` is another way to ask: their training rows have the same answers.

    >>> family("category_levels"), family("choice")
    ('category', 'choice')
    """
    return tasks.get(task).style_of or task


def blinded(row: Row) -> Row:
    """Return a row with an empty target, the turns that ask alone, and no more of its meta than its prompt tells.

    >>> turns = [Turn("user", "[CLASSIFY] Order\\n1: Mug\\n2: Pan"), Turn("assistant", "2, 1")]
    >>> row = blinded(Row(id="1", group="g", task="ranking", source="s", messages=turns, meta='{"gains":[0.0,1.0]}'))
    >>> row.target, row.meta
    ('', '{"gains":[0.0,0.0]}')
    """
    extra = row.extra
    meta = {name: extra[name] for name in SHOWN if name in extra}
    if "gains" in extra:  # how many candidates there are, not how good they are
        meta["gains"] = [0.0] * len(extra["gains"])
    messages = [*prompt_turns(row.task, row.messages), Turn("assistant", "")]
    return msgspec.structs.replace(row, messages=messages, meta=msgspec.json.encode(meta).decode())


def gold(row: Row) -> Any | None:
    """Return a training row's answer as it counts there; ``None`` if its task cannot read it."""
    answer = examples.gold(row)
    return None if answer is None else tasks.get(row.task).settle(answer, row.extra)


def question(row: Row) -> str:
    """Return the last turn that asks."""
    return prompt_turns(row.task, row.messages)[-1].content


def text(row: Row) -> str:
    r"""Return the words that tell one row from another: for a category and for attributes the product's texts, without labels.

    >>> turns = [Turn("user", "[CLASSIFY] Path:\n- Home > Mugs\nTitle: Red mug"), Turn("assistant", "Home > Mugs")]
    >>> text(Row(id="1", group="g", task="category", source="s", messages=turns, meta='{"candidates":["Home > Mugs"]}'))
    'Red mug'
    """
    prompt = question(row)
    if not tasks.get(row.task).prefix or "\n" not in prompt:
        return prompt
    own = few_shot.own(prompt).splitlines()
    if family(row.task) in ("category", "attributes"):
        listed = {f"- {path}" for path in row.extra.get("candidates", ())}
        return "\n".join(line.partition(": ")[2] for line in own if line not in listed)
    return "\n".join([prompt.partition("\n")[0], *own])


def fit(texts: Iterable[str]) -> tuple[Callable[[Sequence[str]], Any], Any]:
    """Fit TF-IDF; return the function from texts to vectors, and the vectors of ``texts``: texts × WORDS, CSR, float32."""
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = sparse.vstack([*map(counted, chunks(texts))] or [counted([""])[:0]], format="csr")
    some = counts.shape[0] > 0  # scikit-learn takes no table without rows
    transformer = TfidfTransformer(sublinear_tf=True).fit(counts if some else counted([""]))
    vectors = transformer.transform(counts, copy=False) if some else counts
    return lambda texts: transformer.transform(counted(texts)), vectors


def counted(texts: Sequence[str]) -> Any:
    """Return texts × WORDS: how often each word occurs."""
    from sklearn.feature_extraction.text import HashingVectorizer

    how = {"analyzer": partial(searched, accents=True), "alternate_sign": False, "norm": None, "dtype": np.float32}
    return HashingVectorizer(n_features=WORDS, **how).transform(texts)


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Yield ``values`` in lists of ``size``.

    >>> [*chunks("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(values)
    return iter(lambda: list(islice(rest, size)), [])
