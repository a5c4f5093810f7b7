"""What a conversion says of a catalogue before it begins, and the mapping that it writes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from converters.cli import main

PRODUCTS = ("Borrowdale Kettle", "Ennerdale Pan", "Kentmere Bowl", "Rydal Jug")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def convert(path: Path, out: Path, *options: str) -> tuple[str, list[dict[str, Any]]]:
    result = run("convert", "catalog", path, "--out", out, *(f"--option={option}" for option in options))
    assert result.exit_code == 0, result.output
    return result.output, [json.loads(line) for line in out.read_text().splitlines()]


def variants(path: Path, **more: str) -> Path:
    rows = [
        {
            "sku": f"{name[:2]}-{size}",
            "name": f"{name} - {size}",
            "category": "Kitchen > " + name.split()[1],
            "brand": "Lund",
        }
        | {column: cell.format(name=name, size=size) for column, cell in more.items()}
        for name in PRODUCTS
        for size in ("1 l", "2 l", "3 l")
    ]
    return table(path, rows)


NAMED = ("id=sku", "title=name")


def test_titles_that_look_like_variants_are_told_with_the_column_that_names_them(tmp_path: Path) -> None:
    path = variants(tmp_path / "shop.csv", size="{size}", line="{name}", note="{name} {size}")
    output, rows = convert(path, tmp_path / "out.jsonl", *NAMED)
    [line] = [line for line in output.splitlines() if "look like variants" in line]
    assert line.startswith("12 of 12 titles") and "'Borrowdale Kettle - 1 l', 'Borrowdale Kettle - 2 l'" in line
    assert line.endswith("column 'line' may name it: --option group='line'")
    assert len({row["group"] for row in rows}) == 12
    output, rows = convert(path, tmp_path / "grouped.jsonl", *NAMED, "group=line")
    assert "look like variants" not in output and "4 products (by 'line') in 12 rows" in output
    assert len({row["group"] for row in rows}) == 4 and len(rows) == 12


def test_columns_that_nothing_is_learnt_from_are_told_with_the_options_that_name_them(tmp_path: Path) -> None:
    rows = [{"sku": str(n), "name": name, "category": "Kitchen", "maker": "Acme"} for n, name in enumerate(PRODUCTS)]
    path = table(tmp_path / "shop.csv", rows)
    said, _ = convert(path, tmp_path / "out.jsonl", "id=sku", "title=name")
    assert "columns that nothing is learnt from: 'maker'; to use some, name them in options, as texts: {" in said
    said, _ = convert(path, tmp_path / "out.jsonl", "id=sku", "title=name", "attributes={Brand: maker}")
    assert "nothing is learnt from" not in said


def test_no_column_is_invented_and_unlike_titles_are_left_alone(tmp_path: Path) -> None:
    output, _ = convert(variants(tmp_path / "shop.csv"), tmp_path / "out.jsonl", *NAMED)
    assert "no column seems to name it" in output
    rows = [
        {"id": n, "title": f"Lund {word}", "category": "A > B"} for n, word in enumerate(("Mug", "Pan", "Jug", "Cup"))
    ]
    output, _ = convert(table(tmp_path / "plain.csv", rows), tmp_path / "plain.jsonl")
    assert "look like variants" not in output


@pytest.mark.parametrize(("variants_kept", "count"), [(1, 4), (2, 8), (9, 12)])
def test_rows_of_a_product_are_capped_and_the_rest_is_merged(tmp_path: Path, variants_kept: int, count: int) -> None:
    path = variants(tmp_path / "shop.csv", line="{name}")
    _, rows = convert(path, tmp_path / "out.jsonl", *NAMED, "group=line", f"variants={variants_kept}")
    assert len(rows) == count and len({row["group"] for row in rows}) == 4
    account = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert (account["read"], account["used"], account["rejected"]) == (12, 12, {})
    assert account["noted"].get("variant merged into its product", 0) == 12 - count


def test_a_variant_inherits_category_and_texts_wherever_its_product_stands(tmp_path: Path) -> None:
    rows = [
        {"id": "K-1", "parent": "K", "title": "Skelwith Kettle, red", "category": "", "text": ""},
        {"id": "J", "parent": "J", "title": "Skelwith Jug", "category": "Kitchen > Jugs", "text": "Of glass."},
        {"id": "K-2", "parent": "K", "title": "Skelwith Kettle, blue", "category": "", "text": "Its own words."},
        {"id": "K", "parent": "K", "title": "Skelwith Kettle", "category": "Kitchen > Kettles", "text": "Of steel."},
        {"id": "S", "parent": "", "title": "Skelwith Spoon", "category": "Kitchen > Cutlery", "text": ""},
    ]
    path = table(tmp_path / "shop.csv", rows)
    _, found = convert(path, tmp_path / "out.jsonl", "group=parent", "texts={Text: text}")
    prompts = {row["id"].rpartition(":")[2]: row["messages"][0]["content"].partition("\n")[2] for row in found}
    targets = {row["id"].rpartition(":")[2]: row["messages"][1]["content"] for row in found}
    assert targets == {"K": "Kitchen > Kettles", "K-1": "Kitchen > Kettles", "K-2": "Kitchen > Kettles", "J": "Kitchen > Jugs",
                       "S": "Kitchen > Cutlery"}  # fmt: skip
    assert prompts["K-1"].endswith("Text: Of steel.") and prompts["K-2"].endswith("Text: Its own words.")
    assert len({row["group"] for row in found}) == 3


def test_the_mapping_is_written_can_be_edited_and_gives_the_same_rows(tmp_path: Path, fixtures: Path) -> None:
    path = fixtures / "presets" / "shopify.csv"
    _, rows = convert(path, tmp_path / "out.jsonl")
    mapping = tmp_path / "out.jsonl.mapping.yaml"
    options = yaml.safe_load(mapping.read_text())
    assert options["preset"] == "shopify" and options["group"] == options["id"] == "Handle"
    _, again = convert(path, tmp_path / "again.jsonl", f"mapping={mapping}")
    assert again == rows and yaml.safe_load((tmp_path / "again.jsonl.mapping.yaml").read_text()) == options
    mapping.write_text(yaml.safe_dump(options | {"attributes": {}, "pairs": {}, "group": ""}))
    result = run("convert", "catalog", path, "--out", tmp_path / "edited.jsonl", "--option", f"mapping={mapping}")
    assert (
        result.exit_code == 0 and "no title" in result.output
    )  # without a group its further rows are rows of their own
    assert {json.loads(line)["task"] for line in (tmp_path / "edited.jsonl").open()} == {"category"}


def test_labels_are_listed_with_their_counts_and_those_of_one_row(tmp_path: Path) -> None:
    labels = ["Home > Mugs"] * 3 + ["Home > Pans"] * 2 + ["Garden > Rakes"]
    rows = [{"id": n, "title": f"Thing {n}", "category": label} for n, label in enumerate(labels)]
    output, _ = convert(table(tmp_path / "shop.csv", rows), tmp_path / "out.jsonl")
    lines = [line.split(None, 1) for line in output.splitlines() if line.startswith("    ")]
    assert lines == [["3", "Home > Mugs"], ["2", "Home > Pans"], ["1", "Garden > Rakes"]]
    assert "3 different labels" in output
    counts = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())["labels"]
    assert counts == {
        "different": 3,
        "most": {"Home > Mugs": 3, "Home > Pans": 2, "Garden > Rakes": 1},
        "once": ["Garden > Rakes"],
    }


def test_products_that_are_not_published_are_told_and_can_be_left_out(tmp_path: Path) -> None:
    rows = [
        {"id": n, "title": f"Thing {n}", "category": "A > B", "state": state}
        for n, state in enumerate(("live", "hidden", "HIDDEN"))
    ]
    path = table(tmp_path / "shop.csv", rows)
    output, found = convert(path, tmp_path / "out.jsonl", "status={state: [hidden]}")
    assert len(found) == 3 and "not published: state is 'hidden'" in output
    output, found = convert(path, tmp_path / "out.jsonl", "status={state: hidden}", "unpublished=drop")
    assert len(found) == 1 and "rejected 2" in output
    output, found = convert(path, tmp_path / "out.jsonl", "published={state: [Live, sold]}", "unpublished=drop")
    assert len(found) == 1 and "not published: state is 'HIDDEN'" in output
