"""Category cells: how a whole column decides what parts paths and nodes, and what is no label."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.mixture.spec import Entry
from converters.sources.catalog.columns import columns
from converters.sources.catalog.labels import Labels, Placement, read_labels
from converters.sources.catalog.labels.paths import nodes, split
from converters.sources.catalog.labels.titles import note
from converters.sources.google_taxonomy import Taxonomy, load
from converters.text.none import is_none
from tests.converters._converted import convert

TREE = Taxonomy(
    "1", [("t:2", "5", ("Garden",)), ("t:3", "51", ("Garden", "Rakes")), ("t:4", "aa-1-2", ("Garden", "Hoses"))]
)


def seen(*cells: str, tree: Taxonomy | None = None, **options: Any) -> tuple[Labels, list[Placement]]:
    labels = read_labels(Counter(filter(None, cells)), columns(options), tree)
    return labels, [labels.place({"category": cell}, "Norvik thing") for cell in cells]


def targets(*cells: str, **options: Any) -> list[str]:
    return [" > ".join(placed.path) for placed in seen(*cells, **options)[1]]


def reasons(*cells: str, **options: Any) -> list[str]:
    return [placed.reason for placed in seen(*cells, **options)[1]]


@pytest.mark.parametrize(
    "mark",
    [
        " > ",
        ">",
        " >> ",
        ">>>",
        "＞＞",
        " ► ",
        "‣",
        " ➔ ",
        " › ",
        " » ",
        " → ",
        "＞",
        " -> ",
        " | ",
        "|",
        " / ",
        "/",
        "\\",
        " :: ",
        "/ ",
    ],
)
def test_one_separator_a_file(mark: str) -> None:
    cells = [mark.join(path) for path in (("Home", "Mugs"), ("Home", "Rugs", "Wool"), ("Toys",), ("Toys", "Cars"))]
    assert targets(*cells) == ["Home > Mugs", "Home > Rugs > Wool", "Toys", "Toys > Cars"]
    labels, _ = seen(*cells)
    assert labels.chosen == {"separator": mark.strip()} and "3 of 4 paths" in labels.lines[0]
    assert targets(*cells, **labels.chosen) == targets(*cells)


def test_a_slash_in_a_file_of_arrows_is_in_a_name_unless_a_root_says_otherwise() -> None:
    cells = ["Home > Kitchen > Salt / Pepper", "Oil / Vinegar", "Home/Bath", "Bed/Bath > Towels"]
    assert targets(*cells) == ["Home > Kitchen > Salt / Pepper", "Oil / Vinegar", "Home > Bath", "Bed/Bath > Towels"]


def test_a_slash_in_a_few_names_parts_nothing() -> None:
    flat = ["Cups", "Bowls", "Plates", "Pots", "Forks", "Oil / Vinegar", "Tea/Coffee"]
    assert targets(*flat) == flat


def test_a_list_of_signs_that_cannot_be_seen_is_no_path() -> None:
    named = [
        json.dumps(["Home", kind, f"{kind} {size}"]) for kind in ("Jars", "Tins", "Pots") for size in ("S", "M", "L")
    ]
    _, placed = seen(*named, json.dumps(["\0", "\0"]))
    assert [len(placement.path) for placement in placed] == [3] * 9 + [0] and placed[-1].reason


def test_several_paths_by_evidence() -> None:
    cells = ["Home/Pans|Home/Offers", "Home/Pans", "Home > Dining > Oil / Vinegar|Ideas", "Home/Jars; Home/Tins"]
    labels, placed = seen(*cells)
    assert [" > ".join(each.path) for each in placed] == [
        "Home > Pans",
        "Home > Pans",
        "Home > Dining > Oil / Vinegar",
        "Home > Jars",
    ]
    assert [each.notes[:1] for each in placed] == [
        ("several categories",),
        (),
        ("several categories",),
        ("several categories",),
    ]
    assert placed[3].notes[1] == "several categories, equally deep: the first is taken"
    assert placed[3].detail == "several categories: Home > Jars; Home > Tins; taken: Home > Jars"
    assert any("2 rows hold '|'" in line for line in labels.lines)


@pytest.mark.parametrize("mark", ["|", ";", "; ", "\n", "||", "<br>"])
def test_strong_marks_part_paths_of_arrows(mark: str) -> None:
    assert targets(f"A > B{mark}C > D > E", "F > G") == ["C > D > E", "F > G"]


@pytest.mark.parametrize("mark", ["|", ";", ", ", ",", "、"])
def test_labels_of_other_rows_are_apart(mark: str) -> None:
    cells = [f"Shoes{mark}Offers", "Shoes", "Offers", f"Offers{mark}Hats", "Hats"]
    assert targets(*cells) == ["Shoes", "Shoes", "Offers", "Offers", "Hats"]


def test_a_mark_that_no_evidence_supports_is_told() -> None:
    labels, placed = seen("Home > Pans|Ideas", "Toys > Cars", "Toys > Bricks, blocks & tiles")
    assert any("1 row holds '|', such as 'Home > Pans|Ideas': is it between paths?" in line for line in labels.lines)
    assert placed[2].path == ("Toys", "Bricks, blocks & tiles") and "several" not in labels.chosen


def test_a_comma_is_split_only_where_every_part_is_known() -> None:
    cells = [
        "Drinks, Drinks > Tea",
        "Drinks > Tea > Tins, Food",
        "Food > Jam, Food > Oil",
        "Food > Jam, Brand new",
        "Tools",
    ]
    labels, placed = seen(*cells)
    assert [" > ".join(each.path) for each in placed] == [
        "Drinks > Tea",
        "Drinks > Tea > Tins",
        "Food > Jam",
        "",
        "Tools",
    ]
    assert placed[3].reason == "several categories, or a name with ',': it cannot be told"
    assert any("',': read as several paths in 3" in line and "and 1 cannot be told" in line for line in labels.lines)
    assert (
        labels.chosen == {"separator": ">"} or "several" not in labels.chosen
    )  # an option would split the doubtful one


def test_names_with_commas_stay_whole() -> None:
    cells = ["Home, Garden & Tools > Pots", "Home, Garden & Tools > Rakes", "Pans, pots & lids", "Toys > Cars"]
    assert targets(*cells) == cells


def test_the_marks_of_platforms_and_their_escapes() -> None:
    woo = [
        "Drinks, Drinks > Tea, New",
        r"Kitchen > Pans\, pots & lids > Pans",
        "Gifts > Him, Gifts > Her",
        '"Oils, ""fine""", New',
    ]
    assert targets(*woo, several=",") == [
        "Drinks > Tea",
        "Kitchen > Pans, pots & lids > Pans",
        "Gifts > Him",
        'Oils, "fine"',
    ]
    magento = [r"Root/Kitchen/Salt \/ Pepper", "Root", "Root/Gear,Root/Gear/Bags", "Root/New|Root/Gear/Bags"]
    labels, placed = seen(*magento, several=[",", "|"], separator="/", root="cut")
    assert [" > ".join(each.path) for each in placed] == ["Kitchen > Salt / Pepper", "", "Gear > Bags", "Gear > Bags"]
    assert placed[1].reason == "no category below the root 'Root'" and "which is cut" in labels.lines[0]
    assert [len(each.notes) for each in placed] == [0, 0, 0, 1]


