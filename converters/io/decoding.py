"""The encoding of a text file, told by the whole of it: UTF-8, UTF-16 with its mark, or Windows-1252; any other must be named.

Code pages differ in a few letters only, and a wrong one spoils texts without a word. So a file is read as Windows-1252 (Excel in
Western Europe and America) only if it reads as such a language, and a statistical guess (chardet) agrees; else the user is asked.
"""

import re
from codecs import lookup
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from io import BufferedReader, TextIOWrapper
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import numpy as np

from converters.core.errors import InputError
from converters.io.files import BLOCK, BOMS, NOT_UTF8, open_raw, reading
from converters.io.rows import LIMIT

UTF8, WINDOWS, LATIN9 = "utf-8", "cp1252", "iso8859-15"
TITLES = {WINDOWS: "Windows-1252", LATIN9: "ISO-8859-15 (Latin-9)"}
_LINES, _LINE = 400, 400  # how many lines that are not ASCII are looked at, spread over the file, and bytes of each
_HIGH, _ASCII_LETTERS = re.compile(rb"[\x80-\xff]"), re.compile(rb"[A-Za-z]")
_UNDEFINED = [0x81, 0x8D, 0x8F, 0x90, 0x9D]  # of Windows-1252
_BROKEN = 5  # a file is UTF-8 with broken lines if at least one of so many lines that are not ASCII is valid

_ALPHABETS = {
    "German": "äöüßÄÖÜéàè",
    "French": "àâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸ",
    "Spanish": "áéíñóúüÁÉÍÑÓÚÜç",
    "Portuguese": "áâãàçéêíóôõúüÁÂÃÀÇÉÊÍÓÔÕÚÜ",
    "Italian": "àèéìíîòóùúÀÈÉÌÍÎÒÓÙÚ",
    "Danish, Norwegian": "æøåÆØÅéèòôóäöü",
    "Swedish, Finnish, Estonian": "åäöõüšžÅÄÖÕÜŠŽé",
    "Icelandic": "áðéíóúýþæöÁÐÉÍÓÚÝÞÆÖ",
    "Dutch": "éëïóöüáíúèêçÉËÏÓÖÜ",
    "Catalan": "àçèéíïòóúüÀÇÈÉÍÏÒÓÚÜ",
}
_LOANS = set(
    "àâäåæáãçéèêëíîïìñóôöøòõúùûüßœÅÄÆÇÉÑÓÖØÜŒ"
)  # what English, which has few such letters, takes from all of them
_FEW = 0.006  # the share of such letters among all up to which a text may be English
# Signs that stand within a word, or before one, only where another code page's letters are misread.
_MISREAD = re.compile(
    r"[a-z][¤¦¨¸¹²³ªº¼½¾¿¡£¥¢§¶±µ†‡ˆ˜‰‹›„‚“”•©«»°–—×÷¯…][a-zà-öø-ÿ]|[^\W\d_][¿¡‚„‡ˆ¤¦½¼¾¥£¨¸][^\W\d_]|[£¥¤¦¹³²¼½¾][^\W\d_]|"
    r"[a-zà-öø-ÿ][À-ÖØ-ÞŠŽŸŒ]|[¤ˆ˜ƒ\x80-\x9f]|\d[œŒšŠžŽŸ]"
)
_LONE = re.compile(r"\b[Øø]\b")  # the sign of a diameter
# Signs that all code pages of Windows share, or that stand beside numbers, where no letter does.
_SIGNS = re.compile(r"[“”‘’–—…•®©€°±×÷«»\xa0]|™(?!\w)|(?<![^\W\d_])(?:[£½¼¾](?![^\W\d_])|µ)")
_MOST = 0.03  # of the signs that are not ASCII may be misread, and of the letters outside the alphabet, twice as many


@dataclass(slots=True)
class _Seen:
    """Lines that are valid UTF-8 beyond ASCII, those that are not, a sample of these, and how often each byte stands in them."""

    valid: int = 0
    broken: int = 0
    sample: list[bytes] = field(default_factory=list)
    stride: int = 1
    bytes: Any = field(default_factory=lambda: np.zeros(256, np.int64))


def encoding_of(path: Path, given: str | None = None) -> str:
    """Return the encoding of a text file; one that is not certain, or a line over the limit, is an ``InputError``.

    One that is ``given`` counts, unless the file begins with the mark of another; an unknown one is an ``InputError``.

    The whole file is read, in blocks, once a process as long as it does not change.
    """
    with reading(path):
        return _encoding(path, given, *_version(path))


def _version(path: Path) -> tuple[int, int]:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else (0, 0)


