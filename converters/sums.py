"""The hashes of what was made together, in the format of ``sha256sum``: ``sha256sum --check report.sha256`` reads them."""

import os
from collections.abc import Sequence
from pathlib import Path

from converters.jsonl import replacing, sha256


def write(path: Path, files: Sequence[Path]) -> None:
    """Write one line a file into ``path``, with the file's way from there."""
    lines = (f"{sha256(file)}  {Path(os.path.relpath(file, path.parent)).as_posix()}\n" for file in files)
    with replacing(path) as out:
        out.write("".join(lines).encode())
