"""Values of a command line: text is text for every option of every source, whatever YAML reads into it."""

import json
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from click.testing import CliRunner

from converters import sources
from converters.cli import main
from converters.core.errors import InputError
from converters.mixture.spec import Entry, load
from tests.converters._converted import convert

# Every sign and word that YAML gives a meaning, and texts with them.
SIGNS = (
    "|", "||", ">", ">>", "=>", "=>>", "->", "-", "--", "---", "...", "?", ":", "::", ",", "#", "&", "*", "!", "!!str", "%",
    "@", "`", "~", "[", "]", "{", "}", "{}", "'", '"', "<<", "=", "\\", "/", " - ", " : ", " #", " /", ". ", "›", "＞", "yes",
    "no", "on", "off", "y", "n", "true", "False", "NULL", "None", "1", "1e3", "0x1F", "0o7", "017", "1_000", "1.0", ".inf",
    "1:30", "2021-09-21", "2021-13-45", "a: b", "a #b", "- a", "? a", "*a", "&a", "!a", "%a", "@a", "{a}", "{a: b", "[a", "a]",
    "a'b", '"a" or "b"', " a", "a ", "  ", "カテゴリ", "Été", "key=value", "C:\\new\\table", "\ta",
)  # fmt: skip

OPTIONS = [
    (name, option, get_type_hints(sources.get(name).read)[option])
    for name in [*sources.names(), "mix"]
    for option in sources.option_names(name)
]
TEXTS = [
    (name, option)
    for name, option, kind in OPTIONS
    if kind is str or (isinstance(kind, UnionType) and str in get_args(kind))
]
OTHERS = [(name, option) for name, option, _ in OPTIONS if (name, option) not in TEXTS]


@pytest.mark.parametrize(("source", "option"), TEXTS)
def test_a_text_option_is_taken_as_it_is_typed(source: str, option: str) -> None:
    for sign in SIGNS:
        found = sources.given(source, [f"{option}={sign}"])
        assert found == {option: sign}, sign
        sources.check(source, found)


@pytest.mark.parametrize(("source", "option"), OTHERS)
def test_any_other_option_is_a_value_of_its_type_or_a_sentence(source: str, option: str) -> None:
    for sign in (*SIGNS, "[" * 400, "2021-02-30"):
        try:
            sources.check(source, sources.given(source, [f"{option}={sign}"]))
        except InputError as error:
            assert option in str(error) and "\n" not in str(error).strip()


def test_lists_and_mappings_hold_texts_and_quotes_enclose_one() -> None:
    texts = {
        "ignore=[Sale, No, 2021-09-21, 1e3, '|', null]": ["Sale", "No", "2021-09-21", "1e3", "|", "null"],
        "attributes={Year: 2021, 'On: off': on}": {"Year": "2021", "On: off": "on"},
        "category=[Level 1, 2]": ["Level 1", "2"],
        "several=[]": [],
        "status={State: [off, 0]}": {"State": ["off", "0"]},
        "separator=' - '": " - ",
        'separator="\\t"': "\t",
        "separator=\\t": "\t",
        "several=\\n": "\n",
        "category=null": None,
        "title=null": "null",
        "taxonomy=": None,
        "implicit=yes": True,
        "variants=1_0": 10,
    }
    for text, value in texts.items():
        assert sources.given("catalog", [text]) == {text.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("several=[|, ;]", r"--option 'several=\[\|, ;\]': found no YAML value: .*'\|'.*in quotes"),
        ("attributes={Brand: [a}", "--option 'attributes={Brand: .*in quotes"),
        ("ignore=Sale", r"option 'ignore': found 'Sale': Expected `array`"),
        ("attributes={Brand}", "option 'attributes': found .*: Expected `str`, got `null`"),
        ("variants=2021-13-45", "--option 'variants=2021-13-45': found no YAML value: month"),
    ],
)
def test_what_is_no_list_mapping_or_number_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        sources.check("catalog", sources.given("catalog", [text]))


@pytest.mark.parametrize(
    "sign", ["|", ">", "=>", "=>>", "-", "?", ":", "#", "&", "*", "!", "%", "@", "`", "~", " - ", "'", "["]
)
def test_a_sign_given_as_the_separator_parts_the_nodes(sign: str, tmp_path: Path) -> None:
    rows = [
        {"id": n, "title": f"Mug {n}", "category": f"Home{sign}Mugs{sign}{name}"}
        for n, name in ((1, "Tin"), (2, "Clay"))
    ]
    (tmp_path / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    words = ["convert", "catalog", str(tmp_path / "shop.jsonl"), "--out", str(tmp_path / "o.jsonl")]
    result = CliRunner().invoke(main, [*words, "--option", f"separator={sign}"])
    assert result.exit_code == 0, result.output
    found = [
        json.loads(line)["messages"][-1]["content"] for line in (tmp_path / "o.jsonl").read_text("utf-8").splitlines()
    ]
    assert found == ["Home > Mugs > Tin", "Home > Mugs > Clay"]


def test_a_text_of_a_specification_is_taken_as_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "mix.yaml").write_text("sources: [{source: mave, paths: [x]}]")
    for sign in SIGNS:
        assert load(tmp_path / "mix.yaml", [f"tokenizer={sign}"]).tokenizer == sign
    assert load(tmp_path / "mix.yaml", ["tokenizer=null", "near_duplicates=null"]).near_duplicates is None


def test_an_empty_text_in_a_file_of_options_is_none(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,title,category\n1,Red mug,Home > Mugs\n")
    empty: dict[str, Any] = dict.fromkeys(
        ["separator", "several", "values", "group", "taxonomy", "tree", "locale", "preset", "mapping"], ""
    )
    (tmp_path / "map.yaml").write_text(json.dumps({name: "" for name in empty if name != "mapping"}))
    for options in (empty, {"mapping": str(tmp_path / "map.yaml")}):
        (row,) = convert(Entry(source="catalog", paths=[str(tmp_path / "shop.csv")], options=options)).rows
        assert row.target == "Home > Mugs"