def remark(path: Path) -> str | None:
    """Return what to say of a file that was recognised to be in another encoding than UTF-8."""
    encoding = encoding_of(path)
    known = "" if encoding.startswith("utf") else "; if signs look wrong, give --option encoding=..."
    return None if encoding.startswith(UTF8) else f"{path}: read as {TITLES.get(encoding, encoding.upper())}{known}"


def first_lines(path: Path, encoding: str | None = None, number: int = 10) -> tuple[str, ...]:
    """Return the first lines of a text file without their ends."""
    with text_lines(path, encoding) as file:
        return tuple(line.rstrip("\r\n") for line in islice(file, number))


@lru_cache(64)
def _encoding(path: Path, given: str | None, changed: int, size: int) -> str:
    with open_raw(path, text=True) as file, reading(path):
        start = file.peek(4)
        if mark := next((name for bom, name in BOMS.items() if start.startswith(bom)), None):
            return mark
        if len(start) > 3 and start[:256].count(0) * 3 > len(start[:256]):
            return "utf-16-le" if start[1] == 0 else "utf-16-be"
        seen = _look(path, file)
    if given is not None:
        return _not_utf8(path, _known(path, given), seen)
    if not seen.broken or seen.valid * _BROKEN >= seen.valid + seen.broken:
        return UTF8
    return _code_page(path, seen)


def _not_utf8(path: Path, given: str, seen: _Seen) -> str:
    """Return a code page that was named, which no file can be all of whose letters are valid UTF-8."""
    if seen.valid and not seen.broken and _ONE_BYTE.match(given):
        raise InputError(f"{path}: is UTF-8, not {given}: leave the option encoding out")
    return given


def _look(path: Path, file: BufferedReader) -> _Seen:
    seen, lines, rest = _Seen(), 0, bytearray()  # the last line of the blocks before
    for block in iter(partial(file.read, BLOCK), b""):
        first, end = (max(find(b"\n"), find(b"\r")) + 1 for find in (block.find, block.rfind))
        if len(rest) + (first or len(block)) > LIMIT:
            raise InputError(f"{path}:{lines + 1}: the line is longer than {LIMIT >> 20} MiB")
        if end:
            _note(seen, bytes(rest) + block[:end])
            rest.clear()
        lines += block.count(b"\n")
        rest += block[end:]
    _note(seen, bytes(rest))
    return seen


def _note(seen: _Seen, lines: bytes) -> None:
    if lines.isascii():
        return
    try:
        lines.decode()
        seen.valid += sum(not line.isascii() for line in lines.split(b"\n"))
    except UnicodeDecodeError:
        seen.bytes += np.bincount(np.frombuffer(lines, np.uint8), minlength=256)
        for line in lines.split(b"\n"):
            if not line.isascii():
                _note_line(seen, line)


def _note_line(seen: _Seen, line: bytes) -> None:
    try:
        line.decode()
        seen.valid += 1
    except UnicodeDecodeError:
        seen.broken += 1
        if seen.broken % seen.stride == 0:
            seen.sample.append(_piece(line))
        if len(seen.sample) > _LINES:
            seen.sample, seen.stride = seen.sample[::2], seen.stride * 2


