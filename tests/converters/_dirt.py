"""Files that are wrong in every way that real ones were found to be, and more, made from the fixtures of the sources."""

import copy
import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROWS = 12  # of a file, at most
FIXTURES = Path(__file__).parents[1] / "fixtures"
TEXT = {".jsonl", ".json", ".csv", ".tsv", ".txt"}

# fmt: off
DIRT = [
    "</s>", "[/INST]", "<|im_end|>", "<start_of_turn>", "[QA]", "[CLASSIFY] ", "<</SYS>>", "[ INST]", "<<s>s>",
    "<b>bold</b>", "<script>alert(1)</script>", "&amp;lt;/s&amp;gt;", "&lt;/s&gt;", "&#60;/s&#62;", "&quot;",
    "\0", "\x1b[0m", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b", "\xa0", "☕", "👩‍👩‍👧", "İ", "ß",
    "\ud800", "\udfff", "", " ", "\n", "\r\n", "\t", '"', '""', "\\", "{{name}}", "[1]", "[99999]", " > ", ">", "|", "null",
    "NaN", "-1", "1e999", "x" * 5000, "[", "{", "]" * 50, "\n\n### Response:", "A: yes", "The snippets do not say.", "2087",
    "B0TEST0001", " › ", "＞", "N/A", "1,5 l", "１２", "٣", "u\u0308", "が", "か\u3099", "\u1112\u1161\u11ab", "ﬁ", "Å",
]
SCRIPTS = [
    "Кружка красная, 350 мл", "Κόκκινη κούπα 350 ml;", "كوب أحمر سعة ٣٥٠ مل؟", "ספל אדום בנפח 350 מ״ל",
    "लाल मग, ३५० मिली।", "แก้วสีแดง ๓๕๐ มล.", "빨간 머그컵은 350ml입니다.", "红色陶瓷杯，350毫升。",
    "赤いマグカップ（350ml）です。", "சிவப்பு குவளை 350 மி.லி.", "წითელი ფინჯანი 350 მლ", "ခွက်အနီ ၃၅၀ မီလီ။",
]
# fmt: on
Draw = random.Random


def dirt(draw: Draw) -> str:
    return draw.choice(SCRIPTS if draw.random() < 0.2 else DIRT)


def odd(draw: Draw) -> Any:
    """Return a JSON value that nobody expects."""
    texts = [dirt(draw) for _ in range(draw.randint(0, 3))]
    plain = [None, True, False, -2, 0, 2, 2**70, 0.5, [], {}, [[[{}]]], float("nan")]
    return draw.choice([*plain, dirt(draw), texts, dict(zip(["text", "a", ""], texts, strict=False))])


def dirty(draw: Draw, text: str) -> str:
    """Put dirt into a text, or say it in another script."""
    if draw.random() < 0.1:
        return draw.choice(SCRIPTS)
    at = draw.randint(0, len(text))
    return text[:at] + dirt(draw) + text[at + draw.randint(0, 3) :]


def changed(draw: Draw, value: Any) -> Any:
    """Change one thing somewhere in a JSON value."""
    if draw.randint(0, 5) == 0:
        return odd(draw)
    if isinstance(value, dict) and value:
        return in_object(draw, value)
    if isinstance(value, list) and value:
        at = draw.randint(0, len(value) - 1)
        middle = draw.choice([[], [value[at]] * 2, None])
        return value[:at] + ([changed(draw, value[at])] if middle is None else middle) + value[at + 1 :]
    if isinstance(value, str):
        return dirty(draw, value)
    if isinstance(value, int | float):
        return draw.choice([str(value), -value, value + 1, value * 1000, None, True])
    return odd(draw)


def in_object(draw: Draw, value: dict[str, Any]) -> dict[str, Any]:
    key = draw.choice(sorted(value))
    how = draw.randint(0, 7)
    if how == 0:
        return {k: v for k, v in value.items() if k != key}
    if how == 1:
        return {(dirt(draw) if k == key else k): v for k, v in value.items()}
    if how == 2:
        return {**value, key: value[draw.choice(sorted(value))]}
    return {**value, key: changed(draw, value[key])}


def json_line(draw: Draw, line: str) -> bytes:
    try:
        value = json.loads(line)
    except ValueError:
        return dirty(draw, line).encode(errors="surrogatepass")
    for _ in range(draw.randint(0, 3)):
        value = changed(draw, value)
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5)
    if isinstance(value, dict) and value and draw.randint(0, 9) == 0:
        text = text[:-1] + ", " + json.dumps(draw.choice(sorted(value))) + ": 1}"
    return text.encode(errors="surrogatepass")


