"""Rows with answers and confidences whose truth is known: how often a confidence is right."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.special import ndtri

from converters.examples import example
from converters.io import jsonl
from converters.schema import Attributes, Listing, Question, Row, Text
from eval.production.confidence.outcomes import Units

Truth = Callable[[Any], Any]  # a raw confidence → the probability that its unit is right
ABSTAINS = "The snippets do not say."


def overconfident(confidence: Any) -> Any:
    """Return how often a model that is a little too sure is right: 0.99 claimed is 0.978, 0.9999 is 0.999."""
    return 1 / (1 + np.exp(-(0.7 * np.log(confidence / (1 - confidence)) + 0.6)))


def units(
    random: np.random.Generator, groups: int, most: int = 1, alike: float = 0.0, truth: Truth = overconfident
) -> Units:
    """Return units of which each group has 1 to ``most``; ``alike`` is the share of a row's luck that is its group's."""
    group = np.repeat(np.arange(groups), random.integers(1, most + 1, groups))
    confidence = 1 / (1 + np.exp(-random.normal(2.5, 2, len(group))))
    luck = np.sqrt(alike) * random.standard_normal(groups)[group] + np.sqrt(1 - alike) * random.standard_normal(
        len(group)
    )
    right = luck < ndtri(truth(confidence))
    return Units(confidence, right.astype(np.float64), [f"g{number}" for number in group])


def lines(seed: int, products: int, name: str, truth: Truth = overconfident) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield rows of three tasks with their predictions, two products a group."""
    random = np.random.default_rng(seed)

    def drawn() -> tuple[float, bool]:
        confidence = float(1 / (1 + np.exp(-random.normal(2.5, 2))))
        return round(confidence, 6), bool(random.random() < truth(confidence))

    for i in range(products):
        group, texts = f"{name}:{i // 2}", (Text("Title", f"Mug {i}"),)
        (path, right), (brand, named), (size, said) = drawn(), drawn(), drawn()
        row = example(Listing(f"{name}{i}", group, texts, ("Home", "Mugs")), "category", "shop")
        sure = {"path": path, "level 1": path**0.5, "level 2": path}
        yield row, {"id": row.id, "prediction": row.target if right else "Home > Pans", "confidence": sure}
        stated = i % 3 > 0
        gold = (
            ("Brand", ("Acme",)),
            ("Size", ("1 l",) if stated else ()),
            *((("Fit", ("slim",)),) if i % 9 == 0 else ()),
        )
        row = example(Attributes(f"{name}{i}", group, texts, gold), "attributes", "shop")
        answer = {"Brand": "Acme" if named else "Amce", "Size": ("1 l" if stated else None) if said else "2 l"}
        answer |= {"Fit": "slim"} if i % 9 == 0 else {}
        sure = {"Brand": brand, "Size": size, **({"Fit": 0.9} if i % 9 == 0 else {})}
        yield row, {"id": row.id, "prediction": msgspec.json.encode(answer).decode(), "confidence": sure}
        truly = None if i % 4 == 0 else "It holds 6 litres"
        row = example(Question(f"{name}{i}", group, "How big?", ("It holds 6 litres.",), truly), "answer", "shop")
        good = row.target if random.random() < 0.8 else (ABSTAINS if truly else "It holds 6 litres")
        yield row, {"id": row.id, "prediction": good, "confidence": {"answer": 0.8 if good == row.target else 0.4}}


def write(
    folder: Path, name: str, seed: int, products: int, checkpoint: str = "a" * 64, truth: Truth = overconfident
) -> tuple[Path, Path]:
    """Write ``NAME.jsonl`` and its predictions with their record; return both files."""
    pairs = list(lines(seed, products, name, truth))
    data, predictions = folder / f"{name}.jsonl", folder / f"eval-{name}" / "predictions.jsonl"
    jsonl.write_lines(data, (row for row, _ in pairs))
    jsonl.write_lines(predictions, (line for _, line in pairs))
    record(data, predictions, checkpoint)
    return data, predictions


def record(data: Path, predictions: Path, checkpoint: str = "a" * 64) -> None:
    """Write the record beside predictions."""
    told = {"checkpoint": "runs/shop/merged", "checkpoint_sha256": checkpoint, "template_sha256": "t"}
    hashes = {"test_sha256": jsonl.sha256(data), "predictions_sha256": jsonl.sha256(predictions)}
    jsonl.write_json(predictions.with_name("predictions.json"), told | hashes)
