"""Taxonomies: ids and paths of Google's and Shopify's releases, and what changed between two of them."""

from pathlib import Path

from converters.sources.google_taxonomy import load


def test_an_id_gives_its_path_and_one_that_is_gone_nothing(fixtures: Path) -> None:
    tree = load(fixtures / "google_taxonomy.txt")
    assert tree.by_id(" 12 ") == ("Home & Garden", "Kitchen, Dining & Bar")
    assert tree.by_id("13") == tree.by_id("") == tree.by_id("a line that is no category") == ()
