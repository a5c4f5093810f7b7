"""The checks of the rows and their manifest before training, each with the case that it must catch."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from recipes.runner import recipe
from recipes.runner.preflight import data
from tests.recipes.preflight._rows import Place, opened, row


def test_an_edited_row_breaks_the_manifest(place: Place, mistral: tuple[Path, Any]) -> None:
    loaded = recipe.load(place(mistral[0]))
    assert data.manifests(opened(loaded))
    train = data.files(loaded)[0]
    rows = train.read_text().splitlines()
    train.write_text(
        "\n".join([rows[0].replace("mug", "cup").replace("Say", "Sag").replace("holds", "bolds"), *rows[1:]]) + "\n"
    )
    with pytest.raises(InputError, match=r"its bytes are not those that .*manifest\.json describes"):
        data.manifests(opened(loaded))


def test_every_file_that_its_manifest_does_not_describe_is_told(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    place(mistral[0])
    paths = [tmp_path / "data" / "mix" / f"{split}.jsonl" for split in ("train", "validation")]
    for path in paths:
        with path.open("a") as file:
            file.write(row("Late"))
    with pytest.raises(InputError) as caught:
        data.manifests(list(map(data.read, paths)))
    lines = str(caught.value).splitlines()
    for path, line in zip(paths, lines, strict=True):
        assert f"{path}: its bytes are not those that" in line


def test_missing_data_and_a_missing_manifest_are_sentences(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    loaded = recipe.load(place(mistral[0]))
    manifest = tmp_path / "data" / "mix" / "manifest.json"
    manifest.rename(manifest.with_name("gone"))
    with pytest.raises(InputError, match=r"manifest\.json: no such file"):
        data.manifests(opened(loaded))
    (tmp_path / "data" / "mix" / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"mine\.yaml:\d+: no file 'data/mix/train\.jsonl'; build it with 'make data"):
        data.files(loaded)
    manifest.write_text("{")
    validation = data.read(tmp_path / "data" / "mix" / "validation.jsonl")
    with pytest.raises(InputError, match=r"manifest\.json: not JSON"):
        data.manifests([validation])
    manifest.write_text("{}")
    with pytest.raises(InputError, match=r"no entry for validation\.jsonl"):
        data.manifests([validation])


def test_a_product_in_two_splits_is_caught(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    """The recipe names the training file alone; the other splits of its mix are looked at, too."""
    loaded = recipe.load(place(mistral[0]))
    data.contract(data.splits(opened(loaded)))
    train, test = (tmp_path / "data" / "mix" / f"{name}.jsonl" for name in ("train", "test"))
    leaked = json.loads(test.read_text().splitlines()[0]) | {"id": "another"}
    train.write_text(train.read_text() + json.dumps(leaked) + "\n")
    with pytest.raises(
        InputError, match=r"found a group that is in (test|train)\.jsonl, too.*see: ecom-data check data/mix"
    ):
        data.contract(data.splits(opened(loaded)))


def test_a_row_that_breaks_the_contract_is_caught(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    path, train = place(mistral[0]), tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text(train.read_text().replace("[CLASSIFY]", "[CLASIFY]"))
    with pytest.raises(
        InputError, match=r"train\.jsonl:\d+: found a prompt that starts '\[CLASIFY\].*others\); see: ecom-data"
    ):
        data.contract(opened(recipe.load(path)))
