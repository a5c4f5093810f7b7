"""Which files a path names (folders, patterns, hub datasets), opening them, compressed or not, and which columns to read."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, first_line, nearest, not_a_file
from converters.io.jsonl import sha256

BLOCK = 1 << 18
NOT_UTF8 = "not UTF-8"  # the reason of a rejected row, and what a user can do about it
AS_UTF8 = (
    "save the file as UTF-8, or: iconv -f cp1252 -t utf-8 OLD > NEW (cp1252 is Western European; use the file's own)"
)
PACKED = {".gz", ".zst"}

# The marks at the beginning of a text and the encodings that they stand for; the longer mark first.
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\x00\x00": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UTF16 = "UTF-16 text: save it as UTF-8"

# What a plain file must not start with, and the mend.
_NOT_PLAIN = {
    b"\x1f\x8b": "gzip data: give it the ending .gz",
    b"\x28\xb5\x2f\xfd": "Zstandard data: give it the ending .zst",
    b"PAR1": "Parquet data: give it the ending .parquet",
    b"PK\x03\x04": "a zip file or a spreadsheet: unpack it, or save it as CSV",
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
}


def with_advice(reason: str) -> str:
    """Return the reason of a reject with what a user can do about it, where that is one thing."""
    return f"{reason}: {AS_UTF8}" if reason == NOT_UTF8 else reason


def open_raw(path: Path, text: bool = False) -> BufferedReader:
    """Open a plain, ``.gz`` or ``.zst`` file; one that is missing, empty, unreadable or misnamed is an ``InputError``.

    A ``text`` may be in another encoding than UTF-8.
    """
    with reading(path):
        if not path.is_file():
            raise not_a_file(path)
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        if path.suffix in PACKED:
            from pyarrow import input_stream

            return BufferedReader(input_stream(str(path), compression="detect"), BLOCK)
        file: BufferedReader = BufferedReader(FileIO(path), BLOCK)
        for start, content in _NOT_PLAIN.items():
            if file.peek(4).startswith(start) and not (text and content == _UTF16):
                file.close()
                raise InputError(f"{path}: is {content}")
        return file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` while ``path`` is read into an ``InputError`` that names it."""
    try:
        yield
    except OSError as error:
        # Arrow reports a compressed stream that is damaged or cut short without an error number.
        reason = os.strerror(error.errno) if error.errno else f"damaged {path.suffix} file: {error}"
        raise InputError(f"{path}: {reason}") from error


Columns = Mapping[str, bool] | None  # column name to whether a row can do without it; ``None`` stands for all columns


def columns_of(kind: Any) -> Columns:
    """Return the columns that a msgspec struct names; any other type takes all columns."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return None
    return {field.encode_name: not field.required for field in msgspec.structs.fields(kind)}


def select_columns(path: Path, present: Sequence[str], columns: Columns) -> list[str]:
    """Return those of ``present`` to read; it is an ``InputError`` if a required one, or all of them, are missing."""
    if columns is None:
        return list(present)
    need_columns(path, present, [name for name, optional in columns.items() if not optional])
    names = [name for name in present if name in columns]
    if not names:
        raise InputError(f"{path}: found the columns {', '.join(present)}, expected some of {', '.join(columns)}")
    return names


def need_columns(path: Path, present: Iterable[str], columns: Iterable[str]) -> None:
    """Raise an ``InputError`` with the nearest name if one of ``columns`` is not in the file."""
    names = list(present)
    for column in columns:
        if column not in names:
            raise InputError(f"{path}: no column {column!r}{nearest(column, names)}")


PREFIX = "hub:"


def is_hub(path: Path) -> bool:
    """Tell whether a path is a hub id.

    >>> is_hub(Path("hub:NingLab/ECInstruct")), is_hub(Path("data/hub.jsonl"))
    (True, False)
    """
    return str(path).startswith(PREFIX)


def parts(path: Path) -> tuple[str, str | None, str | None]:
    """Return name, configuration and split of a hub id.

    >>> parts(Path("hub:owner/name::test"))
    ('owner/name', None, 'test')
    """
    name, config, split, *more = [*str(path).removeprefix(PREFIX).split(":"), "", ""]
    if not name or any(more):
        raise InputError(f"{path}: no hub id: write hub:owner/name, with :config or :config:split after it")
    return name, config or None, split or None


def rows(path: Path, columns: Columns) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(hub:name/split:#n, row)`` of every split, or of the one named, with those of ``columns`` that it has."""
    name, config, split = parts(path)
    with _library(path) as datasets:
        loaded = datasets.load_dataset(name, config, split=split, streaming=True)
        for key, stream in {split: loaded}.items() if split else loaded.items():
            # A stream of plain lines does not know its columns before it is read: then all of them come.
            names = select_columns(path, stream.column_names, columns) if stream.column_names else []
            stream = stream.select_columns(names) if names else stream
            yield from ((f"{PREFIX}{name}/{key}:#{number}", dict(row)) for number, row in enumerate(stream, 1))


