"""Raw files as they come: packed, cut short, misnamed, in other encodings, with lines that never end."""

import gzip
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.io import LIMIT, decoded, describe, expand, json_values, open_raw, table
from converters.io import rows as reading
from converters.schema import Outcome


class Thing(msgspec.Struct):
    """A row for these tests."""

    id: str
    size: int = 0
    note: str | None = None


def reasons(path: Path) -> list[str]:
    """Return each row's reason, or nothing for a row that decodes."""
    return [value.reason if isinstance(value, Outcome) else "" for _, value in decoded([path], Thing)]


def things(path: Path) -> list[Thing]:
    return [value for _, value in decoded([path], Thing) if not isinstance(value, Outcome)]


def wrong(path: Path, read: Callable[[Path], Iterator[Any]] = lambda path: decoded([path], Thing)) -> str:
    with pytest.raises(InputError) as error:
        list(read(path))
    text = str(error.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text.removeprefix(str(path))


LINES = b"".join(b'{"id": "%d", "size": %d}\n' % (n, n) for n in range(2000))
ZSTD = partial(pa.Codec("zstd").compress, asbytes=True)
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": ZSTD}


@pytest.mark.parametrize("ending", PACKERS)
def test_plain_and_packed_files_read_alike(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.jsonl{ending}"
    pack = PACKERS[ending]
    path.write_bytes(pack(LINES[: len(LINES) // 2]) + pack(LINES[len(LINES) // 2 :]))
    assert [thing.size for thing in things(path)] == list(range(2000))
    shop = tmp_path / f"shop.csv{ending}"
    shop.write_bytes(pack(b"id,size\nA,1\n"))
    assert list(table(shop)) == [(f"{shop}:2", {"id": "A", "size": "1"})]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_a_packed_file_that_was_cut_is_a_sentence(ending: str, kind: str, tmp_path: Path) -> None:
    data = {"jsonl": LINES, "json": b"[" + LINES.replace(b"\n", b",")[:-1] + b"]", "csv": b"id,size\n" * 2000}[kind]
    path = tmp_path / f"rows.{kind}{ending}"
    for cut, what in (
        (9, "Truncated compressed stream"),
        (len(PACKERS[ending](data)) // 2, "Truncated compressed stream"),
    ):
        path.write_bytes(PACKERS[ending](data)[:-cut])
        assert f": damaged {ending} file: {what}" in wrong(path, table if kind == "csv" else json_values)
    path.write_bytes(b"plain text, not packed at all")
    assert f": damaged {ending} file: " in wrong(path, table if kind == "csv" else json_values)


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a.jsonl", b"", "the file is empty"),
        ("a.parquet", b"", "the file is empty"),
        ("a.jsonl", gzip.compress(LINES), "give it the ending .gz"),
        ("a.jsonl", ZSTD(LINES), "give it the ending .zst"),
        ("a.jsonl", b"PAR1....", "give it the ending .parquet"),
        ("a.jsonl", b"PK\x03\x04", "a zip file or a spreadsheet"),
        ("a.jsonl", '{"id": "1"}'.encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        ("a.parquet", LINES, "damaged Parquet file"),
        ("a.json", b'[{"id": "1"}, {"id": "2"', "broken JSON list: Input data was truncated"),
        ("a.json", b'[{"id": "1"},, {"id": "2"}]', "broken JSON list: JSON is malformed: invalid character (byte 13)"),
        ("a.json", b'[{"id": "1"},]', "broken JSON list: JSON is malformed: trailing comma in array (byte 13)"),
        ("a.json", b'[{"id": "1"}]\n[{"id": "2"}]', "broken JSON list: JSON is malformed: trailing characters"),
        ("a.json", b'[{"id": "1"}, {"id" "x"}]', "broken JSON list: JSON is malformed: expected ':' (byte 20)"),
        ("a.json", b'[{"id": "1}]', "broken JSON list: Input data was truncated"),
        ("a.json", b"[" * 1_000_000, "broken JSON list: maximum recursion depth exceeded"),
    ],
)
def test_a_file_of_another_kind_is_a_sentence(name: str, data: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert found in wrong(tmp_path / name)


ITEMS = [
    {"id": 1},
    {"id": "}, {", "of": [{"a": 1}, {"b": {}}, {}]},
    {"text": "x" * 90},
    {},
    [{"id": 2}, {"id": 3}],
    "a, b",
]


@pytest.mark.parametrize("part", [8, 40, 1 << 20])
@pytest.mark.parametrize("between", [",", " ,\n  "])
def test_a_json_list_is_read_in_parts(part: int, between: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PART", part)
    for items in (ITEMS, ITEMS[:4] * 9, [{"messages": [{"role": "user"}] * 40}] * 5, []):
        texts = [json.dumps(item) for item in items]
        text = f"\ufeff [{between.join(texts)}\n] \n"
        (tmp_path / "a.json").write_text(text, "utf-8")
        found = [text.decode() for _, text in json_values(tmp_path / "a.json")]
        assert found == texts
        for broken in (text[:-4], text[:-4] + ",]", text[:-4] + "]]", text.replace("}", "", 1) if texts else "[}"):
            (tmp_path / "a.json").write_text(broken, "utf-8")
            try:
                msgspec.json.decode(broken.removeprefix("\ufeff"), type=list[msgspec.Raw])
            except msgspec.DecodeError as error:
                assert f"broken JSON list: {error};" in wrong(tmp_path / "a.json", json_values)


def test_what_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    assert wrong(tmp_path) == ": is a folder, expected a file"
    assert ": no such file" in wrong(tmp_path / "none.jsonl")
    (tmp_path / "rows.parquet").touch()
    assert wrong(tmp_path / "row.parquet") == f": no such file; did you mean {tmp_path / 'rows.parquet'}?"
    for folder in ("shops", "shopp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shops" / "test.jsonl").touch()
    asked, there = tmp_path / "shop" / "test.jsonl", tmp_path / "shops" / "test.jsonl"
    assert wrong(asked) == f": no such file, nor a folder {asked.parent}; did you mean {there}?"
    assert wrong(tmp_path / "elsewhere" / "test.jsonl").endswith(f"nor a folder {tmp_path / 'elsewhere'}")
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "not a regular file" in wrong(tmp_path / "pipe.jsonl")
    assert "File name too long" in wrong(tmp_path / ("x" * 300))


def test_a_file_without_permission_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "secret.jsonl"
    path.write_bytes(LINES)
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # root may read everything, so that this test is somebody else for a moment
        os.seteuid(65534)
    try:
        assert "Permission denied" in wrong(path)
        with pytest.raises(InputError, match="Permission denied"):
            describe(path)
    finally:
        if root:
            os.seteuid(0)


ROWS = {
    b'{"id": "1"}': "",
    b'{"id": "1", "size": 1, "size": 2}': "",
    b'{"id": "1", "size": "2"}': "other format: Expected `int`, got `str` - at `$.size`",
    b'{"id": 1}': "other format: Expected `str`, got `int` - at `$.id`",
    b'{"size": 1}': "other format: Object missing required field `id`",
    b'["1"]': "other format: Expected `object`, got `array`",
    b'{"id": "1", "size": NaN}': "not JSON",
    b"{'id': '1'}": "not JSON",
    b'{"id": "1"': "not JSON",
    b'{"id": "1"} x': "not JSON",
    b'{"id": "\0"}': "not JSON",
    b"\0\0\0": "not JSON",
    b'{"id": "caf\xe9"}': "not UTF-8",
    b"": "blank line",
    b"  \t": "blank line",
    b'{"id": "1", "note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "other format",
    b'{"id": "1", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested too deeply",
}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_line_that_is_wrong_is_counted_and_the_next_one_is_read(ending: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + ending.join([*ROWS, b'{"id": "last"}']))
    found = reasons(path)
    assert len(found) == len(ROWS) + 1 and found[-1] == ""
    for (line, expected), reason in zip(ROWS.items(), found, strict=False):
        assert reason == expected or (expected and reason.startswith(expected)), line[:60]
    assert [where for where, _ in decoded([path], Thing)][-1] == f"{path}:{len(ROWS) + 1}"


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("first", [b'{"id": "0", "size": {', b'{"id": "0",', b"{"])
def test_a_first_line_that_was_cut_hides_no_other(first: bytes, ending: str, tmp_path: Path) -> None:
    path, data = tmp_path / f"things.jsonl{ending}", first + b"\n" + LINES
    path.write_bytes(gzip.compress(data) if ending else data)
    found = reasons(path)
    assert found[0] and set(found[1:]) == {""} and len(found) == LINES.count(b"\n") + 1


def test_one_object_over_several_lines_is_one_row_with_objects_in_it(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_bytes(b'{\n"parts": [\n{"id": "2"}\n],\n"id": "1"\n}\n')
    assert [thing.id for thing in things(path)] == ["1"]


def test_an_item_that_is_wrong_is_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b'\xef\xbb\xbf\n [{"id": "1"}, 5, {"id": "caf\xe9"},\n {"id": "]}\\",["}]\n')
    expected = ["", "other format: Expected `object`, got `int`", "not UTF-8", ""]
    assert reasons(path) == expected
    assert [where for where, _ in json_values(path)][-1] == f"{path}:#4"
    path.write_bytes(b" [ ]")
    assert reasons(path) == []


FORMS = [b'{"id": 1}\n\n{"id": 2', b'\n{"id": 1}\r\n', b'[{"id": 1}, 2]', b'{\n"id": 1\n}\n', b'{\n{"id": 1}\n']


@pytest.mark.parametrize("content", FORMS)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_texts_without_their_places_are_the_same(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.json{ending}"
    for start in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(gzip.compress(start + content) if ending else start + content)
        found = [text for _, text in json_values(path)]
        assert [*reading.json_texts(path)] == found and not found[0].startswith(b"\xef")


def test_of_a_key_that_stands_twice_the_last_value_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "1", "size": 1, "size": 2}')
    assert things(path) == [Thing("1", 2)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{},\né'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('a"\\]'), max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(
    values=st.lists(JSON, max_size=5),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_a_list_gives_the_items_that_json_says(
    values: list[Any],
    indent: int | None,
    ascii_only: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("list") / "list.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=ascii_only), "utf-8")
    assert [json.loads(text) for _, text in json_values(path)] == values


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_fifty_megabytes_in_a_line_go_through_and_more_are_told(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    for size, expected in ((50 << 20, ["", ""]), (LIMIT + 1, [f"line longer than {LIMIT >> 20} MiB", ""])):
        with path.open("wb") as file:
            file.write({"jsonl": b'{"id": "', "csv": b'id,size\n"'}[kind])
            file.write(b"x" * size)
            file.write({"jsonl": b'"}\n{"id": "2"}\n', "csv": b'",1\n2,2\n'}[kind])
        if kind == "jsonl":
            assert reasons(path) == expected
        elif not expected[0]:
            assert len(list(table(path))) == 2
        else:
            assert wrong(path, table) == ":2: the " + expected[0].replace("line", "line is", 1)


def peak(code: str, *words: object) -> int:
    """Return the peak memory of a Python process in MiB: its own, and not that of the one that started it."""
    code = f"import sys\n{code}\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    command = [sys.executable, "-c", code, *map(str, words)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process of its own peak")
@pytest.mark.parametrize("name", ["line.jsonl", "rows.parquet"])
def test_memory_does_not_grow_with_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    peaks = []
    for number in (5_000, 150_000):
        if name == "line.jsonl":
            path.write_bytes(b'{"id": "' + b"x" * (1000 * number) + b'"}\n')
        else:
            noise = random.Random(0)
            words = [f"{noise.getrandbits(64)}" * 20 for _ in range(number)]
            pq.write_table(pa.table({"id": words, "unread": words}), path, row_group_size=5_000)
        code = "from pathlib import Path\nfrom converters.io import decoded\n"
        code += "for _ in decoded([Path(sys.argv[1])], dict[str, str]): pass"
        peaks.append(peak(code, path))
    # A line up to the limit may come whole, once as it was read and once as a Python text.
    assert peaks[1] - peaks[0] < (160 if name == "line.jsonl" else 24), peaks


def test_parquet_reads_the_columns_of_the_struct_and_counts_its_reasons(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns: dict[str, list[Any]] = {"id": ["1", "2", None], "size": [1, None, 3], "other": [{"a": 1}] * 3}
    pq.write_table(pa.table(columns), path)
    assert things(path) == [Thing("1", 1), Thing("2", 0)]
    assert reasons(path)[2] == "other format: Expected `str`, got `null` - at `$.id`"
    assert [where for where, _ in decoded([path], Thing)] == [f"{path}:#{n}" for n in (1, 2, 3)]
    assert next(decoded([path], dict[str, Any]))[1] == {"id": "1", "size": 1, "other": {"a": 1}}
    pq.write_table(pa.table({"ids": ["1"]}), path)
    assert wrong(path) == ": no column 'id'; did you mean 'ids'?"
    pq.write_table(pa.table({"id": [1]}), path)
    assert reasons(path) == ["other format: Expected `str`, got `int` - at `$.id`"]
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xe9")]
    )
    pq.write_table(pa.table({"id": bad}), path)
    assert reasons(path) == ["", "not UTF-8"]


def test_a_table_counts_its_bad_rows_and_names_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,"two\r\nlines"\r\n1,"a\r\nb"\r\n2,caf\xe9\r\n\r\n3\r\n4,nul\0\r\n5,"un""quoted" x\r\n6,\xe2\x98\x95'
    )
    assert list(table(path)) == [
        (f"{path}:3", {"id": "1", "two\r\nlines": "a\r\nb"}),
        (f"{path}:5", Outcome(f"{path}:5", reason="not UTF-8")),
        (f"{path}:6", Outcome(f"{path}:6", reason="blank line")),
        (f"{path}:7", Outcome(f"{path}:7", reason="number of cells differs from the header's")),
        (f"{path}:8", {"id": "4", "two\r\nlines": "nul\0"}),
        (f"{path}:9", {"id": "5", "two\r\nlines": 'un"quoted x'}),
        (f"{path}:10", {"id": "6", "two\r\nlines": "☕"}),
    ]


@pytest.mark.parametrize("data", [b"id;n;a,b\n1;0;2\n", b"id\ta,b\n1\t2\n", b"id\ta,b\r1\t2\r"])
def test_the_header_tells_the_delimiter(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(data)
    [(_, row)] = table(path)
    assert isinstance(row, dict) and (row["id"], row["a,b"]) == ("1", "2")


def test_a_column_name_that_stands_twice_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(b"id,note,note\n1,a,b\n")
    assert [row for _, row in table(path)] == [{"id": "1", "note": "a", "note (2)": "b"}]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (
            b"id,caf\xe9\n\xc3\xa9,2\n",
            ":1: the column names are not UTF-8: save the file as UTF-8, or: iconv -f cp1252",
        ),
        (b"\n;;\n", ":1: the line of column names is blank"),
        (b'id,"a\n1,2\n', ":1: a quote among the column names is never closed"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_sentence(data: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(data)
    assert wrong(path, table).startswith(found)


def test_expand_finds_files_patterns_folders_and_hub_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "b.jsonl",
        "a.csv.gz",
        "deep/c.parquet",
        "README.txt",
        "LICENSE.txt",
        ".hidden.jsonl",
        "a.jsonl.manifest.json",
        "x.py",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    found = ["a.csv.gz", "b.jsonl", "deep/c.parquet"]
    assert expand(["."]) == [Path(name) for name in found]
    assert expand(["b.jsonl", "*.jsonl", "deep", "hub:owner/name:config", "none.jsonl"]) == [
        Path("b.jsonl"), Path("deep/c.parquet"), Path("hub:owner/name:config"), Path("none.jsonl"),
    ]  # fmt: skip
    (tmp_path / "odd[1].jsonl").write_bytes(b"x")
    assert expand(["odd[1].jsonl"]) == [Path("odd[1].jsonl")]
    (tmp_path / "empty").mkdir()
    for text, sentence in (
        ("empty", "has no data files"),
        ("*.tsv", "no file matches"),
        ("empty/*", "no file matches"),
    ):
        with pytest.raises(InputError, match=sentence):
            expand([text])
    with pytest.raises(InputError, match="no path given"):
        expand([])


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    for split, count in (("train", 3), ("test", 2)):
        lines = [json.dumps({"id": f"{split}{n}", "size": n, "other": [n]}) for n in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines))
    return folder


def test_a_hub_dataset_streams_its_splits(hub_folder: Path) -> None:
    found = list(decoded([Path(f"hub:{hub_folder}")], Thing))
    assert Counter(where.rsplit("/", 1)[1].split(":")[0] for where, _ in found) == {"train": 3, "test": 2}
    assert found[0] == (f"hub:{hub_folder}/train:#1", Thing("train0", 0))
    assert [thing.id for thing in things(Path(f"hub:{hub_folder}::test"))] == ["test0", "test1"]
    told = describe(Path(f"hub:{hub_folder}"))
    assert told["name"] == f"hub:{hub_folder}" and len(told["sha256"]) == 64 and told["bytes"] > 0
    (hub_folder / "test.jsonl").write_text('{"id": "other"}')
    assert describe(Path(f"hub:{hub_folder}"))["sha256"] != told["sha256"]


def test_a_hub_dataset_that_cannot_be_had_is_a_sentence(hub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Bad split: tset" in wrong(Path(f"hub:{hub_folder}::tset"))
    assert "'nope' not found" in wrong(Path(f"hub:{hub_folder}:nope"))
    assert "no such dataset" in wrong(Path(f"hub:{hub_folder}/none"))
    assert "no hub id" in wrong(Path("hub:a:b:c:d"))
    (hub_folder / "train.jsonl").write_text("{'id'")
    assert "cannot be loaded" in wrong(Path(f"hub:{hub_folder}"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "needs the package datasets: pip install" in wrong(Path("hub:owner/name"))


def test_a_hub_that_cannot_be_reached_is_a_sentence(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "converters.cli",
        "convert",
        "general",
        "hub:owner/name",
        "--out",
        str(tmp_path / "x"),
    ]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: hub:owner/name: no such dataset, or the hub cannot be reached" in done.stderr


def test_the_file_is_closed_when_the_reader_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINES)
    values = json_values(path)
    next(values)
    values.close()  # type: ignore[attr-defined]
    with open_raw(path) as file:
        assert file.readline() == LINES.split(b"\n")[0] + b"\n"