def test_a_root_that_is_kept_is_told() -> None:
    assert any("all 3 paths begin with 'Shop'" in line for line in seen("Shop > A", "Shop > B", "Shop > C")[0].lines)


@pytest.mark.parametrize(
    ("pick", "taken"), [("deepest", "C > D > E"), ("first", "A"), ("most_common", "F"), ("reject", "")]
)
def test_the_rule_for_several(pick: str, taken: str) -> None:
    _, placed = seen("A; C > D > E; F", "F", pick=pick, several=";")
    assert " > ".join(placed[0].path) == taken and placed[0].reason == (
        "several categories" if pick == "reject" else ""
    )
    assert "A; C > D > E; F" in placed[0].detail


def test_ignored_labels_and_words_for_none_beside_others() -> None:
    cells = ["Home > Pans; Offers > Spring", "offers", "Home > Sale", "Uncategorized; Home > Jars", "Home > N/A"]
    _, placed = seen(*cells, several=";", ignore=["OFFERS", "home > sale"])
    assert [" > ".join(each.path) for each in placed] == ["Home > Pans", "", "", "Home > Jars", "Home"]
    assert placed[1].reason == "category left out by 'ignore': 'offers'"
    assert placed[3].notes == ("one of several categories left out: no category: 'Uncategorized'",)
    assert placed[4].notes == ("last node of the category is a word for none: cut",)


