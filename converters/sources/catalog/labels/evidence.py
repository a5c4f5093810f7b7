"""Look at a whole column of category cells, and decide which marks part its paths and their nodes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from converters.sources.catalog.columns import Columns
from converters.sources.catalog.labels.kinds import ids, is_address, is_code_list
from converters.sources.catalog.labels.paths import ARROW, Piece, is_list, nodes, pieces, split
from converters.sources.catalog.labels.reading import Reading
from converters.sources.google_taxonomy import Category
from converters.text.none import is_none

STRONG = ("||", "|", "｜", ";", "；", "\n")
WEAK = (",", "，", "、", "،")
SEPARATORS = ("::", "|", "｜", "/", "／", "\\")
SLASHES = ("/", "／", "\\")
MOST, SOME, FEW = 0.5, 0.25, 0.1  # shares of rows
ROUNDS = 3

Texts = Mapping[str, int]  # what cells hold, with the number of rows


def decide(categories: Mapping[str, int], columns: Columns) -> tuple[Reading, list[str]]:
    """Return how cells (with the number of their rows) are read, and sentences that say why."""
    texts = Counter[str]()
    for cell, count in categories.items():
        found = pieces(cell)
        if len(found) == 1 and isinstance(found[0], str) and _may_be_path(found[0]):
            texts[found[0]] += count
    lists = {cell: count for cell, count in categories.items() if is_list(cell)}
    reading, lines = Reading(columns.separator, several=columns.several or ()), list[str]()
    if columns.several is None:
        several, said = _several(texts, reading)
        reading, lines = replace(reading, several=several), said
    inner = Counter(dict(_parts(texts, reading.several)))
    if columns.separator is None:
        reading = _separated(inner, reading)
    reading = _knowing(texts, reading)
    if columns.several is None:
        reading, said = _weak(texts, reading)
        lines += said
    return replace(reading, nested=_nested(lists, inner, reading)), [*_nodes_said(inner, reading, columns), *lines]


def hold(rows: int) -> str:
    """Say of a number of rows that they hold something."""
    return f"{rows:,} row{'s' * (rows != 1)} hold{'s' * (rows == 1)}"


def _holds(text: str, mark: str) -> bool:
    return mark in text and sum(map(bool, split(text, (mark,)))) > 1


def _may_be_path(text: str) -> bool:
    return not (is_none(text) or is_address(text) or ids(text) or is_code_list(text))


def _parts(texts: Texts, marks: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    counts = Counter[str]()
    for text, count in texts.items():
        for part in filter(None, split(text, marks)):
            counts[part] += count
    yield from counts.items()


def _knowing(texts: Texts, reading: Reading) -> Reading:
    """Return a reading that knows the paths of cells without a doubtful mark, and the roots of all cells."""
    known, roots = set[Category](), set[str]()
    for text in texts:
        parts = [part for part in split(text, reading.several) if part]
        for part in parts:
            path = reading.nodes(part)
            if not any(len(split(part, (mark,))) > 1 for mark in WEAK):
                known |= {path[:depth] for depth in range(1, len(path) + 1)}
                roots |= {*path[:1]}
    return replace(reading, known=frozenset(known), roots=frozenset(roots))


def _several(texts: Texts, reading: Reading) -> tuple[tuple[str, ...], list[str]]:
    """Return the strong marks that part paths, each with the cells that speak for it."""
    accepted, lines = list[str](), list[str]()
    for mark in STRONG:
        holding = {text: count for text, count in texts.items() if _holds(text, mark)}
        if not holding or mark == reading.separator:
            continue
        if mark == "|" and "||" in accepted and all("||" in text for text in holding):
            continue
        others = {text: count for text, count in texts.items() if text not in holding}
        trial = _provisional(others, holding, mark, reading)
        rows = sum(holding.values())
        support = sum(count for text, count in holding.items() if _speaks(text, mark, trial))
        # With other signs between nodes, the mark hardly is one of them.
        needed = SOME if trial.mark or any(map(ARROW.search, texts)) or reading.separator else MOST
        shown, advice = (repr(mark),) * 2 if mark != "\n" else ("a line break", "'\"\\n\"'")
        if support >= needed * rows:
            accepted.append(mark)
            lines.append(
                f"category: {hold(rows)} {shown}: it parts several paths; in {support:,} these are labels of other rows or begin "
                "at their roots"
            )
        elif trial.mark or any(map(ARROW.search, texts)) or mark not in SEPARATORS:
            example = next(iter(holding))[:60]
            lines.append(
                f"category: {hold(rows)} {shown}, such as {example!r}: is it between paths? Then give --option several={advice}"
            )
    return tuple(accepted), lines


def _provisional(others: Texts, holding: Texts, mark: str, reading: Reading) -> Reading:
    inner = Counter(others)
    for text, count in holding.items():
        for part in filter(None, split(text, (mark,))):
            inner[part] += count
    trial = reading if reading.separator else _separated(inner, reading, mark)
    known = _knowing(others, trial)
    firsts = {path[0] for text in holding if len(path := trial.nodes(split(text, (mark,))[0])) > 1}
    return replace(known, roots=known.roots | firsts)


def _speaks(text: str, mark: str, trial: Reading) -> bool:
    first, *others = (trial.nodes(part) for part in split(text, (mark,)) if part)
    deep = len(first) > 1 and all(len(path) > 1 for path in others) and bool(ARROW.search(text))
    return deep or all(trial.supports(path, first) for path in others)


def _separated(texts: Texts, reading: Reading, without: str = "") -> Reading:
    """Return a reading with the mark between nodes that cells without an arrow show."""
    arrowed = {text: count for text, count in texts.items() if ARROW.search(text)}
    roots = frozenset(path[0] for text in arrowed if (path := nodes(text, None)))
    plain = {text: count for text, count in texts.items() if text not in arrowed}
    sure, rooted, most = "", list[str](), sum(arrowed.values())
    for mark in SEPARATORS:
        if mark == without or mark in reading.several:
            continue
        paths = {text: path for text in plain if len(path := nodes(text, mark)) > 1}
        rows = sum(plain[text] for text in paths)
        if rows > most and _is_separator(paths, plain, mark):
            sure, most = mark, rows
        elif any(path[0] in roots for path in paths.values()):
            rooted.append(mark)
    return replace(reading, mark=sure or None, rooted=tuple(rooted), roots=roots)


def _is_separator(paths: Mapping[str, Category], texts: Texts, mark: str) -> bool:
    """Tell whether texts with a mark are paths: most hold it, or they share first nodes with one another or with other cells."""
    if mark not in SLASHES or sum(texts[text] for text in paths) >= MOST * sum(texts.values()):
        return True
    firsts = Counter(path[0] for path in paths.values())
    shared = sum(first in texts or count > 1 for first, count in firsts.items())
    return shared >= MOST * len(firsts)


def _weak(texts: Texts, reading: Reading) -> tuple[Reading, list[str]]:
    """Return a reading with the weak marks that part paths in some cells, and sentences on all that cells hold."""
    lines = list[str]()
    for mark in WEAK:
        holding = {text: count for text, count in texts.items() if _holds(text, mark)}
        if not holding or mark == reading.separator:
            continue
        rows, trial = sum(holding.values()), _learned(holding, replace(reading, weak=(mark,)))
        parted = sum(count for text, count in holding.items() if len(trial.paths(text)[0]) > 1)
        example, advice = next(iter(holding))[:60], f"--option several={mark!r}"
        if not parted:
            lines.append(
                f"category: {hold(rows)} {mark!r}, such as {example!r}: read as part of a name; if it is between paths, give "
                f"{advice}"
            )
            continue
        reading = replace(
            reading, weak=(*reading.weak, mark), known=trial.known, roots=trial.roots, strict=parted >= FEW * rows
        )
        unclear = sum(count for text, count in holding.items() if reading.paths(text)[1])
        lines.append(
            f"category: {hold(rows)} {mark!r}: it parts several paths in {parted:,}, where these are labels of other rows or "
            f"begin at their roots, and {unclear:,} cannot be told; if it always does, give {advice}, "
            "if never, --option 'several=[]'"
        )
    return reading, lines


def _learned(texts: Texts, trial: Reading) -> Reading:
    """Return a reading that also knows the paths of the cells that it can part."""
    for _ in range(ROUNDS):
        found = {path for text in texts if len(paths := trial.paths(text)[0]) > 1 for path in paths}
        known = trial.known | {path[:depth] for path in found for depth in range(1, len(path) + 1)}
        if known == trial.known:
            break
        trial = replace(trial, known=known, roots=trial.roots | {path[0] for path in found})
    return trial


def _nested(lists: Mapping[str, int], texts: Texts, reading: Reading) -> bool:
    """Tell whether the texts of a list are nodes: none holds an arrow, few begin with a mark's path, and their order is kept."""
    items: list[tuple[Piece, ...]] = [pieces(cell) for cell in lists]
    rows = [[item for item in each if isinstance(item, str)] for each in items]
    marks = [reading.separator] if reading.separator else [reading.mark or "/"]
    if not rows or any(ARROW.search(item) for row in rows for item in row):
        return False
    if sum(bool(marks[0] and marks[0] in row[0]) for row in rows) >= MOST * len(rows):
        return False
    firsts = {row[0] for row in rows} | {*texts}
    return sum(any(item in firsts for item in row[1:]) for row in rows) <= SOME * len(rows)


def _nodes_said(texts: Texts, reading: Reading, columns: Columns) -> list[str]:
    if columns.separator is not None:
        return []
    signs = Counter[str]()
    for text, count in texts.items():
        sign = ARROW.search(text)
        if sign or len(reading.nodes(text)) > 1:
            signs[(">>" if ">>" in text else sign[0]) if sign else _mark(text, reading)] += count
    if not signs:
        return []
    named = ", ".join(f"{sign!r} in {count:,}" for sign, count in signs.most_common(4))
    return [f"category: nodes are parted by {named} of {sum(texts.values()):,} paths"]


def _mark(text: str, reading: Reading) -> str:
    return reading.mark or next(mark for mark in reading.rooted if mark in text)
