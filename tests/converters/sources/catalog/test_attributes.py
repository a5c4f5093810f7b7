"""Attributes by name: numbered pairs, lists, units and specs in every form; what the text does not say is counted by name."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from converters.sources.catalog.attributes import MOST_NAMES
from converters.sources.catalog.attributes.specs import parse_specs
from tests.converters._converted import convert

LEFT_OUT = "left out: its value is not in the text"
NOTHING = "is not read: its cell holds a word for none"


def answers(folder: Path, *rows: dict[str, Any], **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return the answers on attributes, and the notes of the conversion."""
    path = folder / "shop.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": f"K{n}", "title": "Tile", "category": "Tiles", **row}) + "\n"
            for n, row in enumerate(rows)
        ),
        "utf-8",
    )
    given = {"preset": "none", "texts": {"Text": "text"}, **options}
    part = convert(Entry(source="catalog", paths=[str(path)], options=given))
    return [json.loads(row.target) for row in part.rows if row.task == "attributes"], part.tally.noted


PAIRS = {"Trait 1": "Worth 1", "Trait 2": "Worth 2"}


def paired(*pairs: str) -> dict[str, str]:
    return dict(zip(("Trait 1", "Worth 1", "Trait 2", "Worth 2"), pairs, strict=False))


def test_numbered_pairs_are_called_by_the_names_of_their_own_row(tmp_path: Path) -> None:
    rows = (
        {"text": "Of slate, 5 mm.", **paired("Stone", "Slate", "Depth", "5 mm")},
        {"text": "Of basalt, 8 mm.", **paired("Depth", "8 mm", "Stone", "Basalt")},
        {"text": "Of marble.", **paired("", "Marble", "Stone", "")},  # a value without a name, a name without a value
    )
    found, notes = answers(tmp_path, *rows, pairs=PAIRS)
    assert found == [{"Stone": "Slate", "Depth": "5 mm"}, {"Depth": "8 mm", "Stone": "Basalt"}]
    assert notes == {"attribute value left out: the column of its name is blank": 1}


def test_a_column_that_a_pair_names_is_not_read_under_another_name(tmp_path: Path) -> None:
    row = {"text": "Of slate, 5 mm.", **paired("Depth", "5 mm", "", "Slate")}
    found, notes = answers(tmp_path, row, pairs=PAIRS, attributes={"Stone": "Worth 1", "Rock": "Worth 2"})
    assert found == [{"Depth": "5 mm", "Rock": "Slate"}]
    assert notes == {"attribute 'Stone' is not read: 'Worth 1' holds the value that 'Trait 1' names": 1}


def test_a_name_and_its_handle_are_one_answer(tmp_path: Path) -> None:
    row = {"text": "Comes in slate grey and sand.", "tones": "Sand; slate-grey", **paired("Tone", "Slate Grey")}
    pairs = {"Trait 1": "Worth 1"}
    for implicit in (False, True):
        found, _ = answers(tmp_path, row, pairs=pairs, attributes={"Tone": "tones"}, values=";", implicit=implicit)
        assert found == [{"Tone": ["Slate Grey", "Sand"]}]


def test_values_of_all_rows_of_a_product_are_united_in_order(tmp_path: Path) -> None:
    first = {
        "text": "In sand or slate grey, 10 cm or 15 cm.",
        "use": "floor",
        **paired("Tone", "Sand", "Edge", "10 cm"),
    }
    rows = [
        {"key": "a", **first},
        {"key": "a", "title": "", "use": "", **paired("tone", "Slate grey", "Edge", "10 cm")},
        {"key": "a", "title": "", "use": "sand", **paired("Edge", "15 cm", "Tone", "sand")},
    ]
    found, notes = answers(tmp_path, *rows, group="key", pairs=PAIRS, attributes={"Use": "use"})
    assert found == [{"Tone": ["Sand", "Slate grey"], "Edge": ["10 cm", "15 cm"], "Use": "sand"}]
    assert notes["attribute 'Use' keeps the values in the text: another one is not in it"] == 1


