"""Building a mix is the same work however it is shared out, interrupted and gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from converters.cli import main
from converters.examples import read_rows
from converters.io.jsonl import sha256
from converters.mixture import shards, write
from converters.mixture.convert import local, units
from converters.mixture.ids import APART
from converters.mixture.manifest import DROPPED
from converters.mixture.plan import table
from converters.schema import MANIFEST, SPLITS
from tests.converters.mixture import _plans
from tests.converters.mixture._plans import COMMAND, SIZE, WORDS, built, lines, title


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Path]:
    return partial(_plans.plan, tmp_path)


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share the rows of small files, too."""
    monkeypatch.setattr(local, "SMALL", SIZE)
    monkeypatch.setattr(units, "SIZE", SIZE)


@pytest.mark.usefixtures("sharing")
def test_the_number_of_workers_changes_no_byte(plan: Callable[..., Path], tmp_path: Path) -> None:
    path = plan(records=True)
    one, two, four = (built(path, tmp_path / f"mix{n}", "--workers", str(n)) for n in (1, 2, 4))
    assert one == two == four
    rejects, manifest = (tmp_path / "mix4" / name for name in ("rejects.jsonl", MANIFEST))
    told, found = rejects.read_text().splitlines(), json.loads(manifest.read_text())
    assert sum("no title" in line for line in told) == 3
    assert len(told) == found["read"] - found["used"] == sum(found["rejected"].values())
    dropped = sum(count for reason, count in found["rejected"].items() if reason.startswith(DROPPED))
    assert sum(DROPPED in line for line in told) == dropped > 0


