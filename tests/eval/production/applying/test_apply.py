"""From an export to a labelled catalogue: the shop's rows stay as they are, all have their account, a kill changes no byte."""

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from converters.io import jsonl
from converters.mixture.spec import Entry
from eval.cli import main
from eval.production.applying import decisions
from eval.production.confidence.calibration import Calibration, Curve, Threshold
from eval.production.confidence.calibration import Entry as Fitted
from tests.converters._converted import convert
from tests.eval._serving import Answered, chat, serving
from tests.eval.production.applying import _shop as shop

FIXTURES = Path(__file__).parents[3] / "fixtures"
ROOT = Path(__file__).parents[4]
FOUND = {"Brand": r"Acme\d+", "Color": "Red|Blue|Green|Grey", "Capacity": r"\d+ l\b"}
ADDED = [
    "predicted_category", "confidence_category", "decision_category", "predicted_Brand", "predicted_Color", "predicted_Capacity",
    "predicted_attributes", "confidence_attributes", "decision_attributes", "decision", "decision_reason",
]  # fmt: skip


def answer(body: dict[str, Any], _: Any) -> Answered:
    """Answer as a good model would, unsure of every fourth product."""
    prompt = body["messages"][-1]["content"]
    number = int((re.search(r"thing (\d+)", prompt) or re.search(r"(\d*)$", "0"))[1])  # type: ignore[index]
    if prompt.startswith("[CLASSIFY]"):
        text = (shop.KETTLES, shop.MUGS, shop.TENTS)[number % 3]
    else:
        names = json.loads(re.search(r"\[\"[^\]]*\]", prompt)[0])  # type: ignore[index]
        values = {name: re.search(FOUND.get(name, "$^"), prompt.partition("\n")[2]) for name in names}
        text = json.dumps({name: value and value[0] for name, value in values.items()})
    token = {"token": text, "logprob": -2.0 if number % 4 == 0 else -0.01, "bytes": list(text.encode())}
    return chat(choices=[{"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": [token]}}])


