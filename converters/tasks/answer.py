"""``[QA]``: a short answer from numbered snippets, citing them, or the one fixed abstention sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.schema import Answerable, Question
from converters.tasks.base import Task

PREFIX = "[QA]"
ABSTENTION = "The snippets do not say."
_CITATION = re.compile(r"\[(\d{1,4})\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the 1-based numbers of the snippets it cites; ``text`` is ``None`` for an abstention."""

    text: str | None
    cited: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the answer without its citations, an abstention as its sentence."""
        return self.text or ABSTENTION


def prompt(record: Question) -> str:
    """Return the instruction, the question, then the numbered snippets, if there are any."""
    cite = f'Answer from the snippets and cite them, or say "{ABSTENTION}"'
    return f"{PREFIX} {cite if record.snippets else 'Answer from what you know.'}\n{numbered(record)}"


def numbered(record: Question | Answerable) -> str:
    """Return the question and the numbered snippets, a line each."""
    snippets = (f"[{number}] {text}" for number, text in enumerate(record.snippets, 1))
    return "\n".join([f"Question: {record.question}", *snippets])


def answer(record: Question) -> Reply:
    """Return the reference answer, or the abstention when the snippets hold none."""
    return Reply(record.answer, record.cited) if record.answer else Reply(None)


def render(reply: Reply) -> str:
    """Write an answer.

    >>> render(Reply("Yes, up to 90 C.", (1, 3)))
    'Yes, up to 90 C. [1] [3]'
    """
    return " ".join([str(reply), *(f"[{number}]" for number in reply.cited)])


def parse(text: str) -> Reply | None:
    """Read an answer; an empty one, or citations alone, is unreadable.

    >>> parse("Yes, up to 90 C. [1][3]")
    Reply(text='Yes, up to 90 C.', cited=(1, 3))
    >>> parse("The snippets do not say.")
    Reply(text=None, cited=())
    """
    text, cited = text.strip(), set[int]()
    end = len(text)
    # From the end, one at a time and without a copy: otherwise a long row of brackets takes quadratic time.
    while text.endswith("]", 0, end) and (citation := _CITATION.fullmatch(text, text.rfind("[", 0, end), end)):
        cited.add(int(citation[1]))
        end = citation.start()
        while end and text[end - 1].isspace():
            end -= 1
    text = text[:end]
    if not text:
        return None
    return Reply(None) if text == ABSTENTION else Reply(text, tuple(sorted(cited)))


def snippets(text: str) -> list[str]:
    """Return the snippets of a prompt written by :func:`prompt`: those of the last question, if solved ones precede it.

    >>> snippets(prompt(Question("1", "g", "How big?", ("1 L.", "Nice."), None)))
    ['1 L.', 'Nice.']
    """
    return [line.partition("] ")[2] for line in _last_question(text)[1:]]


def question_of(text: str) -> str:
    """Return the question of a prompt written by :func:`prompt`: the last one, if solved ones precede it.

    >>> question_of(prompt(Question("1", "g", "How big?", ("1 L.",), None)))
    'How big?'
    """
    return "".join(_last_question(text)[:1]).removeprefix("Question: ")


def _last_question(text: str) -> list[str]:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Question: ")]
    return lines[starts[-1] :] if starts else []


def meta(record: Question) -> Mapping[str, Any]:
    """Return the further reference answers, and the ranks at which retrieval found the snippets known to hold the answer."""
    extra = {"references": record.references, "relevant_ranks": record.ranks}
    return {key: list(value) for key, value in extra.items() if value}


METRICS = (
    "rouge_l", "unanswerable_f1", "unanswerable_macro_f1", "exact_match", "token_f1", "semantic_f1", "bert_score_f1",
    "has_answer_token_f1", "has_answer_accuracy", "has_none_accuracy", "citation_precision", "citation_recall", "recall_at_1",
    "recall_at_5", "mrr", "answer_relevance", "answer_relevance_proxy", "groundedness", "groundedness_proxy",
)  # fmt: skip
TASK = Task(PREFIX, Question, prompt, answer, render, parse, kind="reply", metrics=METRICS, meta=meta)
