"""Where paths leave the gold path: every row ends in one way, and siblings are counted where they are taken for each other."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from eval.report.breakdown import Chosen, Confusion, depths, parents

GOLD = ("Home", "Kitchen", "Mugs")


def confusion(pairs: Iterable[tuple[tuple[str, ...], tuple[str, ...] | None]]) -> Confusion:
    counts = Confusion()
    for gold, said in pairs:
        counts.add(gold, said)
    return counts


PATHS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=4).map(tuple)


def test_each_way_to_end() -> None:
    said = [GOLD, ("Home", "Kitchen", "Pans"), ("Sports",), ("Home", "Kitchen"), (*GOLD, "Red"), None]
    assert depths(confusion((GOLD, path) for path in said)) == [
        ("right", 1),
        ("leaves at level 1", 1),
        ("leaves at level 3", 1),
        ("stopped early", 1),
        ("went on too deep", 1),
        ("unreadable", 1),
    ]


def test_siblings_are_counted_among_the_rows_that_got_to_their_parent() -> None:
    pans = (*GOLD[:2], "Pans")
    pairs = [(GOLD, GOLD)] * 5 + [(GOLD, pans)] * 2 + [(pans, GOLD), (GOLD, ("Sports",)), (GOLD, None)]
    top, kitchen = parents(confusion(pairs))
    assert (top.path, top.n, top.wrong) == ((), 9, 1)
    assert (kitchen.path, kitchen.n, kitchen.wrong) == (("Home", "Kitchen"), 8, 3)
    assert [(c.name, c.n, c.wrong, c.taken) for c in kitchen.children] == [
        ("Mugs", 7, 2, (("Pans", 2, True),)),
        ("Pans", 1, 1, (("Mugs", 1, True),)),
    ]
    assert top.children[0].taken == (("Sports", 1, False),)


def test_the_same_name_under_another_parent_is_another_node() -> None:
    found = confusion([(("A", "Accessories"), ("B", "Accessories"))])
    assert [(parent.path, parent.wrong) for parent in parents(found)] == [((), 1)]


@given(st.lists(st.tuples(PATHS, st.none() | PATHS)))
def test_every_row_ends_once_and_no_more_are_wrong_than_got_there(pairs: list[tuple[tuple[str, ...], None]]) -> None:
    found = confusion(pairs)
    assert sum(rows for _, rows in depths(found)) == len(pairs)
    for parent in parents(found, 10**6):
        assert parent.wrong <= parent.n
        assert all(child.wrong <= child.n for child in parent.children)


ONE = (("all",), 5)


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 5))
def test_the_worst_are_kept_worst_first(badness: list[float], most: int) -> None:
    chosen = Chosen()
    for place, value in enumerate(badness):
        chosen.offer("task", [ONE], value, place)
    expected = sorted(range(len(badness)), key=lambda place: (-badness[place], place))[:most]
    assert chosen.taken("task", most) == expected


def test_every_bucket_has_a_share_before_one_has_two() -> None:
    chosen = Chosen()
    for place in range(1000):
        chosen.offer("task", [ONE, (("odd", str(place == 500)), 2)], 0.1 if place == 500 else 0.9, place)
    assert 500 in chosen.taken("task", 3)
    assert sum(len(heap) for heap in chosen.buckets["task"].values()) == 8
