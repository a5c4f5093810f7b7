"""Look at a whole column of category cells, and decide which marks part its paths and their nodes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

from converters.sources.catalog.columns import Columns
from converters.sources.catalog.labels.kinds import ids, is_address, is_code_list
from converters.sources.catalog.labels.paths import ARROW, Piece, is_list, nodes, pieces, split
from converters.sources.catalog.labels.reading import Reading
from converters.sources.catalog.labels.weak import FEW, WEAK, Texts, begins, ending, hold, holds, or_nodes, read_weak
from converters.sources.google_taxonomy import Category
from converters.text.none import is_none

STRONG = ("||", "|", "｜", ";", "；", "\n")
SEPARATORS = ("::", "|", "｜", "/", "／", "\\")
UNUSUAL = (" - ", " – ", " — ", ":", " . ", ".", "~", "#", "_", "-")  # that names hold, too
SLASHES = ("/", "／", "\\")
MOST, SOME = 0.5, 0.25  # shares of rows
TREE = 8  # different paths of a tree, among which some share their first node


def decide(
    categories: Mapping[str, int], columns: Columns, titles: Mapping[str, str] = MappingProxyType({})
) -> tuple[Reading, list[str]]:
    """Return how cells (with the number of their rows) are read, and sentences that say why.

    A sign in the title of a cell's product is no evidence of several paths, where the cell ends in it.
    """
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
        reading, said = read_weak(texts, reading, ending(texts, titles))
        lines += said
    reading = replace(reading, nested=_nested(lists, inner, reading))
    return reading, [*_nodes_said(inner, reading, columns), *_lists_said(lists, reading), *lines]


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
        holding = {text: count for text, count in texts.items() if holds(text, mark)}
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
                f"category: {hold(rows)} {shown}: read as several paths; in {support:,} each part is another row's label or "
                "begins like one"
            )
        elif trial.mark or any(map(ARROW.search, texts)) or mark not in SEPARATORS:
            example, node = next(iter(holding))[:60], or_nodes(trial, texts, advice)
            lines.append(
                f"category: {hold(rows)} {shown}, such as {example!r}: is it between paths? Then give --option several={advice}"
                f"{node}"
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
    known = len(first) > 1 and first in trial.known
    return deep or known or begins(text, mark, trial) or all(trial.supports(path, first) for path in others)


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
    styled, tight = _styled(plain, sure) if sure in SLASHES else (sure, False)
    return replace(reading, mark=styled or None, tight=tight, rooted=tuple(rooted), roots=roots)


def _styled(texts: Texts, mark: str) -> tuple[str, bool]:
    """Return a mark with blanks around it if only that parts nodes (``Home / Bed/Bath``), and whether only one without does."""
    styles = {text: (f" {mark} " in text, _tight(text, mark)) for text in texts if mark in text}
    rows = {style: sum(texts[text] for text in styles if styles[text] == style) for style in {*styles.values()}}
    spaced, tight = rows.get((True, False), 0), rows.get((False, True), 0)
    if spaced == tight or (not any(map(all, styles.values())) and min(spaced, tight) > FEW * max(spaced, tight)):
        return mark, False
    usual = (True, False) if spaced > tight else (False, True)
    roots = {nodes(text, mark)[:1] for text, style in styles.items() if style == usual}
    odd = [text for text, style in styles.items() if style not in (usual, (False, False))]
    trial = Reading(mark=f" {mark} " if spaced > tight else mark, tight=tight > spaced)
    # "Home/ Kitchen / Pans" is a path that was written carelessly, if others begin with "Home".
    if not odd or any(nodes(text, mark)[:1] in roots and trial.nodes(text)[:1] not in roots for text in odd):
        return mark, False
    return trial.mark or mark, trial.tight


def _tight(text: str, mark: str) -> bool:
    before, *others = text.strip().strip(mark).split(mark)
    return any(not (one[-1:].isspace() or two[:1].isspace()) for one, two in pairwise([before, *others]))


def _is_separator(paths: Mapping[str, Category], texts: Texts, mark: str) -> bool:
    """Tell whether texts with a mark are paths: most hold it, or they share first nodes with one another or with other cells."""
    firsts = Counter(path[0] for path in paths.values())
    shared = sum(first in texts or count > 1 for first, count in firsts.items())
    most = sum(texts[text] for text in paths) >= MOST * sum(texts.values())
    if mark not in SLASHES or (most and (shared or len(paths) < TREE)):
        return True
    return shared >= MOST * len(firsts)


def _nested(lists: Mapping[str, int], texts: Texts, reading: Reading) -> bool:
    """Tell whether the texts of a list are nodes: none holds an arrow, few begin with a mark's path, and their order is kept."""
    items: list[tuple[Piece, ...]] = [pieces(cell) for cell in lists]
    rows = [named for each in items if (named := [item for item in each if isinstance(item, str) and item])]
    marks = [reading.separator] if reading.separator else [reading.mark or "/"]
    if not rows or any(ARROW.search(item) for row in rows for item in row):
        return False
    if sum(bool(marks[0] and marks[0] in row[0]) for row in rows) >= MOST * len(rows):
        return False
    firsts = {row[0] for row in rows} | {*texts}
    return sum(any(item in firsts for item in row[1:]) for row in rows) <= SOME * len(rows)


def _lists_said(lists: Mapping[str, int], reading: Reading) -> list[str]:
    meaning = "its texts are the nodes of one path" if reading.nested else "each of its texts is a category"
    return [f"category: {hold(sum(lists.values()))} a list: {meaning}"] if lists else []


def _nodes_said(texts: Texts, reading: Reading, columns: Columns) -> list[str]:
    if columns.separator is not None:
        return []
    signs = Counter[str]()
    for text, count in texts.items():
        sign = ARROW.search(text)
        if sign or len(reading.nodes(text)) > 1:
            signs[sign[0] if sign else _mark(text, reading)] += count
    if not signs:
        return _unusual_said(texts)
    named = ", ".join(f"{sign!r} in {count:,}" for sign, count in signs.most_common(4))
    single = "; the others are single names" * (signs.total() < sum(texts.values()))
    return [f"category: paths are split at {named} of {sum(texts.values()):,} paths{single}"]


def _unusual_said(texts: Texts) -> list[str]:
    """Ask for a sign that names hold, too, where it stands in most cells and these begin alike."""
    for mark in UNUSUAL:
        holding = {text: count for text, count in texts.items() if len(nodes(text, mark)) > 1}
        firsts = {nodes(text, mark)[0] for text in holding}
        if sum(holding.values()) >= MOST * sum(texts.values()) and len(firsts) < len(holding):
            example = next(iter(holding))[:60]
            return [
                f"category: {hold(sum(holding.values()))} {mark!r}, such as {example!r}: is it between the nodes of a path? Then "
                f'give --option "separator={mark!r}"'
            ]
    return []


def _mark(text: str, reading: Reading) -> str:
    return reading.mark or next(mark for mark in reading.rooted if mark in text)
