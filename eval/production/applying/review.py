"""What a person has to decide, as a table that comes back as training rows by ``ecom-data convert catalog``.

A line has the product's texts, the predicted category and attributes to keep, change or clear, and beside them what was found:
the confidence of each level and attribute, further candidates, and why the product is here. In the column ``decided`` stands
"no" until a person writes "yes" (:data:`YES` has its other spellings): every other line is left out when it is converted, as the
mapping written beside it says, and counted by what stands there. A category or an attribute that was cleared is not asked for
then, and a category that is not in the taxonomy of training's catalogue is refused.
"""

import csv
import io
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from converters.io.jsonl import replacing
from eval.production.applying.labels import Label
from eval.production.applying.learnt import Names
from eval.production.applying.tables import value_text

FIXED = ("id", "title", "category")
DECIDED, UNDECIDED = "decided", "no"
YES = ("yes", "y", "true", "1", "x", "ok", "ja", "j", "oui", "sí", "si", "sì", "sim", "tak", "да", "是", "はい")
FORMULA = ("=", "+", "-", "@")  # titles and descriptions are data
RULES = ("taxonomy", "implicit")  # of training's catalogue, by which labels are refused
BESIDE = (DECIDED, "why", "confidence of the category", "confidence of attributes", "other categories")
HEAD = """\
# How a review is read once a person has decided: {command}
"""


def mapping_of(path: Path) -> Path:
    """Return the file of the options by which a review is read."""
    return path.with_name(f"{path.name}.mapping.yaml")


def command(path: Path) -> str:
    """Return the command that makes training rows of a review."""
    words = ("ecom-data", "convert", "catalog", path, "--option", f"mapping={mapping_of(path)}")
    return shlex.join(map(str, (*words, "--out", path.with_name("reviewed.jsonl"))))


@contextmanager
def writing(
    path: Path, labels: Sequence[str], names: Names, trained: Mapping[str, Any]
) -> Iterator[Callable[[Label], None]]:
    """Yield what writes a product's line.

    ``labels`` are those of its texts beside the title, ``names`` all attributes, ``trained`` the options of training's catalogue.
    """
    texts = {label: _apart(label, {*FIXED, *BESIDE}) for label in labels}
    columns = {name: _apart(name, {*FIXED, *BESIDE, *texts.values()}) for name in names}
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        table = csv.writer(text, lineterminator="\r\n")
        table.writerow([*FIXED, *columns.values(), *BESIDE, *texts.values()])

        def write(label: Label) -> None:
            shown = dict(label.texts)
            stated = [value_text(label.values.get(name, ())) for name in names]
            beside = [
                UNDECIDED,
                "; ".join(label.why),
                _figures(label.path_confidence),
                _figures(label.confidence),
                "; ".join(path for path in label.candidates if path != label.category),
            ]
            texts_beside = (shown.get(name) for name in labels)
            table.writerow(map(_inert, (label.id, shown["Title"], label.category, *stated, *beside, *texts_beside)))

        yield write
        text.detach()
    _write_mapping(path, texts, columns, {name: trained[name] for name in RULES if trained.get(name)})


def _inert(cell: str | None) -> str | None:
    """Return a cell that no spreadsheet takes for a formula; the blank is gone when it is read again.

    >>> _inert("=1+1"), _inert("Mug")
    (' =1+1', 'Mug')
    """
    return f" {cell}" if cell and cell.startswith(FORMULA) else cell


def _apart(name: str, taken: set[str]) -> str:
    return f"{name} (2)" if name in taken else name


def _figures(confidence: Mapping[str, float]) -> str:
    """Return confidences in words.

    >>> _figures({"level 1": 0.98, "level 2": 0.514})
    'level 1 0.98, level 2 0.51'
    """
    return ", ".join(f"{name} {value:.2f}" for name, value in confidence.items())


def _write_mapping(path: Path, texts: Mapping[str, str], columns: Mapping[str, str], rules: Mapping[str, Any]) -> None:
    options = {
        "preset": "none",
        **{name: name for name in FIXED},
        "separator": ">",
        "several": [],
        "texts": dict(texts),
        "attributes": dict(columns),
        "published": {DECIDED: [*YES]},
        "unpublished": "drop",
        **rules,
    }
    head = HEAD.format(command=" ".join(command(path).splitlines()))
    with replacing(mapping_of(path)) as file:
        file.write((head + yaml.safe_dump(options, allow_unicode=True, sort_keys=False, width=120)).encode())
