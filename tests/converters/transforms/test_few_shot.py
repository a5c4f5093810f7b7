"""Demonstrations are solved training rows of other groups, and stand between instruction and product."""

import json
from pathlib import Path

import pytest

from converters import cli
from converters.examples import example
from converters.schema import Attributes, Listing, Question, Row, Text
from converters.transforms import few_shot
from tests.converters import _mixed


def made(number: int, group: str = "") -> Row:
    texts = (Text("Title", f"Mug {number}"), Text("Brand", "Acme"))
    return example(Listing(str(number), group or f"g{number}", texts, ("Home", f"Mugs {number}")), "category", "s")


def test_the_choice_depends_on_the_id_alone_and_is_of_other_products() -> None:
    pool = {n: made(n) for n in range(20)}
    found = {n: few_shot.chosen(row.id, n, pool, 3, 0) for n, row in pool.items()}
    for n, examples in found.items():
        assert len({one.id for one in examples} - {pool[n].id}) == 3
        assert few_shot.chosen(pool[n].id, n, dict(pool), 3, 0) == examples
    assert len({tuple(one.id for one in examples) for examples in found.values()}) > 15
    assert {n: few_shot.chosen(row.id, n, pool, 3, 1) for n, row in pool.items()} != found
    assert few_shot.chosen("any", 3, {3: made(3), 4: made(4)}, 1, 0) == [made(4)]


def test_an_instruction_of_its_own_stands_with_its_example() -> None:
    texts = (Text("Title", "Red Acme mug"),)
    one = example(Attributes("1", "a", texts, (("Brand", ("Acme",)),)), "attributes", "s")
    two = example(Attributes("2", "b", texts, (("Color", ("Red",)), ("Size", ()))), "attributes", "s")
    assert few_shot.shown(one, [two, one]).messages[0].content.splitlines() == [
        '[EXTRACT] As JSON, null if not stated: ["Brand"]',
        "Example:",
        'As JSON, null if not stated: ["Color", "Size"]',
        "Title: Red Acme mug",
        'Answer: {"Color": "Red", "Size": null}',
        "Example:",
        "Title: Red Acme mug",
        'Answer: {"Brand": "Acme"}',
        "Now:",
        "Title: Red Acme mug",
    ]


def test_a_walk_shows_examples_in_its_first_turn_with_every_answer() -> None:
    below = (("Home", "Car"), ("Mugs", "Pans"), ())
    rows = [
        example(Listing(n, n, (Text("Title", n),), ("Home", "Mugs"), "", below), "category_levels", "s") for n in "ab"
    ]
    first, *others = few_shot.shown(rows[0], rows[1:]).messages
    assert first.content.splitlines()[1:] == [
        "Example:",
        "Title: b",
        "Answer: Home",
        "Answer: Home > Mugs",
        "Now:",
        "Title: a",
    ]
    assert others == rows[0].messages[1:] and first.content.startswith(rows[0].messages[0].content.partition("\n")[0])


def test_snippets_of_a_question_are_its_own() -> None:
    from converters.tasks.answer import snippets

    one, two = (example(Question(n, n, f"Hot {n}?", (f"Yes {n}.",), None), "answer", "s") for n in "ab")
    assert snippets(one.messages[0].content) == ["Yes a."]
    assert snippets(few_shot.shown(one, [two]).messages[0].content) == ["Yes a."]


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    folder = tmp_path_factory.mktemp("few")
    entries = [
        _mixed.entry(_mixed.shop(folder / "a.jsonl", 200), few_shot=2),
        _mixed.entry(_mixed.shop(folder / "b.jsonl", 60, seed=1), split="test", few_shot=3),
    ]
    result = _mixed.build(folder, entries)
    assert result.exit_code == 0, result.output
    assert _mixed.CliRunner().invoke(cli.main, ["check", str(folder / "mix")]).exit_code == 0
    return _mixed.splits(folder / "mix")


def test_every_row_shows_training_rows_of_its_task_and_of_other_groups(mix: dict[str, list[Row]]) -> None:
    train = {row.id: row for row in mix["train"]}
    for name, rows in mix.items():
        assert {row.task for row in rows} == {"category", "attributes"}
        for row in rows:
            shown = [train[id_] for id_ in row.extra["examples"]]
            assert len({one.id for one in shown}) == (3 if name == "test" and row.group.startswith("asin:B01") else 2)
            assert all(one.task == row.task and one.group != row.group for one in shown)
            lines = row.messages[0].content.splitlines()
            assert len(row.messages) == 2 and row.messages[0].content.startswith("[")
            assert [line for line in lines if line.startswith("Answer: ")] == [f"Answer: {one.target}" for one in shown]
            assert lines[-2] == "Now:" and lines[-1].startswith("Title: ")


def test_no_answer_of_a_held_out_row_stands_in_a_prompt(mix: dict[str, list[Row]]) -> None:
    held = [row for name in ("validation", "test") for row in mix[name]]
    assert len(held) > 100
    titles = {row.messages[0].content.splitlines()[-1]: row.id for row in held}
    assert len(titles) >= len(held) // 2
    for row in (row for rows in mix.values() for row in rows):
        *before, own = row.messages[0].content.splitlines()
        assert not titles.keys() & set(before), own
        assert [turn.role for turn in row.messages] == ["user", "assistant"]


def test_too_few_training_rows_to_show_is_a_sentence(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "a.jsonl", 3)
    result = _mixed.build(tmp_path, [_mixed.entry(path, few_shot=3)], splits={})
    assert result.exit_code == 1 and "few_shot 3: found 3 products of source 'catalog'" in result.output
    assert _mixed.build(tmp_path, [_mixed.entry(path, few_shot=2)], splits={}).exit_code == 0


def test_a_product_that_is_known_by_two_names_is_never_its_own_example(tmp_path: Path) -> None:
    path = Path(_mixed.shop(tmp_path / "a.jsonl", 6))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    named = [row | {"id": f"n{n}", "title": f"{row['title']}!"} for n, row in enumerate(rows)]  # known by title alone
    path.write_text("".join(json.dumps(row) + "\n" for row in rows + named))
    assert _mixed.build(tmp_path, [_mixed.entry(str(path), few_shot=5)], splits={}).exit_code == 0
    train = _mixed.splits_of(tmp_path / "mix", "train")
    assert len(train) == 24 and len({row.group for row in train}) == 12
    for row in train:
        titles = [line.rstrip("!") for line in row.messages[0].content.splitlines() if line.startswith("Title: ")]
        assert len(set(titles)) == len(titles) == 6
