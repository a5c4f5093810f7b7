"""Taxonomies: ids and paths of Google's and Shopify's releases, and what changed between two of them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converters import cli
from converters.core.errors import InputError
from converters.mixture.spec import Entry
from converters.sources import google_taxonomy, shopify_taxonomy
from converters.sources.catalog.taxonomy import load
from converters.sources.google_taxonomy import Taxonomy, changes
from tests.converters._converted import convert

GID = "gid://shopify/TaxonomyCategory/"


def google(path: Path, *lines: str, release: str = "2019-07-10") -> Path:
    path.write_text("\n".join([f"# Google_Product_Taxonomy_Version: {release}", *lines, ""]), "utf-8")
    return path


def shopify(path: Path, *lines: str, release: str = "2024-07", width: int = 40) -> Path:
    """Write lines of ``id : path`` as Shopify does, the ids padded."""
    head = [f"# Shopify Product Taxonomy - Categories: {release}", "# Format: {GID} : {Ancestor name} > ...", ""]
    pairs = (line.split(" : ") for line in lines)
    path.write_text("\n".join([*head, *(f"{GID + name:<{width}} : {names}" for name, names in pairs), ""]), "utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words])


def test_an_id_gives_its_path_and_one_that_is_gone_nothing(fixtures: Path) -> None:
    tree = google_taxonomy.load(fixtures / "google_taxonomy.txt")
    assert tree.by_id(" 12 ") == ("Home & Garden", "Kitchen, Dining & Bar")
    assert tree.by_id("13") == tree.by_id("") == tree.by_id("a line that is no category") == ()


@pytest.mark.parametrize("numbers", [True, False])
def test_googles_file_is_read_with_ids_and_without_and_lines_of_the_other_form_are_counted(
    numbers: bool, tmp_path: Path
) -> None:
    paths = ["Haus & Garten", "Haus & Garten > Küche > Töpfe", "Haus & Garten > Küche", "日用品", "日用品 > 鍋 - 大"]
    lines = [f"{n} - {path}" if numbers else path for n, path in enumerate(paths, 7)]
    other = "Haus & Garten > Lampen" if numbers else "99 - Haus & Garten > Lampen"
    path = google(
        tmp_path / "taxonomy.de-DE.txt", *lines, other, "", "# ende", "Haus & Garten > > Lampen", release="2021-09-21"
    )
    part = convert(Entry(source="google_taxonomy", paths=[str(path)]))
    assert [row.target for row in part.rows] == paths
    assert part.tally.rejected == {"not 'id - A > B'" if numbers else "not 'A > B'": 4} and part.tally.read == 9
    tree = load(path)
    assert tree.release == "2021-09-21" and tree.paths == {tuple(path.split(" > ")) for path in paths}
    assert tree.by_id("7") == (("Haus & Garten",) if numbers else ()) and tree.by_id("") == ()
    assert tree.children(("Haus & Garten",))[1] == ("Küche",)


def test_a_shop_is_checked_against_googles_file_without_ids(tmp_path: Path) -> None:
    tree = google(tmp_path / "taxonomy.txt", "Home", "Home > Mugs")
    (tmp_path / "shop.csv").write_text("id,title,category\n1,Red mug,Home > Mugs\n2,Pan,Home > Pans\n", "utf-8")
    part = convert(Entry(source="catalog", paths=[str(tmp_path / "shop.csv")], options={"taxonomy": str(tree)}))
    assert [row.target for row in part.rows] == ["Home > Mugs"] and part.tally.rejected.total() == 1


def test_shopifys_ids_are_known_with_and_without_their_prefix(fixtures: Path) -> None:
    tree = shopify_taxonomy.load(fixtures / "shopify_taxonomy.txt")
    assert tree.release == "2025-03" and tree.by_id("qa-1-2") == tree.by_id(GID + "qa-1-2")
    assert tree.by_id(GID + "qa-1-2") == ("Workshop & Yard", "Hand Tools", "Pliers")
    assert tree.ids["Workshop & Yard", "Wheelbarrows"] == "qa-3" and not tree.by_id("qa-9")


@pytest.mark.parametrize("width", [0, 34, 60])
def test_padding_languages_and_line_ends_do_not_matter(width: int, tmp_path: Path) -> None:
    path = shopify(tmp_path / "categories.txt", "zz : Werkstatt", "zz-1 : Werkstatt > Zangen & Scheren", width=width)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    tree = load(path)
    assert tree.paths == {("Werkstatt",), ("Werkstatt", "Zangen & Scheren")} and tree.by_id("zz-1")[-1].startswith(
        "Zang"
    )


def test_shopifys_taxonomy_is_a_source(fixtures: Path) -> None:
    part = convert(Entry(source="shopify_taxonomy", paths=[str(fixtures / "shopify_taxonomy.txt")]))
    assert [row.target.rpartition(" > ")[2] for row in part.rows] == [
        "Workshop & Yard",
        "Hand Tools",
        "Pliers",
        "Wheelbarrows",
    ]
    assert part.rows[1].id == "shopify_taxonomy:category:qa-1" and part.rows[1].extra == {"taxonomy": "2025-03"}
    assert part.tally.rejected == {"name stands under several parents": 2, "not 'gid : A > B'": 1}
    assert part.rejects[-1][0].endswith("shopify_taxonomy.txt:10"), "the line is that of the file"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "id,title\n1,Mug\n",
            "expected '# Google_Product_Taxonomy_Version:' and a date, or '# Shopify Product Taxonomy",
        ),
        ("# Shopify Product Taxonomy - Categories: 2024-07\n\n# nothing\n", "no category; expected lines such as 'gid"),
        ("# Google_Product_Taxonomy_Version: 2021-09-21\n", "no category; expected lines such as '1 - Animals"),
    ],
)
def test_a_wrong_file_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / "tree.txt")


def releases(tmp_path: Path) -> tuple[Taxonomy, Taxonomy]:
    old = google(
        tmp_path / "old.txt", "1 - Yard", "2 - Yard > Rakes", "3 - Yard > Rakes > Wide", "4 - Yard > Hoses", "5 - Pets"
    )
    new = google(
        tmp_path / "new.txt", "1 - Yard", "2 - Yard > Rakes & Hoes", "3 - Yard > Rakes & Hoes > Wide", "5 - Pets",
        "6 - Yard > Water", "4 - Pets > Hoses", "7 - Yard > Rakes", release="2021-09-21",
    )  # fmt: skip
    return load(old), load(new)


def test_changes_are_told_by_id(tmp_path: Path) -> None:
    assert [(change.kind, change.id) for change in changes(*releases(tmp_path))] == [
        ("renamed", "2"), ("below", "3"), ("moved", "4"), ("new", "6"), ("new", "7"),
    ]  # fmt: skip
    back = changes(*reversed(releases(tmp_path)))
    assert [change.id for change in back if change.kind == "gone"] == ["6", "7"]
    assert changes(*[releases(tmp_path)[0]] * 2) == []


def test_the_command_counts_and_lists_changes_of_both_formats(tmp_path: Path) -> None:
    releases(tmp_path)
    counts, *lines = run("taxonomy", tmp_path / "old.txt", tmp_path / "new.txt").output.splitlines()
    assert counts == "2019-07-10 to 2021-09-21: 2 new, 0 gone, 1 renamed, 1 moved, 1 below"
    assert lines[0] == "renamed\t2\tYard > Rakes\tYard > Rakes & Hoes" and lines[-1] == "new\t7\t\tYard > Rakes"
    old = shopify(tmp_path / "a.txt", "zz : Yard", "zz-1 : Yard > Rakes", "zz-2 : Yard > Hoses")
    new = shopify(tmp_path / "b.txt", "zz : Garden", "zz-1 : Garden > Rakes", release="2025-03")
    result = run("taxonomy", old, new)
    assert result.output.splitlines() == [
        "2024-07 to 2025-03: 0 new, 1 gone, 1 renamed, 0 moved, 1 below",
        "renamed\tzz\tYard\tGarden",
        "below\tzz-1\tYard > Rakes\tGarden > Rakes",
        "gone\tzz-2\tYard > Hoses\t",
    ]
    assert "no such file" in run("taxonomy", old, tmp_path / "none.txt").stderr
    result = run("taxonomy", old, tmp_path / "new.txt")
    assert result.exit_code == 1 and "name two releases of one taxonomy" in result.stderr


def test_rows_are_checked_against_shopifys_taxonomy(fixtures: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert run("convert", "shopify_taxonomy", fixtures / "shopify_taxonomy.txt", "--out", out).exit_code == 0
    assert "nothing wrong" in run("check", out, "--taxonomy", fixtures / "shopify_taxonomy.txt").output
    other = shopify(tmp_path / "b.txt", "qa : Workshop & Yard", "qa-1 : Workshop & Yard > Tools")
    result = run("check", out, "--taxonomy", other)
    assert result.exit_code == 1 and "it has 'Workshop & Yard'" in result.stderr
