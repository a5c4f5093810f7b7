"""Near-duplicates: the same rows as by one signature of all runs of three words a row, however the rows lie in files."""

import math
import pickle
import random
from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rensa import RMinHash, RMinHashLSH
from scipy.stats import binom

from converters.core.console import in_processes
from converters.mixture import near
from converters.mixture.near import compared, drop_near_duplicates, signatures
from converters.mixture.plan.decisions import NEAR, REASONS
from converters.mixture.plan.table import TRAIN, Table, table, within
from converters.mixture.runs import Runs, shingles, spaced
from converters.mixture.shards import Shard
from converters.schema import Row, Turn
from converters.text.words import terms
from tests.converters import _columns

ODD = (
    "",
    "</s>",
    "Größe",
    "赤いマグ",
    "<b>x</b> &amp;",
    "½ l",
    "e\u0301te\u0301",
    "블랙은",
    "ΣΊΣΥΦΟΣ",
    "\u200b",
    "\x85",
    "\xa0",
    "\x00",
    "a_b",
)
WORDS = ("steel", "kettle", "with", "lid", "for", "hot", "water", "1.5", "L", "Handle", *ODD)


def runs_of(text: str) -> Counter[str]:
    words = terms(text, accents=True)
    return Counter(" ".join(words[n : n + 3]) for n in range(max(1, len(words) - 2)))


