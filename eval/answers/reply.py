"""An answer from snippets that it cites, or the abstention."""

import re
from collections.abc import Sequence

from converters.tasks.answer import ABSTENTION, Reply, question_of, snippets
from eval.answers.base import WRAPPING, Kind, Labels, Times, seen_label
from eval.metrics.base import Example

_CITED = re.compile(r"[^\S\n]?\[(\d{1,4}(?: ?[,;] ?\d{1,4}){0,99})\]", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)


def _first_snippet(example: Example) -> Reply | None:
    first, *_ = (*snippets(example.prompt), "")
    return Reply(first, (1,)) if first else None


def forgive(reply: Reply) -> Reply:
    """Accept citations in the middle of an answer, or several in one pair of brackets, and the abstention in other letters."""
    found = (number for cited in _CITED.findall(reply.text or "") for number in _NUMBER.findall(cited))
    cited = tuple(sorted({*reply.cited, *map(int, found)}))
    text = _CITED.sub("", reply.text or "").strip()
    plain, abstention = (words.casefold().strip(WRAPPING) for words in (text, ABSTENTION))
    if not text or plain == abstention:
        return Reply(None) if text or reply.text is None else reply
    return Reply(text, cited)


def labels(examples: Sequence[Example], times: Times | None) -> Labels:
    """Return whether the gold's text occurs in training; an abstention is in neither slice."""
    if times is None:
        return {}
    return {"seen": ["" if e.gold.text is None else seen_label(times(e.gold.text)) for e in examples]}


KIND = Kind(
    reason=lambda text: "citations without an answer",
    predictors=lambda examples: {"always abstain": lambda _: Reply(None), "first snippet": _first_snippet},
    lenient=lambda text: iter(()),
    forgive=forgive,
    labels=labels,
    training_keys=lambda reply, normalise: (reply.text,),
    portable=lambda reply: Reply(reply.text),
    prompt=True,
    judged=lambda row: (question_of(row.messages[-2].content), snippets(row.messages[-2].content)),
    average=True,
    breakdown="replies",
)
