"""ECInstruct: ten e-commerce tasks as instructions, made of MAVE, ESCI, AmazonQA, Amazon reviews and Amazon-Google products.

Raw formats: rows with ``split, task, setting, instruction, input, options, output`` as on the hub, or re-splits with
``instruction, input, output`` alone, in which the options follow the input after a line break. ``label.json`` of eCeLLM has the
grades of the ranking task's test lists, in their order. Paper: Peng et al., eCeLLM, ICML 2024, arXiv:2402.08831.
MAVE, ESCI and AmazonQA beside it in a mixture hold products of its test split. Their queries and titles are the same ones, and
such rows leave training; its questions name no product, and only a question whose snippets are nearly the same is found.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import structs

from converters.core.errors import InputError, nearest
from converters.io import decoded
from converters.schema import Outcome, Ranking
from converters.sources.ecinstruct.forms import FORMS, UnusableError, fields_of, record, task_of
from converters.sources.esci import GAINS, grade, official
from converters.tasks.ranking import by_gain

URL = "https://huggingface.co/datasets/NingLab/ECInstruct, https://github.com/ninglab/eCeLLM (data_label/label.json)"
LICENCE = (
    "CC BY 4.0; parts are from MAVE (CC BY-NC 4.0, not for commercial use), ESCI (Apache-2.0), AmazonQA, Amazon reviews"
)
FILES = "hub:NingLab/ECInstruct, *.json, label.json"
TASKS = ("choice", "yes_no", "ranking", "attributes", "answer")
# The names in eCeLLM's scripts are not all those of its data.
_NAMES = {name.lower(): name for name in FORMS} | {"query_product_ranking": "Query_Product_Rank"}


class Row(msgspec.Struct, frozen=True):
    """One raw row; a re-split has the first three fields only."""

    instruction: str
    input: str
    output: str
    options: str | list[str] | None = None
    task: str | None = None
    setting: str | None = None
    split: str | None = None


def read(
    paths: Sequence[Path],
    *,
    setting: Annotated[str | None, "one of its settings, such as IND_Single_Instruction; null for all"] = None,
    only: Annotated[str | Sequence[str] | None, "some of its tasks, such as Sentiment_Analysis; null for all"] = None,
) -> Iterator[Outcome]:
    """Yield one outcome a row.

    The same row under two instructions becomes the same example. Lists of grades are given to the ranking rows of the test split.
    """
    chosen = [only] if isinstance(only, str) else list(only or FORMS)
    for name in chosen:
        if name not in FORMS:
            raise InputError(f"source 'ecinstruct': unknown task {name!r}{nearest(name, list(FORMS))}")
    rankings: list[tuple[str, Outcome]] = []
    grades: list[tuple[str, list[str]]] = []
    for path in paths:
        is_table = path.suffix == ".parquet" or str(path).startswith("hub:")
        kind: Any = Row if is_table else Row | list[str]
        for where, row in decoded([path], kind):
            if isinstance(row, list):
                grades.append((where, row))
            elif isinstance(row, Outcome):
                yield row
            else:
                outcome = _outcome(where, row, setting, chosen)
                if outcome.split in ("", "test") and any(isinstance(item, Ranking) for item in outcome.records):
                    rankings.append((row.setting or "", outcome))
                else:
                    yield outcome
    yield from _graded(rankings, grades)


def _outcome(where: str, row: Row, setting: str | None, chosen: Sequence[str]) -> Outcome:
    fields = fields_of(row.input, row.options, row.output)
    task = _NAMES.get(row.task.lower(), "") if row.task else task_of(fields, row.instruction)
    split = official(row.split)
    if not task:
        return Outcome(where, reason="none of the ten tasks")
    if split is None:
        return Outcome(where, reason="split is not train, validation or test")
    if setting and row.setting != setting:
        return Outcome(where, reason="other setting")
    if task not in chosen:
        return Outcome(where, reason="other task")
    try:
        return Outcome(where, (record(task, fields),), split=split)
    except UnusableError as error:
        return Outcome(where, reason=f"{task}: {error}")


def _graded(rankings: Sequence[tuple[str, Outcome]], grades: Sequence[tuple[str, list[str]]]) -> Iterator[Outcome]:
    """Give each setting's rankings their grades, in order; grades that fit no ranking are rows that are not used."""
    counts, used = Counter[str](), set[int]()
    for setting, outcome in rankings:
        number = counts[setting]
        counts[setting] += 1
        [ranking] = (item for item in outcome.records if isinstance(item, Ranking))
        labels = list(map(grade, grades[number][1])) if number < len(grades) else []
        gains = tuple(GAINS[label] for label in labels) if all(labels) else ()
        if gains and by_gain(gains) == by_gain(ranking.gains):
            yield structs.replace(outcome, records=(replace(ranking, gains=gains),), rows=1 + (number not in used))
            used.add(number)
        else:
            yield structs.replace(outcome, notes=(*outcome.notes, "gains taken from the order: no grades for the list"))
    for number, (where, _) in enumerate(grades):
        if number not in used:
            has_list = number < max(counts.values(), default=0)
            yield Outcome(where, reason="grades do not fit their list" if has_list else "grades without their list")
