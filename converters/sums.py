"""Hashes of files that belong together: a list in the format of ``sha256sum``, one hash of a folder, one of a chat template."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from converters.jsonl import replacing, sha256


def write(path: Path, files: Sequence[Path]) -> None:
    """Write one line a file into ``path``, with the file's way from there."""
    lines = (f"{sha256(file)}  {Path(os.path.relpath(file, path.parent)).as_posix()}\n" for file in files)
    with replacing(path) as out:
        out.write("".join(lines).encode())


def files_sha256(folder: Path, files: Iterable[Path]) -> str:
    """Return one hash over the bytes of files and their names within ``folder``, whatever their order."""
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder), path) for path in files):
        digest.update(f"{name.as_posix()}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def folder_sha256(folder: Path, without: str = ".") -> str:
    """Return one hash over a folder's files, without logs and hidden files and names that begin with ``without``.

    Of a checkpoint it is what a run's record and an evaluation name it by.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    hidden = (".", without)
    return files_sha256(
        folder, (f for f in files if not any(p.startswith(hidden) for p in f.relative_to(folder).parts))
    )


def template_sha256(template: str | dict[str, str]) -> str:
    """Return the hash of a chat template; of several named ones it is the default that counts."""
    text = template if isinstance(template, str) else template.get("default", msgspec.json.encode(template).decode())
    return hashlib.sha256(text.encode()).hexdigest()
