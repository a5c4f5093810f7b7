"""hetPQA: human answers to product questions, each written from one piece of evidence.

Raw format: tab-separated columns ``ASIN, question, candidate, answer, source`` in files named ``.csv``. Paper: Shen et al.,
"semiPQA / hetPQA", ACL 2022 ECNLP. Each row becomes one question whose only snippet is the evidence, so the answer cites it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from converters.outcome import Outcome, digest, product_group
from converters.raw import need_columns, table
from converters.records import Question

URL = "https://github.com/amazon-science/contextual-product-qa"
LICENCE = "CDLA-Sharing-1.0"
FILES = "hetPQA__answer_generation__{train,dev,test}.csv"
TASKS = ("answer",)
COLUMNS = ("ASIN", "question", "candidate", "answer")


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a row; a row without a question, evidence or answer is rejected."""
    for path in paths:
        for where, row in table(path):
            if not isinstance(row, Outcome):
                need_columns(path, row, COLUMNS)
            yield row if isinstance(row, Outcome) else _outcome(where, row)


def _outcome(where: str, row: Mapping[str, str]) -> Outcome:
    asin, question, evidence, answer = (row[column].strip() for column in COLUMNS)
    if not (question and evidence and answer):
        return Outcome(where, reason="no question, evidence or answer")
    identifier = f"{asin}:{digest(question, evidence, answer)}"
    group = product_group(asin, question)
    return Outcome(where, (Question(identifier, group, question, (evidence,), answer, (1,)),))