def test_however_few_rows_are_looked_at_at_once_the_bytes_are_the_same(
    plan: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plan(records=True, balance={"tasks": ["category"], "cap": 3})
    spec = json.loads(path.read_text())
    spec["sources"][0] |= {"tasks": ["category"], "few_shot": 2, "limit": 250}
    spec["sources"][1] |= {"tasks": ["category_shortlist"], "shortlist": 3}
    spec["sources"].append(spec["sources"][2] | {"options": {"texts": {"Again": "title"}}})  # rows of the same ids
    path.write_text(json.dumps(spec))
    expected = built(path, tmp_path / "mix")
    for module, name, number in (
        (table, "TOGETHER", 64), (table, "BLOCK", 50), (write, "DRAWN", 70), (write, "WINDOW", 5000), (shards, "BLOCK", 30)
    ):  # fmt: skip
        monkeypatch.setattr(module, name, number)
    assert built(path, tmp_path / "again") == expected
    noted = json.loads((tmp_path / "mix" / MANIFEST).read_text())["sources"][2]["noted"]
    assert APART in noted


def test_a_build_loads_neither_pandas_nor_scipy(plan: Callable[..., Path], tmp_path: Path) -> None:
    code = "import atexit, sys; from converters.cli import main; atexit.register(lambda: print(*sys.modules)); main()"
    words = ["build", str(plan(60, records=True, general_share=0)), "--out", str(tmp_path / "mix")]
    said = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    assert "rensa" in said.split() and not {"pandas", "scipy", "pyarrow"} & {*said.split()}


def test_a_build_that_was_killed_goes_on_and_ends_with_the_same_bytes(
    plan: Callable[..., Path], tmp_path: Path
) -> None:
    path = plan(2000, records=True)
    start = time.monotonic()
    expected = built(path, tmp_path / "whole")
    whole = time.monotonic() - start
    draw = random.Random(1)
    for number, number_of_signal in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGKILL)):
        out = tmp_path / f"mix{number}"
        command = [*COMMAND, str(path), "--out", str(out), "--rejects"]
        process = subprocess.Popen(
            [*command, "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        while process.poll() is None and not (tmp_path / f".mix{number}.parts" / "lock").exists():
            time.sleep(0.02)
        time.sleep(draw.random() * whole / 2)  # with two processes it takes about that
        os.killpg(process.pid, number_of_signal)
        said = process.communicate()[0].decode()
        assert "Traceback" not in said
        assert built(path, out, "--workers", "2") == expected


def test_parts_that_are_there_are_not_converted_again_and_changed_files_are(
    plan: Callable[..., Path], tmp_path: Path
) -> None:
    path = plan(general_share=0.9)  # more than there is: the build stops when all is converted
    refused = CliRunner().invoke(main, ["build", str(path), "--out", str(tmp_path / "mix")])
    assert refused.exit_code == 1 and "general_share" in refused.output
    parts = sorted((tmp_path / ".mix.parts").glob("*/part.json"))
    assert len(parts) == 4
    made = {part: part.stat().st_mtime_ns for part in parts}
    shop = tmp_path / "shop0.jsonl"
    shop.write_text(shop.read_text().replace("Home > ", "House > "))
    again = CliRunner().invoke(main, ["build", str(path), "--out", str(tmp_path / "mix")])
    assert again.exit_code == 1
    now = {part: part.stat().st_mtime_ns for part in (tmp_path / ".mix.parts").glob("*/part.json")}
    assert len(now) == 5 and made.items() <= now.items()


def test_a_changed_file_of_options_or_taxonomy_converts_again_and_is_accounted_for(tmp_path: Path) -> None:
    """What shapes the rows beside the raw files is part of what a part was made of, and of the account."""
    rows = [{"id": f"B0{n:08d}", "title": f"Pot {n}", "name": f"Pan {n}", "category": "Home"} for n in range(40)]
    lines(tmp_path / "shop.jsonl", rows)
    tree, mapping = tmp_path / "tree.txt", tmp_path / "shop.yaml"
    tree.write_text("# Google_Product_Taxonomy_Version: 1\n1 - Home\n")
    mapping.write_text(json.dumps({"title": "title", "taxonomy": str(tree)}))
    entry = {"source": "catalog", "paths": [str(tmp_path / "shop.jsonl")], "options": {"mapping": str(mapping)}}
    plan = tmp_path / "plan.yaml"
    for share in (0.5, 0):  # there is nothing general: the first build stops when all is converted
        plan.write_text(json.dumps({"sources": [entry], "general_share": share}))
        done = CliRunner().invoke(main, ["build", str(plan), "--out", str(tmp_path / "mix")])
        mapping.write_text(json.dumps({"title": "name", "taxonomy": str(tree)}))
    assert done.exit_code == 0, done.output
    assert all("Title: Pan" in row.messages[0].content for row in read_rows(tmp_path / "mix" / "train.jsonl"))
    manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
    assert [Path(item["name"]).name for item in manifest["inputs"]] == ["shop.jsonl", "shop.yaml", "tree.txt"]


def test_a_mix_that_had_stepped_aside_when_its_successor_was_killed_is_still_there(
    plan: Callable[..., Path], tmp_path: Path
) -> None:
    path, out, work = plan(), tmp_path / "mix", tmp_path / ".mix.parts"
    before = built(path, out)
    work.mkdir()
    out.rename(work / ".half-1.old")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"general_share": 0.9}))
    refused = CliRunner().invoke(main, ["build", str(path), "--out", str(out)])
    assert refused.exit_code == 1 and "general_share" in refused.output
    assert {name: sha256(out / name) for name in before} == before