@given(st.lists(st.lists(st.sampled_from(WORDS) | st.text(max_size=5)).map(" ".join), min_size=1))
def test_shingles_are_the_runs_of_three_words_of_each_text(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    found = list(shingles([*map(spaced, texts)]))
    assert [Counter(run.decode() for run in runs) for runs in found] == [*map(runs_of, texts)]


TEXTS = st.lists(st.lists(st.sampled_from(WORDS)).map(" ".join), min_size=1)


@given(TEXTS, TEXTS)
def test_no_text_with_a_run_of_others_is_passed_over(texts: list[str], others: list[str]) -> None:
    runs = Runs(sum(map(len, others)))
    runs.add(runs.places([*map(spaced, others)]))
    known = {run for text in others for run in runs_of(text)}
    shared = runs.shared([*map(spaced, texts)]).tolist()
    assert all(found for text, found in zip(texts, shared, strict=True) if known & {*runs_of(text)})


@pytest.mark.parametrize("threshold", [0.01, 0.2, 0.5, 0.8, 0.99, 1.0])
def test_what_shares_too_few_runs_cannot_seem_near(threshold: float) -> None:
    needed = math.ceil(threshold * near.PERMUTATIONS)
    assert binom.sf(needed - 1, near.PERMUTATIONS, near.far(threshold)) <= 2**-64


def test_the_share_of_runs_that_are_known_decides() -> None:
    runs = Runs(1000)
    runs.add(runs.places([b"a red steel kettle of ours"]))
    texts = [b"a red steel mug that whistles", b"a red steel kettle that whistles"]  # one and two of four
    assert [runs.shared(texts, most).tolist() for most in (0, 0.25, 0.5)] == [
        [True, True],
        [False, True],
        [False, False],
    ]


def test_texts_without_a_run_of_others_are_passed_over() -> None:
    draw, letters = random.Random(0), "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=5)) for _ in range(3000)]
    texts = [" ".join(draw.choices(words, k=9)).encode() for _ in range(2000)]
    runs = Runs(sum(map(len, texts[1000:])))
    runs.add(runs.places(texts[1000:]))
    assert runs.shared(texts[1000:]).all()
    assert runs.shared(texts[:1000]).sum() < 400
    assert runs.shared([b"", words[0].encode(), b" ".join(texts[:9])]).all()  # too short or too long to be told


def rows(draw: random.Random, number: int, first: int) -> list[Row]:
    """Return rows of three tasks, of which some are one another's twins but for a word or two."""
    made, known = [], [draw.choices(WORDS, k=30)]
    for n in range(first, first + number):
        words = draw.choices(WORDS, k=draw.choice((0, 1, 2, 3, 9, 40)))
        if n % 2:
            words = list(draw.choice(known))
            words[draw.randrange(30)] = draw.choice(WORDS)
        known.append((words * 30)[:30] or known[0])
        text, task = " ".join(words), draw.choice(("category", "general", "choice"))
        options = ["steel", "kettle with lid"] if task == "choice" else []
        lines = [f"[CLASSIFY] {n}", *(f"{letter}: {option}" for letter, option in zip("AB", options, strict=False))]
        asked = f"{text} {n % 7}" if task == "general" else "\n".join([*lines, f"Title: {text}"])
        meta = msgspec.json.encode({"options": options} if options else {}).decode()
        turns = [Turn("user", asked), Turn("assistant", "x")]
        made.append(Row(id=f"s:{n}", group=f"g{n}", task=task, source="s", messages=turns, meta=meta))
    return made


@pytest.fixture
def written(tmp_path: Path) -> Table:
    """Return the table of three shards, one without rows, whose rows are in all splits and none."""
    draw, found = random.Random(4), list[Shard]()
    for number, count in enumerate((150, 0, 250)):
        lines = [msgspec.json.encode(row) + b"\n" for row in rows(draw, count, number * 1000)]
        made = _columns.shard(tmp_path / str(number), {"size": [*map(len, lines)]})
        found.append(_columns.stored(made, lines, number + 1))
    all_rows = table(found, tmp_path)
    all_rows.split[:] = np.random.default_rng(0).choice([-1, 0, 0, 0, 1, 2], len(all_rows))
    return all_rows


def expected(lines: list[bytes], train: np.ndarray, held_out: np.ndarray, threshold: float) -> list[bool]:
    """Compare row by row."""
    signed = []
    for line in lines:
        signed.append(RMinHash(num_perm=near.PERMUTATIONS, seed=near.SEED))
        signed[-1].update([*runs_of(compared(msgspec.json.decode(line, type=near.Asked)))])
    index = RMinHashLSH(threshold=threshold, num_perm=near.PERMUTATIONS, num_bands=near.BANDS)
    for number in np.flatnonzero(held_out).tolist():
        index.insert(number, signed[number])
    return [
        bool(look) and any(own.jaccard(signed[n]) >= threshold for n in index.query(own))
        for own, look in zip(signed, train, strict=True)
    ]


@pytest.mark.parametrize(("block", "workers"), [(1, 1), (1000, 1), (near.BLOCK, 1), (1000, 2)])
@pytest.mark.parametrize("threshold", [0.2, 0.8, 1.0])
def test_rows_that_are_near_are_those_found_one_by_one(
    written: Table,
    threshold: float,
    block: int,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(near, "BLOCK", block)
    train, held_out = within(written, TRAIN), written.split > 0
    wanted = expected([line for shard in written.shards for line in shard.lines()], train, held_out, threshold)
    drop_near_duplicates(written, threshold, partial(in_processes, workers=workers) if workers > 1 else None)
    gone = written.reason == REASONS.index(NEAR)
    assert gone.tolist() == wanted
    assert 10 < sum(wanted) < train.sum()
    assert (written.split[gone] == -1).all()


def test_a_signature_is_that_of_the_row_alone_and_goes_to_other_processes() -> None:
    lines = [msgspec.json.encode(row) for row in rows(random.Random(5), 150, 0)]
    together = [signature.digest() for signature in signatures(lines)]
    alone = [pickle.loads(pickle.dumps(signature)).digest() for line in lines for signature in signatures([line])]
    assert together == alone
    assert len({*map(tuple, together)}) > 50


def test_options_of_a_choice_are_left_out_and_other_lines_are_not() -> None:
    asked = near.Asked(
        "choice", [Turn("user", "[CLASSIFY] Which?\nA: red\nC: red\nTitle: mug"), Turn("assistant", "red")]
    )
    assert compared(asked) == "A: red\nC: red\nTitle: mug"
    asked.meta = '{"options":["red"]}'
    assert compared(asked) == "C: red\nTitle: mug"
