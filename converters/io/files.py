"""Which files a path names (folders, patterns, hub datasets), and opening them, compressed or not."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, Wanted, chosen, first_line
from converters.io.jsonl import sha256

BLOCK = 1 << 18
NOT_UTF8 = "not UTF-8"  # the reason for which a row is rejected, and what its reader can do about it
AS_UTF8 = "save the file as UTF-8, or: iconv -f latin1 -t utf-8 OLD > NEW"
PACKED = {".gz", ".zst"}

# The first bytes of what is not plain text, whatever its name says, and the mend.
_OTHER = {
    b"\x1f\x8b": "gzip data: give it the ending .gz",
    b"\x28\xb5\x2f\xfd": "Zstandard data: give it the ending .zst",
    b"PAR1": "Parquet data: give it the ending .parquet",
    b"PK\x03\x04": "a zip file or a spreadsheet: unpack it, or save it as CSV",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
}


def open_raw(path: Path) -> BufferedReader:
    """Open a plain, ``.gz`` or ``.zst`` file; one that is missing, empty, unreadable or misnamed is an ``InputError``."""
    with whole(path):
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
            raise InputError(f"{path}: {what}")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        return _unpacked(path) if path.suffix in PACKED else _plain(path)


def _unpacked(path: Path) -> BufferedReader:
    import pyarrow as pa

    stream: Any = pa.input_stream(str(path), compression="detect")
    return BufferedReader(stream, BLOCK)


def _plain(path: Path) -> BufferedReader:
    file: BufferedReader = BufferedReader(FileIO(path), BLOCK)
    head = file.peek(4)
    for start, content in _OTHER.items():
        if head.startswith(start):
            file.close()
            raise InputError(f"{path}: is {content}")
    return file


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Turn what can go wrong while ``path`` is read into an ``InputError`` that names it."""
    try:
        yield
    except OSError as error:
        # Arrow reports a compressed stream that is damaged or cut short without an error number.
        what = os.strerror(error.errno) if error.errno else f"damaged {path.suffix} file: {error}"
        raise InputError(f"{path}: {what}") from error


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
        raise InputError(
            f"{path}: no hub id: write hub:owner/name, hub:owner/name:config or hub:owner/name:config:split"
        )
    return name, config or None, split or None


def rows(path: Path, columns: Wanted) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(hub:name/split:#n, row)`` of every split, or of the one named, with those of ``columns`` that it has."""
    name, config, split = parts(path)
    with _asking(path) as datasets:
        loaded = datasets.load_dataset(name, config, split=split, streaming=True)
        for key, stream in {split: loaded}.items() if split else loaded.items():
            # A stream of plain lines does not know its columns before it is read: then all of them come.
            names = chosen(path, stream.column_names, columns) if stream.column_names else []
            stream = stream.select_columns(names) if names else stream
            yield from ((f"{PREFIX}{name}/{key}:#{number}", dict(row)) for number, row in enumerate(stream, 1))


def describe_hub(path: Path) -> dict[str, Any]:
    """Return ``name``, ``sha256``, ``bytes`` and ``revision``: the hub's commit, from which the files follow.

    For a local folder the hash is over its files and the revision is empty; for the hub it is over the files' addresses, which
    hold the commit, and the size is what the hub says, 0 where it says nothing.
    """
    name, config, _ = parts(path)
    with _asking(path) as datasets:
        builder = datasets.load_dataset_builder(name, config)
        files = sorted({str(file) for files in (builder.config.data_files or {}).values() for file in files})
        local = [Path(file) for file in files if "://" not in file]
        commit = re.search(r"@([0-9a-f]{40})/", "\n".join(files))
        size = sum(file.stat().st_size for file in local) if local else int(builder.info.download_size or 0)
        hashes = "\n".join([sha256(file) for file in local] or files)
    sha = hashlib.sha256(hashes.encode()).hexdigest()
    return {"name": str(path), "sha256": sha, "bytes": size, "revision": commit[1] if commit else ""}


@contextmanager
def _asking(path: Path) -> Iterator[Any]:
    """Give the package ``datasets``; what it or the hub raises is one sentence."""
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


DATA = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt"}
_RATIO = {".gz": 5, ".zst": 5, ".parquet": 5}  # unpacked to packed bytes, as is usual for product text


def expand(texts: Sequence[str]) -> list[Path]:
    """Return the files that ``texts`` name, each once: files, patterns, folders (their data files, sorted) and hub ids.

    A pattern or a folder without a data file is an ``InputError``; a missing file is one when it is opened.
    """
    if not texts:
        raise InputError("no path given: name a file, pattern, folder or hub id")
    return list(dict.fromkeys(path for text in texts for path in _named(text)))


def missing(texts: Sequence[str]) -> list[str]:
    """Return a sentence for each of ``texts`` that names no file; nothing is opened."""
    sentences = []
    for text in texts:
        try:
            paths = [path for path in _named(text) if not is_hub(path) and not os.path.lexists(path)]
            sentences += [f"{path}: no such file" for path in paths]
        except InputError as error:
            sentences.append(str(error))
    return sentences


def _named(text: str) -> list[Path]:
    path = Path(text)
    if is_hub(path):
        return [path]
    with whole(path):
        if path.is_dir():
            return _inside(path)
        if path.exists() or not any(sign in text for sign in "*?["):
            return [path]
        # A pattern may match folders, too; only what is in them by their own names is asked for.
        paths = sorted(Path(name) for name in glob(text, recursive=True) if Path(name).is_file())  # noqa: PTH207
    if not paths:
        raise InputError(f"{text}: no file matches")
    return paths


def _inside(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _is_data(path.relative_to(folder)))
    if not paths:
        raise InputError(f"{folder}: the folder has no data files ({', '.join(sorted(DATA))})")
    return paths


def _is_data(path: Path) -> bool:
    """Tell whether a path within a folder is data: neither hidden, nor README or LICENSE, nor our own manifest."""
    plain = path.with_suffix("") if path.suffix in PACKED else path
    telling = path.name.lower().startswith(("readme", "licen")) or path.name.endswith("manifest.json")
    return plain.suffix in DATA and not telling and not any(part.startswith((".", "_")) for part in path.parts)


def describe(path: Path) -> dict[str, Any]:
    """Return ``{"name", "sha256", "bytes"}`` for the manifest; a hub dataset has its ``revision``, too."""
    if is_hub(path):
        return describe_hub(path)
    with whole(path):
        return {"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size}


def unpacked_size(paths: Sequence[Path]) -> int:
    """Return roughly how many bytes of rows files hold; a hub dataset, whose size nobody knows, counts as 1 GiB."""
    return sum(
        1 << 30 if is_hub(path) else path.stat().st_size * _RATIO.get(path.suffix, 1)
        for path in paths
        if is_hub(path) or path.is_file()
    )
