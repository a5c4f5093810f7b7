"""Every source under dirt: its fixture's rows changed in every way that real files were found to be wrong, and more.

``FUZZ_RECORDS`` sets how many raw rows each source gets at least; ``make fuzz`` asks for 10,000.
"""

import copy
import csv
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters import examples, sources, tasks
from converters.core.errors import InputError
from converters.examples import example
from converters.mixture.shards import Tally, tallied
from converters.mixture.spec import possible_tasks
from converters.schema import Outcome, Row
from converters.sources.catalog import detect
from converters.tasks.base import RenderError
from converters.transforms.perturb import FITS, harden
from tests.converters._converted import spells_control

RECORDS = int(os.environ.get("FUZZ_RECORDS", "300"))
ROWS = 12  # of a file, at most
FIXTURES = Path(__file__).parents[1] / "fixtures"
OPTIONS: dict[str, dict[str, Any]] = {
    "catalog": {"texts": {"Description": "description"}, "attributes": {"Brand": "brand"}}
}
TEXT = {".jsonl", ".json", ".csv", ".tsv", ".txt"}

DIRT = st.sampled_from(
    [
        "</s>", "[/INST]", "<|im_end|>", "<start_of_turn>", "[QA]", "[CLASSIFY] ", "<</SYS>>", "[ INST]", "<<s>s>",
        "<b>bold</b>", "<script>alert(1)</script>", "&amp;lt;/s&amp;gt;", "&lt;/s&gt;", "&#60;/s&#62;", "&quot;",
        "\0", "\x1b[0m", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b", "\xa0", "☕", "👩‍👩‍👧", "红色的杯子", "İ", "ß",
        "\ud800", "\udfff", "", " ", "\n", "\r\n", "\t", '"', '""', "\\", "{{name}}", "[1]", "[99999]", " > ", ">", "|", "null",
        "NaN", "-1", "1e999", "x" * 5000, "[", "{", "]" * 50, "\n\n### Response:", "A: yes", "The snippets do not say.", "2087",
        "B0TEST0001",
    ]
)  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.just(2**70), st.just(0.5), st.just([]), st.just({}), st.just([[[{}]]]),
    st.just(float("nan")), DIRT, st.lists(DIRT, max_size=3),
    st.dictionaries(st.sampled_from(["text", "a", ""]), DIRT, max_size=2),
)  # fmt: skip

Draw = Callable[[st.SearchStrategy[Any]], Any]


def dirty(draw: Draw, text: str) -> str:
    """Put dirt into a text."""
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(DIRT) + text[at + draw(st.integers(0, 3)) :]


def changed(draw: Draw, value: Any, depth: int = 0) -> Any:
    """Change one thing somewhere in a JSON value."""
    if draw(st.integers(0, 5)) == 0:
        return draw(ODD)
    if isinstance(value, dict) and value:
        return in_object(draw, value, depth)
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        middle = draw(st.sampled_from([[], [value[at]] * 2, None]))
        return value[:at] + ([changed(draw, value[at], depth + 1)] if middle is None else middle) + value[at + 1 :]
    if isinstance(value, str):
        return dirty(draw, value)
    if isinstance(value, int | float):
        return draw(st.sampled_from([str(value), -value, value + 1, value * 1000, None, True]))
    return draw(ODD)


def in_object(draw: Draw, value: dict[str, Any], depth: int) -> dict[str, Any]:
    key = draw(st.sampled_from(sorted(value)))
    how = draw(st.integers(0, 7))
    if how == 0:
        return {k: v for k, v in value.items() if k != key}
    if how == 1:
        return {(draw(DIRT) if k == key else k): v for k, v in value.items()}
    if how == 2:
        return {**value, key: value[draw(st.sampled_from(sorted(value)))]}
    return {**value, key: changed(draw, value[key], depth + 1)}


