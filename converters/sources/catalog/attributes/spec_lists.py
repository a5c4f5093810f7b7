r"""Attributes written as text in one cell: lists of assignments, of positions, of sections, and of ``key: value`` pieces.

* assignments: ``code=value,code2=value2``; a piece without ``=`` belongs to the value before it, ``"…"`` encloses a value
  (Magento) or a whole assignment (BigCommerce), ``|`` parts several values
* positions: ``Name:Value:Position`` or ``Name:Value:Position:Customized`` (PrestaShop)
* sections: ``Section:Name:Value`` (Google Merchant's product_detail), an item with a comma in double quotes
* pieces: ``key: value`` lines, or pieces between ``;``, ``|`` or ``,``
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from converters.sources.catalog.attributes.values import parted
from converters.text.html import untagged

Pairs = list[tuple[str, str]]
ASSIGNED, POSITIONS, SECTIONS = "assignments", "positions", "sections"
_BREAK = re.compile(r"<br\s*/?>|</(?:li|p|div|tr|dd)\s*>|[\r\n]+", re.IGNORECASE)
_CELLS = re.compile(
    r"(?<![:\s])[:\s]*(?:</t[hd]>\s*<td[^>]*>|</dt>\s*<dd[^>]*>)\s*", re.IGNORECASE
)  # a name's and a value's
_KEY = r"[^\W\d_][^=:;,|<>\"\\/?&\r\n]{0,59}"
_ASSIGNED = re.compile(rf'\s*"?{_KEY}=(?![>:])')
_CODE = re.compile(r"[a-z][a-z0-9_]*")
_PIECE = re.compile(r"[^:\s,;|]*: ")
_NAMED, _EQUAL = re.compile(r"([^:：]{1,60})[:：](?!//)"), re.compile(r"([^:：=]{1,60})=")
_MARKS = ("\n", ";", ",", "|")
_NAME, _POSITION = (
    r"\s*(?P<name>[^:,;|]{1,60}):",
    r":(?P<position>0|[1-9]\d{0,2})(?::(?P<own>[01]?))?\s*(?P<mark>[,;|]|$)",
)
_POSITIONED = re.compile(rf"{_NAME}(?P<value>(?:[^:]|:(?=//))+?){_POSITION}")
# Where the column has positions, a value may hold a colon.
_SURE = re.compile(rf"{_NAME}(?P<value>(?:[^:]|:(?=//))+?|[^,;|]+?){_POSITION}")


def pairs_of(cell: str, form: str = "") -> Pairs:
    """Return the names and values of a cell; ``form`` is what its column has, where the cell itself may be of two."""
    if _is_assigned(cell) or (form == ASSIGNED and _ASSIGNED.match(cell)):
        return [*_assignments(cell)]
    cell = _CELLS.sub(": ", cell) if "</" in cell else cell
    lines = [line.strip() for line in map(untagged, _BREAK.split(cell)) if line.strip()]
    if len(lines) != 1:
        return [pair for line in lines for pair in _piece(line)]
    return _structured(lines[0], form) or _pieces(lines[0])


def form_of(cell: str) -> str:
    """Return which of the forms that may be mistaken for one another a cell has by itself, or nothing."""
    if _is_assigned(cell):
        return ASSIGNED
    if cell.count(":") < 2 or cell.lstrip()[:1] in ("{", "[") or _BREAK.search(cell.strip()):
        return ""
    return POSITIONS if positions(cell) else SECTIONS if _sections(cell) else ""


def _is_assigned(cell: str) -> bool:
    """Tell whether a cell begins with an assignment and is no ``key: value`` whose key has an equals sign."""
    if not _ASSIGNED.match(cell):
        return False
    lines = [line for line in _BREAK.split(cell) if line.strip()]
    several = len(lines) > 1 or max(len(_starts(mark).findall(cell)) for mark in _MARKS) < 2
    return not (several and all(_PIECE.match(line) for line in lines))


def _structured(line: str, form: str) -> Pairs:
    if form == SECTIONS:
        return _sections(line) or positions(line)
    return positions(line, form == POSITIONS) or _sections(line)


def positions(line: str, sure: bool = False) -> Pairs:
    """Return the names and values of ``Name:Value:Position`` items; none where a line has another form.

    Where it is ``sure`` that a line has this form, values may hold colons and commas.

    >>> positions("Ratio:16:9:1,Use:cut: by hand:2:0", sure=True)
    [('Ratio', '16:9'), ('Use', 'cut: by hand')]
    """
    pairs, start, marks = Pairs(), 0, set[str]()
    while start < len(line):
        match = (_SURE if sure else _POSITIONED).match(line, start)
        # "Open: 10:30" is a time.
        if not match or (match["value"][0] == " " and match["value"].strip().isdigit()):
            return []
        # So is "Material:Oak, Legs:4" two pieces, and "Material:Oak, oiled:1" one.
        if "," in match["value"] and not sure and int(match["position"]) != len(pairs) + 1:
            return []
        # "Ratio:16:9:1" is the ratio 16:9 in the first place.
        placed = match["own"] == str(len(pairs) + 1) != match["position"]
        ratio = f":{match['position']}" if sure and placed and match["value"].strip().isdigit() else ""
        pairs.append((match["name"], match["value"] + ratio))
        marks.add(match["mark"])
        start = match.end()
    return pairs if len(marks - {""}) < 2 else []


def _sections(line: str) -> Pairs:
    """Return the names and values of ``Section:Name:Value`` items; the section may be blank."""
    items = _items(line, ",")
    parts = [_colons(item) for item in items]
    if not all(len(part) > 2 and part[1].strip() and part[2].strip() for part in parts):
        return []
    blanks = any(part[1].startswith(" ") for part in parts)
    if blanks and (len(parts) < 2 or len({part[0].strip() for part in parts}) == len(parts)):
        return []  # key: value, and a colon in the value
    return [(part[1], ":".join(part[2:])) for part in parts]


def _colons(item: str) -> list[str]:
    return [
        part.replace("\0", "://").replace("\1", ":")
        for part in item.replace("://", "\0").replace("\\:", "\1").split(":")
    ]


def _pieces(line: str) -> Pairs:
    """Return the ``key: value`` pieces of a line between the mark that parts most of them."""
    parts = {mark: _items(line, mark) for mark in (";", "；", "|", ",")}
    counts = {mark: sum(bool(_piece(item)) for item in items) for mark, items in parts.items()}
    mark = max(counts, key=lambda mark: (counts[mark], len(parts[mark]) > 1 and mark != ","))
    if mark == "," and counts[mark] < 2:
        return _piece(line)
    return [pair for item in parts[mark] for pair in _piece(item)]


def _piece(text: str) -> Pairs:
    """Return the one pair of a piece, or none."""
    match = _NAMED.match(text) or _EQUAL.match(text)
    return [(match[1], text[match.end() :])] if match and match[1].strip() else []


def _items(line: str, mark: str) -> list[str]:
    """Return the items of a list; what has no colon belongs to the item before a comma."""
    items = [item for item in parted(line, mark) if item]
    if mark != ",":
        return items
    joined: list[str] = []
    for item in items:
        if joined and not re.match(r"[^:;|]{0,60}:(?!//)", item):
            joined[-1] += f", {item}"
        else:
            joined.append(item)
    return joined


def _assignments(cell: str) -> Iterator[tuple[str, str]]:
    starts = {mark: len(_starts(mark).findall(cell)) for mark in _MARKS}
    mark = max(_MARKS, key=lambda mark: starts[mark])
    key, values, codes = "", "", mark == "," and _CODE.fullmatch(_key(cell))
    for item in _assigned(mark).findall(cell):
        start, equals, value = _unquoted(item.strip()).partition("=")
        # In a list of codes, "use a = b" is a piece of the value before it.
        if equals and re.fullmatch(_CODE if codes else _KEY, start.strip()):
            yield from _several(key, values, mark)
            key, values = start, value
        elif item:
            values += mark + item
    yield from _several(key, values, mark)


def _key(cell: str) -> str:
    return cell.partition("=")[0].strip().strip('"').strip()


def _several(key: str, values: str, mark: str) -> Iterator[tuple[str, str]]:
    for value in parted(values.strip(), "|") if mark != "|" and "|" in values else [_unquoted(values.strip())]:
        yield key, value


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


@lru_cache(8)
def _starts(mark: str) -> re.Pattern[str]:
    return re.compile(rf'(?:^|{re.escape(mark)})\s*"?{_KEY}=(?![>:])')


@lru_cache(8)
def _assigned(mark: str) -> re.Pattern[str]:
    mark, quoted = re.escape(mark), r'"(?:[^"]|"")*"'
    return re.compile(
        rf"(?:^|(?<={mark}))(?:\s*(?:{_KEY}=)?{quoted}(?:\|{quoted})*\s*(?={mark}|$)|(?:(?!{mark}).)*)", re.DOTALL
    )
