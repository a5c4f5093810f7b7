"""ECInstruct: ten forms of rows, named or recognised, and grades that stand in a file of their own."""

import json
from collections import Counter
from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry
from converters.schema import SPLITS, Row
from converters.sources.ecinstruct import forms
from tests.converters._converted import Converted, convert


def converted(*paths: Path, **options: object) -> Converted:
    return convert(Entry(source="ecinstruct", paths=list(map(str, paths)), options=options))


def write(path: Path, rows: list[object]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return path


def ranked(query: str, order: str, split: str = "test", setting: str = "IND_Single_Instruction") -> dict[str, str]:
    products = [f"{letter}: {query} {letter}" for letter in sorted(order.split(","))]
    fields = json.dumps({"query": query, "product list": products})
    return {
        "task": "Query_Product_Rank",
        "split": split,
        "setting": setting,
        "instruction": "Rank.",
        "input": fields,
        "output": order,
    }


def test_every_row_is_used_or_counted(fixtures: Path) -> None:
    part = converted(fixtures / "ecinstruct.json")
    assert (part.tally.read, part.tally.used) == (17, 11)
    assert part.tally.rejected == {
        "Attribute_Value_Extraction: a value is not in the product's text": 1,
        "Query_Product_Rank: output is no order of the products": 1,
        "Sentiment_Analysis: output is none of the options": 1,
        "none of the ten tasks": 1,
        "split is not train, validation or test": 1,
        "other format: Object missing required field `output`": 1,
    }
    assert part.tally.noted == {"gains taken from the order: no grades for the list": 1}


def test_options_apart_and_folded_into_the_input_give_the_same_row(tmp_path: Path) -> None:
    options = ["A: It fits.", "B: It does not."]
    fields = json.dumps({"query": "mug", "product title": "Red mug"})
    rows = [
        {"instruction": "Fits?", "input": fields, "options": json.dumps(options), "output": "A: It fits."},
        {"instruction": "Does it?", "input": fields, "options": str(options), "output": "A"},
        {"instruction": "Fits?", "input": f"{fields}\noptions: {json.dumps(options)}", "output": "It fits."},
    ]
    first, *others = converted(write(tmp_path / "rows.json", list(rows))).rows
    assert first.target == "It fits." and others == [first, first]


def test_the_official_split_is_kept(tmp_path: Path) -> None:
    rows = [ranked(f"query {number}", "B,A", split) for number, split in enumerate(["train", "val", "test", ""])]
    entry = Entry(source="ecinstruct", paths=[str(write(tmp_path / "rows.json", list(rows)))])
    assert pinned(entry, tmp_path) == Counter(["train", "validation", "test", "none"])


def pinned(entry: Entry, folder: Path) -> Counter[str]:
    """Return how many rows are pinned to which split."""
    from converters.mixture.convert import convert as to_shard

    return Counter([*SPLITS, "none"][split] for split in to_shard(entry, 0, folder / "parts").column("official"))


def test_a_setting_or_a_task_alone(tmp_path: Path, fixtures: Path) -> None:
    part = converted(fixtures / "ecinstruct.json", setting="IND_Single_Instruction")
    assert [row.task for row in part.rows] == ["ranking"] and part.tally.rejected["other setting"] == 13
    part = converted(fixtures / "ecinstruct.json", only="Product_Matching")
    assert [row.task for row in part.rows] == ["yes_no"] and part.tally.rejected["other task"] == 13
    with pytest.raises(InputError, match=r"unknown task 'Product_Matchin'; did you mean 'Product_Matching'"):
        converted(fixtures / "ecinstruct.json", only="Product_Matchin")


def gains(rows: list[Row]) -> list[object]:
    return [row.extra["gains"] for row in rows]


def test_grades_go_to_the_lists_of_each_setting_in_order(tmp_path: Path) -> None:
    rows = [ranked("a", "B,A"), ranked("b", "A,B"), ranked("a", "B,A", setting="OOD"), ranked("c", "B,A", "train")]
    grades = write(tmp_path / "label.json", [["I", "S"], ["E", "E"], ["E", "C"]])
    part = converted(write(tmp_path / "rows.json", list(rows)), grades)
    assert gains(part.rows) == [[0.1, 1.0], [0.0, 0.1], [1.0, 1.0], [0.0, 0.1]]
    assert (part.tally.read, part.tally.used) == (7, 6)
    assert part.tally.rejected == {"grades without their list": 1}
    assert not part.tally.noted


def test_grades_that_contradict_the_list_are_not_used(tmp_path: Path) -> None:
    part = converted(write(tmp_path / "rows.json", [ranked("a", "B,A")]), write(tmp_path / "label.json", [["E", "S"]]))
    assert gains(part.rows) == [[0.1, 1.0]]
    assert part.tally.rejected == {"grades do not fit their list": 1}


def test_real_files_are_used_whole(real: Path) -> None:
    for name, count, task in (
        ("multiclass_product_classification", 2000, "choice"),
        ("product_matching", 446, "yes_no"),
    ):
        part = converted(real / "ecinstruct" / f"{name}.json")
        assert (part.tally.read, part.tally.used, {row.task for row in part.rows}) == (count, count, {task})
    with pytest.raises(InputError, match=r"found 1000 rows and none to use.*grades without their list"):
        converted(real / "ecinstruct" / "query_product_rank_labels.json")


def test_real_grades_fit_lists_that_were_made_of_them(real: Path, tmp_path: Path) -> None:
    path = real / "ecinstruct" / "query_product_rank_labels.json"
    best = [
        sorted(range(len(labels)), key=lambda n, of=labels: "ESCI".index(of[n]))
        for labels in json.loads(path.read_bytes())
    ]  # type: ignore[misc]
    rows = [ranked(f"query {number}", ",".join("ABCD"[n] for n in order)) for number, order in enumerate(best)]
    part = converted(write(tmp_path / "rows.json", list(rows)), path)
    assert (part.tally.read, part.tally.used, part.tally.noted) == (2000, 2000, {})
    assert Counter(map(len, gains(part.rows)))[2] == 666  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error::SyntaxWarning", "error::DeprecationWarning")
def test_a_backslash_in_a_python_text_is_no_warning() -> None:
    assert forms.value("{'query': '2\\c 4'}") == {"query": "2\\c 4"}