def json_line(draw: Draw, line: str) -> bytes:
    try:
        value = json.loads(line)
    except ValueError:
        return dirty(draw, line).encode(errors="surrogatepass")
    for _ in range(draw(st.integers(0, 3))):
        value = changed(draw, value)
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if isinstance(value, dict) and value and draw(st.integers(0, 9)) == 0:
        text = text[:-1] + ", " + json.dumps(draw(st.sampled_from(sorted(value)))) + ": 1}"
    return text.encode(errors="surrogatepass")


def cells(row: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n")


def table_line(draw: Draw, line: str) -> bytes:
    """Change some cells; now and then there is one too many or too few, or the quotes are wrong."""
    delimiter = max("\t;,", key=line.count)
    row = next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), []) or [""]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(row) - 1))
        row[at : at + 1] = draw(st.sampled_from([[dirty(draw, row[at])]] * 6 + [[], [row[at]] * 2])) or [""]
    text = cells(row, delimiter)
    return (dirty(draw, text) if draw(st.integers(0, 9)) == 0 else text).encode(errors="surrogatepass")


def plain_line(draw: Draw, line: str) -> bytes:
    for _ in range(draw(st.integers(0, 3))):
        line = dirty(draw, line)
    return line.encode(errors="surrogatepass")


def broken(draw: Draw, data: bytes) -> bytes:
    """Change a few bytes, or cut the end off."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 3)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


def xml_file(draw: Draw, path: Path) -> bytes:
    """Change texts, attributes and elements anywhere in an XML file: some are gone, doubled, renamed or elsewhere."""
    root = ElementTree.fromstring(path.read_text("utf-8"))
    for _ in range(draw(st.integers(0, 8))):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        parent = draw(st.sampled_from(parents))
        child = draw(st.sampled_from(list(parent)))
        how = draw(st.integers(0, 9))
        if how == 0:
            parent.remove(child)
        elif how == 1:
            parent.append(copy.deepcopy(child))
        elif how == 2:
            child.tag = draw(st.sampled_from([element.tag for element in root.iter()]))
        elif how == 3 and child.attrib:
            key = draw(st.sampled_from(sorted(child.attrib)))
            child.set(key, clean(dirty(draw, child.attrib[key])))
        else:
            child.text = clean(dirty(draw, child.text or ""))
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def clean(text: str) -> str:
    """Return a text without what no XML file can hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