NONE = [
    "Uncategorized",
    "UNCATEGORISED",
    "Non classé",
    "non classe",
    "Unkategorisiert",
    "Nicht kategorisiert",
    "Sin categoría",
    "Sin categorizar",
    "Senza categoria",
    "Sem categoria",
    "Geen categorie",
    "Niet gecategoriseerd",
    "Bez kategorii",
    "Nezařazeno",
    "Okategoriserad",
    "Ukategoriseret",
    "Ukategorisert",
    "Luokittelematon",
    "Kategorisiz",
    "Без рубрики",
    "Без категории",
    "Χωρίς κατηγορία",
    "未分類",
    "未分类",
    "미분류",
    "غير مصنف",
    "ללא קטגוריה",
    "Default Category",
    "nan",
    "NaN",
    "None",
    "null",
    "NULL",
    "N/A",
    "#N/A",
    "n.a.",
    "n/a",
    "-",
    "--",
    "—",
    "Unknown",
    "TBD",
    "(blank)",
    "<NA>",
    "[none]",
    "NaN, NaN",
    "N/A / N/A",
    "ー",
    "...",
]


@pytest.mark.parametrize("word", NONE)
def test_words_for_none_are_no_labels(word: str) -> None:
    assert is_none(word) and reasons(f" {word} ", "Home > Mugs") == [f"no category: {word!r}", ""]


def test_names_are_no_words_for_none(real: Path) -> None:
    assert not any(
        map(is_none, ["Other", "Misc", "Sonstiges", "Naan", "Nailcare", "TVs", "本", "Sale", "Home", "T-Shirts", "7"])
    )
    tree = load(real / "google_taxonomy" / "taxonomy-with-ids.en-US.2021-09-21.txt")
    assert [node for path in tree.paths for node in path if is_none(node)] == []
    for mark in (">", "/"):
        paths = {f" {mark} ".join(node.replace("/", "\\/") for node in path): path for path in tree.paths}
        find = read_labels(Counter(paths.keys()), columns({}), None).find
        assert {cell: find(cell).paths for cell in paths} == {cell: (path,) for cell, path in paths.items()}


def test_ids_are_looked_up_or_counted() -> None:
    cells = [
        "51",
        "Garden > Rakes",
        "999",
        "5,51",
        "51.0",
        "gid://shopify/TaxonomyCategory/aa-1-2",
        "aa-1-2",
        "51 - Garden > Rakes",
    ]
    labels, placed = seen(*cells, tree=TREE)
    rakes, hoses = "Garden > Rakes", "Garden > Hoses"
    assert [" > ".join(each.path) for each in placed] == [rakes, rakes, "", rakes, rakes, hoses, hoses, rakes]
    assert (placed[2].reason, placed[2].detail) == ("category id not in the taxonomy", "999 is no id of the taxonomy")
    labels, placed = seen("51", "2,7,11", "Garden > Rakes")
    assert [each.reason for each in placed] == ["category is an id, not a name"] * 2 + [""]
    assert any("2 rows hold ids" in line and "taxonomy=FILE" in line for line in labels.lines)
    assert targets("51 - Garden > Rakes", "5 - Garden") == ["Garden > Rakes", "Garden"]


def test_codes_are_told_by_the_whole_column() -> None:
    assert reasons("water_jugs,spring_sale", "toasters", "rugs_wool") == ["category is a code, not a name"] * 3
    assert (
        reasons("CAT-0012", "CAT-0013")[0]
        == reasons("6b1c0a52-1111-4222-8333-0123456789ab")[0]
        == "category is a code, not a name"
    )
    assert targets("tools", "rugs", "t-shirts") == ["tools", "rugs", "t-shirts"]


def test_addresses_sentences_objects_and_free_text() -> None:
    paths = [f"Home > Kind {number}" for number in range(40)]
    assert reasons(
        "https://shop.test/mugs", "Keeps tea warm for hours and looks good.", '{"rank": "77"}', "[]", "Norvik thing"
    ) == [
        "category is a web address",
        "category is a sentence",
        "category is a JSON object without a name",
        "no category",
        "category is the title",
    ]
    assert reasons("Big red sale", "Home", *paths)[:3] == ["category is a text where all other rows have paths", "", ""]
    assert reasons("Big red sale", *paths[:5])[0] == ""


