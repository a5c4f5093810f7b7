"""Down the category tree, level by level: what each turn lists, and what cannot be asked that way."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from converters import examples
from converters.examples import example, prompt_turns
from converters.mixture import near, runs
from converters.schema import Listing, Text
from converters.tasks.base import RenderError
from tests.converters import _mixed

BELOW = (("Home", "Car"), ("Mugs", "Pans & Pots"), ("Red mugs", "Blue mugs"))
LISTING = Listing("1", "g", (Text("Title", "Red Acme mug"), Text("Brand", "Acme")), ("Home", "Mugs"), "2020", BELOW)


def test_a_path_with_names_below_it_ends_with_the_path_again() -> None:
    row = example(LISTING, "category_levels", "s")
    first, *others = [turn.content for turn in row.messages]
    assert first.splitlines()[0].endswith(" Choose from: Home | Car")
    assert first.splitlines()[1:] == ["Title: Red Acme mug", "Brand: Acme"]
    assert others == [
        "Home", "[CLASSIFY] Mugs | Pans & Pots", "Home > Mugs", "[CLASSIFY] Red mugs | Blue mugs", "Home > Mugs"
    ]  # fmt: skip
    assert examples.gold(row) == ("Home", "Mugs") and row.extra == {"taxonomy": "2020"}
    whole = example(replace(LISTING, children=(*BELOW[:2], ())), "category_levels", "s")
    assert whole.messages == row.messages[:4] and whole.target == row.target


def test_a_path_of_one_node_is_one_question() -> None:
    row = example(replace(LISTING, path=("Car",), children=(BELOW[0], ())), "category_levels", "s")
    assert [turn.role for turn in row.messages] == ["user", "assistant"] and examples.gold(row) == ("Car",)


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        ((), "no taxonomy to list children from"),
        (BELOW[:2], "not among the children"),
        ((("Car",), *BELOW[1:]), "not among the children"),
        ((*BELOW, ()), "not among the children"),
    ],
)
def test_what_cannot_be_listed_is_a_reason(children: tuple[tuple[str, ...], ...], reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        example(replace(LISTING, children=children), "category_levels", "s")


def test_a_catalogue_without_a_taxonomy_says_why_there_are_no_rows(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "shop.jsonl", 9)
    result = _mixed.build(tmp_path, [_mixed.entry(path, tasks=["category_levels"])])
    assert result.exit_code == 1 and "none to use" in result.output
    assert "(most common reason: no taxonomy to list children from)" in result.output


def test_rows_are_alike_by_their_product_and_not_by_what_is_listed() -> None:
    row = example(LISTING, "category_levels", "s")
    other = example(replace(LISTING, path=("Car",), children=(BELOW[0], ())), "category_levels", "s")
    assert prompt_turns(row.task, row.messages) == prompt_turns(other.task, other.messages)
    asked = near.compared(msgspec.json.decode(msgspec.json.encode(row), type=near.Asked))
    [shingles] = runs.shingles([runs.spaced(asked)])
    assert {*shingles} == {b"title red acme", b"red acme mug", b"acme mug brand", b"mug brand acme"}
