"""Whether to answer at all, split by whether there is an answer (SQuAD 2.0's HasAns and NoAns, arXiv:1806.03822).

A run that always abstains has 1 on the questions without an answer and 0 on the others, so neither stands alone. The macro F1 is
over the two classes "answered" and "unanswerable"; an unreadable answer is neither.
"""

from collections.abc import Sequence

import numpy as np

from eval.metrics.base import Example, Floats, Metric, Tools, lines, mean, mean_where, ratio
from eval.metrics.texts import abstains, best_token_f1


def half(none: bool) -> Metric:
    """Return the accuracy on the questions that have no answer (``none``) or on those that have one.

    Always abstaining, or never, has 1 in one of the halves: the opponent in either is one who guesses at the gold's rate.

    >>> said = [Example("1", "g", True, answer) for answer in (True, False, None)]
    >>> half(False).table(said, Tools(str)).tolist(), half(True).table(said, Tools(str)).any().item()
    ([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]], False)
    """

    def right(examples: Sequence[Example], tools: Tools) -> Floats:
        return lines(
            (float(e.said is not None and abstains(e.said) == none), 1.0) if abstains(e.gold) == none else (0.0, 0.0)
            for e in examples
        )

    def blind(examples: Sequence[Example], tools: Tools) -> Floats:
        applies = [abstains(e.gold) == none for e in examples]
        share = sum(applies) / len(applies)
        return lines((share, 1.0) if applied else (0.0, 0.0) for applied in applies)

    return Metric(right, mean, binary=True, guesses={"guess at the gold's rate": blind}, trivial=False)


def answer_tokens(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 2: token F1 of the questions that have an answer, an abstention there counts 0.

    >>> from converters.tasks.answer import Reply
    >>> found = [Example("1", "g", Reply("red mug"), said) for said in (Reply("red"), Reply(None))]
    >>> answer_tokens(found, Tools(str)).round(3).tolist()
    [[0.667, 1.0], [0.0, 1.0]]
    """
    return lines(
        (0.0, 0.0) if abstains(e.gold) else (0.0 if abstains(e.said) else best_token_f1(e), 1.0) for e in examples
    )


def both_classes(examples: Sequence[Example], tools: Tools) -> Floats:
    """Return n × 6: right, said and gold of "unanswerable" and of "answered"."""
    return lines(_classes(e) for e in examples)


def _classes(example: Example) -> tuple[bool, ...]:
    gold, said = abstains(example.gold), abstains(example.said)
    answers = example.said is not None and not said
    return said and gold, answers and not gold, said, answers, gold, not gold


def macro_f1(sums: Floats) -> Floats:
    """Average F1 over the classes that the gold has.

    >>> macro_f1(np.array([1.0, 0, 2, 0, 1, 1])).item().__round__(3)
    0.333
    """
    right, said, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, 2), -2, 0)
    return mean_where(ratio(2 * right, said + gold, gold), gold)


_ABSTENTION = {
    "unanswerable_macro_f1": Metric(both_classes, macro_f1, each=False),
    "has_answer_accuracy": half(False),
    "has_none_accuracy": half(True),
    "has_answer_token_f1": Metric(answer_tokens, mean),
}