@pytest.mark.parametrize(
    ("cell", "separator", "answer"),
    [
        (["Red", "Sky blue"], None, ["Red", "Sky blue"]),
        ([{"name": "Red"}, {"label": "Sky blue"}], None, ["Red", "Sky blue"]),
        ('["Red", "Sky blue"]', ",", ["Red", "Sky blue"]),  # JSON within a text
        ({"@type": "Thing", "name": "Red"}, None, "Red"),
        ({"value": "1.250", "unitText": "KGM"}, None, "1,25 kg"),
        ({"value": {"value": 1.25, "unit": "kilogram"}}, None, "1,25 kg"),
        ("Red, Sky blue", ", ", ["Red", "Sky blue"]),
        ("Red; sky-blue;", ";", ["Red", "Sky blue"]),
        (r"Red, 1\,25 kg", ",", ["Red", "1,25 kg"]),
        ('"1,25 kg",Red', ",", ["1,25 kg", "Red"]),
        ("Red|Red|RED", "|", "Red"),
        ("Red, Sky blue", None, None),  # no separator is named
        ([], None, None),
        ([None, ""], None, None),
        ({"code": 7}, None, None),
        ("[Red", None, None),
        ("{Red}", None, None),
    ],
)
def test_a_cell_may_hold_several_values(tmp_path: Path, cell: Any, separator: str | None, answer: Any) -> None:
    row = {"text": "In Red and Sky blue, 1,25 kg.", "tone": cell}
    found, _ = answers(tmp_path, row, attributes={"Tone": "tone"}, values=separator)
    assert found == ([{"Tone": answer}] if answer else [])


@pytest.mark.parametrize(
    ("number", "unit", "text", "answer"),
    [
        ("2.5000", "LITER", "holds 2,5 L", "2,5 L"),
        ("60.00", "CENTIMETER", "is 60cm wide", "60cm"),
        ("60", "CMT", "is 60 centimetres wide", "60 centimetres"),
        ("850", "g", "weighs 850 g", "850 g"),
        ("1200.0000", "WATT", "with 1,200 W", "1,200 W"),
        ("4.0000", "C62", "4 feet", "4"),
        ("12", "in", 'is 12" wide', '12"'),
        ("2.5000", "LITER", "2.5 kg", None),
        ("20.0000", "", "20.0000", "20.0000"),  # no unit, no number to mend
    ],
)
def test_a_value_and_its_unit_are_one(tmp_path: Path, number: str, unit: str, text: str, answer: str | None) -> None:
    row = {"text": f"It {text}.", "size": number, "size-unit": unit}
    found, _ = answers(tmp_path, row, attributes={"Size": "size"}, units={"Size": "size-unit"})
    assert found == ([{"Size": answer}] if answer else [])


def test_what_the_text_does_not_say_is_counted_by_the_attribute(tmp_path: Path) -> None:
    rows = [{"text": "In sand.", "tone": "sand", "use": use, "maker": "Ostby"} for use in ("floor", "wall", "")]
    options = {"attributes": {"Tone": "tone", "Use": "use", "Maker": "maker"}}
    found, notes = answers(tmp_path, *rows, **options)
    assert found == [{"Tone": "sand"}] * 3
    assert notes == {f"attribute 'Use' {LEFT_OUT}": 2, f"attribute 'Maker' {LEFT_OUT}": 3}
    found, notes = answers(tmp_path, *rows, **options, implicit=True)
    assert found[0] == {"Tone": "sand", "Use": "floor", "Maker": "Ostby"} and not notes


