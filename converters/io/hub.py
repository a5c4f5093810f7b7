"""Datasets of the Hugging Face hub: ``hub:owner/name``, ``hub:owner/name:config`` or ``hub:owner/name:config:split``.

They stream through ``datasets.load_dataset``, so ``hub:path/to/folder`` reads a local dataset folder in the same way.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, first_line
from converters.io.columns import Wanted, chosen
from converters.io.jsonl import sha256

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


def describe(path: Path) -> dict[str, Any]:
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
