"""Cuts the context of a row that is too long to train on: snippets and product texts, never question, title or answer.

Training and test rows are cut alike, where the mix is built: what evaluation sends is what training saw. All contexts of a record
are cut to the same number of words (letters, in scripts without blanks), the largest with which its row fits, so the longest
lose most. Law: the answer stays as it was, and so does what it rests on: a text is kept up to the last value that an attribute
takes from it, a cited snippet whole.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from converters.schema import Answerable, Attributes, Chat, Question, Ranking, Record, Row, Text
from converters.text.lengths import Ruler
from converters.text.words import cuts

Render = Callable[[Record], Row]


def too_long(row: Row, ruler: Ruler, limit: int) -> bool:
    """Tell whether a row's texts are over the limit. No token is shorter than a byte, so most rows need no tokenizing."""
    texts = [turn.content for turn in row.messages]
    return sum(len(text.encode()) + 1 for text in texts) > limit and int(ruler.measure(texts).sum()) > limit


def fitted(record: Record, render: Render, long: Callable[[Row], bool]) -> Row | None:
    """Return the row of a record, its context cut as far as it must be; ``None`` where even that is too long."""
    row = render(record)
    if not long(row):
        return row
    most = max((sum(1 for _ in cuts(text)) for text in contexts(record)), default=0)
    # The first number of words with which the row is too long: everything below it fits.
    words = bisect_left(range(1, most + 1), True, key=lambda size: long(render(cut(record, size))))
    return render(cut(record, words)) if words else None


def contexts(record: Record) -> tuple[str, ...]:
    """Return the texts of a record that may be cut: all of a product but its first, which is its title, or the snippets."""
    if isinstance(record, Chat | Ranking):
        return ()
    if isinstance(record, Question | Answerable):
        return record.snippets
    return tuple(text.text for text in record.texts[1:])


def cut(record: Record, words: int) -> Record:
    """Return a record with every context cut to so many words, further on only for what its answer rests on.

    >>> cut(Question("1", "g", "Big?", ("It is red.", "It is big, really."), "Yes", cited=(2,)), 2).snippets
    ('It is', 'It is big, really.')
    """
    if isinstance(record, Chat | Ranking):
        return record
    if isinstance(record, Question | Answerable):
        whole = record.cited if isinstance(record, Question) else ()
        snippets = enumerate(record.snippets, 1)
        return replace(record, snippets=tuple(text if n in whole else _begin(text, words) for n, text in snippets))
    texts = [text.text[: max(len(_begin(text.text, words)), _evidence(record, text.text))] for text in record.texts[1:]]
    cut = (Text(text.label, short) for text, short in zip(record.texts[1:], texts, strict=True))
    return replace(record, texts=(*record.texts[:1], *cut))


def _begin(text: str, words: int) -> str:
    ends = list(islice(cuts(text), words))
    return text[: ends[-1]] if ends else ""


def _evidence(record: Record, text: str) -> int:
    """Return where the last of an attribute's values first ends in a text, 0 where it holds none."""
    values = [value for _, stated in record.values for value in stated] if isinstance(record, Attributes) else []
    folded = text.casefold() if len(text.casefold()) == len(text) else text
    return max((at + len(v) for v in values if v and (at := folded.find(v.casefold())) >= 0), default=0)
