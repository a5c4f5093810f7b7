"""Cells that are lists, and cells that hold a word for "nothing": in categories, texts and attributes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from tests.converters._converted import Converted, convert

OPTIONS = {"preset": "none", "texts": {"Description": "text"}, "attributes": {"Brand": "brand"}}


def converted(folder: Path, *rows: dict[str, Any], form: str = "jsonl", **options: Any) -> Converted:
    full = [{"id": str(n), "title": f"Ewer {n}", "category": "Home > Jars", "text": "", "brand": ""} | row
            for n, row in enumerate(rows)]  # fmt: skip
    path = folder / f"shop.{form}"
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in full)
        else:
            writer = csv.DictWriter(file, [*full[0]])
            writer.writeheader()
            writer.writerows(full)
    return convert(Entry(source="catalog", paths=[str(path)], options=OPTIONS | options))


def labels(part: Converted) -> list[str]:
    return [row.target for row in part.rows if row.task == "category"]


def brands(part: Converted) -> list[Any]:
    return [json.loads(row.target)["Brand"] for row in part.rows if row.task == "attributes"]


NONE = (
    *(
        "NaN",
        "NaT",
        "None",
        "n.a.",
        "NULL",
        "#REF!",
        "TBD",
        "--",
        "?",
        "(none)",
        "不適用",
        "未設定",
        "해당 없음",
        "неизвестно",
    ),
    *("sin datos", "k. A.", "Ohne Angabe", "غير معروف", "לא ידוע", "ไม่มี", "άγνωστο", "undefined"),
)


@pytest.mark.parametrize("word", NONE)
def test_a_word_for_none_is_no_label_no_node_and_no_value(word: str, tmp_path: Path) -> None:
    cells = [word, f"Home > {word} > Ewers", f"Home > {word}", [word], ["Home", word, "Jugs"], "Home > Jars"]
    part = converted(tmp_path, *({"category": cell, "brand": word, "text": "Of tin"} for cell in cells), implicit=True)
    assert labels(part) == ["Home > Ewers", "Home", "Home > Jugs", "Home > Jars"] and not brands(part)
    assert part.tally.rejected.total() == 2 and all(reason.startswith("no category") for reason in part.tally.rejected)
    assert part.tally.noted["node within the category is a word for none: the path lacks it"] == 2
    assert part.tally.noted["attribute 'Brand' is not read: its cell holds a word for none"] == 6


def test_other_classes_and_roots_are_kept(tmp_path: Path) -> None:
    cells = ["Other", "Misc", "Home > Other", "Default Category > Jars", "Sonstiges"]
    assert labels(converted(tmp_path, *({"category": cell} for cell in cells))) == cells


def test_a_word_for_none_is_a_value_where_the_text_says_so(tmp_path: Path) -> None:
    part = converted(tmp_path, {"text": "Lid: false.", "brand": "false"}, attributes={"Lid": "brand"})
    assert [json.loads(row.target) for row in part.rows if row.task == "attributes"] == [{"Lid": "false"}]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (["Home", "Table", "Jugs"], "Home > Table > Jugs"),
        (["Home"], "Home"),
        ([["Home", "Table", "Cups"]], "Home > Table > Cups"),
        ([["Home", "Table"], ["Garden", "Pots", "Clay"]], "Garden > Pots > Clay"),
        (["Home", None, "", "Lids"], "Home > Lids"),
        ("['Home', 'Table', \"Men's\"]", "Home > Table > Men's"),
        ('["家", "食器", "皿"]', "家 > 食器 > 皿"),
        ([], None),
        ([None], None),
        ([1, 2], None),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_list_is_one_path(cell: Any, expected: str | None, form: str, tmp_path: Path) -> None:
    text = cell if form == "jsonl" or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    part = converted(tmp_path, {"category": text}, {"category": ""}, {}, form=form)
    assert labels(part)[:-1] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("cell", "text", "values"),
    [
        (["Tarn", "Beck"], "Tarn Beck", [["Tarn", "Beck"]]),
        (["Tarn"], "Tarn", ["Tarn"]),
        ([["Tarn"], ["Beck", None]], "Tarn Beck", [["Tarn", "Beck"]]),
        ([{"name": "Tarn"}], "Tarn", ["Tarn"]),
        ("['Tarn', 'Beck']", "Tarn Beck", [["Tarn", "Beck"]]),
        ("['Ta\\u0301rn\"s']", 'T\xe1rn"s', ['T\xe1rn"s']),
        ([2.50, 12], "2.5 12", [["2.5", "12"]]),
        ([None, "Tarn"], "Tarn", ["Tarn"]),
        ([], None, []),
        (["", None], None, []),
        ("[Tarn", "[Tarn", ["[Tarn"]),
    ],
)
def test_a_list_is_its_texts_and_its_values(cell: Any, text: str | None, values: list[Any], tmp_path: Path) -> None:
    part = converted(tmp_path, {"text": cell, "brand": cell})
    prompt = part.rows[0].messages[0].content.partition("\nDescription: ")[2]
    assert (prompt or None) == text and brands(part) == values


def test_a_title_that_is_a_list_is_its_text(tmp_path: Path) -> None:
    part = converted(tmp_path, {"title": ["Tarn", "ewer"]}, {"title": "['Beck', 'ewer']"}, {"title": []})
    assert [row.messages[0].content.partition("Title: ")[2] for row in part.rows] == ["Tarn ewer", "Beck ewer"]
    assert part.tally.rejected == {"no title": 1}


@pytest.mark.parametrize(
    "cell", ["{['a', 'b']}", "{[]: 1}", "[{'a', 1}]", "{'a': {1, 2}}", "[b'a']", "['a', ...]", "[1j]"]
)
def test_what_only_python_can_write_is_no_traceback(cell: str, tmp_path: Path) -> None:
    part = converted(tmp_path, {"category": cell, "text": cell, "brand": cell, "title": cell}, {})
    assert part.tally.read == 2 == part.tally.used + part.tally.rejected.total()
