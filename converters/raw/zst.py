"""Zstandard files as a stream that notices when the file was cut short."""

from io import RawIOBase
from pathlib import Path
from typing import Any

import zstandard

from converters.errors import InputError

# A few bytes can unpack to 128 KiB, so that this much packed data is at most 128 MiB at once.
_PACKED = 4096


class Unpacked(RawIOBase):
    """The bytes of a ``.zst`` file, frame after frame; ``zstandard``'s own reader takes half a file for a whole one."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("rb")
        self._frame: Any = None
        self._packed, self._ready = b"", memoryview(b"")

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with unpacked bytes; 0 is the end. A damaged file is an ``InputError``."""
        while not self._ready:
            self._packed = self._packed or self._file.read(_PACKED)
            if not self._packed and self._frame is None:
                return 0
            self._ready = memoryview(self._next())
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _next(self) -> bytes:
        if not self._packed:
            raise self._damaged("it ends in the middle")
        self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
        try:
            ready: bytes = self._frame.decompress(self._packed)
        except zstandard.ZstdError as error:
            raise self._damaged(error) from error
        self._packed = self._frame.unused_data
        if self._frame.eof:
            self._frame = None
        return ready

    def _damaged(self, why: object) -> InputError:
        return InputError(f"{self._path}: found a damaged Zstandard file, expected a whole one: {why}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
