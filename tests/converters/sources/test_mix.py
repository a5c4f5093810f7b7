"""A mix that replays an earlier one: the same rows to the byte, each in its split, and no product on both sides of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from converters.io.jsonl import sha256
from converters.schema import Row
from converters.validation import check
from tests.converters._mixed import build, entry, shop, splits


def old(folder: Path, count: int = 120) -> Path:
    done = build(folder, [entry(shop(folder / "old.jsonl", count))], out="old")
    assert done.exit_code == 0, done.output
    return folder / "old"


def replay(path: Path, **keys: Any) -> dict[str, Any]:
    return {"source": "mix", "paths": [str(path)], **keys}


def products(rows: Mapping[str, list[Row]], *names: str) -> set[str]:
    return {row.group for name in names for row in rows[name]}


def test_rows_are_replayed_to_the_byte_in_their_splits_beside_new_ones(tmp_path: Path) -> None:
    before = old(tmp_path)
    done = build(tmp_path, [replay(before), entry(shop(tmp_path / "new.jsonl", 80, seed=7))], "--seed", "5")
    assert done.exit_code == 0, done.output
    for name in ("train", "validation", "test"):
        lines, again = ((folder / f"{name}.jsonl").read_bytes().splitlines() for folder in (before, tmp_path / "mix"))
        assert lines and set(lines) < set(again)
    assert not list(check.findings(check.files(tmp_path / "mix")))
    manifest = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    earlier, accounts = json.loads((before / "manifest.json").read_text()), manifest["sources"]
    assert accounts[0]["read"] == accounts[0]["used"] == sum(split["rows"] for split in earlier["splits"].values())
    assert accounts[0]["licence"] == earlier["sources"][0]["licence"] and accounts[0]["dropped"] == {}
    inputs = {item["name"]: item["sha256"] for item in accounts[0]["inputs"]}
    assert inputs[str(before / "manifest.json")] == sha256(before / "manifest.json")
    assert inputs[str(before / "train.jsonl")] == earlier["splits"]["train"]["sha256"]


def test_no_product_changes_sides_even_where_its_replayed_row_is_left_out(tmp_path: Path) -> None:
    """The shop's file again under another seed: its products would be drawn anew, were it not for the earlier mix."""
    before = old(tmp_path)
    for keys in ({"limit": 90}, {"tasks": ["attributes"]}):
        again = entry(str(tmp_path / "old.jsonl"), tasks=["category"])
        done = build(tmp_path, [replay(before, **keys), again], "--seed", "9")
        assert done.exit_code == 0, done.output
        first, second = splits(before), splits(tmp_path / "mix")
        evaluation = products(first, "validation", "test")
        assert products(second, "train") == products(first, "train") - evaluation and products(second, "train")
        assert not products(second, "validation", "test") & products(first, "train")
        account = json.loads((tmp_path / "mix" / "manifest.json").read_text())["sources"][0]
        assert account["dropped"]["over the entry's limit" if "limit" in keys else "task that is not replayed"] > 0


def test_a_product_that_is_known_by_its_title_alone_stays_on_its_side(tmp_path: Path) -> None:
    before = old(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "old.jsonl").read_text().splitlines()]
    nameless = tmp_path / "nameless.jsonl"
    nameless.write_text("".join(json.dumps(row | {"id": str(n)}) + "\n" for n, row in enumerate(rows)))
    done = build(tmp_path, [replay(before), entry(str(nameless), tasks=["category"])], "--seed", "3")
    assert done.exit_code == 0, done.output
    second = splits(tmp_path / "mix")
    titles = {name: {row.messages[0].content.split("Title: ")[1] for row in second[name]} for name in second}
    assert not titles["train"] & (titles["validation"] | titles["test"])


def test_a_limit_and_a_weight_count_replayed_rows(tmp_path: Path) -> None:
    before = old(tmp_path)
    new = entry(shop(tmp_path / "new.jsonl", 100, seed=7), tasks=["category"], weight=4)
    done = build(tmp_path, [replay(before, tasks=["category"], weight=1), new])
    assert done.exit_code == 0, done.output
    accounts = json.loads((tmp_path / "mix" / "manifest.json").read_text())["sources"]
    assert [part["examples"] - sum(part["dropped"].values()) for part in accounts] == [25, 100]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda mix: (mix / "manifest.json").unlink(), "no manifest.json of a mixture"),
        (
            lambda mix: (mix / "test.jsonl").unlink(),
            "no test.jsonl among the files; name the folder of a whole mixture",
        ),
        (lambda mix: (mix / "train.jsonl").open("a").write("{}\n"), "not the bytes that"),
    ],
)
def test_a_mix_that_is_not_what_its_manifest_says_is_a_sentence(tmp_path: Path, spoil: Any, sentence: str) -> None:
    before = old(tmp_path, 40)
    spoil(before)
    done = build(tmp_path, [replay(before)])
    assert done.exit_code == 1 and sentence in done.output and "Traceback" not in done.output


def test_a_row_that_breaks_the_contract_is_counted_not_replayed(tmp_path: Path) -> None:
    before = old(tmp_path, 40)
    path, manifest = before / "train.jsonl", json.loads((before / "manifest.json").read_text())
    first, *rest = path.read_text().splitlines(keepends=True)
    row = json.loads(first)
    row["messages"][-1]["content"] = ""
    path.write_text(json.dumps(row) + "\n" + "".join(rest))
    manifest["splits"]["train"]["sha256"] = sha256(path)
    (before / "manifest.json").write_text(json.dumps(manifest))
    assert build(tmp_path, [replay(before)]).exit_code == 0
    replayed = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    assert replayed["rejected"] == {"empty answer": 1}


def test_a_replayed_row_cannot_be_rendered_anew(tmp_path: Path) -> None:
    done = build(tmp_path, [replay(old(tmp_path, 40), few_shot=2)])
    assert done.exit_code == 1 and "few_shot does not fit source 'mix'" in done.output