HEADS = {"amazon": 3, "ebay": 2}  # lines up to the column names


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
    count, first = HEADS.get(path.stem, 1), text.splitlines()
    delimiter = max("\t;,", key=first[min(count, len(first)) - 1].count)
    rows = [cells(row, delimiter) for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    return rows[:count], rows[count:], table_line


@st.composite
def files(draw: Draw, path: Path) -> bytes:
    """Rows of a fixture, some of them changed, in any order and number, and now and then bytes that are wrong."""
    if path.suffix == ".xml":
        data = xml_file(draw, path)
        return broken(draw, data) if draw(st.integers(0, 9)) == 0 else data
    if not TEXT & set(path.suffixes):
        return broken(draw, path.read_bytes())
    head, lines, change = parsed(path)
    chosen = draw(st.lists(st.sampled_from(lines), min_size=1, max_size=ROWS))
    made = [line.encode() for line in head] + [change(draw, line) for line in chosen]
    if path.suffix == ".json":
        data = b"[" + b",\n".join(made) + b"]"
    else:
        data = draw(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(made)
    data = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + data + draw(st.sampled_from([b"", b"\n"]))
    return broken(draw, data) if draw(st.integers(0, 2)) == 0 else data


def fixture_files(name: str) -> list[Path]:
    return sorted(FIXTURES.glob(f"{name}.*"))


def contract(row: Row) -> None:
    """Check what every row must keep, whatever it was made from."""
    task = tasks.get(row.task)
    assert examples.gold(row) is not None and task.parse(task.render(examples.gold(row))) == examples.gold(row)
    for turn in row.messages:
        assert not spells_control(turn.content.removeprefix(task.prefix)), turn.content
        assert "\0" not in turn.content
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


def rows(name: str, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for task in possible_tasks(name):
            for record in outcome.records:
                if isinstance(record, tasks.get(task).record):
                    for shaped in (record, *(harden(record, kind, 0) for kind in FITS)):
                        try:
                            contract(example(shaped or record, task, name))
                        except RenderError:
                            continue


@pytest.mark.parametrize("name", sources.names())
def test_dirt_is_a_counted_row_or_a_sentence(name: str, tmp_path: Path) -> None:
    fixtures = fixture_files(name)
    assert fixtures, f"source {name!r} has no fixture to fuzz"
    read_dirt(name, fixtures, OPTIONS.get(name, {}), tmp_path)


@pytest.mark.parametrize("preset", detect.names())
def test_dirt_in_an_export_is_a_counted_row_or_a_sentence(preset: str, tmp_path: Path) -> None:
    fixtures = fixture_files(f"presets/{preset}")
    assert fixtures, f"preset {preset!r} has no fixture to fuzz"
    for companion in (FIXTURES / "companions" / preset).glob("*"):
        (tmp_path / companion.name).write_bytes(companion.read_bytes())
    for fixture in fixtures:
        read_dirt("catalog", [fixture], {"preset": preset}, tmp_path)


RUNS = (
    "x",
    " ",
    "-",
    "a-",
    "a_1",
    "1,",
    ", ",
    "A - ",
    "12 cm ",
    "a=b,",
    "a:b:1,",
    '"a",',
    "(",
    "&lt;",
    "/",
    "a > ",
    "\u00a0",
)


@pytest.mark.timeout(120)  # the time of a backtracking expression grows with the square of such a run, or with its cube
@pytest.mark.parametrize("preset", detect.names())
def test_a_long_run_of_one_sign_anywhere_takes_no_long_time(preset: str, tmp_path: Path) -> None:
    for fixture in fixture_files(f"presets/{preset}"):
        if fixture.suffix in (".csv", ".tsv", ".txt"):
            head, lines, _ = parsed(fixture)
            delimiter = max("\t;,", key=head[-1].count)
            made = []
            for number, run in enumerate(RUNS):
                row = next(csv.reader(io.StringIO(lines[number % len(lines)], newline=""), delimiter=delimiter))
                made.append(cells([run * 4000 + "x-1" if cell else "" for cell in row], delimiter))
            path = tmp_path / fixture.name
            path.write_text("\n".join([*head, *lines, *made]), "utf-8")
            tally = Tally()
            list(tallied(sources.read("catalog", [path], {"preset": preset}), tally))
            assert tally.read == tally.used + tally.rejected.total() and tally.read >= len(lines) - 1


def read_dirt(name: str, fixtures: Sequence[Path], options: dict[str, Any], folder: Path) -> None:
    counts = {"read": 0, "used": 0}

    @settings(max_examples=max(20, RECORDS // 4), suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.tuples(*(files(path) for path in fixtures)))
    def fuzz(contents: tuple[bytes, ...]) -> None:
        paths = [folder / path.name for path in fixtures]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        rejects: list[tuple[str, str]] = []
        tally = Tally(reject=lambda where, reason: rejects.append((where, reason)))
        try:
            found = list(tallied(sources.read(name, paths, options), tally))
        except InputError as error:
            assert str(error).isprintable() and len(str(error)) < 2000
            return
        finally:
            counts["read"] += tally.read
        assert tally.read == tally.used + tally.rejected.total()
        assert all(tally.rejected) and len(rejects) <= tally.rejected.total() + sum(bool(each.detail) for each in found)
        rows(name, found)
        counts["used"] += tally.used

    while counts["read"] < RECORDS:
        fuzz()
        assert counts["used"] > 0
