"""Baselines: what each says, on rows of every task, that none of them sees the test gold, and that the file is like any other."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters import tasks
from converters.core.errors import InputError
from converters.examples import example
from converters.io import jsonl
from converters.schema import Attributes, Chat, Choice, Listing, Message, Question, Ranking, Row, Text, Turn, Verdict
from converters.tasks import category_shortlist
from eval import baselines
from eval.answers import names as answer_kinds
from eval.baselines import _predict
from eval.baselines._predict import NOBODY, Written, predict

NAMES = baselines.names()


def quiet(_: str) -> None:
    pass


@pytest.fixture
def products() -> int:
    return 24


@pytest.fixture
def answers(tmp_path: Path) -> Callable[..., list[Written]]:
    """What a baseline says to rows after it was fitted on others."""

    def said(name: str, train: Sequence[Row], rows: Sequence[Row]) -> list[Written]:
        path = tmp_path / "train.jsonl"
        jsonl.write_lines(path, train)
        return predict(name, path, rows, quiet)

    return said


def learnt(rows: Sequence[Row]) -> list[Row]:
    return [msgspec.structs.replace(row, id=f"train:{row.id}") for row in rows]


def listing(name: str, title: str, *path: str, task: str = "category") -> Row:
    return example(Listing(name, f"asin:{name}", (Text("Title", title),), path), task, "s")


def product(name: str, title: str, **values: tuple[str, ...]) -> Row:
    return example(Attributes(name, f"asin:{name}", (Text("Title", title),), tuple(values.items())), "attributes", "s")


def asked(name: str, question: str, snippets: tuple[str, ...], answer: str | None, *cited: int) -> Row:
    return example(Question(name, f"asin:{name}", question, snippets, answer, cited), "answer", "s")


def test_the_folder_is_the_registry() -> None:
    assert {"bm25", "dictionary", "first", "linear", "majority", "nearest"} <= {*NAMES}
    for name in NAMES:
        assert {*baselines.get(name).kinds} <= {*answer_kinds()}
    with pytest.raises(InputError, match="unknown baseline 'linaer'; did you mean 'linear'"):
        baselines.get("linaer")


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_every_task_has_a_readable_answer(name: str, answers: Any, rows: list[Row]) -> None:
    found = answers(name, learnt(rows), rows)
    assert len({row.task for row in rows}) >= 9 and len(found) == len(rows)
    for row, said in zip(rows, found, strict=True):
        task = tasks.get(row.task)
        read = task.parse(said.prediction)
        assert read is not None and task.settle(read, row.extra) is not None, (row.task, said)
        assert said.by in (name, "majority")
        bare = task.kind == "path" and name == "first"  # these rows list no candidates
        assert said.by == name or bare or task.kind not in baselines.get(name).kinds, (row.task, said)
        assert not said.candidates or said.candidates[0] == said.prediction
        assert len({*said.candidates}) == len(said.candidates)


def _robbed(row: Row) -> Row:
    """Return a row without its target, the answers of earlier turns, references and grades."""
    last = len(row.messages) - 1
    hide = set(range(1, last, 2)) if tasks.get(row.task).walk else set[int]()
    messages = [Turn(t.role, "" if place in hide | {last} else t.content) for place, t in enumerate(row.messages)]
    extra = dict(row.extra)
    for name in ("references", "relevant_ranks", "implicit", "taxonomy"):
        extra.pop(name, None)
    if "gains" in extra:
        extra["gains"] = [9.0] * len(extra["gains"])
    return msgspec.structs.replace(row, messages=messages, meta=json.dumps(extra))


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_depends_on_the_test_gold(name: str, answers: Any, rows: list[Row]) -> None:
    train = learnt(rows)
    robbed = [_robbed(row) for row in rows]
    assert all(not row.target for row in robbed)
    assert answers(name, train, robbed) == answers(name, train, rows)


def test_majority_counts_answers_and_what_says_nothing(answers: Any) -> None:
    train = [
        product("1", "a", Brand=("Acme",), Color=()),
        product("2", "b", Brand=("Acme",), Color=()),
        product("3", "c", Brand=("Bolt",), Color=("Red",)),
        listing("4", "x", "Home", "Mugs"),
        listing("5", "x", "Home", "Mugs"),
        listing("6", "x", "Home", "Pans"),
        asked("7", "Hot?", ("Yes it is.",), None),
        example(Ranking("8", "g8", "mug", ("Pan", "Mug"), (0.0, 1.0)), "ranking", "s"),
        example(Choice("9", "g9", "Which?", (), ("A mug", "Pan"), "Pan"), "choice", "s"),
        example(Verdict("10", "g10", "Is it?", (), True), "yes_no", "s"),
    ]
    rows = [
        product("21", "Acme", Color=("Blue",), Brand=(), Size=("L",)),
        listing("22", "pan", "Car"),
        asked("23", "Cold?", ("No.",), "No.", 1),
        example(Ranking("24", "g", "mug", ("Pan", "Mug"), (1.0, 0.0)), "ranking", "s"),
        example(Ranking("25", "g", "mug", ("Pan", "Mug", "Cup"), (0.0, 1.0, 0.1)), "ranking", "s"),
        example(Choice("26", "g", "Which?", (), ("Pan", "A mug"), "A mug"), "choice", "s"),
        example(Choice("27", "g", "Which?", (), ("Rug", "Bed"), "Rug"), "choice", "s"),
        example(Verdict("28", "g", "Is it?", (), False), "yes_no", "s"),
        example(Chat("29", "g", (Message("user", "Hi"), Message("assistant", "Ho"))), "general", "s"),
    ]
    found = answers("majority", train, rows)
    assert [said.prediction for said in found] == [
        '{"Color": null, "Brand": "Acme", "Size": null}',
        "Home > Mugs",
        "The snippets do not say.",
        "2, 1",
        "1, 2, 3",
        "Pan",
        "Bed",  # no option is known: the second one was right in training
        "yes",
        "",
    ]
    assert found[1].candidates == ("Home > Mugs", "Home > Pans")
    assert [said.by for said in found] == ["majority"] * 8 + [NOBODY]


def test_dictionary_takes_the_longest_known_value_as_the_text_spells_it(answers: Any) -> None:
    train = [product("1", "x", Color=("Red", "dark red"), Size=("1.5 L",)), product("2", "x", Color=("Tan",), Size=())]
    rows = [
        product("21", "Mug, Dark Red or red, 1.5 l", Color=(), Size=(), Brand=()),
        product("22", "Titan mug 11.5 L", Color=(), Size=()),
        product("23", "A TAN mug, then Red", Color=(), Size=()),
    ]
    assert [said.prediction for said in answers("dictionary", train, rows)] == [
        '{"Color": "Dark Red", "Size": "1.5 l", "Brand": null}',
        '{"Color": null, "Size": null}',
        '{"Color": "TAN", "Size": null}',
    ]


def test_first_and_best_snippet_are_cited(answers: Any) -> None:
    rows = [
        asked("1", "How long does it keep hot?", ("Nice colour.", "It does keep tea hot for hours."), "For hours.", 2),
        asked("2", "Hot?", (), "Yes."),
        asked("3", "Big?", ("[7]", "Not so big."), None),
    ]
    train = [asked("9", "Cold?", ("No.",), None)]
    first, best = (answers(name, train, rows) for name in ("first", "bm25"))
    assert first[0].prediction == "Nice colour. [1]" and best[0].prediction == "It does keep tea hot for hours. [2]"
    assert best[2].prediction == "Not so big. [2]"
    # Without snippets, and where the first one is nothing but a citation, the majority speaks.
    assert [(said.prediction, said.by) for said in first[1:]] == [("The snippets do not say.", "majority")] * 2
    assert best[1].by == "majority"


def test_first_takes_a_shortlists_first_candidate(answers: Any) -> None:
    bare, names = listing("1", "mug", "Home", "Mugs", task="category_shortlist"), ["Home > Pans", "Home > Mugs"]
    listed = category_shortlist.listed(bare.messages[0].content, names)
    row = msgspec.structs.replace(
        bare, messages=[Turn("user", listed), bare.messages[1]], meta=json.dumps({"candidates": names})
    )
    assert answers("first", [], [row]) == [Written("Home > Pans", ("Home > Pans", "Home > Mugs"), "first")]
    assert answers("nearest", learnt([bare]), [row])[0].by == "nearest"


def test_bm25_orders_candidates_by_their_match_to_the_query(answers: Any) -> None:
    names = ("Steel pan", "Blue mug: large", "Red mug", "Red rug")
    row = example(Ranking("1", "g", "red mug", names, (1.0, 0.0, 0.0, 0.0)), "ranking", "s")
    assert answers("bm25", [], [row])[0].prediction.startswith("3, ")
    assert answers("bm25", [], [row])[0].prediction.endswith(", 1")
    assert answers("first", [], [row])[0].prediction == "1, 2, 3, 4"


def test_nearest_answers_as_the_most_similar_training_row(answers: Any) -> None:
    train = [
        listing("1", "red enamel mug", "Home", "Mugs"),
        listing("2", "garden tent", "Sports", "Tents"),
        listing("3", "plain white mug", "Home", "Cups"),
        product("4", "red enamel mug", Color=("Red",)),
        product("5", "steel mug", Size=("L",)),
        asked("6", "Does the mug keep tea hot?", ("It does.",), "It does.", 1),
        example(Choice("7", "g7", "Which?", (Text("Title", "red mug"),), ("Mug", "Pan"), "Mug"), "choice", "s"),
        example(Choice("8", "g8", "Which?", (Text("Title", "iron pan"),), ("Mug", "Pan"), "Pan"), "choice", "s"),
    ]
    rows = [
        listing("21", "blue enamel mug", "Car"),
        listing("22", "zzz", "Car"),
        product("23", "red enamel mug", Size=(), Color=(), Brand=()),
        asked("24", "Will the mug keep tea hot?", ("Maybe.", "No."), "No.", 2),
        example(Choice("25", "g", "Which?", (Text("Title", "red mug"),), ("Pan", "Rug"), "Rug"), "choice", "s"),
    ]
    found = answers("nearest", train, rows)
    assert [said.prediction for said in found] == [
        "Home > Mugs",
        "Home > Mugs",  # no word in common with training: the majority's, of equal ones the first
        '{"Size": "L", "Color": "Red", "Brand": null}',
        "It does.",  # without the citation of another row's snippet
        "Pan",
    ]
    assert [said.by for said in found] == ["nearest", "majority", "nearest", "nearest", "nearest"]
    assert found[0].candidates == ("Home > Mugs", "Home > Cups")


def test_linear_walks_down_the_tree_and_knows_where_to_stop(answers: Any) -> None:
    paths = {
        "mug": ("Home", "Mugs"),
        "pan": ("Home", "Pans"),
        "house": ("Home",),
        "tent": ("Sports", "Camping", "Tents"),
    }
    filler = ("red", "blue", "big", "old", "new", "nice")
    train = [
        listing(f"{word}{n}", f"{filler[n % 6]} {word} {filler[n % 5]}", *path)
        for n in range(30)
        for word, path in paths.items()
    ]
    rows = [listing(word, f"green {word}", "x", task="category_shortlist") for word in paths]
    found = answers("linear", train, rows)
    assert [said.prediction for said in found] == ["Home > Mugs", "Home > Pans", "Home", "Sports > Camping > Tents"]
    assert all({*said.candidates} == {" > ".join(path) for path in paths.values()} for said in found)


def test_linear_chooses_among_the_options_of_the_row(answers: Any) -> None:
    options = ("Mug", "Pan", "Rug")
    train = [
        example(Choice(f"{n}", f"g{n}", "Which?", (Text("Title", f"{one.lower()} {n}"),), options, one), "choice", "s")
        for n in range(12)
        for one in (options[n % 3],)
    ]
    title = (Text("Title", "a mug"),)
    rows = [
        example(Choice("a", "g", "Which?", title, options, "Pan"), "choice", "s"),
        example(Choice("b", "g", "Which?", title, ("Pan", "Rug"), "Pan"), "choice", "s"),
        example(Choice("c", "g", "Which?", title, ("Bed", "Car"), "Car"), "choice", "s"),
    ]
    found = answers("linear", train, rows)
    assert found[0].prediction == "Mug" and found[1].prediction in ("Pan", "Rug")
    assert [said.by for said in found] == ["linear", "linear", "majority"]


@pytest.mark.parametrize("name", NAMES)
def test_a_task_that_training_has_no_row_of_gets_answers_too(name: str, answers: Any, rows: list[Row]) -> None:
    other = asked("x", "Is it red?", ("It is red.",), "Yes.", 1)
    for task in sorted({row.task for row in rows} - {other.task}):
        of_task = [row for row in rows if row.task == task]
        by = {said.by for said in answers(name, [other], of_task)}
        assert name not in ("linear", "nearest") or not by & {name}, "there was nothing to learn from"


def test_training_rows_that_cannot_be_used_are_counted_or_refused(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "train.jsonl"
    broken = msgspec.structs.replace(learnt(rows)[1], messages=[Turn("user", "x"), Turn("assistant", "no JSON")])
    jsonl.write_lines(path, [learnt(rows)[0], broken])
    found = _predict.training(path, rows)
    assert found["train_rows"] == {"attributes": 1, "category": 1} and found["train_unreadable"] == {"attributes": 1}
    assert found["train_sha256"] == jsonl.sha256(path)
    for lines, sentence in (
        (rows[:1], "found row .* of the test file"),
        ([], "found an empty file"),
        ([msgspec.structs.replace(broken, meta="[1]")], "train.jsonl:1: found meta '\\[1\\]', expected a JSON object"),
        ([msgspec.structs.replace(broken, messages=[])], "train.jsonl:1: found 0 messages"),
        ([msgspec.structs.replace(broken, task="atributes")], "did you mean 'attributes'"),
    ):
        jsonl.write_lines(path, lines)
        with pytest.raises(InputError, match=sentence):
            _predict.training(path, rows)
