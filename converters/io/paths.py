"""Which files a path names: folders, patterns, hub addresses, and what is missing."""

import os
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io import hub
from converters.io.files import PACKED, whole
from converters.io.jsonl import sha256

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
