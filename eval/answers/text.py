"""Free text."""

from eval.answers.base import Kind, seen_answers

KIND = Kind(
    reason=lambda text: "unreadable",
    predictors=lambda examples: {"empty": lambda _: None},
    lenient=lambda text: iter(()),  # any text but an empty one is an answer
    labels=seen_answers,
    judged=lambda row: ("\n\n".join(turn.content for turn in row.messages[:-1]), []),
    average=True,
    breakdown="words",
)
