"""Plain tables as shops send them: what can be told is read, what cannot is counted or said."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.io.decoding import encoding_of
from converters.mixture.spec import Entry
from converters.sources.catalog import complete, read
from converters.sources.catalog.attributes.specs import parse_specs
from converters.sources.catalog.columns import columns
from converters.sources.catalog.labels import Labels, read_labels
from tests.converters._converted import Converted, convert


def seen(*cells: str, **options: Any) -> tuple[Labels, list[str]]:
    labels = read_labels(Counter(cells), columns(options), None)
    placed = [labels.place({"category": cell}, "Lorton thing") for cell in cells]
    return labels, [" > ".join(each.path) or each.reason for each in placed]


def shop(folder: Path, text: str, name: str = "shop.csv", **options: Any) -> tuple[Converted, tuple[str, ...]]:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    _, lines = complete([path], {**_defaults(), **options})
    part = convert(Entry(source="catalog", paths=[str(path)], options=options))
    assert part.tally.read == part.tally.used + part.tally.rejected.total()
    return part, lines


def _defaults() -> dict[str, Any]:
    return dict(read.__kwdefaults__ or {})


def targets(part: Converted) -> dict[str, str]:
    return {row.id.rpartition(":")[2]: row.messages[-1].content for row in part.rows if row.task == "category"}


@pytest.mark.parametrize(
    ("cells", "paths"),
    [
        (
            ["All / Bath/Spa / Towels", "All / Garden", "All / Bath/Spa / Soaps"],
            ["All > Bath/Spa > Towels", "All > Garden", "All > Bath/Spa > Soaps"],
        ),
        (
            ["Dining/Cruets/Oil / Vinegar", "Dining/Cruets", "Toys"],
            ["Dining > Cruets > Oil / Vinegar", "Dining > Cruets", "Toys"],
        ),
        (
            ["Dining / Pots", "Dining/Pots / Iron", "Dining / Jugs", "Toys / Cars"],
            ["Dining > Pots", "Dining > Pots > Iron", "Dining > Jugs", "Toys > Cars"],
        ),
    ],
)
def test_blanks_around_a_slash_tell_what_parts_nodes(cells: list[str], paths: list[str]) -> None:
    assert seen(*cells)[1] == paths


def test_many_names_with_a_slash_that_share_no_beginning_are_names() -> None:
    names = [
        "Boots/Shoes",
        "Bags/Cases",
        "Kids/Baby",
        "Bed/Bath",
        "Tea/Coffee",
        "Pots/Pans",
        "Rugs/Mats",
        "Oil/Vinegar",
    ]
    assert seen(*names)[1] == names


@pytest.mark.parametrize("mark", [" - ", ":", ".", "~", "#"])
def test_an_unusual_mark_between_nodes_is_asked_for(mark: str) -> None:
    cells = [mark.join(path) for path in (("Cellar", "Racks"), ("Cellar", "Corks", "Cone"), ("Attic", "Trunks"))]
    labels, found = seen(*cells)
    assert found == cells and f'give --option "separator={mark!r}"' in labels.lines[0]
    assert seen(*cells, separator=mark)[1] == ["Cellar > Racks", "Cellar > Corks > Cone", "Attic > Trunks"]
    assert not any("separator=" in line for line in seen("Corks", "Racks - oak", "Trunks")[0].lines)


@pytest.mark.parametrize("mark", [";", ", "])
def test_a_mark_that_may_be_between_paths_or_nodes_is_asked_for(mark: str) -> None:
    labels, _ = seen(f"Cellar{mark}Racks", f"Cellar{mark}Corks", f"Attic{mark}Trunks")
    assert f"--option separator={mark.strip()!r}" in labels.lines[0]


def test_codes_and_ids_of_a_whole_column_are_no_labels() -> None:
    code, number = "category is a code, not a name", "category is an id, not a name"
    assert seen("KET-01", "PAN-2", "B7")[1] == [code] * 3
    assert seen("TVs", "B7", "HiFi")[1] == ["TVs", "B7", "HiFi"]
    assert seen("#88", "ID 12", "id:4, id:5", "Jugs")[1] == [number] * 3 + ["Jugs"]
    assert seen("88: Jugs", "12: Pans")[1] == ["Jugs", "Pans"]


def test_a_user_s_separator_parts_what_would_be_a_code() -> None:
    assert seen("cellar_racks", "attic_trunks", separator="_")[1] == ["cellar > racks", "attic > trunks"]


def test_lists_of_databases_and_broken_json() -> None:
    labels, found = seen("{Cellar,Racks}", '{Cellar,"Corks, cones"}', "[Attic, Trunks]", '["Attic", "Tru')
    assert found == ["Cellar > Racks", "Cellar > Corks, cones", "Attic > Trunks", "category is broken JSON"]
    assert "category: 3 rows hold a list: its texts are the nodes of one path" in labels.lines
    lines = seen(*map(json.dumps, (["Racks", "Sale"], ["Sale", "Corks"], ["Corks", "Racks"])))[0].lines
    assert "category: 3 rows hold a list: each of its texts is a category" in lines


@pytest.mark.parametrize("word", ["No Category Assigned", "Catégorie par défaut", "sin asignar", "Nicht zugewiesen"])
def test_further_words_for_none(word: str) -> None:
    assert seen(word, "Jugs")[1] == [f"no category: {word!r}", "Jugs"]


def test_root_cut_that_cuts_nothing_is_said() -> None:
    labels, found = seen("All > Jugs", "Sale > Pans", root="cut")
    assert found == ["All > Jugs", "Sale > Pans"]
    assert "category: nothing is cut by root=cut: paths begin with 2 different nodes" in labels.lines


def test_levels_in_columns_may_repeat_those_above_and_gaps_are_counted(tmp_path: Path) -> None:
    text = "id,title,a,b,c\n1,Jug,Home,Home > Dining,Home > Dining > Jugs\n2,Pan,,Dining,Pans\n3,Pot,Home,,Pots\n4,Lid,Home,,\n"
    part, _ = shop(tmp_path, text, category=["a", "b", "c"])
    assert targets(part) == {"1": "Home > Dining > Jugs", "2": "Dining > Pans", "3": "Home > Pots", "4": "Home"}
    assert part.tally.noted["a column of the category is blank before a filled one: the path lacks it"] == 2


def test_words_for_none_are_no_groups(tmp_path: Path) -> None:
    text = "id,title,category,parent\n1,Jug,A > B,N/A\n2,Pan,,N/A\n3,Pot,A > C,None\n4,Lid,,None\n5,Cup,A > D,-\n6,Mug,,-\n"
    part, _ = shop(tmp_path, text, group="parent")
    assert targets(part) == {"1": "A > B", "3": "A > C", "5": "A > D"} and part.tally.rejected == {"no category": 3}
    assert len({row.group for row in part.rows}) == 3


def test_a_parent_without_a_group_s_cell_is_in_the_group_of_its_children(tmp_path: Path) -> None:
    text = "id,title,category,parent\n7,Cap,A > B,\n8,Jug,A > C,\n9,Cap red,,7\n10,Cap blue,,7\n"
    part, lines = shop(tmp_path, text, group="parent")
    assert targets(part) == {"7": "A > B", "8": "A > C", "9": "A > B", "10": "A > B"}
    groups = {row.id.rpartition(":")[2]: row.group for row in part.rows}
    assert groups["7"] == groups["9"] == groups["10"] != groups["8"]
    assert "2 products (by 'parent') in 4 rows; title from 'title', category from 'category'" in lines
    assert "1 row without 'parent' is the parent of rows that have its id there" in lines


TONED = [(tone, size) for tone in ("Red", "Blue") for size in ("S", "M")]
TITLES = {
    "own cells": [
        f"{name} {tone} {size},Wear,{tone},{size}" for name in ("Trail Tee", "Fell Cap") for tone, size in TONED
    ],
    "sizes": [f"Basic Tee {size},Wear,," for size in ("S", "M", "XL", "2XL")],
    "brackets": [f"保温杯（{tone}）,杯子,," for tone in ("红色", "蓝色", "绿色")],
}


@pytest.mark.parametrize("titles", TITLES.values(), ids=TITLES.keys())
def test_titles_of_variants_without_a_dash_are_told(titles: list[str], tmp_path: Path) -> None:
    rows = "".join(f"{number},{title}\n" for number, title in enumerate(titles))
    _, lines = shop(tmp_path, f"id,title,category,tone,size\n{rows}")
    assert any(line.startswith(f"{len(titles)} of {len(titles)} titles look like variants") for line in lines)


def test_kinds_at_the_end_of_titles_are_no_variants(tmp_path: Path) -> None:
    kinds = ("Lamp", "Mirror", "Rug", "Chair")
    rows = "".join(f"{number},Lorton Brass {kind},Home > {kind}s,{kind}\n" for number, kind in enumerate(kinds))
    _, lines = shop(tmp_path, f"id,title,category,kind\n{rows}")
    assert not any("variants" in line for line in lines)


def test_a_column_whose_rows_begin_alike_may_name_the_product(tmp_path: Path) -> None:
    names = [("Fell Cap moss", "s1"), ("Fell Cap plum", "s1"), ("Tarn Jug sky", "s2"), ("Tarn Jug sand", "s2")]
    rows = "".join(f"{number},{title},Home,{style}\n" for number, (title, style) in enumerate(names))
    _, lines = shop(tmp_path, f"id,title,category,style\n{rows}")
    assert any(line.startswith("titles of one 'style' begin alike") for line in lines)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Stock list 2031\n\nID;Title;Category\n1;Jug;A > B\n", 3),
        ('"Stock; 2031";;\r\nMade by hand;;\r\n id ;title;CATEGORY\r\n1;Jug;A > B\r\n', 3),
        ("\ufeffStock\nid\ttitle\tcategory\n1\tJug\tA > B\n", 2),
    ],
)
def test_a_title_above_the_column_names_is_passed_over(text: str, line: int, tmp_path: Path) -> None:
    part, lines = shop(tmp_path, text)
    assert targets(part) == {"1": "A > B"} and part.tally.read == 1
    assert f"the column names are in line {line}" in lines[0]


def test_a_second_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    part, _ = shop(tmp_path, "\ufeff\ufeffid,title,category\n1,Jug,A > B\n")
    assert targets(part) == {"1": "A > B"}


@pytest.mark.parametrize(
    "text", ["Ø 24 cm\n½” bolt", "©2020 Lorton®\n100 µm", "Jug – 5 € “big”\nCafé\n½ l", "£5\n¾ full"]
)
def test_signs_of_english_texts_are_windows(text: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(f"id,title\n{text}".encode("cp1252"))
    assert encoding_of(path) == "cp1252"


def test_a_code_page_named_for_a_file_of_utf8_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "shop.csv").write_text("id,title\n1,Größe\n", encoding="utf-8")
    with pytest.raises(InputError, match="is UTF-8, not cp1252: leave the option encoding out"):
        encoding_of(path, "cp1252")


def test_specs_in_tables_and_definition_lists() -> None:
    table = "<table><tr><th>Fabric</th><td>Wool</td></tr><tr><td>Fit:</td> <td class='x'>A &amp; B</td></tr></table>"
    assert parse_specs(table) == {"Fabric": ("Wool",), "Fit": ("A & B",)}
    assert parse_specs("<dl><dt>Fabric</dt><dd>Wool</dd><dt>Cups</dt><dd>6</dd></dl>") == {
        "Fabric": ("Wool",),
        "Cups": ("6",),
    }
