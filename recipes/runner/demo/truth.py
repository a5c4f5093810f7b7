"""What became of the products that nobody had labelled: the labels of ``ecom-eval apply`` against what the generator knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io import jsonl
from eval.scoring import stats

ACCEPT = "accept"
Z = 1.96  # of a 95 % interval
Judged = tuple[bool, bool]  # whether a label was accepted, and whether it is right


@dataclass(frozen=True, slots=True)
class Found:
    """How many labels there are of a kind, how many were accepted, and how many of these are right."""

    kind: str
    labels: int
    accepted: int
    right: int

    @property
    def coverage(self) -> float:
        """The share of labels that were accepted."""
        return self.accepted / self.labels if self.labels else 0.0

    @property
    def precision(self) -> tuple[float, float, float] | None:
        """The share of accepted labels that are right, with Wilson's 95 % interval; none where nothing was accepted."""
        if not self.accepted:
            return None
        return self.right / self.accepted, *stats.wilson(self.right / self.accepted, self.accepted, Z)


def check(labelled: Path, truth: Path) -> list[Found]:
    """Return what was accepted of categories and of attributes; a product without a truth is an ``InputError``.

    ``labelled`` is what ``ecom-eval apply`` wrote as JSON lines, ``truth`` the generator's file. Every attribute that was asked
    for counts, a null included.
    """
    known = {line["sku"]: line for line in jsonl.stream(truth, dict[str, Any])}
    labels = list(jsonl.stream(labelled, dict[str, Any]))
    if strangers := [label["sku"] for label in labels if label["sku"] not in known]:
        raise InputError(f"{labelled}: {truth} knows nothing of product {strangers[0]!r}; both are of one demo")
    paths, values = list[Judged](), list[Judged]()
    for label in labels:
        true = known[label["sku"]]
        paths.append((label["decision_category"] == ACCEPT, label["predicted_category"] == true["category"]))
        decisions = label["decision_attributes"]
        values += [
            (decisions.get(name) == ACCEPT, value == true["attributes"].get(name))
            for name, value in label["predicted_attributes"].items()
        ]
    return [_found("categories", paths), _found("attributes", values)]


def _found(kind: str, judged: Sequence[Judged]) -> Found:
    accepted = [right for taken, right in judged if taken]
    return Found(kind, len(judged), len(accepted), sum(accepted))


def sentence(found: Found, target: float) -> str:
    """Say what was accepted of a kind of label, and whether the precision that was asked for held.

    >>> sentence(Found("categories", 200, 100, 99), 0.95)
    'categories: 100 of 200 accepted (50.0 %), 99.0 % of them right [94.6 %, 99.8 %]: 95 % held'
    >>> sentence(Found("attributes", 200, 0, 0), 0.95)
    'attributes: 0 of 200 accepted (0.0 %): all go to review'
    """
    said = f"{found.kind}: {found.accepted:,} of {found.labels:,} accepted ({found.coverage:.1%})"
    said = said.replace("%", " %")
    if found.precision is None:
        return f"{said}: all go to review"
    share, low, high = (f"{100 * value:.1f} %" for value in found.precision)
    verdict = "held" if found.precision[0] >= target else "did not hold"
    return f"{said}, {share} of them right [{low}, {high}]: {100 * target:g} % {verdict}"
