"""Which rows a page embeds: the worst, in bounded memory, with something of every bucket."""

from hypothesis import given
from hypothesis import strategies as st

from eval.report.examples import Chosen

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
