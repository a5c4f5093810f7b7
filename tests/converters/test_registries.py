"""Tests over whole registries: a new source or task is under them as soon as its file exists."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import examples, sources, tasks
from converters.core import registry
from converters.core.errors import InputError
from converters.core.unicode import composed
from converters.mixture.spec import Entry, chosen_tasks
from converters.schema import Row
from converters.tasks.answer import ABSTENTION, Reply
from converters.tasks.ranking import Order
from tests.converters._converted import convert, spells_control

GOLDEN = Path(__file__).parents[1] / "golden"


def fixture_rows(name: str, fixtures: Path) -> list[Row]:
    (path,) = fixtures.glob(f"{name}.*")
    options = {"texts": {"Description": "description"}, "attributes": {"Brand": "brand"}} if name == "catalog" else {}
    return convert(Entry(source=name, paths=[str(path)], options=options)).rows


def style_rows(fixtures: Path) -> list[Row]:
    """Rows of the tasks that no source feeds unless it is asked to."""
    (path,), names = fixtures.glob("google_taxonomy.*"), [name for name in tasks.names() if styled(name)]
    assert {tasks.get(name).style_of for name in names} == {"category"}
    return convert(Entry(source="google_taxonomy", paths=[str(path)], tasks=names, shortlist=3)).rows


def styled(name: str) -> bool:
    task = tasks.get(name)
    assert not task.style_of or task.record is tasks.get(task.style_of).record
    return bool(task.style_of)


@pytest.fixture(scope="module")
def all_rows(fixtures: Path) -> list[Row]:
    return [row for name in sources.names() for row in fixture_rows(name, fixtures)] + style_rows(fixtures)


def test_registries_are_not_empty() -> None:
    assert len(sources.names()) >= 5
    assert len(tasks.names()) >= 4


@pytest.mark.parametrize("name", sources.names())
def test_source_declares_itself_and_reads_its_fixture(name: str, fixtures: Path) -> None:
    unit = sources.get(name)
    assert unit.LICENCE and unit.URL and unit.FILES and set(unit.TASKS) <= set(tasks.names())
    assert {row.task for row in fixture_rows(name, fixtures)} == set(unit.TASKS)


def test_a_source_feeds_other_styles_of_its_tasks_only_when_they_are_named() -> None:
    assert chosen_tasks(Entry(source="google_taxonomy", paths=[])) == ["category"]
    named = Entry(source="google_taxonomy", paths=[], tasks=["category_levels"])
    assert chosen_tasks(named) == ["category_levels"]
    with pytest.raises(InputError, match="no rows for task 'category_levels'; expected: attributes"):
        chosen_tasks(Entry(source="mave", paths=[], tasks=["category_levels"]))


def test_every_task_is_fed_by_a_fixture(all_rows: list[Row]) -> None:
    assert {row.task for row in all_rows} == set(tasks.names())


def test_law_and_contract_hold_for_every_fixture(all_rows: list[Row]) -> None:
    for row in all_rows:
        task = tasks.get(row.task)
        assert task.parse(task.render(examples.gold(row))) == examples.gold(row)
        assert row.messages[-2].content.startswith(task.prefix)
        assert not any(spells_control(turn.content.removeprefix(task.prefix)) for turn in row.messages)
        assert all(isinstance(value, str) for value in (row.id, row.group, row.task, row.source, row.meta))
    assert len({row.id for row in all_rows}) == len(all_rows)


@pytest.mark.parametrize("name", [*sources.names(), "styles"])
def test_prompts_are_those_of_the_golden_file(name: str, fixtures: Path) -> None:
    rows = style_rows(fixtures) if name == "styles" else fixture_rows(name, fixtures)
    text = "\n\n".join(shown(row) for row in rows) + "\n"
    golden = GOLDEN / f"{name}.txt"
    if not golden.is_file():
        golden.write_text(text, "utf-8")
        pytest.fail(f"{golden.name} was missing and has been written: read it, then commit it")
    assert text == golden.read_text("utf-8")


def shown(row: Row) -> str:
    turns = "\n".join(f"<{turn.role}>\n{turn.content}" for turn in row.messages)
    return f"=== {row.id} {row.group} {json.dumps(row.extra, ensure_ascii=False)}\n{turns}"


def words(minimum: int = 1) -> st.SearchStrategy[str]:
    text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=minimum, max_size=30)
    return text.map(lambda value: " ".join(composed(value).split())).filter(bool)


def node() -> st.SearchStrategy[str]:
    return words().map(lambda value: value.replace(">", "/").strip()).filter(bool)


PATHS = st.lists(node(), min_size=1, max_size=7).map(tuple)
ANSWERS = {
    "category": PATHS,
    "category_levels": PATHS,
    "category_shortlist": PATHS,
    "attributes": st.dictionaries(
        words(), st.lists(words(), max_size=3, unique=True).map(tuple), min_size=1, max_size=5
    ),
    "answer": st.builds(
        Reply,
        words().filter(lambda text: not text.endswith("]") and text != ABSTENTION),
        st.lists(st.integers(1, 9999), max_size=4, unique=True).map(lambda numbers: tuple(sorted(numbers))),
    )
    | st.just(Reply(None)),
    "general": st.text(st.characters(exclude_categories=("Cs",)), min_size=1).map(str.strip).filter(bool),
    "choice": words(),
    "yes_no": st.booleans(),
    "answerable": st.booleans(),
    "ranking": st.lists(st.integers(1, 40), min_size=1, max_size=9, unique=True).map(tuple).map(Order),
}


def test_every_task_has_made_up_answers() -> None:
    assert set(ANSWERS) == set(tasks.names())


@given(st.sampled_from(sorted(ANSWERS)).flatmap(lambda name: st.tuples(st.just(name), ANSWERS[name])))
def test_law_holds_for_made_up_answers(case: tuple[str, object]) -> None:
    name, answer = case
    task = tasks.get(name)
    assert task.parse(task.render(answer)) == answer


@given(st.sampled_from(sorted(ANSWERS)), st.text() | st.recursive(st.none(), st.lists).map(json.dumps))
def test_reading_never_fails(name: str, text: str) -> None:
    answer = tasks.get(name).parse(text)
    assert answer is None or tasks.get(name).parse(tasks.get(name).render(answer)) == answer


def test_a_json_bomb_and_a_lone_surrogate_are_unreadable() -> None:
    parse = tasks.get("attributes").parse
    assert parse("[" * 10_000) is None
    assert parse('{"a": "\\ud800"}') is None
    assert parse('{"a": NaN}') is None
    assert parse('{"a": true}') is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Ratio": "16:9", "Size": ["S:M", "L"]}', {"Ratio": ("16:9",), "Size": ("S:M", "L")}),
        ('{"a": "x", "a": "y"}', None),
        ('{"a" :"x","a" : "y"}', None),
        ('{"a": ":", "a": "y"}', None),
        ('{"a": {"a": "x"}}', None),
        ('{"a": [null]}', None),
        ('{"a": [["x"]]}', None),
        ('{"a": "x\ty"}', None),
        ('{"a": "\ud83c"}', None),
        ('{"a": [1, "x", " x", ""], "b ": null, "c": 1e3}', {"a": ("1", "x"), "b": (), "c": ("1e3",)}),
        (' {"a": "\\ud83c\\udf75 \\""}\n', {"a": ('\U0001f375 "',)}),
        ('\x0c{"a": "x"}', None),
        ('{"a": "x"} {}', None),
        ("{}", {}),
        ("[]", None),
        ("null", None),
    ],
)
def test_attributes_are_read_as_strict_json_with_each_name_once(text: str, expected: object) -> None:
    assert tasks.get("attributes").parse(text) == expected


def raw_lines() -> Iterator[st.SearchStrategy[bytes]]:
    value = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
    keys = st.sampled_from(
        ["id", "asin", "paragraphs", "attributes", "instruction", "output", "answers", "title", "questionText"]
    )
    yield st.dictionaries(keys, value).map(lambda found: json.dumps(found).encode())
    yield st.binary(max_size=60).map(lambda data: data.replace(b"\n", b""))


@pytest.mark.parametrize("name", ["mave", "amazonqa", "general"])
@given(lines=st.lists(st.one_of(*raw_lines()), min_size=1, max_size=8))
def test_no_raw_line_stops_a_source(name: str, lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    from converters.mixture.shards import Tally, tallied

    path = tmp_path_factory.mktemp("raw") / "raw.jsonl"
    path.write_bytes(b'{"first": 1}\n' + b"\n".join(lines) + b"\n")
    tally = Tally()
    used = list(tallied(sources.read(name, [path], {}), tally))
    assert tally.read == path.read_bytes().count(b"\n") == len(used) + tally.rejected.total()


def test_a_name_that_begins_with_an_underscore_is_no_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "units").mkdir()
    for name in ("__init__", "a", "_helper", "base"):
        (tmp_path / "units" / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    package = import_module("units")
    assert registry.names(package) == ["a"]
    with pytest.raises(InputError, match="unknown unit '_helper'; expected one of: a"):
        registry.load(package, "_helper")
    (tmp_path / "units" / "b.py").touch()
    assert registry.names(package) == ["a"], "the folder is listed once, not for every row"
