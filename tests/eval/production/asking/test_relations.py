"""Ids in a cell of a relation, as shops write several of them."""

import csv
from pathlib import Path

import pytest

from eval.production.asking.graph import relations
from eval.production.asking.graph.relations import Fact

IDS = ("007", "7", "LID 2", "CUP,9", "R&B/1", "[x]")


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("007", ["007"]),
        ("7; 007", ["7", "007"]),
        ("7；LID 2", ["7", "LID 2"]),
        ("7，CUP,9、007", ["7", "007"]),  # a mark of both kinds: CUP and 9 are none
        ("CUP,9|7", ["CUP,9", "7"]),
        ("LID 2, 7", ["LID 2", "7"]),
        ("7<br>007<br/>R&B/1", ["7", "007", "R&B/1"]),
        ("7 007", ["7", "007"]),
        ("7 / 007", ["7", "007"]),
        ("7 / 8", []),
        ("[x]", ["[x]"]),
        ('["[x]", 7]', ["[x]", "7"]),
        ("7,,7;", ["7"]),
    ],
)
def test_ids_may_hold_what_parts_them(cell: str, meant: list[str], tmp_path: Path) -> None:
    with (tmp_path / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("id", "title", "compatible with"))
        table.writerows([*((one, f"Pot {place}", "") for place, one in enumerate(IDS)), ("own", "Own pot", cell)])
    found = relations.read(tmp_path / "shop.csv", {"id": "id", "title": "title"}, {})
    assert [*found.facts] == [Fact("own", "compatible_with", "compatible with", one) for one in meant]