def test_lists_and_objects() -> None:
    nested = [
        '["Home & Kitchen", "Dining", "Mugs"]',
        '[["Home & Kitchen", "Pots", "Pans"]]',
        "['Home & Kitchen', 'Pots']",
    ]
    assert targets(*nested) == [
        "Home & Kitchen > Dining > Mugs",
        "Home & Kitchen > Pots > Pans",
        "Home & Kitchen > Pots",
    ]
    assert targets('["A", "B", "C"]') == ["A > B > C"]
    assert targets('["Home > Mugs", "Offers"]', '["Offers"]') == ["Home > Mugs", "Offers"]
    assert targets('["Offers", "Hats"]', '["Hats", "Shoes"]', '["Shoes"]') == ["Offers", "Hats", "Shoes"]
    assert targets('{"@type": "CategoryCode", "name": "Home > Mugs"}', '[{"id": 5, "name": "Jars"}]') == [
        "Home > Mugs",
        "Jars",
    ]
    assert targets('["Home/Mugs", "Home/Offers/Mugs"]', '["Home/Rugs"]') == ["Home > Offers > Mugs", "Home > Rugs"]


def test_spellings_of_one_text_are_one_label() -> None:
    assert targets("Mo\u0308bel &gt; <b>Stu\u0308hle</b>", "Möbel > Stühle")[0] == "Möbel > Stühle"


def test_several_columns_skip_words_for_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    rows = [{"a": "Shop", "b": "Rugs", "c": "nan"}, {"a": "Shop", "b": "", "c": "Mugs"}, {"a": "-", "b": "", "c": ""}]
    path.write_text("".join(json.dumps({"id": str(n), "title": "Norvik", **row}) + "\n" for n, row in enumerate(rows)))
    part = convert(Entry(source="catalog", paths=[str(path)], options={"category": ["a", "b", "c"], "root": "cut"}))
    assert [row.target for row in part.rows] == ["Rugs", "Mugs"] and part.tally.rejected == {"no category": 1}


NAME = st.text(st.sampled_from('ab ,|/;"\\é本'), min_size=1, max_size=8).filter(
    lambda text: any(map(str.isalpha, text))
)
PATH = st.lists(NAME, min_size=1, max_size=4)


def escaped(name: str) -> str:
    for sign in ("\\", ",", "/", '"'):
        name = name.replace(sign, f"\\{sign}")
    return name


@given(st.lists(PATH, min_size=1, max_size=4))
def test_what_is_joined_with_escapes_is_split_again(paths: list[list[str]]) -> None:
    joined = ", ".join("/".join(map(escaped, path)) for path in paths)
    expected = [tuple(" ".join(name.split()) for name in path) for path in paths]
    assert [nodes(part, "/") for part in split(joined, (",",))] == expected


@given(st.lists(NAME.map(str.strip), min_size=1, max_size=4))
def test_what_is_quoted_is_split_again(names: list[str]) -> None:
    joined = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert split(joined, (",",)) == names


CELLS = st.lists(st.text(st.sampled_from("aB1 ,|/;:>»\"\\[]{}'\n&#-_é本")) | st.text(), max_size=6)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "several": st.sampled_from([",", "|", [], [",", ";"]]),
        "separator": st.sampled_from(["/", ">", "\\", "|"]),
        "pick": st.sampled_from(["first", "most_common", "reject"]),
        "root": st.just("cut"),
    },
)


@given(CELLS, OPTIONS)
def test_no_cell_stops_it_and_a_label_is_a_path(cells: list[str], options: dict[str, Any]) -> None:
    _, placed = seen(*cells, **options)
    for each in placed:
        assert bool(each.path) != bool(each.reason)
        assert all(node.strip() and ">" not in node for node in each.path)


@given(CELLS, OPTIONS)
def test_what_was_chosen_gives_the_same_labels(cells: list[str], options: dict[str, Any]) -> None:
    labels, placed = seen(*cells, **options)
    if labels.chosen:
        assert [each.path for each in seen(*cells, **options, **labels.chosen)[1]] == [each.path for each in placed]


@pytest.mark.parametrize(
    "cells",
    [
        # One cell begins a second path; another has a name after its path that may be one, too.
        ["Fishing > Rods > Fly, Offers", "Fishing > Reels, Fishing > Kits, New", "Fishing > Nets"],
        ["Angeln > Ruten；Neu", "Angeln > Rollen；Angeln > Sets；Neu", "Angeln > Netze"],
        ["釣り > 竿、新着", "釣り > リール、釣り > セット、新着", "釣り > 網"],
        ["Fishing/Rods/Fly,Offers", "Fishing/Reels,Fishing/Kits,New", "Fishing/Nets"],
        ["Fishing > Rods > Fly | Offers", "Fishing > Reels | Fishing > Kits | New", "Fishing > Nets"],
        # A name that ends several paths is hardly a part of all their names.
        ["Fishing > Rods, Offers", "Fishing > Reels, Offers", "Fishing > Nets"],
        # What stands before the mark is another row's label.
        ["Fishing > Rods; Offers", "Fishing > Rods", "Fishing > Nets"],
    ],
)
def test_no_label_is_made_of_two_paths(cells: list[str]) -> None:
    listed = {part.strip() for cell in cells for part in re.split("[,;|、；]", cell.replace("/", " > "))}
    labels, placed = seen(*cells)
    assert all(" > ".join(each.path) in listed if each.path else "several categories" in each.reason for each in placed)
    assert placed[-1].path and any("several" in line for line in labels.lines)