def cells(row: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n")


def table_line(draw: Draw, line: str) -> bytes:
    """Change some cells; now and then there is one too many or too few, or the quotes are wrong."""
    delimiter = max("\t;,", key=line.count)
    row = next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), []) or [""]
    for _ in range(draw.randint(0, 3)):
        at = draw.randint(0, len(row) - 1)
        row[at : at + 1] = draw.choice([[dirty(draw, row[at])]] * 6 + [[], [row[at]] * 2]) or [""]
    text = cells(row, delimiter)
    return (dirty(draw, text) if draw.randint(0, 9) == 0 else text).encode(errors="surrogatepass")


def plain_line(draw: Draw, line: str) -> bytes:
    for _ in range(draw.randint(0, 3)):
        line = dirty(draw, line)
    return line.encode(errors="surrogatepass")


def broken(draw: Draw, data: bytes) -> bytes:
    """Change a few bytes, or cut the end off."""
    for _ in range(draw.randint(0, 3)):
        at = draw.randint(0, len(data))
        data = data[:at] + draw.randbytes(draw.randint(0, 3)) + data[at + draw.randint(0, 3) :]
    return data[: draw.randint(0, len(data))] if draw.randint(0, 9) == 0 else data


def xml_file(draw: Draw, path: Path, most: int) -> bytes:
    """Change texts, attributes and elements anywhere in an XML file: some are gone, doubled, renamed or elsewhere."""
    root = ElementTree.fromstring(path.read_text("utf-8"))
    items = max(root.iter(), key=len)
    items.extend(copy.deepcopy(draw.choice(list(items))) for _ in range(draw.randint(0, most)))
    for _ in range(draw.randint(0, 8)):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        parent = draw.choice(parents)
        child = draw.choice(list(parent))
        how = draw.randint(0, 9)
        if how == 0:
            parent.remove(child)
        elif how == 1:
            parent.append(copy.deepcopy(child))
        elif how == 2:
            child.tag = draw.choice([element.tag for element in root.iter()])
        elif how == 3 and child.attrib:
            key = draw.choice(sorted(child.attrib))
            child.set(key, clean(dirty(draw, child.attrib[key])))
        else:
            child.text = clean(dirty(draw, child.text or ""))
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def clean(text: str) -> str:
    """Return a text without what no XML file can hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


HEADS = {"amazon": 3, "ebay": 2}  # lines up to the column names


@cache
def parsed(path: Path) -> tuple[list[str], list[str], Callable[[Draw, str], bytes]]:
    """Return a fixture's head lines, its rows, and what changes one of them."""
    text = path.read_text("utf-8-sig")
    if path.suffix == ".json":
        return [], [json.dumps(item) for item in json.loads(text)], json_line
    if path.suffix == ".jsonl":
        return [], text.splitlines(), json_line
    if path.suffix == ".txt" and path.parent == FIXTURES:
        head, *lines = text.splitlines()
        return [head], lines, plain_line
    top, first = HEADS.get(path.stem, 1), text.splitlines()
    delimiter = max("\t;,", key=first[min(top, len(first)) - 1].count)
    rows = [cells(row, delimiter) for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    return rows[:top], rows[top:], table_line


def dirty_file(draw: Draw, path: Path, most: int) -> bytes:
    """Rows of a fixture, some of them changed, in any order and number, and now and then bytes that are wrong."""
    if path.suffix == ".xml":
        data = xml_file(draw, path, most)
        return broken(draw, data) if draw.randint(0, 9) == 0 else data
    if not TEXT & set(path.suffixes):
        return broken(draw, path.read_bytes())
    head, lines, change = parsed(path)
    made = [change(draw, draw.choice(lines)) for _ in range(draw.randint(1, most))]
    made = [*map(str.encode, head), *made]
    end = draw.choice([b"\n", b"\n", b"\r\n"])
    data = b"[" + b",\n".join(made) + b"]" if path.suffix == ".json" else end.join(made)
    data = draw.choice([b"", b"", b"\xef\xbb\xbf"]) + data + draw.choice([b"", b"\n"])
    return broken(draw, data) if draw.randint(0, 2) == 0 else data


def rows_in(data: bytes, fixture: Path) -> int:
    """Return how many rows are in the lines of a file that is made like a fixture, 0 where its bytes do not tell."""
    lines = data.removeprefix(b"\xef\xbb\xbf")
    if fixture.suffix == ".jsonl" and not lines.lstrip().startswith(b"["):  # which a whole list in one file begins with
        return sum(map(bool, map(bytes.strip, lines.split(b"\n"))))
    if fixture.suffix not in (".csv", ".tsv"):
        return 0
    head, *_ = parsed(fixture)
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        table = list(csv.reader(text, delimiter=max("\t;,", key=head[-1].count), strict=True))
    except (ValueError, csv.Error):  # another encoding, or a quote that never closes
        return 0
    return sum(any(map(str.strip, row)) for row in table) - len(head)
