"""The demo's raw files: valid in their formats, the same for the same seed, and held out for real."""

import json
from pathlib import Path

import pytest

from converters import examples, tasks
from converters.examples import read_rows
from converters.io.jsonl import sha256
from converters.mixture.build import build
from converters.mixture.spec import load
from converters.schema import MANIFEST, SPLITS
from recipes.runner.demo import products, raw_files

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the raw files and the mix of seed 0."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        raw_files.write(Path("data/raw/demo"), 0)
        spec = load(ROOT / "recipes" / "mixes" / "demo.yaml")
        build(spec, Path("data/demo"), 1, False, lambda rows: None)
    return folder


def test_same_seed_same_bytes(place: Path, tmp_path: Path) -> None:
    raw_files.write(tmp_path / "again", 0)
    raw_files.write(tmp_path / "other", 1)
    raw = sorted((place / "data" / "raw" / "demo").iterdir())
    assert len(raw) == 18
    for path in raw:
        assert sha256(path) == sha256(tmp_path / "again" / path.name)
        assert path.name == "taxonomy.txt" or sha256(path) != sha256(tmp_path / "other" / path.name)


def test_the_mix_has_a_tenth_of_general_rows_and_counts_its_dirt(place: Path) -> None:
    manifest = json.loads((place / "data" / "demo" / MANIFEST).read_text())
    for split in SPLITS:
        found = manifest["splits"][split]
        assert abs(found["tasks"]["general"] - 0.1 * found["rows"]) <= 0.5
        assert found["groups"] < found["rows"]
    assert 29_000 < manifest["splits"]["train"]["rows"] < 31_000
    for told in (manifest, *manifest["sources"]):
        assert told["read"] == told["used"] + sum(told["rejected"].values())
    assert {"blank line", "category not in the taxonomy: unknown", "no attribute whose spans hold"} <= manifest[
        "rejected"
    ].keys()


@pytest.mark.parametrize("seed", range(3))
def test_no_brand_pattern_or_wording_is_in_two_splits(seed: int) -> None:
    for dealt in (products.brands(seed), products.patterns(seed)):
        seen = [set(dealt[split]) for split in SPLITS]
        assert all(seen) and len(set.union(*seen)) == sum(map(len, seen))
    for part in ("question", "review"):
        forms = [set(raw_files.wordings(seed)[split][part]) for split in SPLITS]
        assert all(forms) and len(set.union(*forms)) == sum(map(len, forms))


def test_held_out_rows_are_new(place: Path) -> None:
    """No test prompt or product is in training, and most of the answers that are not classes are in no training answer."""
    rows = {split: read_rows(place / "data" / "demo" / f"{split}.jsonl") for split in SPLITS}
    groups = {split: {row.group for row in rows[split]} for split in SPLITS}
    assert not groups["train"] & groups["test"] and not groups["train"] & groups["validation"]
    known = {row.target for row in rows["train"]}
    asked = {row.messages[-2].content for row in rows["train"]}
    for split in ("validation", "test"):
        assert not asked & {row.messages[-2].content for row in rows[split]}
        unseen = [row.target not in known for row in rows[split] if row.task == "attributes"]
        assert sum(unseen) / len(unseen) > 0.4
        brands = [row for row in rows[split] if row.task == "attributes" and examples.gold(row).get("Brand")]
        assert brands and all(row.target not in known for row in brands)


def test_every_task_is_in_every_split(place: Path) -> None:
    for split in SPLITS:
        found = {row.task for row in read_rows(place / "data" / "demo" / f"{split}.jsonl")}
        assert found == {"category", "attributes", "answer", "general"} <= set(tasks.names())