def test_thousands_of_names_do_not_fill_the_account(tmp_path: Path) -> None:
    rows = [
        {"text": "In sand.", "tone": "clay", "specs": {f"Trait {n}-{k}": "x" for k in range(10)}} for n in range(99)
    ]
    _, notes = answers(tmp_path, *rows, attributes={"Tone": "tone"}, specs="specs")
    assert len(notes) == MOST_NAMES + 1 and notes.total() == 99 * 11 and notes[f"attribute 'Tone' {LEFT_OUT}"] == 99
    assert notes[f"attribute beyond the first {MOST_NAMES} names {LEFT_OUT}"] == 99 * 10 - MOST_NAMES + 1


@pytest.mark.parametrize(
    "word", ["N/A", "nan", "Unknown", "-", " -- ", "NULL", "not applicable", "k. A.", "Keine Angabe", "?"]
)
def test_a_word_for_nothing_is_no_value(tmp_path: Path, word: str) -> None:
    row = {"text": f"Not {word}: in sand.", "tone": ["Sand", word], "use": word}
    found, notes = answers(tmp_path, row, attributes={"Tone": "tone", "Use": "use"}, implicit=True)
    assert found == [{"Tone": "Sand"}]
    assert notes == {f"attribute 'Tone' {NOTHING}": 1, f"attribute 'Use' {NOTHING}": 1}


def test_none_is_an_answer_where_the_text_says_it_of_the_attribute(tmp_path: Path) -> None:
    rows = [
        {"text": text, "glaze": "None", "lid": "No"} for text in ("Glaze: none. No lid.", "Second to none, no lid.")
    ]
    found, notes = answers(tmp_path, *rows, attributes={"Glaze": "glaze", "Lid": "lid"})
    assert found == [{"Glaze": "None", "Lid": "No"}, {"Lid": "No"}] and notes == {f"attribute 'Glaze' {NOTHING}": 1}


