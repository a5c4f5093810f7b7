"""A typed question, answered by the very code that answers a file of questions, under the same guardrails."""

from converters.tasks.answer import ABSTENTION, Reply
from eval.inference.backends.base import Answer as Given
from eval.production.applying.decisions import Judged, judged
from eval.production.asking import answering
from eval.production.asking.guardrails import citations
from eval.production.asking.questions import Asked
from eval.production.asking.store import Store
from eval.production.asking.training import TASK, Context
from eval.production.confidence import threshold_of
from eval.production.trying.loading import Loaded
from eval.production.trying.views import Answer, Guarded, Part, Shown

UNIT = "answer"


def answer(loaded: Loaded, store: Store, context: Context, asked: Asked) -> Answer:
    """Return the answer to a question, with the snippets that the model was shown and what the guardrails did."""
    prepared = answering.prepare(store, context, asked, loaded.settings)
    given = answering.ask_one(loaded.module, loaded.model, loaded.plan, prepared.row) if prepared.row else None
    line = answering.finish(prepared, given.prediction if given else None)
    reply = answering.read(given.prediction if given else None) or Reply(None)
    # Of an answer that is withheld, what the model cites.
    cited = {each.number for each in line.cited} or {*citations.existing(reply, len(prepared.shown))[0].cited}
    sure = judged(prepared.row, given, loaded.calibration) if prepared.row and given else None
    return Answer(
        question=asked.question,
        said=line.answer,
        abstained=line.abstained,
        model=_part(loaded, given, sure) if given and sure else None,
        withheld=line.withheld is not None,
        why=sure.why if sure and loaded.calibration else (),
        guardrails=tuple(Guarded(each.guardrail, each.action, each.reason) for each in line.guardrails),
        snippets=tuple(
            Shown(number, each.text, each.product, each.kind, each.source, each.date, number in cited)
            for number, each in enumerate(prepared.shown, 1)
        ),
    )


def _part(loaded: Loaded, given: Given, sure: Judged) -> Part:
    """Return the model's own answer, as it wrote it."""
    calibration, readable = loaded.calibration, sure.answer is not None
    threshold = threshold_of(calibration, TASK, sure.answer, UNIT) if calibration and readable else None
    name = "abstention" if str(sure.answer) == ABSTENTION else UNIT
    return Part(name, given.prediction or "", (sure.confidence or {}).get(UNIT), threshold, sure.decision)
