"""The expert proposes what it learnt from the training split, and nothing of what it is asked about."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from converters import cli
from converters.io.jsonl import sha256
from converters.schema import MANIFEST
from converters.transforms import candidates as shortlist
from converters.transforms.candidates import FOLDS, fit, hashed, propose
from tests.converters import _mixed

PATHS = ("Car", "Home > Mugs", "Home > Pans")
SAID = [
    ("red mug", 1), ("blue mug", 1), ("big mug", 1), ("iron pan", 2), ("steel pan red", 2), ("car mat", 0), ("red mug", 1),
    ("small pan", 2), ("winter tyre", 0), ("mug tree", 1),
]  # fmt: skip
ROWS = [(text, label, number % FOLDS) for number, (text, label) in enumerate(SAID)]


def proposed(rows: list[tuple[str, int, int]], text: str, fold: int, k: int = 3) -> list[str]:
    return next(propose(fit(rows, PATHS), [text], np.array([fold]), k))


def test_scores_are_those_of_tf_idf_centroids() -> None:
    texts = ["red pan", "mug", "tyre car red", "tree pan big"]
    counts = hashed([text for text, _, _ in ROWS])
    idf = TfidfTransformer().fit(counts).idf_  # its smoothing is the one used
    lines = np.stack([counts[[n for n, row in enumerate(ROWS) if row[1] == label]].sum(0) for label in range(3)])
    centroids = np.asarray(lines) * idf
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    scores = (hashed(texts).toarray() * idf) @ centroids.T
    expert = fit(ROWS, PATHS)
    found = list(propose(expert, texts, np.full(4, FOLDS), 3))
    frequency = np.array([2, 5, 3])  # decides where scores are 0 for two of them
    assert [[PATHS[n] for n in np.lexsort((-frequency, -row))] for row in scores] == found


@pytest.mark.parametrize("fold", range(FOLDS))
def test_a_fold_left_out_changes_nothing_that_is_proposed(fold: int) -> None:
    others = [row for row in ROWS if row[2] != fold]
    lies = [*others, *((text, (label + 1) % 3, fold) for text, label, of in ROWS if of == fold), ("only here", 0, fold)]
    for text in ("red pan", "mug", "only here", "tyre", "nothing known"):
        found = proposed(others, text, fold)
        assert found == proposed(lies, text, fold) == proposed(ROWS, text, fold) == proposed(others, text, 5)


def test_what_no_fold_knows_is_not_proposed_and_ties_go_by_frequency() -> None:
    only = [("mug", 1, 0), ("red mug", 1, 1), ("pan", 2, 1), ("iron pan", 2, 2), ("big pan", 2, 2)]
    assert proposed(only, "nothing of this", 5) == ["Home > Pans", "Home > Mugs"]
    assert proposed(only, "nothing of this", 1) == ["Home > Pans", "Home > Mugs"]
    assert proposed(only, "mug", 2, 1) == ["Home > Mugs"]
    assert proposed([("mug", 1, 0), ("pan", 2, 1)], "mug", 0) == ["Home > Pans"]


def test_many_chunks_give_the_same_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"{text} w{n % 7}", label, n % 5) for n, (text, label, _) in enumerate(ROWS * 40)]
    texts, folds = [text for text, _, _ in rows], np.arange(len(rows)) % 6
    expected = list(propose(fit(rows, PATHS), texts, folds, 2))
    monkeypatch.setattr(shortlist, "CHUNK", 7)
    assert list(propose(fit(rows, PATHS), texts, folds, 2)) == expected


def test_a_mix_with_a_shortlist(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "shop.jsonl", 400)
    entries = [_mixed.entry(path, tasks=["category", "category_shortlist"], shortlist=3)]
    result = _mixed.build(tmp_path, entries)
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "mix" / MANIFEST).read_text())
    for name, rows in _mixed.splits(tmp_path / "mix").items():
        with_list = [row for row in rows if row.task == "category_shortlist"]
        assert with_list and len(with_list) == len(rows) // 2
        hits = 0
        for row in with_list:
            candidates = row.extra["candidates"]
            instruction, *rest = row.messages[0].content.splitlines()
            assert len(set(candidates)) == 3 and rest[:3] == [f"- {path}" for path in candidates]
            assert instruction.endswith("if none fits, another:") and rest[3].startswith("Title: ") and len(rest) == 4
            hits += row.target in candidates
        told = manifest["splits"][name]["shortlist_recall"]
        assert told == {"catalog@3": {"rows": len(with_list), "found": hits, "recall": hits / len(with_list)}}
        assert hits / len(with_list) > 0.9  # the title names it: chance is 3 in 8
        assert all("candidates" not in row.extra for row in rows if row.task == "category")


def test_a_path_that_only_a_rows_own_group_has_is_not_among_its_candidates(tmp_path: Path) -> None:
    shop = Path(_mixed.shop(tmp_path / "shop.jsonl", 60))
    rows = [json.loads(line) for line in shop.read_text().splitlines()]
    # Two rows of one group, since their titles are the same words, share a path that no other group has.
    twins = [
        row | {"id": f"{name}{n}", "title": f"{row['title']}{end}", "category": f"Only > number {n}"}
        for n, row in enumerate(rows)
        for name, end in (("a", ""), ("b", "!"))
    ]
    shop.write_text("".join(json.dumps(row) + "\n" for row in twins))
    entries = [_mixed.entry(str(shop), tasks=["category_shortlist"], shortlist=60)]
    result = _mixed.build(tmp_path, entries, splits={})
    assert result.exit_code == 0, result.output
    train = _mixed.splits_of(tmp_path / "mix", "train")
    assert len(train) == 120 and len({row.group for row in train}) == 60
    assert all(row.target not in row.extra["candidates"] and len(row.extra["candidates"]) == 48 for row in train)


def test_the_number_of_workers_and_a_repeat_change_no_byte(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "shop.jsonl", 300)
    entries = [_mixed.entry(path, tasks=["category_shortlist"], shortlist=2, few_shot=1)]
    more = {"balance": {"tasks": ["category_shortlist"], "cap": 3, "temperature": 9}}
    made = [_mixed.build(tmp_path, entries, "--workers", str(n), out=f"mix{n}", **more) for n in (1, 2, 3)]
    assert [result.exit_code for result in made] == [0, 0, 0]
    found = [{path.name: sha256(path) for path in sorted((tmp_path / f"mix{n}").iterdir())} for n in (1, 2, 3)]
    assert len(found[0]) == 6 and found[0] == found[1] == found[2]


def test_a_shortlist_without_training_rows_is_a_sentence(tmp_path: Path) -> None:
    path = _mixed.shop(tmp_path / "shop.jsonl", 20)
    result = _mixed.build(
        tmp_path, [_mixed.entry(path, tasks=["category_shortlist"], shortlist=2, split="test")], splits={}
    )
    assert result.exit_code == 1 and "found 0 products of source 'catalog'" in result.output
    assert not (tmp_path / "mix").exists()
    alone = _mixed.CliRunner().invoke(
        cli.main, ["convert", "catalog", path, "--task", "category_shortlist", "--out", str(tmp_path / "out.jsonl")]
    )
    assert alone.exit_code == 1 and "shortlist: 10 in an entry of a mixture specification" in alone.output