def test_a_list_of_texts_is_one_text_and_an_empty_one_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    rows = [
        {"text": ['Fits 4" walls.', "Of slate.", None]},
        {"text": []},
        {"text": "[New] slate"},
        {"title": ["Tile", "two"]},
    ]
    path.write_text(
        "".join(json.dumps({"id": n, "title": "Tile", "category": "Tiles", **row}) + "\n" for n, row in enumerate(rows))
    )
    part = convert(Entry(source="catalog", paths=[str(path)], options={"preset": "none", "texts": {"Text": "text"}}))
    prompts = [row.messages[0].content.partition("\n")[2] for row in part.rows]
    assert prompts == [
        'Title: Tile\nText: Fits 4" walls. Of slate.',
        "Title: Tile",
        "Title: Tile\nText: [New] slate",
        "Title: Tile two",
    ]


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("tone=Sand|Slate,edge=10 cm", {"tone": ("Sand", "Slate"), "edge": ("10 cm",)}),
        ("note=sealed, oiled, waxed,edge=10 cm", {"note": ("sealed, oiled, waxed",), "edge": ("10 cm",)}),
        (
            'note="sealed, oiled",top="Sand ""matt""",use="floor"|"wall"',
            {"note": ("sealed, oiled",), "top": ('Sand "matt"',), "use": ("floor", "wall")},
        ),
        (
            "url=https://tiles.example/a?b=c&d=e,edge=10 cm,grade=",
            {"url": ("https://tiles.example/a?b=c&d=e",), "edge": ("10 cm",)},
        ),
        ("care=Note: no acid, use a = b,tone=Sand", {"care": ("Note: no acid, use a = b",), "tone": ("Sand",)}),
        ("Kante=10 cm;Farbe=Sand, matt", {"Kante": ("10 cm",), "Farbe": ("Sand, matt",)}),
        ('"Stone=Slate";"Edge type=Cut; 4"" wide"', {"Stone": ("Slate",), "Edge type": ('Cut; 4" wide',)}),
        (
            "Stone:Slate:1,Edge:10 cm:2,Finish:Oiled, waxed:3:1",
            {"Stone": ("Slate",), "Edge": ("10 cm",), "Finish": ("Oiled, waxed",)},
        ),
        ("Pierre:Ardoise:1;Bord:10 cm:2", {"Pierre": ("Ardoise",), "Bord": ("10 cm",)}),
        ("Stone:Slate:1,Stone:Marble:2", {"Stone": ("Slate", "Marble")}),
        ("Manual:https://tiles.example/m:1", {"Manual": ("https://tiles.example/m",)}),
        ("Look:Tone:sand,Size:Edge:10 cm", {"Tone": ("sand",), "Edge": ("10 cm",)}),
        (':Tone:sand,"Look:Finish:oiled, waxed"', {"Tone": ("sand",), "Finish": ("oiled, waxed",)}),
        ("Size:Ratio:16:9,Size:Count:4", {"Ratio": ("16:9",), "Count": ("4",)}),
        ("Stone: slate; Edge: 10 cm", {"Stone": ("slate",), "Edge": ("10 cm",)}),
        ("Stone:slate,Edge:10 cm", {"Stone": ("slate",), "Edge": ("10 cm",)}),
        ("Stone: slate, marble", {"Stone": ("slate, marble",)}),
        ("Open: 10:30; Close: 18:00", {"Open": ("10:30",), "Close": ("18:00",)}),
        ("Video: https://tiles.example/v | Stone: slate", {"Video": ("https://tiles.example/v",), "Stone": ("slate",)}),
        ("石材：板岩；边：10厘米", {"石材": ("板岩",), "边": ("10厘米",)}),
        ('{"name": "Stone", "options": ["Slate", "Marble"]}', {"Stone": ("Slate", "Marble")}),
        ('[{"@type": "PropertyValue", "name": "Edge", "value": 10.0, "unitCode": "CMT"}]', {"Edge": ("10 cm",)}),
        (
            '{"edge": {"amount": "10.0000", "unit": "CENTIMETER"}, "maker": {"@id": "#m", "name": "Ostby"}}',
            {"edge": ("10 cm",), "maker": ("Ostby",)},
        ),
        ('[{"name": "Stone", "value": null}, {"name": "Look", "value": {"Tone": "sand"}}]', {"Tone": ("sand",)}),
        ('["Stone: slate", "Edge: 10 cm"]', {"Stone": ("slate",), "Edge": ("10 cm",)}),
        ("a tile", {}),
        ("https://tiles.example", {}),
    ],
)  # fmt: skip
def test_every_form_of_specs_is_read(cell: str, values: dict[str, tuple[str, ...]]) -> None:
    assert parse_specs(cell) == values


def test_a_column_says_which_form_a_doubtful_cell_has(tmp_path: Path) -> None:
    doubtful = {"text": "4 tiles. Set of 4.", "specs": "Set:Tiles:4"}
    sections = [{"text": "In sand.", "specs": f"Look:Tone:sand,Set:Tiles:{n}"} for n in range(5, 8)]
    positions = [{"text": "In sand.", "specs": "Tone:sand:1"} for _ in range(3)]
    found, _ = answers(tmp_path, doubtful, *sections, specs="specs")
    assert found == [{"Tiles": "4"}, *[{"Tone": "sand"}] * 3]
    found, _ = answers(tmp_path, {**doubtful, "text": "A set of tiles."}, *positions, specs="specs")
    assert found == [{"Set": "Tiles"}, *[{"Tone": "sand"}] * 3]


def test_specs_of_merged_rows_count_too_and_only_those_asked(tmp_path: Path) -> None:
    rows = [
        {"key": "a", "text": "Sand or clay, 10 cm.", "specs": "tone=Sand,edge=10 cm"},
        {"key": "a", "title": "", "specs": "tone=Clay,edge=10 cm"},
        {"key": "a", "title": "", "specs": ""},
    ]
    found, _ = answers(tmp_path, *rows, group="key", specs="specs")
    assert found == [{"tone": ["Sand", "Clay"], "edge": "10 cm"}]
    found, _ = answers(tmp_path, *rows, group="key", specs="specs", asked=["edge"])
    assert found == [{"edge": "10 cm"}]
