"""A shop's own export: how its categories, its attributes and its mistakes are read."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.core.unicode import composed
from converters.mixture.spec import Entry
from converters.sources.catalog.attributes.specs import parse_specs
from converters.sources.catalog.attributes.values import UNIT_KEYS, VALUE_KEYS
from converters.sources.google_taxonomy import load
from tests.converters._converted import Converted, convert

TAXONOMY = """# Google_Product_Taxonomy_Version: 2021-09-21
1 - Home & Garden
2 - Home & Garden > Kitchen & Dining
3 - Home & Garden > Kitchen & Dining > Cups & Mugs
4 - Home & Garden > Decor
5 - Home & Garden > Decor > Rugs
6 - Apparel
7 - Apparel > Accessories
8 - Home & Garden > Kitchen & Dining > Accessories
"""


def converted(folder: Path, *rows: dict[str, Any], **options: Any) -> Converted:
    path = folder / "shop.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"K{n}", "title": "Mug", **row}) + "\n" for n, row in enumerate(rows)), "utf-8"
    )
    return convert(Entry(source="catalog", paths=[str(path)], options=options))


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    (tmp_path / "taxonomy.txt").write_text(TAXONOMY, "utf-8")
    return str(tmp_path / "taxonomy.txt")


def targets(part: Converted, task: str = "category") -> list[str]:
    return [row.target for row in part.rows if row.task == task]


def test_separators_are_told_by_the_text_or_named(tmp_path: Path) -> None:
    cells = ["A > B/C", "A >> B > C", "A | B", "A / B", '["A >> B"]', "A"]
    part = converted(tmp_path, *({"category": cell} for cell in cells))
    assert targets(part) == ["A > B/C", "A > B", "A > B", "A > B", "A"]
    assert part.tally.rejected == {"category with an empty node or a '>'": 1}
    assert targets(converted(tmp_path, {"category": "A / B"}, separator=">")) == ["A / B"]


def test_a_category_may_stand_in_several_columns(tmp_path: Path) -> None:
    rows = [
        {"department": "Home", "class": "Mugs"},
        {"department": "Home", "class": ""},
        {"department": "", "class": " "},
    ]
    part = converted(tmp_path, *rows, category=["department", "class"])
    assert targets(part) == ["Home > Mugs", "Home"] and part.tally.rejected == {"no category": 1}


def test_a_shop_without_categories_has_attributes(tmp_path: Path) -> None:
    part = converted(tmp_path, {"title": "Red mug", "color": "red"}, category=None, attributes={"Color": "color"})
    assert targets(part, "attributes") == ['{"Color": "red"}'] and targets(part) == []


def test_specs_are_read_and_only_those_asked_count(tmp_path: Path) -> None:
    cell = '{"specs"=>[{"key"=>"Color", "value"=>"Red"}, {"key"=>"Size", "value"=>"L"}, {"value"=>"3 mugs"}]}'
    row = {"title": "Red mug, L", "specs": cell}
    assert targets(converted(tmp_path, row, category=None, specs="specs"), "attributes") == [
        '{"Color": "Red", "Size": "L"}'
    ]
    part = converted(tmp_path, row, category=None, specs="specs", asked=["Size", "Fit"])
    assert targets(part, "attributes") == ['{"Size": "L"}']  # a fit that is not stated is not asked


@pytest.mark.parametrize(("order", "brand"), [(["columns", "specs"], "Acme"), (["specs", "columns"], "Norvik")])
def test_the_order_of_sources_decides_and_a_conflict_is_noted(tmp_path: Path, order: list[str], brand: str) -> None:
    rows = [{"title": "Acme Norvik mug", "brand": "Acme", "specs": f"Brand: {name}"} for name in ("Norvik", "ACME")]
    part = converted(tmp_path, *rows, category=None, attributes={"Brand": "brand"}, specs="specs", order=order)
    assert json.loads(targets(part, "attributes")[0]) == {"Brand": brand}
    assert part.tally.noted == {f"attribute in {order[0]} and, differing, in {order[1]}: the first counts": 1}


def test_a_value_that_is_not_in_the_text_is_left_out_or_implicit(tmp_path: Path) -> None:
    row = {"title": "Red mugs", "color": "red", "size": "M"}  # an M is in "mugs", but not as a word
    options = {"category": None, "attributes": {"Color": "color", "Size": "size"}}
    part = converted(tmp_path, row, **options)
    assert targets(part, "attributes") == ['{"Color": "red"}']
    assert part.tally.noted == {"attribute 'Size' left out: its value is not in the text": 1}
    part = converted(tmp_path, row, **options, implicit=True)
    assert targets(part, "attributes") == ['{"Color": "red", "Size": "M"}']
    assert part.rows[0].extra["implicit"] == ["Size"]


def test_categories_outside_the_taxonomy_are_told_with_the_nearest_place(tmp_path: Path, taxonomy: str) -> None:
    cells = ["home and garden > Kitchen & Dining > Mugs and Cups", "Home & Garden > Kitchen and Dining",
             "HOME & GARDEN > Rugs", "Shop > Accessories", "Home & Garden > Decor > Rugz", "Tyres", "Rugs"]  # fmt: skip
    part = converted(tmp_path, *({"category": cell} for cell in [*cells, "Apparel"]), taxonomy=taxonomy)
    assert targets(part) == ["Apparel"] and part.rows[0].extra == {"taxonomy": "2021-09-21"}
    assert part.tally.rejected == {
        "category not in the taxonomy: renamed": 2,
        "category not in the taxonomy: moved": 1,
        "category not in the taxonomy: its last name alone is": 2,
        "category not in the taxonomy: unknown": 2,
    }
    assert any(reason.endswith("nearest to 'Rugs': 'Home & Garden > Decor > Rugs'") for _, reason in part.rejects)
    part = converted(tmp_path, *({"category": cell} for cell in cells), taxonomy=taxonomy, remap=True)
    assert targets(part) == ["Home & Garden > Kitchen & Dining", "Home & Garden > Decor > Rugs"]
    assert part.tally.noted == {
        "category renamed in the taxonomy: remapped": 1,
        "category moved in the taxonomy: remapped": 1,
    }


def test_a_category_that_is_left_out_of_a_used_row_is_told_too(tmp_path: Path, taxonomy: str) -> None:
    row = {"title": "Red mug", "color": "red", "category": "Home > Rugs"}
    part = converted(tmp_path, row, taxonomy=taxonomy, attributes={"Color": "color"})
    reason = "no category path: category not in the taxonomy: its last name alone is"
    assert part.tally.used == 1 and part.tally.noted == {reason: 1}
    assert [reason for _, reason in part.rejects] == ["nearest to 'Home > Rugs': 'Home & Garden > Decor > Rugs'"]


def test_children_of_the_tree_are_listed_level_by_level(tmp_path: Path, taxonomy: str) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text(json.dumps({"id": "1", "title": "Mug", "category": "Home & Garden > Decor"}) + "\n")
    options = {"taxonomy": taxonomy}
    [row] = convert(Entry(source="catalog", paths=[str(path)], tasks=["category_levels"], options=options)).rows
    asked = [turn.content.partition("\n")[0] for turn in row.messages[::2]]
    assert asked[0].endswith("Choose from: Home & Garden | Apparel")
    assert asked[1:] == ["[CLASSIFY] Kitchen & Dining | Decor", "[CLASSIFY] Rugs"]


def test_a_mapping_file_names_the_columns_and_an_option_wins(tmp_path: Path) -> None:
    mapping = tmp_path / "shop.yaml"
    mapping.write_text("title: name\ncategory: [a, b]\nattributes: {Color: color}\n")
    row = {"name": "Red mug", "a": "Home", "b": "Mugs", "color": "red"}
    part = converted(tmp_path, row, mapping=str(mapping))
    assert targets(part) == ["Home > Mugs"] and targets(part, "attributes") == ['{"Color": "red"}']
    assert targets(converted(tmp_path, row, mapping=str(mapping), category="b")) == ["Mugs"]
    mapping.write_text("titel: name\n")
    with pytest.raises(InputError, match=r"shop.yaml: source 'catalog' has no option 'titel'; did you mean 'title'"):
        converted(tmp_path, row, mapping=str(mapping))
    with pytest.raises(InputError, match=r"no.yaml: no such file"):
        converted(tmp_path, row, mapping=str(tmp_path / "no.yaml"))


def test_a_wrong_order_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found order \['specs'\], expected columns and specs"):
        converted(tmp_path, {"category": "A"}, order=["specs"])


LETTERS = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"))
WORD = (
    st.text(LETTERS, min_size=1, max_size=12)
    .map(composed)
    .filter(lambda text: not set(text) & set("&<[") and text.strip() == text and text not in VALUE_KEYS + UNIT_KEYS)
)
PAIRS = st.dictionaries(WORD, st.lists(WORD, min_size=1, max_size=3, unique=True).map(tuple), min_size=1, max_size=5)


def ruby(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "\\#") + '"'


@given(PAIRS)
def test_what_is_written_as_json_or_ruby_is_read_back(pairs: dict[str, tuple[str, ...]]) -> None:
    flat = [(key, value) for key, values in pairs.items() for value in values]
    assert parse_specs(json.dumps(pairs)) == pairs
    assert parse_specs(json.dumps([{"name": key, "value": value} for key, value in flat])) == pairs
    hashes = ", ".join(f'{{"key"=>{ruby(key)}, :value=>{ruby(value)}, "unit"=>nil}}' for key, value in flat)
    assert parse_specs(f'{{"specification"=>[{hashes}]}}') == pairs


@given(PAIRS.map(lambda pairs: {k: v for k, v in pairs.items() if not set(k) & set(":;|{[")}).filter(bool))
def test_what_is_written_as_lines_is_read_back(pairs: dict[str, tuple[str, ...]]) -> None:
    for mark in ("\n", "<br/>"):
        assert (
            parse_specs(mark.join(f"{key}: {value}" for key, values in pairs.items() for value in values) + mark)
            == pairs
        )


@given(st.text() | st.text(st.sampled_from("{}[]\"'=>:;,|\\ nil\n"), max_size=60))
def test_no_cell_stops_it(cell: str) -> None:
    assert all(name and values for name, values in parse_specs(cell).items())
    parse_specs("[" * 10_000 + cell)


def test_every_category_is_matched_once_and_the_whole_tree_to_itself(real: Path) -> None:
    tree = load(real / "google_taxonomy" / "taxonomy-with-ids.en-US.2021-09-21.txt")
    assert len(tree.paths) == 5595
    lower = [tuple(name.lower() for name in path) for path in tree.paths]
    kinds = Counter(tree.match(path).kind for path in lower)
    assert kinds == {"renamed": 5595}


def test_real_shop(real: Path) -> None:
    options = {"id": "uniq_id", "title": "product_name", "category": "product_category_tree", "specs": "product_specifications",
               "texts": {"Description": "description"}, "attributes": {"Brand": "brand"}}  # fmt: skip
    path = real / "own_catalog" / "flipkart_999.csv"
    part = convert(Entry(source="catalog", paths=[str(path)], options=options))
    assert (part.tally.read, part.tally.used) == (4994, 999) and part.tally.rejected == {"blank line": 3995}
    assert len(targets(part, "attributes")) == 897
    tree = real / "google_taxonomy" / "taxonomy-with-ids.en-US.2021-09-21.txt"
    part = convert(Entry(source="catalog", paths=[str(path)], options={**options, "taxonomy": str(tree)}))
    assert part.tally.read == 4994 == part.tally.used + part.tally.rejected.total()


def test_a_json_row_may_leave_a_column_out_and_a_file_may_not(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": f"Red pot {n}", "category": "Home", "colour": "Red"} for n in range(4)]
    del rows[0]["colour"], rows[2]["category"], rows[3]["title"]
    (tmp_path / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = convert(
        Entry(source="catalog", paths=[str(tmp_path / "shop.jsonl")], options={"attributes": {"Colour": "colour"}})
    )
    assert [row.task for row in part.rows] == ["category", "category", "attributes", "attributes"]
    assert (part.tally.read, part.tally.used, part.tally.rejected) == (4, 3, {"no title": 1})
    with pytest.raises(InputError, match="no column 'color'; did you mean 'colour'"):
        convert(
            Entry(source="catalog", paths=[str(tmp_path / "shop.jsonl")], options={"attributes": {"Colour": "color"}})
        )
