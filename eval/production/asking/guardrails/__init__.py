"""The guardrails, one pure function a module: what an answer may rest on, and what is withheld.

``unanswerable`` abstains before the model is asked; ``orders`` keeps what a review commands a text; ``citations``, ``grounding``
and ``offers`` look at the answer. What each of them gains and costs is measured (``measure``), not claimed here.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from converters.tasks.answer import Reply
from eval.production.asking.guardrails import grounding, offers
from eval.production.asking.snippets import Snippet

WITHHOLDING: dict[str, Callable[[str, Reply, Sequence[Snippet]], str]] = {
    "grounding": grounding.objection,
    "offers": offers.objection,
}
"""By name what withholds an answer: question, reply and the snippets shown to the reason why, "" where there is none."""


class Decision(msgspec.Struct, frozen=True):
    """What a guardrail did to an answer, and why."""

    guardrail: str
    action: Literal["abstained", "removed", "moved", "withheld"]
    reason: str


def objections(question: str, reply: Reply, snippets: Sequence[Snippet]) -> list[Decision]:
    """Return what every guardrail has against an answer; an abstention states nothing, so that nothing can be wrong with it."""
    if reply.text is None:
        return []
    found = ((name, objection(question, reply, snippets)) for name, objection in WITHHOLDING.items())
    return [Decision(name, "withheld", reason) for name, reason in found if reason]


__all__ = ["WITHHOLDING", "Decision", "objections"]
