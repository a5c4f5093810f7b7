"""Which files a specification means, what they are, and how they are opened."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.jsonl import sha256
from converters.raw import hub

BLOCK = 1 << 18
NOT_UTF8 = "not UTF-8"  # the reason for which a row is rejected, and what its reader can do about it
AS_UTF8 = "save the file as UTF-8, or: iconv -f latin1 -t utf-8 OLD > NEW"
PACKED = {".gz", ".zst"}
DATA = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt"}
_RATIO = {".gz": 5, ".zst": 5, ".parquet": 5}  # unpacked to packed bytes, as is usual for product text
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
            paths = [path for path in _named(text) if not hub.is_hub(path) and not os.path.lexists(path)]
            sentences += [f"{path}: no such file" for path in paths]
        except InputError as error:
            sentences.append(str(error))
    return sentences


def _named(text: str) -> list[Path]:
    path = Path(text)
    if hub.is_hub(path):
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
    if hub.is_hub(path):
        return hub.describe(path)
    with whole(path):
        return {"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size}


def unpacked_size(paths: Sequence[Path]) -> int:
    """Return roughly how many bytes of rows files hold; a hub dataset, whose size nobody knows, counts as 1 GiB."""
    return sum(
        1 << 30 if hub.is_hub(path) else path.stat().st_size * _RATIO.get(path.suffix, 1)
        for path in paths
        if hub.is_hub(path) or path.is_file()
    )
