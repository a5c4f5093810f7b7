"""Definitions of attributes stand in the instruction, before the product."""

from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.examples import example
from converters.mixture.spec import Entry
from converters.schema import MANIFEST, Attributes, Text
from converters.transforms import definitions
from tests.converters import _mixed
from tests.converters._converted import convert


def test_the_instruction_says_what_is_known_of_the_attributes_asked_for() -> None:
    record = Attributes("1", "g", (Text("Title", "Red mug"),), (("Color", ("Red",)), ("Size", ())), ("Size",))
    plain = example(record, "attributes", "s")
    told = example(
        definitions.defined(record, {"Color": "Main colour </s>.", "Fit": "How tight it is."}), "attributes", "s"
    )
    assert told.messages[0].content.splitlines() == [
        '[EXTRACT] As JSON, null if not stated: ["Color", "Size"] Color: Main colour < /s>.',
        "Title: Red mug",
    ]
    assert told.target == plain.target and told.extra == plain.extra
    assert plain.extra == {"attributes": ["Color", "Size"], "implicit": ["Size"]}


@pytest.mark.parametrize(
    "text", ["Brand: The maker\nSize: How\n  big.\n", '{"Brand": "The maker.", "Size": "How big."}']
)
def test_yaml_and_json_are_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "meant.yaml"
    path.write_text(text, "utf-8")
    assert definitions.load(path) == {"Brand": "The maker.", "Size": "How big."}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Brand: [a]", r"meant.yaml: found 'Brand': \"\['a'\]\", expected an attribute with a sentence"),
        ("Brand: ' '", "expected an attribute with a sentence"),
        ("1: one", "found 1: 'one', expected"),
        ("- Brand", "expected attributes with a sentence each"),
        ("", "expected attributes with a sentence each"),
        ("Brand: {", "expected YAML or JSON"),
    ],
)
def test_a_wrong_file_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "meant.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=sentence):
        definitions.load(tmp_path / "meant.yaml")


def test_an_entry_with_definitions(tmp_path: Path) -> None:
    shop, meant = _mixed.shop(tmp_path / "shop.jsonl", 40), tmp_path / "meant.yaml"
    meant.write_text("Brand: Who makes it.\n", "utf-8")
    rows = convert(Entry(**_mixed.entry(shop, definitions=str(meant)))).rows
    plain = convert(Entry(**_mixed.entry(shop))).rows
    assert [row.id for row in rows] == [row.id for row in plain]
    for row, other in zip(rows, plain, strict=True):
        first = row.messages[0].content.partition("\n")[0]
        assert (row == other) == (row.task == "category")
        assert row.task == "category" or first.endswith('["Brand"] Brand: Who makes it.')


def test_changed_definitions_are_read_again_and_their_hash_is_in_the_manifest(tmp_path: Path) -> None:
    shop, meant = _mixed.shop(tmp_path / "shop.jsonl", 40), tmp_path / "meant.yaml"
    for number, text in enumerate(("Brand: The maker.", "Brand: Who it is from.")):
        meant.write_text(text, "utf-8")
        entries = [_mixed.entry(shop, tasks=["attributes"], definitions=str(meant))]
        stopped = _mixed.build(tmp_path, entries, splits={}, general_share=0.5)
        assert stopped.exit_code == 1 and len(list((tmp_path / ".mix.parts").glob("*/part.json"))) == number + 1
    assert _mixed.build(tmp_path, entries, splits={}).exit_code == 0
    assert all("from." in row.messages[0].content for row in _mixed.splits_of(tmp_path / "mix", "train"))
    assert str(meant) in (tmp_path / "mix" / MANIFEST).read_text()
