"""Shopify's product catalogue: its candidates come with the rows, and an attribute's value stands in the text."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry, chosen_tasks
from converters.schema import MANIFEST
from tests.converters import _mixed
from tests.converters._converted import Converted, convert

PATHS = ["Yard > Rakes", "Yard > Hoses", "Yard > Barrows > Tyres"]


def raw(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "product_title": f"Fjordvik tool number {number}", "product_description": "For the yard.",
        "ground_truth_brand": "Fjordvik",
        "ground_truth_category": PATHS[number % 3], "ground_truth_is_secondhand": False, "potential_product_categories": PATHS,
    }  # fmt: skip
    return row | changes


def converted(tmp_path: Path, *rows: dict[str, Any], name: str = "rows.jsonl") -> Converted:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return convert(Entry(source="product_catalogue", paths=[str(path)]))


def answers(part: Converted) -> list[Any]:
    return [json.loads(row.target) for row in part.rows if row.task == "attributes"]


def test_the_fixture_is_used_or_counted(fixtures: Path) -> None:
    part = convert(Entry(source="product_catalogue", paths=[str(fixtures / "product_catalogue.jsonl")]))
    assert (part.tally.read, part.tally.used) == (8, 5)
    assert part.tally.rejected["no title"] == part.tally.rejected["no category"] == 1
    assert part.dropped == {"no candidates": 1}
    assert answers(part) == [
        {"Brand": "Torvik", "Secondhand": None}, {"Secondhand": "Pre-owned"}, {"Brand": "Halvorsen"}, {"Brand": "Torvik"},
    ]  # fmt: skip
    noted = {note.partition(" left out")[0]: count for note, count in part.tally.noted.items()}
    assert (
        noted["attribute 'Brand'"] == 1 and noted["right path is no candidate"] == 2 and noted["no category path"] == 1
    )


@pytest.mark.parametrize(
    ("said", "truth", "answer"),
    [
        ("A second hand rake", True, "second hand"),
        ("PRELOVED!", True, "PRELOVED"),
        ("In used condition.", "true", "used condition"),
        ("Can be used outdoors.", False, None),
        ("Can be used outdoors.", "False", None),
    ],
)
def test_secondhand_is_asked_as_far_as_the_text_tells(said: str, truth: Any, answer: Any, tmp_path: Path) -> None:
    part = converted(tmp_path, raw(1, product_description=said, ground_truth_is_secondhand=truth))
    assert answers(part) == [{"Brand": "Fjordvik", "Secondhand": answer}]


@pytest.mark.parametrize(
    ("said", "truth"), [("Can be used outdoors.", True), ("Not pre-owned!", False), ("New.", None)]
)
def test_secondhand_is_not_asked_where_text_and_truth_differ(said: str, truth: Any, tmp_path: Path) -> None:
    part = converted(tmp_path, raw(1, product_description=said, ground_truth_is_secondhand=truth))
    assert answers(part) == [{"Brand": "Fjordvik"}]


def test_parquet_is_read_without_its_images_and_split_by_its_name(tmp_path: Path) -> None:
    rows = [raw(n, product_image={"bytes": b"\0" * 9, "path": None}) for n in range(4)]
    for name in ("train-00000-of-00001", "test-00000-of-00001"):
        pq.write_table(
            pa.Table.from_pylist([row | {"product_title": f"{row['product_title']} {name}"} for row in rows]),
            tmp_path / f"{name}.parquet",
        )
    entry = {"source": "product_catalogue", "paths": [str(tmp_path / "t*.parquet")]}
    result = _mixed.build(tmp_path, [entry], splits={"test": 0.0, "validation": 0.5}, near_duplicates=None)
    assert result.exit_code == 0, result.output
    for split in ("train", "test"):
        found = _mixed.splits_of(tmp_path / "mix", split)
        assert all(f"{split}-00000" in row.messages[0].content for row in found) and len(found) == 12
    assert (tmp_path / "mix" / "validation.jsonl").read_text() == ""


def test_candidates_are_the_rows_own_and_no_retriever_changes_them(tmp_path: Path) -> None:
    converted(tmp_path, *(raw(n, potential_product_categories=json.dumps(PATHS)) for n in range(40)))
    entry = {"source": "product_catalogue", "paths": [str(tmp_path / "rows.jsonl")]}
    result = _mixed.build(tmp_path, [entry], splits={"test": 0.3}, near_duplicates=None)
    assert result.exit_code == 0, result.output
    rows = [row for split in ("train", "test") for row in _mixed.splits_of(tmp_path / "mix", split)]
    listed = [row for row in rows if row.task == "category_shortlist"]
    assert len(listed) == 40
    for row in listed:
        assert row.extra["candidates"] == PATHS
        assert row.messages[0].content.splitlines()[1:4] == [f"- {path}" for path in PATHS]
    assert all("candidates" not in row.extra for row in rows if row.task != "category_shortlist")
    assert "shortlist_recall" not in (tmp_path / "mix" / MANIFEST).read_text()


def test_the_same_candidates_make_no_near_duplicates(tmp_path: Path) -> None:
    words = [
        "amber rake with ash",
        "bolt cutter, forged",
        "clip hose, ten metres",
        "drum barrow, dark",
        "edge iron for lawns",
    ]
    many = [f"Yard > Shelf number {n} > Place number {n}" for n in range(60)]
    rows = [
        raw(n, product_title=f"{text} {n}", product_description="", potential_product_categories=many)
        for n, text in enumerate(words * 4)
    ]
    converted(tmp_path, *rows)
    entry = {"source": "product_catalogue", "paths": [str(tmp_path / "rows.jsonl")], "tasks": ["category_shortlist"]}
    result = _mixed.build(tmp_path, [entry], splits={"test": 0.3}, near_duplicates=0.9)
    assert result.exit_code == 0 and "near-duplicate" not in result.output, result.output


def test_a_shortlist_is_not_asked_of_a_source_that_has_its_own(tmp_path: Path) -> None:
    assert chosen_tasks(Entry(source="product_catalogue", paths=[], tasks=["category_shortlist"])) == [
        "category_shortlist"
    ]
    converted(tmp_path, raw(1))
    entry = {"source": "product_catalogue", "paths": [str(tmp_path / "rows.jsonl")], "shortlist": 3}
    result = _mixed.build(tmp_path, [entry])
    assert result.exit_code == 1 and "whose rows bring their candidates" in result.stderr


def test_a_file_without_the_label_is_a_sentence(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"product_title": "Rake", "category": "Yard"}]), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="no column 'ground_truth_category'"):
        convert(Entry(source="product_catalogue", paths=[str(tmp_path / "rows.parquet")]))
