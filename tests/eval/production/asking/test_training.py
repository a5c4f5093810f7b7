"""What is asked is what was trained on: the same bytes for the same snippets, and the same snippets for the same texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.schema import Row
from converters.tasks.answer import question_of, snippets
from converters.text.retrieval import passages
from eval.production.asking import store, training
from eval.production.asking.answering import Settings, prepare
from eval.production.asking.questions import Asked
from eval.production.asking.snippets import Snippet
from eval.results import record
from tests.converters._mixed import splits_of

Make = Callable[..., Path]
LONG = [
    " ".join(f"The lid of number {n} comes off after {m} days, says the {m}th buyer." for m in range(n + 2))
    for n in range(12)
]
REVIEWED = [
    {
        "asin": "B000000001",
        "question": "Does the lid of number 3 come off?",
        "answer": "The lid comes off.",
        "answerType": "?",
    },
    {"asin": "B000000001", "question": "How many days did the 5th buyer wait &amp; see?", "answer": "Five days."},
    *({"asin": "B000000001", "reviewText": text} for text in LONG),
]


def rows(run: Path) -> list[Row]:
    found = splits_of(run.parents[1] / f"{run.name}.mix", "train")
    assert found
    return found


@pytest.mark.parametrize("keys", [{}, {"trim": {"tokens": 230}}, {"options": {"snippets": 2}}])
def test_a_row_to_ask_has_the_bytes_of_a_training_row(trained: Make, keys: dict[str, Any]) -> None:
    run = trained(**keys)
    context = training.context_of(run)
    abstained = 0
    for row in rows(run):
        content = row.messages[0].content
        made = training.row(context, "1", question_of(content), snippets(content))
        assert made is not None
        assert json.dumps(made.prompt).encode() == json.dumps(row.prompt).encode()
        abstained += row.target == made.target
        assert "< /s>" in content
    assert abstained


@pytest.mark.parametrize("options", [{"snippets": 4}, {"snippets": 10, "budget": 120}, {"snippets": 3, "budget": 60}])
def test_the_same_texts_give_the_same_prompt(trained: Make, tmp_path: Path, options: dict[str, Any]) -> None:
    """Retrieval, near repeats, budget and wording together: reviews, questions and options as the source has them."""
    run = trained(REVIEWED, options={"retrieval": "bm25", **options})
    context = training.context_of(run)
    texts = [Snippet("B1", piece, "catalogue", "text") for review in LONG for piece in passages(review)]
    record = store.Record(store.FORMAT, {}, {}, None)
    store.build(texts, tmp_path / "index", record, 1)
    shop = store.opened(tmp_path / "index")
    asked = [
        prepare(shop, context, Asked("1", question_of(row.messages[0].content), "B1"), Settings()) for row in rows(run)
    ]
    assert [one.row.prompt if one.row else None for one in asked] == [row.prompt for row in rows(run)]
    assert len(asked) == 2 and all(one.shown for one in asked)


def test_a_prompt_over_the_limit_is_cut_as_in_training(trained: Make) -> None:
    context = training.context_of(trained(trim={"tokens": 300}))
    whole = [f"{n} " + "word " * 60 for n in range(3)]
    row = training.row(context, "1", "Is it red?", whole)
    assert row and 290 < len(row.messages[0].content) <= 300
    cut = snippets(row.messages[0].content)
    assert len(cut) == 3 and all(
        full.startswith(text) and len(text) < len(full) for text, full in zip(cut, whole, strict=True)
    )
    assert training.row(context, "1", "red " * 200, ["x"]) is None


def test_of_several_entries_the_one_with_most_training_rows_decides(trained: Make, tmp_path: Path) -> None:
    run = trained(options={"snippets": 2})
    assert training.context_of(run).settings["snippets"] == 2
    assert training.context_of(run, snippets=5).how.most == 5
    assert training.context_of(run).settings["as_source"] == "amazonqa"


def test_what_cannot_be_as_in_training_is_said(trained: Make) -> None:
    assert training.context_of(trained()).remarks == ()
    [remark] = training.context_of(trained(few_shot=1, name="shots")).remarks
    assert "1 solved questions" in remark


def test_runs_that_cannot_be_asked(trained: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained()
    other = trained(name="other", tasks=["answerable"])
    monkeypatch.chdir(tmp_path)
    for name, said in (
        ("mime", "runs/mime: no such run; did you mean 'mine'?"),
        (str(other), "was not trained on task 'answer'"),
    ):
        with pytest.raises(InputError, match=said.replace("?", r"\?")):
            training.context_of(record.folder_of(name))
    assert record.folder_of("mine") == Path("runs/mine")
    (tmp_path / "mine.mix" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest.json: is gone"):
        training.context_of(run)
