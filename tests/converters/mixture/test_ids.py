"""Rows of two files or entries that have one id are two rows; those of one file are counted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.cli import main
from converters.examples import read_rows
from converters.mixture.plan.decisions import SAME
from converters.schema import MANIFEST
from tests.converters._mixed import build, splits_of

GARDEN = [
    ("1", "Steel rake", "Garden > Tools"),
    ("2", "Clay pot", "Garden > Pots"),
    ("3", "Hose reel", "Garden > Water"),
]
TOYS = [
    ("1", "Wooden train", "Toys > Trains"),
    ("2", "Kite of silk", "Toys > Kites"),
    ("4", "Doll house", "Toys > Dolls"),
]


def table(path: Path, rows: list[tuple[str, str, str]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in ["id,title,category", *map(",".join, rows)]), "utf-8")
    return str(path)


def entry(*paths: str, **keys: Any) -> dict[str, Any]:
    return {"source": "catalog", "paths": [*paths], **keys}


def built(folder: Path, entries: list[dict[str, Any]], out: str = "mix") -> tuple[dict[str, str], dict[str, Any]]:
    """Return the titles of the training rows by id, and the manifest."""
    done = build(folder, entries, out=out, splits={})
    assert done.exit_code == 0, done.output
    titles = {row.id: row.messages[0].content.rpartition(": ")[2] for row in splits_of(folder / out, "train")}
    return titles, json.loads((folder / out / MANIFEST).read_text())


def converted(out: Path, *paths: str) -> tuple[list[str], dict[str, Any], str]:
    done = CliRunner().invoke(main, ["convert", "catalog", *paths, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return (
        [row.id for row in read_rows(out)],
        json.loads(out.with_name(out.name + ".manifest.json").read_text()),
        done.output,
    )


def test_two_shops_keep_all_their_rows_whatever_their_folder_and_order(tmp_path: Path) -> None:
    shops = [entry(table(tmp_path / "a" / "shop.csv", GARDEN)), entry(table(tmp_path / "b" / "shop.csv", TOYS))]
    titles, manifest = built(tmp_path, shops)
    assert sorted(titles.values()) == sorted(title for _, title, _ in GARDEN + TOYS) and manifest["rejected"] == {}
    assert Counter(i.partition("~")[0] for i in titles) == {
        f"catalog:category:{n}": c for n, c in zip("1234", (2, 2, 1, 1), strict=True)
    }
    assert {i for i in titles if "~" not in i} == {"catalog:category:3", "catalog:category:4"}
    table(tmp_path / "other" / "x.csv", GARDEN), table(tmp_path / "other" / "y.csv", TOYS)
    turned, _ = built(tmp_path, [entry(str(tmp_path / "other" / f"{name}.csv")) for name in "yx"], out="again")
    assert turned == titles


def test_files_of_one_entry_do_too_in_a_mixture_and_alone(tmp_path: Path) -> None:
    paths = table(tmp_path / "garden.csv", GARDEN), table(tmp_path / "toys.csv", TOYS)
    titles, _ = built(tmp_path, [entry(*paths)])
    ids, account, _ = converted(tmp_path / "out.jsonl", *paths)
    assert len(ids) == len({*ids}) == 6 and {*ids} == {*titles}
    assert account["used"] == 6 and list(account["noted"].values()) == [4]
    ids, account, _ = converted(tmp_path / "one.jsonl", paths[0])
    assert ids == [f"catalog:category:{number}" for number in "123"] and account["noted"] == {}


def test_one_file_with_an_id_twice_is_counted_in_any_order_of_the_entries(tmp_path: Path) -> None:
    twice = table(tmp_path / "twice.csv", [*GARDEN, ("3", "Hose reel of brass", "Garden > Water")])
    other = table(tmp_path / "other.csv", [("3", "Hose reel", "Garden > Water"), *TOYS])
    one, manifest = built(tmp_path, [entry(twice), entry(other)])
    assert "Hose reel of brass" not in one.values() and len(one) == 6
    assert manifest["sources"][0]["dropped"] == {SAME: 1}
    assert manifest["read"] == manifest["used"] + sum(manifest["rejected"].values()) == 8
    assert built(tmp_path, [entry(other), entry(twice)], out="turned")[0] == one


def test_one_file_in_two_entries_that_show_different_texts(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,category,note\n7,Steel rake,Garden > Tools,Ash handle\n", "utf-8")
    entries = [entry(str(path)), entry(str(path), options={"texts": {"Note": "note"}})]
    titles, manifest = built(tmp_path, entries)
    assert len(titles) == 2 and manifest["used"] == 2
    assert not any("same bytes" in line for account in manifest["sources"] for line in account["seen"])


def test_two_languages_of_a_taxonomy_are_two_rows_of_a_group(tmp_path: Path) -> None:
    for language, name in (("en", "Kettles"), ("de", "Wasserkocher")):
        text = f"# Google_Product_Taxonomy_Version: 2021-09-21\n1 - Home\n2 - Home > {name}\n"
        (tmp_path / f"{language}.txt").write_text(text, "utf-8")
    entries = [{"source": "google_taxonomy", "paths": [str(tmp_path / f"{name}.txt")]} for name in ("en", "de")]
    titles, manifest = built(tmp_path, entries)
    assert sorted(titles.values()) == ["Home", "Kettles", "Wasserkocher"]  # and Home is the same row in both
    assert manifest["splits"]["train"]["groups"] == 2


def test_judgements_of_two_shops_with_numbers_for_products(tmp_path: Path) -> None:
    head = "query,product_id,product_locale,esci_label,small_version,large_version,split,product_title"
    for name, titles in (("a", ("Red mug", "Mug tree")), ("b", ("Crimson cup", "Mug rug"))):
        rows = [
            f"red mug,{n},us,{label},1,1,train,{title}" for n, title, label in zip((1, 2), titles, "EI", strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *rows]), "utf-8")
    paths = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    apart, manifest = built(tmp_path, [{"source": "esci", "paths": [path]} for path in paths])
    assert manifest["used"] == 4 and Counter(i.split(":")[1] for i in apart) == {"choice": 4, "yes_no": 4, "ranking": 2}
    together, manifest = built(tmp_path, [{"source": "esci", "paths": paths}], out="one")
    assert manifest["used"] == 4 and Counter(i.split(":")[1] for i in together) == {
        "choice": 4,
        "yes_no": 4,
        "ranking": 1,
    }


def test_parents_of_two_shops_with_one_number_are_two_products(tmp_path: Path) -> None:
    for name, title in (("a", "Wool hat"), ("b", "Oak shelf")):
        rows = [f"{n},5,{title} {size},Shop > {title}\n" for n, size in ((1, "small"), (2, "large"))]
        (tmp_path / f"{name}.csv").write_text("id,parent,title,category\n" + "".join(rows), "utf-8")
    options = {"group": "parent"}
    entries = [entry(str(tmp_path / f"{n}.csv"), options=options, split=s) for n, s in (("a", "test"), ("b", "train"))]
    titles, manifest = built(tmp_path, entries)
    assert sorted(titles.values()) == ["Oak shelf large", "Oak shelf small"] and manifest["rejected"] == {}


def test_a_product_of_two_shops_is_one_group_by_its_title(tmp_path: Path) -> None:
    shops = [
        entry(table(tmp_path / f"{n}.csv", [(n, title, "Home > Lamps")]))
        for n, title in (("1", "Gold LAMP"), ("2", "gold lamp!"))
    ]
    built(tmp_path, shops)
    assert len({row.group for row in splits_of(tmp_path / "mix", "train")}) == 1


def test_a_replayed_row_keeps_its_id_and_a_new_one_gets_another(tmp_path: Path) -> None:
    built(tmp_path, [entry(table(tmp_path / "a.csv", GARDEN))], out="old")
    replay = {"source": "mix", "paths": [str(tmp_path / "old")]}
    titles, _ = built(tmp_path, [entry(table(tmp_path / "b.csv", TOYS)), replay])
    assert titles["catalog:category:1"] == "Steel rake" and len(titles) == 6
    assert [title for i, title in titles.items() if i.startswith("catalog:category:1~")] == ["Wooden train"]


def test_demonstrations_and_repeated_rows_bear_the_ids_that_are_written(tmp_path: Path) -> None:
    shops = [
        [(str(n), f"{shop} item {'abcdefgh'[n]}{shop}", "Shop > Big" if n else "Shop > Small") for n in range(8)]
        for shop in ("ox", "elk")
    ]
    entries = [
        entry(table(tmp_path / f"{n}.csv", rows), few_shot=1, tasks=["category"]) for n, rows in enumerate(shops)
    ]
    done = build(tmp_path, entries, splits={}, balance={"tasks": ["category"], "cap": 3})
    assert done.exit_code == 0, done.output
    rows = splits_of(tmp_path / "mix", "train")
    ids = {row.id for row in rows}
    assert len(ids) == len(rows) > 16 and {i for row in rows for i in row.extra["examples"]} <= ids


@pytest.mark.parametrize("named", ["twice", "pattern", "link", "copy"])
def test_a_file_that_is_named_twice_is_told_and_read_once(tmp_path: Path, named: str) -> None:
    path = Path(table(tmp_path / "in" / "garden.csv", GARDEN))
    again = {
        "twice": path,
        "pattern": path.parent / "*.csv",
        "link": tmp_path / "link.csv",
        "copy": tmp_path / "copy.csv",
    }[named]
    if named == "link":
        again.symlink_to(path)
    elif named == "copy":
        again.write_bytes(path.read_bytes())
    ids, account, said = converted(tmp_path / "out.jsonl", str(path), str(again))
    told = f"{again}: has the same bytes as {path}" if named == "copy" else f"{path}: is named 2 times and read once"
    assert told in said and len(ids) == 3
    assert (account["read"], account["used"], account["dropped"]) == (3, 3, {})


def test_a_file_of_two_entries_is_told_and_its_rows_are_counted(tmp_path: Path) -> None:
    paths = [table(tmp_path / name, GARDEN) for name in ("a.csv", "b.csv")]
    titles, manifest = built(tmp_path, [entry(path) for path in paths])
    assert len(titles) == 3 and manifest["used"] == 3 and manifest["read"] == 6
    assert f"{paths[1]}: has the same bytes as {paths[0]}, which entry 1" in " ".join(manifest["sources"][1]["seen"])
    assert not any("same bytes" in line for line in manifest["sources"][0]["seen"])
