"""Which files a specification means, what they are, and how they are opened."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from converters.core.errors import InputError

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
