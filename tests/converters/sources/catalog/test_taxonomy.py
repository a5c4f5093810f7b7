"""A shop's categories under a taxonomy: Shopify's ids, an earlier release, a mapping to Google's, a category's attributes."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters import sources
from converters.core.errors import InputError
from converters.mixture.spec import Entry
from tests.converters._converted import Converted, convert

GID = "gid://shopify/TaxonomyCategory/"
OLD = {
    "vv": "Yard",
    "vv-1": "Yard > Rakes",
    "vv-1-1": "Yard > Rakes > Leaf",
    "vv-2": "Yard > Hoses",
    "vv-3": "Yard > Pots",
}
NEW = {
    "vv": "Yard", "vv-1": "Yard > Rakes & Hoes", "vv-1-1": "Yard > Rakes & Hoes > Leaf", "vv-3": "Yard > Pots",
    "vv-4": "Yard > Rakes", "vv-5": "Yard > Water > Hoses",
}  # fmt: skip


def release(path: Path, nodes: dict[str, str], name: str) -> str:
    head = f"# Shopify Product Taxonomy - Categories: {name}\n# Format: {{GID}} : ...\n\n"
    path.write_text(head + "".join(f"{GID}{identifier:<9} : {names}\n" for identifier, names in nodes.items()), "utf-8")
    return str(path)


def converted(folder: Path, cells: list[str], **options: Any) -> Converted:
    rows = [{"id": str(n), "title": f"Thing number {n}", "category": cell} for n, cell in enumerate(cells)]
    return of(folder, rows, **options)


def of(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Converted:
    (folder / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return convert(Entry(source="catalog", paths=[str(folder / "shop.jsonl")], options={"preset": "none", **options}))


def targets(part: Converted) -> list[str]:
    return [row.target for row in part.rows if row.task == "category"]


@pytest.mark.parametrize("prefix", ["", GID])
def test_shopifys_ids_are_paths(prefix: str, tmp_path: Path) -> None:
    tree = release(tmp_path / "new.txt", NEW, "2025-03")
    part = converted(tmp_path, [f"{prefix}vv-1-1", f"{prefix}vv-3", f"{prefix}vv-2"], taxonomy=tree)
    assert targets(part) == ["Yard > Rakes & Hoes > Leaf", "Yard > Pots"]
    assert part.tally.rejected == {"category id not in the taxonomy": 1} and part.rows[0].extra == {
        "taxonomy": "2025-03"
    }


def test_a_category_of_an_earlier_release_moves_by_its_id(tmp_path: Path) -> None:
    new, old = (release(tmp_path / f"{name}.txt", nodes, name) for name, nodes in (("2025-03", NEW), ("2024-07", OLD)))
    cells = ["Yard > Rakes", "Yard > Rakes > Leaf", "Yard > Pots", "Yard > Hoses", f"{GID}vv-2", "Yard > Water > Hoses"]
    part = converted(tmp_path, cells, taxonomy=new, previous=old)
    # "Yard > Rakes" is a path of the new release, too, but of another node.
    assert targets(part) == ["Yard > Rakes & Hoes", "Yard > Rakes & Hoes > Leaf", "Yard > Pots", "Yard > Water > Hoses"]
    assert part.tally.noted == {
        "category renamed since 2024-07: has its new path": 1,
        "category under another name since 2024-07: has its new path": 1,
    }
    assert part.tally.rejected == {"category gone from the taxonomy": 2}
    gone = "'Yard > Hoses' (id vv-2) of 2024-07 is not in 2025-03; nearest: 'Yard > Water > Hoses'"
    assert [reason for _, reason in part.rejects] == [f"category gone from the taxonomy; {gone}"] * 2


def test_an_id_that_the_taxonomy_has_is_right_whatever_its_path_was(tmp_path: Path) -> None:
    new, old = (release(tmp_path / f"{name}.txt", nodes, name) for name, nodes in (("2025-03", NEW), ("2024-07", OLD)))
    cells = ["vv-4", f"{GID}vv-4 : Yard > Rakes", json.dumps([f"{GID}vv-4"]), "Yard > Rakes"]
    part = converted(tmp_path, cells, taxonomy=new, previous=old)
    assert targets(part) == [*["Yard > Rakes"] * 3, "Yard > Rakes & Hoes"]


def test_googles_numbers_move_to_another_parent(tmp_path: Path) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text(
        "# Google_Product_Taxonomy_Version: 2019-07-10\n1 - Yard\n8 - Pets\n9 - Yard > Coops\n7 - Yard > Sieves\n"
    )
    new.write_text("# Google_Product_Taxonomy_Version: 2021-09-21\n1 - Yard\n8 - Pets\n9 - Pets > Coops\n")
    part = converted(tmp_path, ["Yard > Coops", "9", "7", "Yard"], taxonomy=str(new), previous=str(old))
    assert targets(part) == ["Pets > Coops", "Pets > Coops", "Yard"]
    assert part.tally.noted == {"category moved since 2019-07-10: has its new path": 1}, (
        "the number is looked up at once"
    )
    assert part.tally.rejected == {"category gone from the taxonomy": 1}


TEXT = """# Shopify Product Taxonomy - Mapping shopify/2025-03 to google/2021-09-21
# Format:
# → {base taxonomy category name}
# ⇒ {mapped taxonomy category name}

