"""The last step of the demo: labels of new products against what the generator knows."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.io import jsonl
from recipes.runner.demo import products, raw_files, truth


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return tmp_path / "truth.jsonl"


def labelled(tmp_path: Path, known: Path, rows: list[tuple[bool, bool, bool, bool]]) -> Path:
    """Write a product for each row: category right, accepted; size right, accepted. Its brand is right and to be reviewed."""
    truths, labels = [], list[dict[str, Any]]()
    for number, (placed, taken, stated, kept) in enumerate(rows):
        truths.append({"sku": str(number), "category": "A > B", "attributes": {"Brand": "Acme", "Size": None}})
        labels.append(
            {
                "sku": str(number),
                "predicted_category": "A > B" if placed else "A > C",
                "predicted_attributes": {"Brand": "Acme", "Size": None if stated else "2 l"},
                "decision_category": "accept" if taken else "review",
                "decision_attributes": {"Brand": "review", "Size": "accept" if kept else "review"},
            }
        )
    jsonl.write_lines(known, truths)
    jsonl.write_lines(tmp_path / "labelled.jsonl", labels)
    return tmp_path / "labelled.jsonl"


def test_counts_what_was_accepted_and_what_of_it_is_right(tmp_path: Path, known: Path) -> None:
    rows = [(True, True, True, False)] * 18 + [(False, True, True, True)] * 2 + [(False, False, False, True)] * 20
    category, attributes = truth.check(labelled(tmp_path, known, rows), known)
    assert (category.labels, category.accepted, category.right, category.coverage) == (40, 20, 18, 0.5)
    assert category.precision == pytest.approx((0.9, 0.699, 0.972), abs=1e-3)
    # A value where the truth has none is wrong.
    assert (attributes.labels, attributes.accepted, attributes.right) == (80, 22, 2)
    assert truth.sentence(category, 0.95).endswith("95 % did not hold")
    assert truth.sentence(category, 0.9).endswith("90 % held")


def test_a_product_that_the_generator_does_not_know_is_an_error(tmp_path: Path, known: Path) -> None:
    file = labelled(tmp_path, known, [(True, True, True, True)] * 2)
    jsonl.write_lines(known, [{"sku": "0", "category": "A", "attributes": {}}])
    with pytest.raises(InputError, match="knows nothing of product '1'"):
        truth.check(file, known)


def test_new_products_have_a_truth_and_no_label(tmp_path: Path) -> None:
    raw_files.write(tmp_path, 3)
    with (tmp_path / "shop_new.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    truths = [json.loads(line) for line in (tmp_path / "shop_new_truth.jsonl").open()]
    assert [row["sku"] for row in rows] == [line["sku"] for line in truths] and len(rows) == raw_files.NEW
    assert set(rows[0]) == {"sku", "product_name", "price"}
    for row, line in zip(rows, truths, strict=True):
        assert all(value in row["product_name"] for value in line["attributes"].values() if value)
    brands = {line["attributes"]["Brand"] for line in truths} - {None}
    assert brands <= {*products.brands(3)["test"]}
    assert any(None in line["attributes"].values() for line in truths)
