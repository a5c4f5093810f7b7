"""JSON Lines in and out: errors with line numbers, atomic writes by one process at a time, hashes of files and folders."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from converters.core.errors import InputError, not_a_file

T = TypeVar("T")

_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@contextmanager
def locked(lock: Path, subject: Path, doing: str = "written") -> Iterator[None]:
    """Hold the file ``lock``; while another process holds it, an ``InputError`` says that ``subject`` is being written."""
    from filelock import FileLock, Timeout  # takes longer to import than all others here

    try:
        with FileLock(lock, blocking=False):
            yield
    except Timeout as error:
        raise InputError(f"{subject}: is being {doing} by another process; wait for it or stop it") from error


def sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in the error that stops it from being writing, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno:
            raise OSError(error.errno, f"cannot be written: {os.strerror(error.errno)}", str(path)) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing; it takes the place of ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with writing(path), os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()


def remove_half_written(path: Path) -> None:
    """Remove what a process that was killed left of :func:`replacing`; no other may be writing ``path``."""
    for temporary in path.parent.glob(f".{escape(path.name)}.????????"):
        temporary.unlink()


def write_lines(path: Path, values: Iterable[Any]) -> int:
    """Write one JSON value a line and return how many there were."""
    encode, count = msgspec.json.Encoder().encode, 0
    with replacing(path) as file:
        for count, value in enumerate(values, 1):  # noqa: B007 - count is the result
            file.write(encode(value) + b"\n")
    return count


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON document."""
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield ``(line number, line)`` of the lines that are not blank, without a byte order mark."""
    return ((number, line) for number, _, line in placed(path))


def placed(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield ``(line number, byte offset, line)`` as :func:`numbered` does."""
    if not path.is_file():
        raise not_a_file(path)
    with path.open("rb") as file:
        offset = 0
        for number, line in enumerate(file, 1):
            if number == 1 and (text := line.removeprefix(b"\xef\xbb\xbf")) != line:
                offset, line = len(line) - len(text), text
            if line and not line.isspace():
                yield number, offset, line
            offset += len(line)


def stream(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield each line as ``kind``; the first wrong line, or an empty file, is an :class:`InputError`."""
    number, decoded = 0, decoder(kind, path)
    for number, _, line in placed(path):
        yield decoded(line, number)
    if not number:
        raise InputError(f"{path}: found an empty file, expected one JSON object a line")


def decoder(kind: type[T], path: Path) -> Callable[[bytes, int], T]:
    """Return what decodes a line of ``path``, whose number an error names, as :func:`decode` does and sooner."""
    decode_line = msgspec.json.Decoder(kind).decode

    def decoded(line: bytes, number: int) -> T:
        try:
            return decode_line(line)
        except _WRONG:
            return decode(line, kind, f"{path}:{number}")

    return decoded


def decode(line: bytes, kind: type[T], where: str) -> T:
    """Decode one JSON value; what is wrong with it is an :class:`InputError` that starts with ``where``."""
    try:
        return msgspec.json.decode(line, type=kind)
    except _WRONG as error:
        fields = ", ".join(getattr(kind, "__struct_fields__", ()))
        expected = f"a JSON object with {fields}" if fields else "JSON"
        raise InputError(f"{where}: found {line[:60]!r}, expected {expected}: {error}") from error


def write_checksums(path: Path, files: Sequence[Path]) -> None:
    """Write the SHA-256 of each file into ``path`` as ``sha256sum --check`` reads it, with names relative to ``path``."""
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
    """Return one hash over a folder's files, without logs, hidden files and names that begin with ``without``.

    A run's record and an evaluation name a checkpoint by it.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    names = (".", without)
    return files_sha256(folder, (f for f in files if not any(p.startswith(names) for p in f.relative_to(folder).parts)))


def template_sha256(template: str | dict[str, str]) -> str:
    """Return the hash of a chat template; of several named ones, that of the default."""
    text = template if isinstance(template, str) else template.get("default", msgspec.json.encode(template).decode())
    return hashlib.sha256(text.encode()).hexdigest()