→ Yard > Rakes & Hoes
⇒ Lawn > Hand Tools

→ Yard > Rakes & Hoes > Leaf
⇒ Lawn > Hand Tools
"""
RULES = [
    {
        "input": {"category": {"id": GID + "vv-1", "full_name": "Yard > Rakes & Hoes"}},
        "output": {"category": [{"id": "77", "full_name": "Lawn > Hand Tools"}]},
    },
    {
        "input": {"category": {"id": GID + "vv-1-1", "full_name": "Yard > Rakes & Hoes > Leaf"}},
        "output": {"category": [{"id": "77", "full_name": "Lawn > Hand Tools"}]},
    },
]


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_shopifys_categories_become_googles(ending: str, tmp_path: Path) -> None:
    google, rules = tmp_path / "google.txt", tmp_path / f"shopify_2025-03_to_google_2021-09-21.{ending}"
    google.write_text("# Google_Product_Taxonomy_Version: 2021-09-21\n5 - Lawn\n77 - Lawn > Hand Tools\n")
    one = {"input_taxonomy": "shopify/2025-03", "output_taxonomy": "google/2021-09-21", "rules": RULES}
    rules.write_text(TEXT if ending == "txt" else json.dumps({"version": "2025-03", "mappings": [one]}), "utf-8")
    cells = ["Yard > Rakes & Hoes > Leaf", "Yard > Rakes & Hoes", "Lawn", "Yard > Pots", GID + "vv-1-1"]
    part = converted(tmp_path, cells, taxonomy=str(google), previous=str(rules))
    by_id = ending == "json"
    assert targets(part) == ["Lawn > Hand Tools", "Lawn > Hand Tools", "Lawn"] + ["Lawn > Hand Tools"] * by_id
    assert part.rows[0].extra == {"taxonomy": "2021-09-21"}
    assert part.tally.noted == {"category has its path in the other taxonomy": 2 + by_id}
    assert part.tally.rejected["category not in the taxonomy: unknown"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"previous": "old.txt"}, "option previous: needs taxonomy"),
        ({"schema": "all.json"}, "option schema: needs taxonomy"),
        ({"taxonomy": "new.txt", "previous": "other.txt"}, "other.txt: has no id of the taxonomy"),
        ({"taxonomy": "new.txt", "previous": "empty.json"}, "empty.json: found 0 mappings, expected one"),
        ({"taxonomy": "new.txt", "schema": "attributes.json"}, "attributes.json: has no categories: name both files"),
        ({"taxonomy": "new.txt", "schema": ["categories.json"]}, "categories.json: has no attributes with values"),
        ({"taxonomy": "old.txt", "schema": "all.json"}, "is of release '2025-03', the taxonomy of '2024-07'"),
        ({"taxonomy": "new.txt", "schema": ["categories.json", "old.json"]}, "of the releases 2024-07, 2025-03"),
        ({"taxonomy": "new.txt", "schema": "new.txt"}, "not a file of Shopify's taxonomy"),
    ],
)
def test_files_that_do_not_fit_are_a_sentence(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    release(tmp_path / "new.txt", NEW, "2025-03")
    release(tmp_path / "old.txt", OLD, "2024-07")
    release(tmp_path / "other.txt", {"zz": "Pets"}, "2024-07")
    (tmp_path / "empty.json").write_text('{"mappings": []}')
    for name, (release_of, parts) in {
        "all": ("2025-03", CATEGORIES | ATTRIBUTES), "categories": ("2025-03", CATEGORIES), "attributes": ("2025-03", ATTRIBUTES),
        "old": ("2024-07", ATTRIBUTES),
    }.items():  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": release_of, **parts}), "utf-8")
    named = {
        key: [str(tmp_path / name) for name in value] if isinstance(value, list) else str(tmp_path / value)
        for key, value in options.items()
    }
    with pytest.raises(InputError, match=sentence):
        converted(tmp_path, ["Yard"], **named)


def asked(*names: str, extended: bool = False) -> list[dict[str, Any]]:
    return [{"id": "x", "name": name, "handle": name.lower().replace(" ", "-"), "extended": extended} for name in names]


def category(identifier: str, path: str, *names: str) -> dict[str, Any]:
    return {"id": GID + identifier, "level": 1, "full_name": path, "parent_id": None, "attributes": asked(*names)}


def values(name: str, *options: str, extended: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        **asked(name)[0],
        "values": [{"id": "y", "name": option} for option in options],
        "extended_attributes": asked(*extended),
    }


CATEGORIES = {
    "verticals": [
        {
            "name": "Yard",
            "prefix": "vv",
            "categories": [
                category("vv", "Yard"),
                category("vv-1", "Yard > Rakes & Hoes", "Color", "Handle material", "Tine count"),
                category("vv-3", "Yard > Pots", "Color", "Pot shape"),
            ],
        }
    ]
}
ATTRIBUTES = {
    "attributes": [
        values("Color", "Red", "Off-white", "Multi (all colors)"),
        values("Accessory material", "Ash wood", "Stainless steel", extended=("Handle material",)),
        values("Pot shape", "Round", "Square/Rectangular"),
        {
            "id": "z",
            "name": "Tine count",
            "handle": "tine-count",
            "measurement_type": "count",
            "extended_attributes": [],
        },
    ]
}


def schema(folder: Path) -> dict[str, Any]:
    """Write a release and its attributes; return the options that name them."""
    for name, part in (("categories", CATEGORIES), ("attributes", ATTRIBUTES)):
        (folder / f"{name}.json").write_text(json.dumps({"version": "2025-03", **part}), "utf-8")
    files = [str(folder / f"{name}.json") for name in ("categories", "attributes")]
    return {"taxonomy": release(folder / "new.txt", NEW, "2025-03"), "schema": files}


def product(title: str, path: str, **cells: str) -> dict[str, Any]:
    return {"id": title, "title": title, "category": path, **cells}


def extracted(part: Converted) -> list[Any]:
    return [json.loads(row.target) for row in part.rows if row.task == "attributes"]


def test_a_product_is_asked_for_the_attributes_of_its_category(tmp_path: Path) -> None:
    rows = [
        product("Red rake", "Yard > Rakes & Hoes", colour="red", wood="", maker="Fjord"),
        product(
            "Red rake with a handle of ash-wood", "Yard > Rakes & Hoes", colour="Red", wood="ash-wood", maker="Red"
        ),
        product("Off white pot", "vv-3", colour="off-white", wood="ash", maker=""),
        product("Square red pot", "Yard > Pots", colour="red", wood="", maker=""),
        product("Pot of clay", "Yard > Pots", colour="", wood="", maker=""),
        product("Red pot", "Elsewhere", colour="red", wood="", maker=""),
    ]
    columns = {"colors": "colour", "handle-material": "wood", "Brand": "maker"}
    part = of(tmp_path, rows, attributes=columns, **schema(tmp_path))
    assert extracted(part) == [
        {"Color": "red", "Handle material": None},
        {"Color": "Red", "Handle material": "ash-wood"},
        {"Color": "Off white", "Pot shape": None},
        {"Color": "red"},
    ]
    assert part.tally.noted == {
        "attribute 'Brand' left out: its category has none of this name": 1,
        "attribute 'Brand' left out: its value is not in the text": 1,
        "attribute 'handle-material' left out: its value is not in the text": 1,
        "attribute of the category left out: the shop does not state it, the text may": 3,  # tines twice, and "Square"
        "attributes left out: the shop states none of its category's": 1,
        "attributes left out: no category with attributes": 1,
    }


def test_a_value_in_the_text_is_never_asked_as_null(tmp_path: Path) -> None:
    rows = [
        product(f"Red rake, {text}", "Yard > Rakes & Hoes", color="red")
        for text in ("ASH WOOD", "ash-wood handle", "of stainless steels", "aluminium")
    ]
    part = of(tmp_path, rows, attributes={"Color": "color"}, **schema(tmp_path))
    assert extracted(part) == [{"Color": "red"}] * 3 + [{"Color": "red", "Handle material": None}]


def test_a_shopify_export_is_asked_by_metafields_of_any_language(tmp_path: Path) -> None:
    farbe, griff = (
        f"{name} (product.metafields.shopify.{key})"
        for name, key in (("Farbe", "color-pattern"), ("Griff", "handle-material"))
    )
    row = product("Rechen, Red, mit Stiel aus Ash Wood", "Yard > Rakes & Hoes", **{farbe: "red", griff: "ash-wood"})
    part = of(tmp_path, [row], attributes={"Farbe": farbe, "Stielmaterial": griff}, **schema(tmp_path))
    assert extracted(part) == [{"Color": "red", "Handle material": "Ash Wood"}]


def test_a_file_of_the_schema_makes_a_built_mixture_stale(tmp_path: Path) -> None:
    options = schema(tmp_path)
    found = sources.option_files("catalog", options)
    assert [path.name for path in found] == ["new.txt", "categories.json", "attributes.json"]


TREE = {
    "ab": "Yard", "ab-1": "Yard > Water", "ab-1-1": "Yard > Water > Butts", "ab-2": "Yard > Accessories", "cd": "Kitchen",
    "cd-1": "Kitchen > Accessories", "cd-1-1": "Kitchen > Accessories > Covers", "cd-2": "Kitchen > Plates",
    "ef": "台所", "ef-1": "台所 > 食器", "ef-1-1": "台所 > 食器 > 皿",
}  # fmt: skip


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("YARD > Rain > butts", "Yard > Water > Butts"),  # the first node agrees
        ("Garden > water > Butts", "Yard > Water > Butts"),  # one that stands once in the taxonomy does
        ("台所 > 皿", "台所 > 食器 > 皿"),
        ("Gym > Plates", None),
        ("Plates", None),  # nothing above it can agree
        ("写真 > 皿", None),
        ("Phones > Accessories > Covers", None),  # "Accessories" of what?
        ("Kitchen > Accessories > Covers", "Kitchen > Accessories > Covers"),
    ],
)
def test_a_last_name_alone_is_not_the_same_category(category: str, expected: str | None, tmp_path: Path) -> None:
    tree = release(tmp_path / "tree.txt", TREE, "2025-03")
    part = converted(tmp_path, [category, "Yard"], taxonomy=tree, remap=True)
    assert targets(part) == [*([expected] if expected else []), "Yard"]
    if not expected:
        assert part.tally.rejected == {"category not in the taxonomy: its last name alone is": 1}
        assert part.rejects[0][1].endswith(f"nearest to {category!r}: {_nearest(category)!r}")


def _nearest(category: str) -> str:
    return next(path for path in TREE.values() if path.endswith(category.rpartition(" > ")[2]))
