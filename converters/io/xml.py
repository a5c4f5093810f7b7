"""Read XML as a stream of elements in bounded memory; nothing is fetched, no entity is expanded.

A document type is tolerated where it only names a file, as those of Icecat and BMEcat do; that file is never looked at. One that
declares entities or attributes is refused before the first element is read: product data has no use for them, and they are the
means by which a small file becomes a huge one or reads others (OWASP, "XML External Entity Prevention").
"""

import codecs
import re
from collections import deque
from collections.abc import Callable, Container, Iterator
from functools import lru_cache
from itertools import chain, count
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.parsers import expat

from converters.core.errors import InputError
from converters.core.unicode import composed
from converters.io.files import BLOCK, open_raw, reading

PART = (
    1 << 15
)  # bytes parsed at once: what a processor's cache holds with the elements of it, twice as fast as 8 times as much
LIMIT = 64 << 20  # bytes of one element
DEEPEST = 200  # elements within each other
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([\w.:-]+)""")
_BY_EXPAT = ("utf-8", "utf-16", "ascii", "iso8859-", "cp125")  # encodings that the parser reads by itself
_CUT = (3, 5)  # the errors of an end within an element, or within a tag
_MEND = "save the file as UTF-8, or name its encoding with --option encoding=..."

_TOKEN = 4  # the error of a byte that is no character of the encoding, or no character at all


@lru_cache(1 << 12)
def local(tag: str) -> str:
    """Return an element's name without its namespace.

    >>> local("{http://base.google.com/ns/1.0}price"), local("title")
    ('price', 'title')
    """
    return tag.rpartition("}")[2]


def is_xml(path: Path) -> bool:
    """Tell whether a path ends in ``.xml``, in any case, compressed or not."""
    return ".xml" in map(str.lower, path.suffixes)


def beginning(path: Path, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the local names of the first element and, each once, of those in the file's first part."""
    root, _ = next(_parts(path, encoding))
    return local(root.tag), tuple(dict.fromkeys(local(element.tag) for element in root.iter()))


def elements(path: Path, names: Container[str], encoding: str | None = None) -> Iterator[tuple[str, Element]]:
    """Yield ``(file:#n, element)`` of the elements with one of these local names, whole, in the file's order.

    One within another such element is a part of that one. XML that is broken, nested too deeply, or that declares entities is an
    ``InputError`` where it is met. ``encoding`` is only needed where the file's own declaration is wrong. Texts come composed
    (NFC).
    """
    numbers, held = count(1), 0
    for root, size in _parts(path, encoding):
        taken = _complete(root, names) if size else [root]
        held = 0 if taken else held + size
        _need_bounds(path, root, held)
        for element in taken:
            for each in _outermost(element, names):
                _compose(each)
                yield f"{path}:#{next(numbers)}", each


def _compose(element: Element) -> None:
    for node in element.iter():
        if node.text and not node.text.isascii():
            node.text = composed(node.text)
        for name, value in node.items():
            if not value.isascii():
                node.set(name, composed(value))


def _complete(root: Element, names: Container[str]) -> list[Element]:
    """Take the elements out of a growing tree that nothing can be added to: all but the last one on each level."""
    taken, node = list[Element](), root
    while len(node) and local(node.tag) not in names:
        taken += node[:-1]
        del node[:-1]
        node = node[-1]
    return taken


def _outermost(element: Element, names: Container[str]) -> Iterator[Element]:
    waiting = [element]
    while waiting:
        element = waiting.pop()
        if local(element.tag) in names:
            yield element
        else:
            waiting += element[::-1]


def _need_bounds(path: Path, root: Element, held: int) -> None:
    depth, node = 1, root
    while len(node) and depth <= DEEPEST:
        depth, node = depth + 1, node[-1]
    if depth > DEEPEST:
        raise InputError(f"{path}: more than {DEEPEST} elements within each other: no product data")
    if held > LIMIT:
        raise InputError(f"{path}: one element is longer than {LIMIT >> 20} MiB")


def _parts(path: Path, encoding: str | None) -> Iterator[tuple[Element, int]]:
    """Yield the tree, as far as it has grown, after each part of a file, and the part's size in bytes; 0 once, at the end.

    The caller is to make the tree smaller.
    """
    # To hand over each element's end would take longer than the parse itself.
    parser: XMLPullParser[Any] = XMLPullParser(("start",))
    root: Element | None = None
    try:
        for part, size in _decoded(path, encoding):
            if root is None:
                _guard(path, part)
            parser.feed(part)
            if root is None:
                root = _first(parser)
            deque(parser.read_events(), 0)
            yield root, size
        parser.close()
        deque(parser.read_events(), 0)
        if root is not None:
            yield root, 0
    except ParseError as error:
        line, column = error.position
        raise _broken(path, error.code, line, column) from error


def _first(parser: Any) -> Element:
    _, element = next(parser.read_events())
    return element if isinstance(element, Element) else Element("")


def _decoded(path: Path, encoding: str | None) -> Iterator[tuple[bytes | str, int]]:
    """Yield a file's parts as bytes where the parser knows their encoding, else as text; and how many bytes each has."""
    with open_raw(path, text=True) as file, reading(path):
        first = file.read(BLOCK)
        decode = _decoder(path, first, encoding)
        try:
            for part in chain([first], iter(lambda: file.read(PART), b"")):
                yield (decode(part) if decode else part), len(part)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: holds a byte that {error.encoding} does not have: {_MEND}") from error


def _decoder(path: Path, first: bytes, encoding: str | None) -> Callable[[bytes], str] | None:
    declared = _DECLARED.match(first)
    name = encoding or (declared[1].decode() if declared else "utf-8")
    try:
        codec = codecs.lookup(name)
        made = codecs.getincrementaldecoder(name)().decode
    except LookupError as error:
        raise InputError(f"{path}: the encoding {name!r} is unknown: {_MEND}") from error
    return made if encoding or not codec.name.startswith(_BY_EXPAT) else None


def _guard(path: Path, part: bytes | str) -> None:
    """Raise an ``InputError`` if a file's first part declares entities or attributes, or has no element."""
    begun: list[str] = []
    guard = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise InputError(
            f"{path}: its DOCTYPE declares entities or attributes, which are refused: save the file without it"
        )

    guard.EntityDeclHandler = guard.AttlistDeclHandler = refuse
    guard.StartElementHandler = lambda name, _: begun.append(name)
    try:
        guard.Parse(part, False)
    except expat.ExpatError as error:
        if not begun:
            raise _broken(path, error.code, error.lineno, error.offset) from error
    if not begun:
        raise InputError(f"{path}: no XML: no element in the first {BLOCK >> 10} KiB")


def _broken(path: Path, code: int, line: int, column: int) -> InputError:
    what = "the file is cut off" if code in _CUT else expat.ErrorString(code)
    mend = f"mend the line, or {_MEND}" if code == _TOKEN else "export the file again, or mend the line"
    return InputError(f"{path}:{line}: broken XML at column {column + 1}: {what}: {mend}")
