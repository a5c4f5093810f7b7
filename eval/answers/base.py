"""What a kind of answer is: a frozen record of all that depends on an answer's shape, and helpers that several kinds share."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from converters.schema import Row
from eval.metrics._normalise import Normalise
from eval.metrics.base import Example, Match, Shape, Tools
from eval.metrics.extraction import Slots
from eval.metrics.generation import TEXT

SHARES = {"head": 0.5, "torso": 0.9, "tail": 1.0}
LABEL = re.compile(
    r"\b(?:answer|category(?: path)?|path|output|result|option)\b[^\S\n]{0,3}(?:is[^\S\n]{0,3})?:?[^\S\n]{0,3}", re.I
)
# What parts a list: a comma, but for one within a number ("1,5"), in any script, or a semicolon.
COMMA = re.compile(r"\s*(?:[;；،؛、，]|,(?!(?<=\d,)\d))\s*")
_WHOLE = re.compile(r"\d+(?:,\d+)+", re.ASCII)  # a list of whole numbers
WRAPPING = " \t\r\n`\"'*_.()[]{}“”«»「」『』（）。"
VALUE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2}, {"type": "null"}]}

Predictor = Callable[[Example], Any]
Times = Callable[[Any], int]  # how often an answer occurs in training
Labels = dict[str, Sequence[str]]  # by kind of slice: each item's slice, "" for none
Route = tuple[Hashable, ...]
Unit = tuple[str, int, int]  # its name, and its first character and the one behind its last in the text of a prediction


@dataclass(frozen=True, slots=True)
class Texts:
    """A limit: the answer is one of these texts, word for word."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """A limit: the answer is a JSON object with these keys, in this order, each a text, texts or null."""

    keys: tuple[str, ...]

    @property
    def json(self) -> dict[str, Any]:
        """Return the JSON schema."""
        properties, keys = dict.fromkeys(self.keys, VALUE), list(self.keys)
        return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}


Limit: TypeAlias = Texts | Schema | None


def one_of(values: Iterable[str]) -> Texts | None:
    """Return the limit to these texts, ``None`` if there are none."""
    return Texts(distinct) if (distinct := tuple(dict.fromkeys(values))) else None


def lines(text: str) -> Iterator[str]:
    """Yield the first line and the last, without quotes and brackets around them, and what follows a label like "Answer:"."""
    full = [line for line in text.splitlines() if line.strip()]
    for line in dict.fromkeys(full[:1] + full[-1:]):
        yield line.strip(WRAPPING)
        if label := LABEL.search(line[:1000]):
            yield line[label.end() :].strip(WRAPPING)


def pieces(text: str) -> tuple[str, ...]:
    """Return the items of a list that is written as one text, in brackets or not.

    >>> pieces("[Red, 'dark blue'; 1,5 l]"), pieces("赤、青"), pieces("38,39,40")
    (('Red', 'dark blue', '1,5 l'), ('赤', '青'), ('38', '39', '40'))
    """
    bare = text.strip("[](){} ")
    parts = bare.split(",") if _WHOLE.fullmatch(bare) else COMMA.split(bare)
    return tuple(item for part in parts if (item := part.strip(" \"'“”`")))


def commonest(values: Iterable[Any]) -> Any:
    """Return the most frequent value, the first of equally frequent ones."""
    return Counter(values).most_common(1)[0][0]


def frequencies(classes: Sequence[Hashable], times: Times | None) -> list[str]:
    """Name each class head, torso or tail by its frequency in training or, if that is not given, in the test gold."""
    names = bands({each: times(each) if times else count for each, count in Counter(classes).items()})
    basis = "training" if times else "test gold"
    return [f"{names[each]}, by {basis}" for each in classes]


def bands(times: Mapping[Hashable, int]) -> dict[Hashable, str]:
    """Name each class head (the commonest, up to half of all occurrences), torso (up to 90 %) or tail.

    >>> bands({"a": 50, "b": 30, "c": 15, "d": 4, "e": 1, "f": 0})
    {'a': 'head', 'b': 'torso', 'c': 'torso', 'd': 'tail', 'e': 'tail', 'f': 'tail'}
    """
    total, before, named = sum(times.values()), 0, {0: "tail"}
    for count, classes in sorted(Counter(times.values()).items(), reverse=True):
        if count:
            named[count] = next(name for name, share in SHARES.items() if before < share * total)
        before += count * classes
    return {each: named[count] for each, count in times.items()}


def whole(text: str) -> Iterator[Unit]:
    """Yield the whole answer as one unit."""
    yield "answer", 0, len(text) + 1


def seen_label(times: int) -> str:
    """Name the slice of an answer that occurs so many times in training."""
    return "seen in training" if times else "unseen in training"


def seen_answers(examples: Sequence[Example], times: Times | None) -> Labels:
    """Return whether each gold answer occurs in training; nothing without a training split."""
    return {"seen": [seen_label(times(e.gold)) for e in examples]} if times else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Shape):
    """One kind of answer. Only the first two fields are required; :class:`Shape` describes what metrics ask.

    ``reason`` says why a text, not empty, cannot be read, in a few words to be counted. ``predictors`` are the trivial ones,
    fitted to the test gold. ``lenient`` yields what an unreadable text may mean, likeliest first, for the task to read;
    ``forgive`` does the same for a readable answer. ``listed`` yields what a text without the task's form may mean for its
    row, given the meta; ``spread`` takes one text apart that stands for several, where the gold answer has several. ``limit``
    is what a row's answer may be, for constrained decoding, given the paths of the taxonomy. ``labels`` are the kind's own
    slices of rows, ``slots`` those of a record's slots. ``training_keys`` are what a training row with this answer adds to the
    counts of answers. ``routes`` are the steps to each answer that a classifier learns. ``portable`` leaves out what makes
    sense for its own row only. ``ranked``: baselines give further candidates. ``prompt``: metrics or predictors read the
    prompt. ``judged`` returns a row's question and snippets for a judge, ``None``: not judged. ``breakdown`` names what a
    report shows: "tree", "words", "replies" (words and abstention), or nothing. ``units`` yields the parts of a readable
    prediction's text that have a confidence of their own, the whole answer first where a walk has such answers; the end token
    counts as one more character. ``average``: their confidence is the mean of their tokens', for texts of any length.
    """

    reason: Callable[[str], str]
    predictors: Callable[[Sequence[Example]], Mapping[str, Predictor]]
    lenient: Callable[[str], Iterator[str]] = lines
    forgive: Callable[[Any], Any] = lambda answer: answer
    listed: Callable[[str, Mapping[str, Any]], Iterator[str]] = lambda text, meta: iter(())
    spread: Callable[[Any, Any], Any] = lambda answer, gold: answer
    limit: Callable[[Row, Sequence[str]], Limit] = lambda row, paths: None
    labels: Callable[[Sequence[Example], Times | None], Labels] = lambda examples, times: {}
    slots: Callable[[Sequence[Example], Tools, Times | None], tuple[Slots, Labels]] | None = None
    training_keys: Callable[[Any, Normalise], Iterable[Hashable]] = lambda answer, normalise: (answer,)
    routes: Callable[[Counter[Any]], dict[Any, Route]] = lambda counts: {answer: (answer,) for answer in counts}
    portable: Callable[[Any], Any] = lambda answer: answer
    ranked: bool = False
    prompt: bool = False
    judged: Callable[[Row], tuple[str, list[str]]] | None = None
    breakdown: str = ""
    units: Callable[[str], Iterator[Unit]] = whole
    average: bool = False
    same: Callable[[Example, Normalise], bool] = TEXT.same
    tokens: Callable[[Example], tuple[float, float, float]] = TEXT.tokens
    matches: Callable[[Example, Tools], list[Match]] = TEXT.matches
    borrow: Callable[[Any, Any], Any] = TEXT.borrow
