"""One mix of all real files: what it promises is checked row by row, with the tokenizer of a real model."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from converters import examples, tasks
from converters.cli import main
from converters.examples import read_rows
from converters.schema import MANIFEST, SPLITS, Row
from converters.text.matching import title_group
from converters.validation.check import findings

SHOP = {
    "id": "uniq_id",
    "title": "product_name",
    "category": "product_category_tree",
    "separator": ">>",
    "texts": {"Description": "description"},
    "attributes": {"Brand": "brand"},
}
SOURCES: dict[str, tuple[list[str], dict[str, object]]] = {
    "mave": (["mave/*.jsonl"], {}),
    "ecinstruct": (["ecinstruct/multiclass_product_classification.json", "ecinstruct/product_matching.json"], {}),
    "esci": (["esci/esci_200.csv"], {}),
    "amazonqa": (["amazonqa/qar_sample.jsonl"], {}),
    "contextual_pqa": (["product_qa/*.csv"], {}),
    "google_taxonomy": (["google_taxonomy/*.txt"], {}),
    "catalog": (["own_catalog/flipkart_999.csv"], SHOP),
    "general": (["general/alpaca_999.json", "general/dolly_151.jsonl"], {}),
}


@pytest.fixture(scope="module")
def mix(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    entries: list[dict[str, Any]] = [
        {"source": name, "paths": [str(real / path) for path in paths], "options": options, "limit": 1000}
        for name, (paths, options) in SOURCES.items()
    ]
    splits = {"validation": 0.05, "test": 0.1}
    (folder / "all.yaml").write_text(yaml.safe_dump({"sources": entries, "splits": splits, "general_share": 0.1}))
    done = CliRunner().invoke(main, ["build", str(folder / "all.yaml"), "--out", str(folder / "all")])
    assert done.exit_code == 0, done.output
    return folder / "all"


@pytest.fixture(scope="module")
def splits(mix: Path) -> dict[str, list[Row]]:
    return {name: read_rows(mix / f"{name}.jsonl") for name in SPLITS}


def rows(splits: dict[str, list[Row]]) -> Iterator[Row]:
    return (row for found in splits.values() for row in found)


def test_every_source_and_every_task_that_it_feeds_is_there(splits: dict[str, list[Row]]) -> None:
    assert {row.source for row in rows(splits)} == set(SOURCES)
    assert {row.task for row in rows(splits)} >= {"category", "attributes", "answer", "choice", "yes_no", "general"}


def test_every_raw_row_is_used_or_counted(mix: Path) -> None:
    manifest = json.loads((mix / MANIFEST).read_text())
    for entry in manifest["sources"]:
        assert entry["read"] == entry["used"] + sum(entry["rejected"].values()) > 0, entry["source"]


def test_no_group_and_no_title_is_in_two_splits(splits: dict[str, list[Row]]) -> None:
    homes = defaultdict[str, set[str]](set)
    for name, found in splits.items():
        for row in found:
            homes[row.group].add(name)
            for line in row.messages[-2].content.splitlines():
                if row.task in ("category", "attributes") and line.startswith("Title: "):
                    homes[title_group(line.removeprefix("Title: "))].add(name)
    assert len(homes) > 1000 and all(len(names) == 1 for names in homes.values())


def test_the_general_share_is_exact(splits: dict[str, list[Row]]) -> None:
    for found in splits.values():
        assert abs(sum(row.task == "general" for row in found) - 0.1 * len(found)) <= 0.5


def test_the_law_holds_for_every_row(mix: Path, splits: dict[str, list[Row]]) -> None:
    for row in rows(splits):
        task = tasks.get(row.task)
        assert examples.gold(row) is not None and task.parse(task.render(examples.gold(row))) == examples.gold(row)
    assert list(findings([mix / f"{name}.jsonl" for name in SPLITS])) == []


def test_no_text_becomes_a_control_token_of_mistral(splits: dict[str, list[Row]], mistral: tuple[Path, Any]) -> None:
    tokenizer = mistral[1]
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    assert len(special) > 5 and tokenizer.encode("a</s>", add_special_tokens=False)[-1] in special
    texts = [turn.content for row in rows(splits) for turn in row.messages]
    for text, ids in zip(texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True):
        assert not special.intersection(ids), text