def test_two_builds_of_one_mix_do_not_meet(plan: Callable[..., Path], tmp_path: Path) -> None:
    import fcntl

    path = plan()
    (tmp_path / ".mix.parts").mkdir()
    with (tmp_path / ".mix.parts" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = CliRunner().invoke(main, ["build", str(path), "--out", str(tmp_path / "mix")])
    assert result.exit_code == 1 and "is being written by another process" in result.output


def test_weights_are_the_proportion_of_what_the_sources_give(plan: Callable[..., Path], tmp_path: Path) -> None:
    path = plan(general_share=0)
    tree = json.loads(path.read_text())
    for entry, weight in zip(tree["sources"], (3, 1, 2), strict=False):
        entry["weight"] = weight
    path.write_text(json.dumps(tree))
    built(path, tmp_path / "mix")
    manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
    left = [entry["examples"] - sum(entry["dropped"].values()) for entry in manifest["sources"][:3]]
    assert left == [299, 99, 199]


def test_rare_classes_are_repeated_in_training_alone_and_up_to_the_cap(
    plan: Callable[..., Path], tmp_path: Path
) -> None:
    built(plan(1000, balance={"tasks": ["category"], "cap": 3, "temperature": 100}), tmp_path / "mix")
    rows = {name: read_rows(tmp_path / "mix" / f"{name}.jsonl") for name in SPLITS}
    for name, found in rows.items():
        copies = Counter(row.id.partition("#")[0] for row in found)
        assert (max(copies.values()) > 1) == (name == "train") and max(copies.values()) <= 3
        assert abs(sum(row.task == "general" for row in found) - 0.1 * len(found)) <= 0.5
    count = Counter(row.target for row in rows["train"] if row.task == "category")
    once = Counter(row.target for row in rows["train"] if row.task == "category" and "#" not in row.id)
    assert max(count.values()) / min(count.values()) < max(once.values()) / min(once.values())
    manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
    assert manifest["repeated_examples"] == sum("#" in row.id for row in rows["train"]) > 0
    assert manifest["splits"]["train"]["rows"] == len(rows["train"])


def test_a_training_row_that_is_almost_a_held_out_one_goes(tmp_path: Path) -> None:
    draw = random.Random(2)
    said = [" ".join(draw.choices(WORDS, k=30)) for _ in range(40)]
    shop = [{"id": f"B0{n:08d}", "title": text, "category": "Home"} for n, text in enumerate(said)]
    held = [{"id": f"B1{n:08d}", "title": f"{text} new", "category": "Home"} for n, text in enumerate(said[:10])]
    entries = [
        {"source": "catalog", "paths": [lines(tmp_path / "shop.jsonl", shop)]},
        {"source": "catalog", "paths": [lines(tmp_path / "held.jsonl", held)], "split": "test"},
    ]
    for threshold, left in ((0.8, 30), (None, 40)):
        plan = {"sources": entries, "splits": {}, "general_share": 0, "near_duplicates": threshold}
        (tmp_path / "plan.yaml").write_text(json.dumps(plan))
        built(tmp_path / "plan.yaml", tmp_path / "mix")
        manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
        assert manifest["splits"]["train"]["rows"] == left
        assert manifest["leaks"]["near_duplicates"] == 40 - left


def test_rows_that_share_nothing_but_their_options_are_no_near_duplicates(tmp_path: Path) -> None:
    """ECInstruct's options are four sentences, longer than most titles."""
    draw, options = random.Random(3), [f"{letter}: {' '.join(WORDS)} {letter}" for letter in "ABCD"]
    rows = [
        {
            "instruction": "",
            "input": json.dumps({"query": title(draw), "product title": " ".join(draw.choices(WORDS, k=30))}),
            "options": options,
            "output": "A",
            "task": "Multiclass_Product_Classification",
            "split": "test" if n % 4 else "train",
        }
        for n in range(40)
    ]
    rows[4]["input"] = rows[5]["input"].replace('": "', '": "new ')
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    entry = {"source": "ecinstruct", "paths": [str(tmp_path / "rows.json")]}
    (tmp_path / "plan.yaml").write_text(json.dumps({"sources": [entry], "general_share": 0}))
    built(tmp_path / "plan.yaml", tmp_path / "mix")
    manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
    assert (manifest["splits"]["train"]["rows"], manifest["leaks"]["near_duplicates"]) == (9, 1)


def test_no_worker_outlives_a_command_that_was_killed(plan: Callable[..., Path], tmp_path: Path) -> None:
    """The workers hold the command's output open for as long as one of them is there."""
    command = [*COMMAND, str(plan(3000, records=True)), "--out", str(tmp_path / "mix")]
    with subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        while process.poll() is None and not list(tmp_path.glob(".mix.parts/**/.half-*")):
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