def describe_hub(path: Path) -> dict[str, Any]:
    """Return ``name``, ``sha256``, ``bytes`` and ``revision``, which is the hub's commit.

    For a local folder the hash is over its files and the revision is empty; for the hub it is over the files' addresses, which
    hold the commit, and the size is the hub's figure, 0 where it has none.
    """
    name, config, _ = parts(path)
    with _library(path) as datasets:
        builder = datasets.load_dataset_builder(name, config)
        files = sorted({str(file) for files in (builder.config.data_files or {}).values() for file in files})
        local = [Path(file) for file in files if "://" not in file]
        commit = re.search(r"@([0-9a-f]{40})/", "\n".join(files))
        size = sum(file.stat().st_size for file in local) if local else int(builder.info.download_size or 0)
        hashes = "\n".join([sha256(file) for file in local] or files)
    sha = hashlib.sha256(hashes.encode()).hexdigest()
    return {"name": str(path), "sha256": sha, "bytes": size, "revision": commit[1] if commit else ""}


@contextmanager
def _library(path: Path) -> Iterator[Any]:
    """Give the package ``datasets``; what it or the hub raises becomes an ``InputError``."""
    try:
        import datasets
    except ImportError as error:
        raise InputError(f"{path}: needs the package datasets: pip install datasets") from error
    try:
        yield datasets
    except ValueError as error:  # an unknown configuration or split, or rows that are no rows
        raise InputError(f"{path}: cannot be loaded: {first_line(error)}") from error
    except (datasets.exceptions.DatasetsError, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: no such dataset, or the hub cannot be reached: {first_line(error)}") from error


DATA = {".jsonl", ".ndjson", ".json", ".jsonld", ".csv", ".tsv", ".parquet", ".txt", ".xml"}
_RATIO = {".gz": 5, ".zst": 5, ".parquet": 5}  # unpacked to packed bytes, as is usual for product text


def expand(texts: Sequence[str]) -> list[Path]:
    """Return the files that ``texts`` name, each once: files, patterns, folders (their data files, sorted) and hub ids.

    A pattern or a folder without a data file is an ``InputError``; a missing file raises one when it is opened.
    """
    if not texts:
        raise InputError("no path given: name a file, pattern, folder or hub id")
    files: dict[Path, Path] = {}
    for path in (path for text in texts for path in named(text)):
        files.setdefault(same_file(path), path)
    return list(files.values())


def same_file(path: Path) -> Path:
    """Return what is equal for all ways to name a file: its place, or a hub id as it is."""
    return path if is_hub(path) else Path(os.path.realpath(path))


def missing(texts: Sequence[str]) -> list[str]:
    """Return the error of each of ``texts`` that names no file; nothing is opened."""
    errors = []
    for text in texts:
        try:
            errors += [not_a_file(path) for path in named(text) if not is_hub(path) and not os.path.lexists(path)]
        except InputError as error:
            errors.append(error)
    return list(map(str, errors))


def named(text: str) -> list[Path]:
    """Return the files that one path, pattern, folder or hub id names, sorted."""
    path = Path(text)
    if is_hub(path):
        return [path]
    with reading(path):
        if path.is_dir():
            paths = [file for file in path.rglob("*") if file.is_file() and _is_data(file.relative_to(path))]
            problem = f"the folder has no data files ({', '.join(sorted(DATA))})"
        elif path.exists() or not any(sign in text for sign in "*?["):
            return [path]
        else:
            paths = [Path(name) for name in glob(text, recursive=True) if Path(name).is_file()]  # noqa: PTH207
            problem = "no file matches"
    if not paths:
        raise InputError(f"{text}: {problem}")
    return sorted(paths)


def _is_data(path: Path) -> bool:
    """Tell whether a path within a folder is data: neither hidden, nor README or LICENSE, nor our own manifest."""
    plain = path.with_suffix("") if path.suffix in PACKED else path
    about = path.name.lower().startswith(("readme", "licen")) or path.name.endswith("manifest.json")
    return plain.suffix in DATA and not about and not any(part.startswith((".", "_")) for part in path.parts)


def describe(path: Path) -> dict[str, Any]:
    """Return ``{"name", "sha256", "bytes"}`` for the manifest; a hub dataset has its ``revision``, too."""
    if is_hub(path):
        return describe_hub(path)
    with reading(path):
        return {"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size}


def unpacked_size(paths: Sequence[Path]) -> int:
    """Return roughly how many bytes of rows files hold; a hub dataset, whose size is unknown, counts as 1 GiB."""
    sizes = (path.stat().st_size * _RATIO.get(path.suffix, 1) for path in paths if path.is_file())
    return sum(sizes) + (sum(map(is_hub, paths)) << 30)