def _piece(line: bytes) -> bytes:
    """Return what stands about a line's first byte beyond ASCII, cut at signs that are no part of a longer character."""
    first = next(_HIGH.finditer(line)).start()
    start = line.rfind(b" ", 0, max(0, first - _LINE // 4)) + 1
    if len(line) - start <= _LINE:
        return line[start:]
    return line[start : max(line.rfind(b" ", first, start + _LINE), line.rfind(b",", first, start + _LINE), first + 1)]


def _code_page(path: Path, seen: _Seen) -> str:
    sample = b"\n".join(seen.sample)
    # Letters of the Macintosh and of DOS are signs of Windows within words, so that what reads well is neither.
    windows = _well_formed(seen, sample, WINDOWS)
    guesses = [name for name in _guesses(sample) if not (windows and _OLD.match(name))]
    for name in (WINDOWS, LATIN9):
        western = _well_formed(seen, sample, name) and _western(sample.decode(name))
        if western and (
            _few(sample) or _only_signs(sample.decode(name)) or not guesses or _alike(sample, name, guesses[0])
        ):
            return name
    guess = _usual(sample, guesses) or WINDOWS
    raise InputError(
        f"{path}: {NOT_UTF8}, and its code page is not certain: it may be {guess} (cp1252 is Western European, cp1250 Polish, "
        f"Czech or Hungarian, cp1251 Cyrillic); convert it with the right one, such as: iconv -f {guess} -t utf-8 OLD > NEW, "
        f"or give the source catalog --option encoding={guess}"
    )


def _well_formed(seen: _Seen, sample: bytes, name: str) -> bool:
    """Tell whether bytes are signs of a code page, and signs stand where a Western European text has them."""
    undefined = range(0x80, 0xA0) if name == LATIN9 else _UNDEFINED
    if seen.bytes[list(undefined)].any():
        return False
    text = sample.decode(name)
    return len(_MISREAD.findall(text)) <= _MOST * sum(sign > "\x7f" for sign in text)


def _western(text: str) -> bool:
    """Tell whether the letters of a text are those of a Western European language, or of two."""
    letters = Counter(sign for sign in _LONE.sub("", text) if sign > "\x7f" and sign.isalpha() and sign not in "ªºµ")
    alphabets = [{*one, *other} for one, other in combinations(_ALPHABETS.values(), 2)]
    alphabets += [_LOANS] * _few(text.encode(WINDOWS, "replace"))
    foreign = min(sum(count for letter, count in letters.items() if letter not in known) for known in alphabets)
    return foreign <= 2 * _MOST * letters.total()


def _only_signs(text: str) -> bool:
    """Tell whether a text has no letter beyond ASCII, only signs that are the same elsewhere."""
    return _SIGNS.sub("", _LONE.sub("", text)).isascii()


def _alike(sample: bytes, one: str, other: str) -> bool:
    """Tell whether two code pages read the same, but for signs that are the same elsewhere."""
    bare = _SIGNS.sub(lambda found: "\0" * len(found[0]), sample.decode(one))
    read = sample.decode(other, "replace")
    return len(bare) == len(read) and all(a in (b, "\0") for a, b in zip(bare, read, strict=True))


def _few(sample: bytes) -> bool:
    """Tell whether letters beyond ASCII are so few in the lines that have any that the language is English."""
    return len(_HIGH.findall(sample)) <= _FEW * len(_ASCII_LETTERS.findall(sample))


def _same(sample: bytes, one: str, other: str) -> bool:
    return sample.decode(one, "replace") == sample.decode(other, "replace")


def _guesses(sample: bytes) -> list[str]:
    """Return the code pages that a statistical detector finds possible, the likeliest first, by Python's names."""
    import chardet
    from chardet.enums import EncodingEra

    found = chardet.detect_all(sample, ignore_threshold=True, encoding_era=EncodingEra.ALL)
    return [name for each in found if (name := _possible(each["encoding"], sample))]


def _usual(sample: bytes, guesses: list[str]) -> str | None:
    """Return the first guess, or the code page of Windows that reads the same."""
    alike = [name for name in guesses if _same(sample, name, guesses[0])]
    return next((name for name in alike if name.startswith("cp125")), next(iter(guesses), None))


_WIDER = {"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "iso8859-1": WINDOWS}
_OLD = re.compile(r"mac|cp[478]\d\d$")
_ONE_BYTE = re.compile(r"cp(?:125|[478])\d|iso8859|mac|koi8|latin")
_MIXED = re.compile(r"[A-Za-z][\u0370-\u1cff]|[\u0370-\u1cff][A-Za-z]")  # two scripts in one word
_CONTROL = re.compile(r"[\x80-\x9f]")


def _possible(name: str | None, sample: bytes) -> str | None:
    try:
        known = lookup(name or "").name
        text = sample.decode(known := _WIDER.get(known, known))
    except (LookupError, UnicodeDecodeError):
        return None
    signs = sum(sign > "\x7f" for sign in text)
    return None if _CONTROL.search(text) or len(_MIXED.findall(text)) * 10 > signs else known


@contextmanager
def text_lines(path: Path, encoding: str | None = None) -> Iterator[TextIOWrapper]:
    r"""Give the lines of a text file, with their ends (``\\n``, ``\\r\\n`` or ``\\r``), without the byte order mark.

    What is not in the encoding comes as lone surrogates. An unknown encoding is an ``InputError``, as is one that is not certain
    where none is given.
    """
    found = encoding_of(path, encoding)
    with open_raw(path, text=True) as file, reading(path):
        try:
            yield TextIOWrapper(file, found, errors="surrogateescape", newline="")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is not {found} text: {error.reason}; name its encoding") from error


def _known(path: Path, given: str) -> str:
    try:
        b"x".decode(given, "replace")  # a codec may be none of texts
        return lookup(given).name
    except LookupError as error:
        raise InputError(
            f"{path}: unknown encoding {given!r}: name one such as cp1252, cp1250, cp1251 or utf-8"
        ) from error
