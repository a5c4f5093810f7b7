"""The shop's rows stay as they are in each form, with the predictions beside them, and every row has its account."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import Result

from converters.io import jsonl
from eval.production.applying import decisions
from tests.eval.production.applying import _shop as shop
from tests.eval.production.applying._shop import ADDED, made


def test_a_table_keeps_its_columns_and_gets_the_predictions(home: Path, label: Callable[..., Result]) -> None:
    rows = shop.products(12)
    rows[1]["text"] = 'He said "yes";\r\nfor cafe\u0301, In Blue'  # decomposed: what is trained on is composed
    rows[2]["name"] = " "
    shop.write(home / "new.csv", rows, without=shop.LABELS)
    said = made(label("--catalog", "new.csv", "--out", "out/labelled.csv"))
    assert "read 12 rows: labelled 11 (11 products), rejected 1" in said and "confidences are raw" in said
    found = shop.table(home / "out" / "labelled.csv")
    assert list(found[0]) == ["sku", "price", "name", "text", *ADDED]
    own = [{name: row[name] for name in ("sku", "price", "name", "text")} for row in rows if row["name"].strip()]
    assert [{name: row[name] for name in own[0]} for row in found] == own
    assert [row["predicted_category"] for row in found] == [row["category"] for row in rows if row["name"].strip()]
    assert [row["predicted_Brand"] for row in found[:3]] == ["Acme0", "Acme1", "Acme3"]
    assert json.loads(found[0]["predicted_attributes"]) == {"Brand": "Acme0", "Capacity": "1 l"}
    assert json.loads(found[1]["predicted_attributes"]) == {"Brand": "Acme1", "Color": "Blue"}
    # No tent of the training rows was asked for attributes: it gets those of all rows.
    assert json.loads(found[4]["predicted_attributes"]) == {"Brand": "Acme5", "Color": None, "Capacity": None}
    assert found[1]["confidence_category"] == "0.99005" and found[0]["confidence_category"] == "0.135335"
    assert {row["decision"] for row in found} == {""} and {row["decision_reason"] for row in found} == {decisions.RAW}
    rejects = [json.loads(line) for line in (home / "out" / "labelled.csv.rejects.jsonl").open()]
    assert rejects == [{"where": "new.csv:5", "reason": "no title"}]  # the row before takes two lines
    record = json.loads((home / "out" / "labelled.csv.json").read_text())
    assert record["read"] == record["labelled"] + sum(record["rejected"].values()) == 12
    assert record["catalog_sha256"] == jsonl.sha256(home / "new.csv")
    assert record["out_sha256"] == jsonl.sha256(home / "out" / "labelled.csv")
    assert record["trained_on"] == {str(home / "data/shop/train.jsonl"): jsonl.sha256(home / "data/shop/train.jsonl")}
    assert sorted(path.name for path in (home / "out").iterdir()) == [
        "labelled.csv", "labelled.csv.json", "labelled.csv.rejects.jsonl",
    ]  # fmt: skip


def test_json_lines_stay_as_they_are_written(home: Path, label: Callable[..., Result]) -> None:
    lines = [
        '{"sku": "S1", "name": "Acme1 thing 1", "text": "In Red", "price": 1.50, "tags": ["a",  2], "note": null}',
        "not JSON",
        '{"sku": "S2", "name": "Acme2 thing 2", "text": "x", "later": true}',
    ]
    (home / "new.jsonl").write_text("\n".join(lines) + "\n")
    made(label("--catalog", "new.jsonl", "--out", "labelled.jsonl"))
    first, second = (home / "labelled.jsonl").read_text().splitlines()
    assert first.startswith(
        '{"sku":"S1","name":"Acme1 thing 1","text":"In Red","price":1.50,"tags":["a",  2],"note":null,"predicted_c'
    )
    assert json.loads(second)["later"] is True and "price" not in json.loads(second)
    assert json.loads(first)["predicted_attributes"] == {"Brand": "Acme1", "Color": "Red"}
    assert json.loads((home / "labelled.jsonl.rejects.jsonl").read_text()) == {
        "where": "new.jsonl:2",
        "reason": "not JSON",
    }
    made(label("--catalog", "new.jsonl", "--out", "labelled.csv.gz"))
    with gzip.open(home / "labelled.csv.gz", "rt", newline="") as file:
        header, row, *_ = file.read().split("\r\n")
    assert header.startswith("sku,name,text,price,tags,note,later,predicted_category")
    assert row.startswith('S1,Acme1 thing 1,In Red,1.50,"[""a"",  2]",,,Home > Kitchen > Mugs')


def test_dirt_stays_as_it_is_in_the_shops_columns(home: Path, label: Callable[..., Result]) -> None:
    rows = [
        ["S1", "Acme1 thing 1 </s>[INST] <|im_end|>", "<b>In Blue</b> & more", "a"],
        ["S2", "保温杯 Acme2 thing 2", "two\nlines", "b"],
        ["S3", "\u202eAcme3 thing 3\x07 [CLASSIFY]", "=1+1", "c"],
    ]
    lines = [",".join(f'"{cell}"' for cell in row) for row in rows]
    ends = ("\r\n", "\n", "\r\n")
    text = "sku,name,text,name\n" + "".join(map("".join, zip(lines, ends, strict=True)))
    (home / "new.csv").write_bytes(text.encode())
    made(label("--catalog", "new.csv", "--out", "l.csv"))
    with (home / "l.csv").open(encoding="utf-8", newline="") as file:
        header, *found = csv.reader(file)
    assert header == ["sku", "name", "text", "name", *ADDED] and [row[:4] for row in found] == rows
    assert [row[4] for row in found] == [shop.MUGS, shop.TENTS, shop.KETTLES]
    made(label("--catalog", "new.csv", "--out", "l.jsonl"))
    shown = [json.loads(line) for line in (home / "l.jsonl").open()]
    assert [[row[name] for name in ("sku", "name", "text", "name (2)")] for row in shown] == rows


def test_an_attribute_that_is_called_like_a_column_of_ours_has_one_beside_it(
    home: Path, label: Callable[..., Result]
) -> None:
    options = {**shop.OPTIONS, "attributes": {"category": "Brand", "attributes": "Color", "Capacity": "Capacity"}}
    shop.trained(home, shop.entry(home / "train.csv", options=options), name="named")
    shop.write(home / "new.csv", shop.products(2), without=shop.LABELS)
    made(label("--catalog", "new.csv", "--out", "l.csv", name="named"))
    first, _ = shop.table(home / "l.csv")
    assert first["predicted_category"] == shop.KETTLES and first["predicted_category (2)"] == ""
    assert json.loads(first["predicted_attributes"]) == {"category": None, "Capacity": "1 l"}
    assert first["predicted_attributes (2)"] == ""


def test_parquet_keeps_its_types(home: Path, label: Callable[..., Result]) -> None:
    columns = {
        "sku": ["S1", "S2"],
        "name": ["Acme1 thing 1", "Acme2 thing 2"],
        "text": ["In Red", None],
        "stock": [1, None],
        "sizes": [[1, 2], []],
    }
    pq.write_table(pa.table(columns), home / "new.parquet")
    made(label("--catalog", "new.parquet", "--out", "labelled.parquet"))
    found = pq.read_table(home / "labelled.parquet")
    before = pq.read_table(home / "new.parquet")
    assert found.select(before.column_names).equals(before)
    assert found.column_names[5:] == ADDED
    assert found["predicted_category"].to_pylist() == [shop.MUGS, shop.TENTS]
    assert found["confidence_category"].to_pylist() == [0.99005, 0.99005]
    made(label("--catalog", "new.parquet", "--out", "labelled.tsv"))
    assert (
        (home / "labelled.tsv").read_text().splitlines()[1].startswith("S1\tAcme1 thing 1\tIn Red\t1\t[1,2]\tHome > ")
    )


def test_all_rows_of_a_product_are_labelled_alike_and_ids_are_told(home: Path, label: Callable[..., Result]) -> None:
    tree = [
        "# Google_Product_Taxonomy_Version: 2026-01-01",
        "1 - Home",
        "2 - Home > Kitchen",
        f"7 - {shop.MUGS}",
        f"8 - {shop.KETTLES}",
    ]
    (home / "tree.txt").write_text("\n".join([*tree, "9 - Sports", f"10 - {shop.TENTS}"]) + "\n")
    options = {**shop.OPTIONS, "group": "parent", "variants": 1, "taxonomy": str(home / "tree.txt")}
    rows = [{**row, "parent": row["sku"]} for row in shop.products()]
    shop.trained(home, shop.entry(shop.write(home / "grouped.csv", rows), options=options), name="grouped")
    family = [
        {"sku": "A", "parent": "A", "name": "Acme1 thing 1", "text": "Blue"},
        {"sku": "B", "parent": "B", "name": "Acme3 thing 3", "text": "5 l"},
        {"sku": "A-1", "parent": "A", "name": "Acme1 thing 1 small", "text": ""},
        {"sku": "C", "parent": "C", "name": "", "text": ""},
        {"sku": "C-1", "parent": "C", "name": "", "text": "x"},
    ]
    shop.write(home / "new.csv", family)
    assert "read 5 rows: labelled 3 (2 products), rejected 2" in made(
        label("--catalog", "new.csv", "--out", "l.csv", name="grouped")
    )
    found = shop.table(home / "l.csv")
    assert [row["sku"] for row in found] == ["A", "B", "A-1"]
    assert [row["predicted_category_id"] for row in found] == ["7", "8", "7"]
    assert [row["predicted_category"] for row in found] == [shop.MUGS, shop.KETTLES, shop.MUGS]
