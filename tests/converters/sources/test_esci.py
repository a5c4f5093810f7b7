"""ESCI: judgements joined with products, in little memory and the same as pandas joins them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry
from tests.converters._converted import Converted, convert
from tests.converters.sources.test_ecinstruct import pinned


def converted(*paths: Path, **options: object) -> Converted:
    return convert(Entry(source="esci", paths=list(map(str, paths)), options=options))


def tables(rows: int = 3000, products: int = 700) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return examples and products of the published columns; a product of each locale, some without a title."""
    draw = np.random.default_rng(0)
    number = draw.integers(0, products + 40, rows)  # some judgements are of products that the file does not have
    asked = draw.integers(0, rows // 12, rows)
    examples = pd.DataFrame(
        {
            "example_id": np.arange(rows),
            "query": [f"query {n} ☕" for n in asked],
            "query_id": asked,
            "product_id": [f"B{n:09d}" for n in number],
            "product_locale": np.array(["us", "es", "jp"])[number % 3],
            "esci_label": draw.choice(list("ESCI"), rows),
            "small_version": draw.integers(0, 2, rows),
            "large_version": 1,
            "split": np.where(asked % 5 == 0, "test", "train"),
        }
    )
    catalogue = pd.DataFrame({"product_id": [f"B{n:09d}" for n in range(products)]})
    catalogue["product_locale"] = [("us", "es", "jp")[n % 3] for n in range(products)]
    catalogue["product_title"] = [f"Product {n} &amp; lid" if n % 50 else None for n in range(products)]
    catalogue["product_brand"] = "Acme"
    return examples, catalogue.sample(frac=1, random_state=1)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("esci")
    examples, products = tables()
    paths = [folder / name for name in ("examples_1.parquet", "examples_2.parquet", "products.parquet")]
    examples[:1000].to_parquet(paths[0], row_group_size=300)
    examples[1000:].to_parquet(paths[1])
    products.to_parquet(paths[2], row_group_size=100)
    return paths


@pytest.mark.parametrize(("version", "locale"), [("large", None), ("small", None), ("large", "es")])
def test_the_join_is_that_of_pandas(parquet: list[Path], version: str, locale: str | None) -> None:
    part = converted(*parquet, version=version, locale=locale)
    examples, products = tables()
    merged = examples.merge(products, on=["product_locale", "product_id"], how="left")
    merged = merged[(merged[f"{version}_version"] == 1) & merged["product_title"].notna()]
    merged = merged[merged["product_locale"] == locale] if locale else merged
    merged = merged.drop_duplicates(["query", "product_locale", "product_id"])
    words = {"E": "Exact match", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
    expected = Counter(
        (query, title.replace("&amp;", "&"), words[label])
        for query, title, label in zip(merged["query"], merged["product_title"], merged["esci_label"], strict=True)
    )
    choices = Counter(
        (texts[-2].removeprefix("Query: "), texts[-1].removeprefix("Title: "), row.target)
        for row in part.rows
        if row.task == "choice"
        for texts in [row.messages[0].content.splitlines()]
    )
    assert choices == expected and choices.total() > 200
    assert part.tally.read == 3000 == part.tally.used + part.tally.rejected.total()


def test_rows_are_used_where_they_are_part_of_a_ranking_that_is_asked_for(tmp_path: Path) -> None:
    labels = [("pot", "E"), ("pot", "S"), ("pan", "E")]
    row = {"product_locale": "us", "product_title": "Pot", "large_version": 1}
    rows = [
        row | {"query": query, "product_id": f"B{n}", "esci_label": label} for n, (query, label) in enumerate(labels)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = convert(Entry(source="esci", paths=[str(tmp_path / "rows.jsonl")], tasks=["ranking"]))
    assert len(part.rows) == 1 and part.tally.used == 2
    assert part.rejects == [(f"{tmp_path}/rows.jsonl:3", "nothing for task ranking")]


def test_a_title_of_tags_alone_is_no_title(tmp_path: Path) -> None:
    row = {"query": "pot", "product_locale": "us", "esci_label": "E", "large_version": 1}
    rows = [row | {"product_id": f"B{n}", "product_title": title} for n, title in enumerate(["Pot", "</s> <br>&nbsp;"])]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = convert(Entry(source="esci", paths=[str(tmp_path / "rows.jsonl")]))
    assert part.tally.used == 1 and part.tally.rejected == {"no query or no product title": 1}


def test_products_may_be_in_any_of_the_files_and_in_any_order(parquet: list[Path]) -> None:
    assert {r.id for r in converted(*reversed(parquet)).rows} == {r.id for r in converted(*parquet).rows}


def test_exports_with_labels_in_words_are_read_and_counted(fixtures: Path, tmp_path: Path) -> None:
    part = converted(fixtures / "esci.csv")
    assert (part.tally.read, part.tally.used) == (10, 5)
    assert part.tally.rejected == {
        "same product again for its query": 1,
        "label is not E, S, C or I": 1,
        "not in the large version": 1,
        "no query or no product title": 1,
        "split is not train, validation or test": 1,
    }
    entry = Entry(source="esci", paths=[str(fixtures / "esci.csv")])
    assert pinned(entry, tmp_path) == {"train": 7, "test": 5}


def test_more_texts_and_fewer_candidates(fixtures: Path) -> None:
    part = converted(fixtures / "esci.csv", texts={"Title": "product_title", "Brand": "product_brand"}, candidates=2)
    assert part.rows[5].messages[0].content.endswith("Title: Acme kettle 1.5 L\nBrand: Acme")
    ranking = [row for row in part.rows if row.task == "ranking"]
    assert [len(row.extra["gains"]) for row in ranking] == [2, 2]
    assert part.tally.noted == {"candidate left out: over the limit": 1}


def test_wrong_options_and_files_are_sentences(parquet: list[Path], fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown version 'smal'; did you mean 'small'"):
        converted(*parquet, version="smal")
    with pytest.raises(InputError, match=r"no Parquet file with product texts"):
        converted(*parquet[:2])
    with pytest.raises(InputError, match=r"no Parquet file with queries"):
        converted(parquet[2])
    with pytest.raises(InputError, match="no column 'product_titel'; did you mean 'product_title'"):
        converted(*parquet, texts={"Title": "product_titel"})
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(parquet[2].read_bytes()[:-9])
    with pytest.raises(InputError, match=r"cut.parquet: damaged Parquet file"):
        converted(*parquet[:2], cut)


def test_real_rows_are_used_whole(real: Path) -> None:
    part = converted(real / "esci" / "esci_200.csv")
    assert (part.tally.read, part.tally.used) == (200, 200)
    assert Counter(row.task for row in part.rows) == {"choice": 200, "yes_no": 200}


def test_a_json_row_without_a_column_is_counted(tmp_path: Path) -> None:
    row = {"query": "pot", "product_id": "B0", "product_locale": "us", "esci_label": "E", "product_title": "Pot"}
    row["large_version"] = "1"
    rows = [row, {k: v for k, v in row.items() if k != "esci_label"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = convert(Entry(source="esci", paths=[str(tmp_path / "rows.jsonl")]))
    assert (part.tally.read, part.tally.used, part.tally.rejected) == (2, 1, {"no column 'esci_label'": 1})
