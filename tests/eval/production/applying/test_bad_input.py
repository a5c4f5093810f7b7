"""What cannot be labelled is one sentence and exit code 1, and no file is touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from converters.io import jsonl
from eval.production.applying.places import Files
from tests.eval._serving import Answered, serving
from tests.eval.production.applying import _shop as shop
from tests.eval.production.applying._shop import bare, error, made
from tests.eval.production.applying.conftest import answer


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--run", "shpo"), "runs/shpo: no such run; did you mean 'shop'?"),
        (("--run", "../shop"), "expected the name of a run"),
        (("--backend", "transformers"), "runs/shop/merged: no such folder; make it with 'make merge-shop'"),
        (("--catalog", "nwe.csv"), "nwe.csv: no such file; did you mean new.csv?"),
        (
            ("--catalog", "untitled.csv"),
            "no column 'name' for the title, as training's catalogue has; name this file's: --option title=COLUMN",
        ),
        (("--catalog", "empty.csv"), "empty.csv: the file is empty"),
        (("--catalog", "header.csv"), "header.csv: found only a header, expected products below it"),
        (("--catalog", "new.xlsx"), "is a spreadsheet"),
        (("--catalog", "labelled.csv"), "has a column 'decision', as one that is added is called: rename it"),
        (("--catalog", "untitled.jsonl"), "untitled.jsonl: no column 'name'"),
        (("--catalog", "untitled.parquet"), "untitled.parquet: no column 'name'"),
        (("--catalog", "twice.parquet"), "twice.parquet: has several columns 'text': rename all but one"),
        (("--catalog", "picture.csv"), "picture.csv"),
        (("--catalog", "page.csv"), "page.csv: is no table but a web page"),
        (("--catalog", "cut.parquet"), "cut.parquet: damaged Parquet file"),
        (("--catalog", "nameless.csv"), "nameless.csv: none of its rows can be labelled: no title"),
        (("--out", "new.csv/out.csv"), "--out new.csv/out.csv: its folder cannot be written to"),
        (("--out", "out.xlsx"), "--out out.xlsx: expected the ending .csv, .tsv, .jsonl, .parquet"),
        (("--out", "out.parquet.gz"), "expected the ending"),
        (("--out", "new.csv"), "--out new.csv: would overwrite the catalogue itself"),
        (("--out", "linked.csv"), "would overwrite the catalogue itself"),
        (("--as", "shopfy"), "--as shopfy: unknown platform; did you mean 'shopify'?"),
        (("--as", "shopify", "--out", "o.jsonl"), "expected --out with the ending .csv"),
        (("--option", "titel=name"), "source 'catalog' has no option 'titel'; did you mean 'title'?"),
        (("--entry", 3), "--entry 3: is no catalogue entry of the mixture"),
        (("--backend", "vlm"), "unknown backend 'vlm'; did you mean 'vllm'?"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    home: Path, label: Callable[..., Result], words: tuple[Any, ...], message: str
) -> None:
    bare(home, 3)
    shop.write(home / "untitled.csv", [{"sku": "1", "text": "x"}])
    shop.write(home / "labelled.csv", [{"sku": "1", "name": "x", "text": "x", "decision": "accept"}])
    (home / "empty.csv").write_bytes(b"")
    (home / "header.csv").write_text("sku,name,text\n")
    (home / "new.xlsx").write_bytes(b"PK\x03\x04")
    (home / "linked.csv").symlink_to("new.csv")
    (home / "untitled.jsonl").write_text('{"sku": "1", "text": "x"}\n')
    pq.write_table(pa.table({"sku": ["1"], "text": ["x"]}), home / "untitled.parquet")
    twice = pa.table([["1"], ["Mug"], ["x"], ["y"]], names=["sku", "name", "text", "text"])
    pq.write_table(twice, home / "twice.parquet")
    (home / "cut.parquet").write_bytes((home / "untitled.parquet").read_bytes()[:-9])
    (home / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\xfe\xff")
    (home / "page.csv").write_text("<!DOCTYPE html>\n<title>Log in</title>\n")
    shop.write(home / "nameless.csv", [{"sku": "1", "name": "", "text": "x"}, {"sku": "2", "name": " ", "text": ""}])
    before = {path: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert message in error(label("--catalog", "new.csv", "--out", "out.csv", *words))
    assert {path: path.read_bytes() for path in home.iterdir() if path.is_file()} == before


def test_what_is_there_stays_where_nothing_can_be_labelled_or_another_process_writes_it(
    home: Path, label: Callable[..., Result]
) -> None:
    shop.calibrated(home / "runs" / "shop")
    bare(home, 3)
    shop.write(home / "nameless.csv", [{"sku": "1", "name": "", "text": "x"}])
    out = home / "out" / "l[1].csv"
    made(label("--catalog", "new.csv", "--out", out))
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    assert "none of its rows can be labelled: no title" in error(label("--catalog", "nameless.csv", "--out", out))
    with jsonl.locked(Files(out).lock, out):
        assert "is being written by another process" in error(label("--catalog", "new.csv", "--out", out))
    Files(out).lock.unlink()
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before and len(before) == 5


def test_a_catalogue_that_changes_meanwhile_gets_no_labels_of_other_rows(
    home: Path, label: Callable[..., Result]
) -> None:
    file = bare(home, 6)

    def meanwhile(body: dict[str, Any], headers: Any) -> Answered:
        shop.write(file, reversed(shop.products(6)), without=shop.LABELS)
        return answer(body, headers)

    with serving(meanwhile) as url:
        words = ("--catalog", "new.csv", "--out", "l.csv")
        assert "new.csv: was changed while it was labelled" in error(label(*words, "--base-url", url))
    assert not (home / "l.csv").exists()
    made(label(*words))
    assert [row["sku"] for row in shop.table(home / "l.csv")] == ["S5", "S4", "S3", "S2", "S1", "S0"]


def test_a_run_that_learnt_no_paths(home: Path, label: Callable[..., Result]) -> None:
    bare(home, 3)
    train = home / "train.csv"
    shop.trained(home, shop.entry(train, tasks=["category_shortlist"], shortlist=2), name="short")
    assert "category_shortlist need candidates" in error(label("--catalog", "new.csv", "--out", "l.csv", name="short"))
    shop.trained(home, shop.entry(train, tasks=["attributes"]), name="values")
    assert "no category is predicted" in made(label("--catalog", "new.csv", "--out", "l.csv", name="values"))
    assert "predicted_category" not in shop.table(home / "l.csv")[0]
    changed = home / "data" / "shop" / "train.jsonl"
    changed.write_bytes(changed.read_bytes()[:-200])
    assert "expected the rows that the run was trained on" in error(label("--catalog", "new.csv", "--out", "l.csv"))