@pytest.fixture
def url() -> Iterator[str]:
    with serving(answer) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run that was trained on the made-up shop."""
    monkeypatch.chdir(tmp_path)
    shop.trained(tmp_path, shop.entry(shop.write(tmp_path / "train.csv", shop.products())))
    return tmp_path


@pytest.fixture
def label(url: str) -> Callable[..., Result]:
    """Apply the run ``shop`` by the endpoint."""

    def run(*words: object, name: str = "shop") -> Result:
        network = ("--backend", "openai", "--base-url", url, "--model", "m", "--concurrency", 2) * (
            "transformers" not in words
        )
        return CliRunner().invoke(main, [str(word) for word in ("apply", "--run", name, *network, *words)])

    return run


def made(found: Result) -> str:
    assert found.exit_code == 0, found.output
    return found.output


def error(found: Result) -> str:
    (line,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and "Traceback" not in found.output
    return str(line)


def bare(home: Path, count: int = 12) -> Path:
    return shop.write(home / "new.csv", shop.products(count), without=shop.LABELS)


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


def converted(path: Path, **options: Any) -> dict[tuple[str, str], str]:
    rows = convert(Entry(source="catalog", paths=[str(path)], options=options)).rows
    return {(row.task, row.id.split(":", 2)[2]): row.target for row in rows}


def words(file: str, out: str, platform: str) -> list[str]:
    return ["--catalog", file, "--out", out, "--as", platform, "--option", f"preset={platform}"]


def test_what_shops_import_is_read_by_their_own_presets(home: Path, label: Callable[..., Result]) -> None:
    lines = [
        "Handle,Title,Body (HTML),Tags,Published,Image Src,Vendor",
        "mug,Acme1 thing 1,<p>In Blue</p>,,true,1.jpg,Old",
        "mug,,,,,2.jpg,",
        'pot,"Acme3, thing 3",6 l,,true,,',
        "jar,A thing 6,6 l,,true,,Old",
    ]
    (home / "new.csv").write_text("\n".join(lines) + "\n")
    said = made(label(*words("new.csv", "import.csv", "shopify")))
    assert "never showed" not in said and "has not" not in said
    found = shop.table(home / "import.csv")
    assert list(found[0]) == [
        "Handle", "Title", "Product Category", "Vendor",
        "Color (product.metafields.custom.color)", "Capacity (product.metafields.custom.capacity)",
    ]  # fmt: skip
    assert [(row["Handle"], row["Vendor"]) for row in found] == [("mug", "Acme1"), ("pot", "Acme3"), ("jar", "Old")]
    again = converted(home / "import.csv", preset="shopify")
    assert again["category", "mug"] == shop.MUGS and again["category", "pot"] == shop.KETTLES
    assert json.loads(again["attributes", "mug"])["Brand"] == "Acme1"
    woo = [
        "ID,Type,SKU,Name,Published,Description",
        '5,simple,W1,"Acme1, thing 1",1,In Blue',
        "6,simple,,Acme3 thing 3,1,6 l",
    ]
    (home / "woo.csv").write_text("\n".join(woo) + "\n")
    made(label(*words("woo.csv", "woo-import.csv", "woocommerce")))
    first, second = shop.table(home / "woo-import.csv")
    assert (first["SKU"], first["Name"], second["ID"]) == ("W1", "Acme1, thing 1", "6")
    again = converted(home / "woo-import.csv", preset="woocommerce")
    assert again["category", "W1"] == shop.MUGS and again["category", "id:6"] == shop.KETTLES
    assert json.loads(again["attributes", "W1"]) == {"Brand": "Acme1"}


PRESETS = {path.name: path.name.split(".")[0] for path in sorted((FIXTURES / "presets").iterdir())}


@pytest.mark.parametrize("name", PRESETS)
def test_every_platforms_file_is_labelled_and_its_rows_are_accounted_for(
    home: Path, label: Callable[..., Result], name: str
) -> None:
    file = FIXTURES / "presets" / name
    made(label("--catalog", file, "--out", "l.jsonl", "--option", f"preset={PRESETS[name]}"))
    found, record = (
        [json.loads(line) for line in (home / "l.jsonl").open()],
        json.loads((home / "l.jsonl.json").read_text()),
    )
    rejects = [json.loads(line) for line in (home / "l.jsonl.rejects.jsonl").open()]
    assert found and record["read"] == len(found) + len(rejects) == record["labelled"] + sum(
        record["rejected"].values()
    )
    assert {row["predicted_category"] for row in found} <= {shop.KETTLES, shop.MUGS, shop.TENTS}
    if file.suffix == ".xml" or name.startswith("schema_org"):  # no list of rows
        assert all(list(row)[:3] == ["id", "title", "predicted_category"] for row in found)
        return
    added = {"predicted_category", "confidence_category", *ADDED}
    own = [[value for key, value in row.items() if key not in added] for row in found]
    if file.suffix == ".json":
        rows = [list(row.values()) for row in json.loads(file.read_text("utf-8"))]
    else:
        with file.open(encoding="utf-8-sig", newline="") as text:
            lines = text.read().splitlines(keepends=True)
        delimiter = max(",;\t|", key=lines[-1].count)
        rows = list(csv.reader(lines, delimiter=delimiter))
    assert all(row in rows for row in own)


def calibrated(run: Path, precision: float = 0.9, constrained: bool = True) -> None:
    """Give a run a calibration that takes what has a raw confidence of 0.5, and keeps the figures."""
    sorts = [("path", "path"), *((name, sort) for name in FOUND for sort in ("value", "null"))]
    fitted = [
        Fitted(
            unit=unit,
            sort=sort,
            n=9,
            groups=9,
            right=8,
            curve=Curve("platt", slope=1.0, intercept=-1.0),
            threshold=Threshold(0.5),
        )
        for unit, sort in sorts
    ]
    decoding = {"constrain": {"tasks": {}}} if constrained else {}
    found = Calibration(
        precision=precision, tasks={"category": fitted[:1], "attributes": fitted[1:]}, model={"decoding": decoding},
        fitted_on={}, reported_on={}, settings={},
    )  # fmt: skip
    jsonl.write_json(run / decisions.FILE, found)


def test_a_calibration_decides_and_the_review_comes_back_as_training_rows(
    home: Path, label: Callable[..., Result]
) -> None:
    calibrated(home / "runs" / "shop")
    bare(home)
    said = made(label("--catalog", "new.csv", "--out", "labelled.csv", "--precision", 0.9))
    assert "accepted 9 of 12 categories and 21 of 28 attributes, all of 9 products; 3 to review" in said
    found = shop.table(home / "labelled.csv")
    assert [row["decision"] for row in found] == ["review", "accept", "accept", "accept"] * 3
    assert [row["decision_category"] for row in found[:2]] == ["review", "accept"]
    assert json.loads(found[1]["decision_attributes"]) == {"Brand": "accept", "Color": "accept"}
    assert "path: confidence 0.135335 is below the threshold 0.5" in found[0]["decision_reason"]
    assert float(found[1]["confidence_category"]) < 0.99  # calibrated, no longer raw
    review = home / "labelled.csv.review.csv"
    rows = shop.table(review)
    assert [row["id"] for row in rows] == ["S0", "S4", "S8"]
    assert (
        rows[1]["category"] == shop.MUGS and "Brand" in rows[1] and rows[1]["confidence of the category"] == "path 0.05"
    )
    rows[0]["category"], rows[1]["Color"] = "Home > Kitchen > Pots", ""
    shop.write(review, rows)
    again = converted(review, mapping=str(home / "labelled.csv.review.csv.mapping.yaml"))
    assert again["category", "S0"] == "Home > Kitchen > Pots" and again["category", "S4"] == shop.MUGS
    assert json.loads(again["attributes", "S4"]) == {"Brand": "Acme4"}
    assert "was edited since it was written" in error(label("--catalog", "new.csv", "--out", "labelled.csv"))
    made(label("--catalog", "new.csv", "--out", "import.csv", "--as", "shopify"))
    assert [row["Handle"] for row in shop.table(home / "import.csv")] == [
        row["sku"] for row in found if row["decision"] == "accept"
    ]


def test_a_value_that_no_text_holds_is_left_to_a_person() -> None:
    answer = {"Color": ("Red",), "Size": (), "Brand": ("Acme",), "Capacity": ("1.5 l",)}
    given = decisions.Judged(answer, {}, "accept", (), dict.fromkeys(answer, "accept"))
    texts = ["Kettle by ACME", "holds 1,5 L"]
    found = decisions.grounded(given, texts, ())
    assert (found.decision, found.why) == ("review", ("Color: its value is not in the text",))
    assert found.units == {"Color": "review", "Size": "accept", "Brand": "accept", "Capacity": "accept"}
    assert decisions.grounded(given, texts, {"Color"}) == given
    undecided = given._replace(decision="", units={})
    assert decisions.grounded(undecided, texts, ()) == undecided


def test_precision_needs_a_calibration_of_these_very_answers(home: Path, label: Callable[..., Result]) -> None:
    bare(home)
    words = ("--catalog", "new.csv", "--out", "labelled.csv", "--precision", 0.95)
    assert "run: make calibrate RUN=shop PRECISION=0.95" in error(label(*words))
    calibrated(home / "runs" / "shop")
    assert "has thresholds for precision 0.9, not 0.95" in error(label(*words))
    calibrated(home / "runs" / "shop", 0.95, constrained=False)
    assert "from answers that were free" in error(label(*words))
    with serving(lambda body, _: chat(json.loads(answer(body, _).body)["choices"][0]["message"]["content"])) as silent:
        calibrated(home / "runs" / "shop", 0.95)
        assert "sends no log-probabilities" in error(label(*words, "--base-url", silent))
        (home / "runs" / "shop" / decisions.FILE).unlink()
        made(label(*words[:4], "--base-url", silent))
    found = shop.table(home / "labelled.csv")
    assert {row["decision_reason"] for row in found} >= {decisions.UNKNOWN}
    assert {row["confidence_category"] for row in found} == {""}


def test_another_taxonomy_is_told_and_wins(home: Path, label: Callable[..., Result]) -> None:
    bare(home, 3)
    (home / "paths.txt").write_text(f"{shop.MUGS}\n{shop.KETTLES}\n{shop.TENTS}\nHome > Lamps\n")
    said = made(label("--catalog", "new.csv", "--out", "l.csv", "--paths", "paths.txt"))
    assert "taxonomy: 1 of 4 paths never occur in training" in said
    (home / "paths.txt").write_text("Home > Lamps\n")
    assert "which the request did not allow" in error(
        label("--catalog", "new.csv", "--out", "m.csv", "--paths", "paths.txt")
    )
    assert not (home / "m.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--run", "shpo"), "runs/shpo: no such run; did you mean 'shop'?"),
        (("--run", "../shop"), "expected the name of a run"),
        (("--backend", "transformers"), "runs/shop/merged: no such folder; make it with 'make merge-shop'"),
        (("--catalog", "nwe.csv"), "nwe.csv: no such file; did you mean new.csv?"),
        (("--catalog", "untitled.csv"), "untitled.csv: no column 'name'"),
        (("--catalog", "empty.csv"), "empty.csv: the file is empty"),
        (("--catalog", "header.csv"), "header.csv: found only a header, expected products below it"),
        (("--catalog", "new.xlsx"), "is a spreadsheet"),
        (("--catalog", "labelled.csv"), "has a column 'decision' already"),
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
    before = {path: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert message in error(label("--catalog", "new.csv", "--out", "out.csv", *words))
    assert {path: path.read_bytes() for path in home.iterdir() if path.is_file()} == before


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


CODE = """
import sys, time
from pathlib import Path
from eval.production.applying import apply
network = dict(base_url=sys.argv[1], model="m", concurrency=1, timeout=60.0, retries=0, accept_unanswered=False)
options = dict(form=None, entry=None, option=(), constrain=True, paths=None, candidates=None, precision=None)
options |= dict(max_new_tokens=64, batch_size=4, choice_as="structured_outputs")
work = apply.prepared("shop", Path("new.csv"), Path(sys.argv[2]), "openai", {**options, **network})
apply.apply(work, "openai", lambda *_: None, time.monotonic, chunk=5)
"""


@pytest.mark.slow
def test_killed_in_a_chunk_and_after_one_it_ends_in_the_same_bytes(home: Path) -> None:
    bare(home, 24)

    def slow(body: dict[str, Any], headers: Any) -> Answered:
        time.sleep(0.05)
        return answer(body, headers)

    with serving(slow) as url:

        def start(out: str) -> "subprocess.Popen[bytes]":
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            return subprocess.Popen([sys.executable, "-c", CODE, url, out], env=env)

        def lines(name: str) -> int:
            return sum(path.read_bytes().count(b"\n") for path in home.glob(f".killed.csv.{name}.*.partial"))

        assert start("whole.csv").wait(300) == 0
        for name, least in (("category", 3), ("labels", 10)):
            process, deadline = start("killed.csv"), time.monotonic() + 300
            while lines(name) < least and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
            assert not (home / "killed.csv").exists()
        assert start("killed.csv").wait(300) == 0
    assert (home / "killed.csv").read_bytes() == (home / "whole.csv").read_bytes()
    record = json.loads((home / "killed.csv.json").read_text())
    assert record["sitting"]["prompts"] < 24 + 16
    assert not list(home.glob(".*.partial"))
