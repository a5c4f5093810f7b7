"""Tables whose first line is a row: an option names the columns, and what does not fit is one sentence."""

from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry
from tests.converters._converted import Converted, convert

NAMES = ["sku", "name", "category", "price"]
ROWS = [
    ["K-1", "Red mug, 0.5 l", "Home > Mugs", "9.90"],
    ["K-2", 'Pan 12" wide', "Home > Pans", "29"],
    ["K-3", "赤い鍋", "Home > Pots", "31.50"],
]
OPTIONS = {"id": "sku", "title": "name"}


def catalogue(path: Path, mark: str, *before: str, **options: object) -> Converted:
    cells = [[f'"{cell}"' if mark in cell else cell for cell in row] for row in ROWS]
    path.write_text("\n".join([*before, *map(mark.join, cells), ""]), "utf-8")
    return convert(Entry(source="catalog", paths=[str(path)], options=OPTIONS | options))


@pytest.mark.parametrize(
    ("mark", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.txt"), ("\t", "a.csv")]
)
@pytest.mark.parametrize("header", [NAMES, ",".join(NAMES), "sku, name, category, price"])
def test_the_first_line_is_a_row_and_the_option_names_its_columns(
    mark: str, name: str, header: str | list[str], tmp_path: Path
) -> None:
    part = catalogue(tmp_path / name, mark, header=header)
    assert (part.tally.read, part.tally.used) == (3, 3)
    assert [row.messages[0].content.rpartition("Title: ")[2] for row in part.rows] == [row[1] for row in ROWS]
    assert [row.target for row in part.rows] == [row[2] for row in ROWS]


def test_blank_lines_a_named_delimiter_and_compression_are_read_as_in_other_tables(tmp_path: Path) -> None:
    part = catalogue(tmp_path / "a.csv", "|", "\ufeffsep=|", "", header=NAMES)
    assert (part.tally.used, part.tally.rejected) == (3, {})
    two = {
        "id": "sku",
        "title": "name",
        "category": None,
        "attributes": {"Colour": "colour"},
        "header": "sku,name,colour",
    }
    (tmp_path / "b.csv").write_text("1,Red mug,Red\n\n2,Blue\n3,Blue pan,Blue\n", "utf-8")
    part = convert(Entry(source="catalog", paths=[str(tmp_path / "b.csv")], options=two))
    assert [row.target for row in part.rows] == ['{"Colour": "Red"}', '{"Colour": "Blue"}']
    assert part.tally.rejected == {"blank line": 1, "number of cells differs from the header's": 1}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"header": NAMES[:3]},
            r"a.csv:1: found 4 cells \('K-1', .*\), but header names 3 columns: sku, name, category",
        ),
        (
            {"header": "sku,sku,name,category"},
            "option header: found 'sku, sku, name, category', expected a name for each",
        ),
        ({"header": NAMES, "preset": "shopify"}, "preset 'shopify' goes by the file's own column names"),
        ({"header": ["sku", "name", "path", "price"]}, "say which column is the category"),
        ({}, r"its columns: 'K-1', .*; its first line looks like a row: .* --option header=id,title"),
    ],
)
def test_what_does_not_fit_is_a_sentence(options: dict[str, object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        catalogue(tmp_path / "a.csv", ";", **options)


def test_names_that_the_file_has_itself_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"a.csv:1: is a line of the column names that header gives: leave the option out"
    ):
        catalogue(tmp_path / "a.csv", ";", ";".join(NAMES).title(), header=NAMES)
    (tmp_path / "a.jsonl").write_text('{"sku": "1"}\n')
    with pytest.raises(InputError, match=r"a.jsonl: its rows name their columns: leave the option header out"):
        convert(Entry(source="catalog", paths=[str(tmp_path / "a.jsonl")], options=OPTIONS | {"header": NAMES}))


@pytest.mark.parametrize("columns", ["No,Artikel,Preis 2024", "Attribute 1 name,Item (2),x > y", "a,b,c"])
def test_names_of_columns_do_not_look_like_a_row(columns: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{columns}\n1,Mug,4\n2,Pan,5\n")
    with pytest.raises(InputError) as found:
        convert(Entry(source="catalog", paths=[str(tmp_path / "a.csv")]))
    assert "looks like a row" not in str(found.value)
