"""The labelled catalogue as CSV, TSV, JSON lines or Parquet by its ending: the shop's own columns, then what was predicted."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from converters.core.errors import InputError
from converters.io.jsonl import replacing
from converters.io.tables import plain
from eval.production.applying.labels import Label
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY, Learnt
from eval.production.applying.own import ABSENT, Line, Own, cell_text

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
BATCH = 1024  # rows of a row group
OURS, AGAIN = ("category", "category_id", "attributes"), " (2)"  # an attribute of such a name has a column beside ours
_ENCODE = msgspec.json.encode
Cell = Callable[[Label], Any]
Write = Callable[[Line], None]


def need_ending(out: Path) -> None:
    """Raise an ``InputError`` for a file whose ending names no form."""
    if form_of(out) not in ENDINGS or (form_of(out) == ".parquet" and out.suffix == ".gz"):
        raise InputError(f"--out {out}: expected the ending {', '.join(ENDINGS)}, or .csv.gz, .tsv.gz, .jsonl.gz")


def form_of(out: Path) -> str:
    """Return the ending of a file that names its form, the one before ``.gz``."""
    return (out.with_suffix("") if out.suffix == ".gz" else out).suffix


def added(learnt: Learnt, ids: Mapping[str, str]) -> dict[str, Cell]:
    """Return the columns that are added, by name, each with what gives its value for a product.

    They follow from the training split: all attributes that it asks for have one. ``ids`` are those of the category paths.
    """
    columns: dict[str, Cell] = {}
    if CATEGORY in learnt.tasks:
        columns["predicted_category"] = lambda label: label.category
        if ids:
            columns["predicted_category_id"] = lambda label: ids.get(label.category or "")
        columns["confidence_category"] = lambda label: label.path_confidence.get("path")
        columns["decision_category"] = lambda label: label.path_decision or None
    if ATTRIBUTES in learnt.tasks:
        columns |= {f"predicted_{name}{AGAIN * (name in OURS)}": _value_of(name) for name in learnt.asked.every}
        columns["predicted_attributes"] = lambda label: {name: _shape(label.values[name]) for name in label.asked}
        columns["confidence_attributes"] = lambda label: label.confidence
        columns["decision_attributes"] = lambda label: label.decisions
    columns["decision"] = lambda label: label.decision or None
    columns["decision_reason"] = lambda label: "; ".join(label.why) or None
    return columns


def _value_of(name: str) -> Cell:
    return lambda label: value_text(label.values.get(name, ()))


def value_text(values: Sequence[str]) -> str | None:
    """Return an attribute's values in one cell: one as it is, several as a JSON list, as the catalogue source reads them.

    >>> value_text(["Red"]), value_text(["Red", "Blue"]), value_text([])
    ('Red', '["Red","Blue"]', None)
    """
    return values[0] if len(values) == 1 else _ENCODE(list(values)).decode() if values else None


def _shape(values: Sequence[str]) -> Any:
    return list(values) if len(values) > 1 else values[0] if values else None


@contextmanager
def writing(out: Path, own: Own, columns: Mapping[str, Cell]) -> Iterator[Write]:
    """Yield what writes one row after another; the file takes its name when the block ends without an error."""
    with replacing(out) as file, _packed(file, out) as packed:
        if form_of(out) == ".parquet":
            with _parquet(packed, own, columns) as write:
                yield write
        elif form_of(out) == ".jsonl":
            yield lambda line: (packed.write(_object(line, own, columns)), None)[1]
        else:
            text = io.TextIOWrapper(packed, "utf-8", newline="", write_through=True)
            table = csv.writer(text, delimiter="\t" if form_of(out) == ".tsv" else ",", lineterminator="\r\n")
            table.writerow([*own.names, *columns])
            yield lambda line: (table.writerow(_cells(line, columns)), None)[1]
            text.detach()


@contextmanager
def _packed(file: BinaryIO, out: Path) -> Iterator[BinaryIO]:
    if out.suffix != ".gz":
        yield file
        return
    import gzip

    # Without a name and a time in its head: the same rows are the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield packed  # type: ignore[misc]


def _cells(line: Line, columns: Mapping[str, Cell]) -> list[str]:
    return [*map(cell_text, line.values), *(cell_text(cell(line.label)) for cell in columns.values())]


def _object(line: Line, own: Own, columns: Mapping[str, Cell]) -> bytes:
    shown = {name: value for name, value in zip(own.distinct, line.values, strict=True) if value is not ABSENT}
    return _ENCODE({**shown, **{name: cell(line.label) for name, cell in columns.items()}}, enc_hook=plain) + b"\n"


@contextmanager
def _parquet(file: BinaryIO, own: Own, columns: Mapping[str, Cell]) -> Iterator[Write]:
    kinds = {"confidence_category": pa.float64()}
    names = [(name, own.types.get(name, pa.string())) for name in own.distinct]
    schema = pa.schema([*names, *((name, kinds.get(name, pa.string())) for name in columns)])
    waiting: list[list[Any]] = []
    with pq.ParquetWriter(file, schema) as writer:

        def flush() -> None:
            cells = [list(cell) for cell in zip(*waiting, strict=True)]
            writer.write_table(
                pa.table([pa.array(c, f.type) for c, f in zip(cells, schema, strict=True)], schema=schema)
            )
            waiting.clear()

        def write(line: Line) -> None:
            own_values = [value if own.types else _null_or_text(value) for value in line.values]
            found = ((name, cell(line.label)) for name, cell in columns.items())
            waiting.append([*own_values, *(value if name in kinds else _null_or_text(value) for name, value in found)])
            if len(waiting) == BATCH:
                flush()

        yield write
        if waiting:
            flush()


def _null_or_text(value: Any) -> str | None:
    return None if value is None or value is ABSENT else cell_text(value)