def test_a_comma_in_names_is_left_alone() -> None:
    cells = ["Home > Pots, Pans", "Home > Cups, Saucers", "Garden > Rakes, Hoes", "Garden > Seeds"]
    assert targets(*cells) == cells


def titled(*rows: tuple[str, str], tree: Taxonomy | None = None) -> list[str]:
    """Return the labels of rows of a title and a category."""
    titles: dict[str, str] = {}
    for title, cell in rows:
        note(titles, cell, title)
    labels = read_labels(Counter(cell for _, cell in rows), columns({}), tree, None, titles)
    return [" > ".join(labels.place({"category": cell}, title).path) for title, cell in rows]


OTHERS = [(f"Thing number {n}", "Home > Rugs") for n in range(20)]


@pytest.mark.parametrize(
    ("title", "last"),
    [
        ("Steel pan", "Steel pan"),
        ("Steel pan", "STEEL  PAN (Pack of 2)"),
        ("Steel pan", "Steel pan, Red"),
        ("Steel pan", "Steel pan - 28 cm"),
        ("Steel pan", "Steel pan | Norvik"),
        ("Norvik steel pan", "Norvik steel pan red"),
        ("Norvik steel pan", "Brand new Norvik steel pan"),
        ("Norvik steel pan", "Norvik steel p..."),
        ("Norvik steel pan", "Norvik steel pan (Pack o..."),
        ("鋼のフライパン", "鋼のフライパン（2個セット）"),
        ("Стальная сковорода", "стальная сковорода, красная"),
        ("Poêle en acier", "Poêle en acier – lot de 2"),
    ],
)
def test_a_last_node_that_is_the_product_is_cut(title: str, last: str) -> None:
    assert titled(*OTHERS, (title, f"Home > Pans > {last}"))[-1] == "Home > Pans"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("Mug", "Home > Mug")], "Home > Mug"),  # one word proves nothing
        ([("Mug", "Home > Mugs")], "Home > Mugs"),
        (
            [("Wool rug", "Home > Wool rug"), ("Soft thing", "Home > Wool rug")],
            "Home > Wool rug",
        ),  # a class of two products
        (
            [("Wool rug", "Home > Wool rug"), ("Soft thing", "Home > Wool rug > Round")],
            "Home > Wool rug",
        ),  # one above others
        ([("Black leather boots", "Home > Boots")], "Home > Boots"),
        ([("Running shoes for women", "Home > Running shoes")], "Home > Running shoes"),
        ([("Pots", "Home > Pots, pans")], "Home > Pots, pans"),
        ([("Table lamp", "Home > Table lamp shades")], "Home > Table lamp shades"),
    ],
)
def test_a_class_that_is_like_a_title_is_kept(rows: list[tuple[str, str]], expected: str) -> None:
    assert titled(*rows, *OTHERS)[0] == expected


def test_where_titles_usually_end_paths_short_ones_and_parts_of_them_do_too() -> None:
    usual = [(f"Norvik thing {n}", f"Home > Things > Norvik thing {n}") for n in range(10)]
    rows = [("Mug", "Home > Mugs > Mug"), ("Norvik steel pan 28 cm", "Home > Pans > Norvik steel pan")]
    rows += [("Norvik jug - Red", "Home > Jugs > Norvik jug (Pack of 2)")]
    assert titled(*usual, *rows)[-3:] == ["Home > Mugs", "Home > Pans", "Home > Jugs"]
    assert titled(*OTHERS, *rows)[-2:] == ["Home > Pans > Norvik steel pan", "Home > Jugs > Norvik jug (Pack of 2)"]


def test_a_path_of_the_taxonomy_is_never_cut() -> None:
    tree = Taxonomy("1", [("t:2", "5", ("Home",)), ("t:3", "51", ("Home", "Garden hoses"))])
    assert titled(("Garden hoses", "Home > Garden hoses"), tree=tree) == ["Home > Garden hoses"]
