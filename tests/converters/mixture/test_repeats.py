"""One question with different answers: the answer of most stays, of a tie between labels none, whatever the order."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.mixture.plan.repeats import OUTVOTED, TIED, losers
from converters.schema import MANIFEST
from tests.converters._mixed import build, splits_of


def built(folder: Path, entries: list[dict[str, Any]], out: str = "mix") -> tuple[list[str], dict[str, Any]]:
    done = build(folder, entries, "--rejects", out=out, splits={})
    assert done.exit_code == 0, done.output
    return [row.target for row in splits_of(folder / out, "train")], json.loads((folder / out / MANIFEST).read_text())


def shop(path: Path, categories: list[str]) -> dict[str, Any]:
    rows = [{"id": f"R{n}", "title": "Enamel bowl", "category": category} for n, category in enumerate(categories)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return {"source": "catalog", "paths": [str(path)], "options": {"group": None}}


def test_the_label_of_most_rows_stays_in_every_order(tmp_path: Path) -> None:
    labels = ["Home > Bowls", "Home > Bowls", "Pets > Bowls"]
    for n, order in enumerate(sorted({*itertools.permutations(labels)})):
        kept, manifest = built(tmp_path, [shop(tmp_path / "shop.jsonl", list(order))], out=f"mix{n}")
        assert kept == ["Home > Bowls"]
        assert manifest["dropped_examples"] == {OUTVOTED: 1, "same prompt again": 1}
        assert manifest["contradictions"] == {"outvoted": 1, "tied": 0}
        assert OUTVOTED in (tmp_path / f"mix{n}" / "card.html").read_text()


def test_of_labels_with_as_many_rows_none_stays(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"id": "1", "title": "Tray", "category": "Home"}\n', "utf-8")
    other = {"source": "catalog", "paths": [str(tmp_path / "other.jsonl")]}
    kept, manifest = built(tmp_path, [shop(tmp_path / "shop.jsonl", ["Home > Bowls", "Pets > Bowls"]), other])
    assert kept == ["Home"] and manifest["rejected"] == {f"all its examples dropped: {TIED}": 2}
    rejects = (tmp_path / "mix" / "rejects.jsonl").read_text().splitlines()
    assert len(rejects) == 2 and all(TIED in line for line in rejects)


def test_two_entries_vote_together(tmp_path: Path) -> None:
    entries = [shop(tmp_path / "a.jsonl", ["Pets > Bowls"]), shop(tmp_path / "b.jsonl", ["Home > Bowls"] * 2)]
    assert built(tmp_path, entries)[0] == built(tmp_path, entries[::-1], out="turned")[0] == ["Home > Bowls"]


def test_values_that_contradict(tmp_path: Path) -> None:
    colours = ["Blue", "Red", "Red"]
    rows = [{"id": str(n), "title": "Red and Blue rug", "color": colour} for n, colour in enumerate(colours)]
    (tmp_path / "rugs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = {"category": None, "attributes": {"Color": "color"}}
    kept, manifest = built(
        tmp_path, [{"source": "catalog", "paths": [str(tmp_path / "rugs.jsonl")], "options": options}]
    )
    assert kept == ['{"Color": "Red"}'] and manifest["contradictions"]["outvoted"] == 1


def test_judgements_that_contradict(tmp_path: Path) -> None:
    head = "query,product_id,product_locale,esci_label,small_version,large_version,split,product_title"
    rows = [f"bowl,B00000000{n},us,{label},1,1,train,Enamel bowl" for n, label in enumerate("SEE")]
    (tmp_path / "esci.csv").write_text("\n".join([head, *rows]), "utf-8")
    kept, manifest = built(tmp_path, [{"source": "esci", "paths": [str(tmp_path / "esci.csv")], "tasks": ["choice"]}])
    assert kept == ["Exact match"] and manifest["dropped_examples"] == {OUTVOTED: 1, "same prompt again": 1}


def test_of_free_texts_one_stays_whatever_the_order(tmp_path: Path) -> None:
    kept = []
    for n, answers in enumerate(itertools.permutations(["Hi.", "Hello!", "Good day."])):
        path = tmp_path / f"chat{n}.jsonl"
        path.write_text("".join(json.dumps({"instruction": "Greet me.", "output": a}) + "\n" for a in answers), "utf-8")
        rows = [{"id": "1", "title": f"Pot {n}", "category": "Home"}]
        (tmp_path / "pots.jsonl").write_text(json.dumps(rows[0]) + "\n", "utf-8")
        entries = [
            {"source": "general", "paths": [str(path)]},
            {"source": "catalog", "paths": [str(tmp_path / "pots.jsonl")]},
        ]
        done = build(tmp_path, entries, out=f"mix{n}", splits={}, general_share=0.5)
        assert done.exit_code == 0, done.output
        texts = [row.target for row in splits_of(tmp_path / f"mix{n}", "train") if row.task == "general"]
        manifest = json.loads((tmp_path / f"mix{n}" / MANIFEST).read_text())
        assert len(texts) == 1 and manifest["contradictions"] == {"outvoted": 2, "tied": 0}
        kept += texts
    assert len({*kept}) == 1


@pytest.mark.parametrize(
    ("votes", "free", "outvoted", "tied"),
    [
        ([(1, 7, 0), (1, 8, 0), (1, 8, 0)], False, [0], []),
        ([(1, 7, 2), (1, 8, 0), (1, 8, 0)], False, [1, 2], []),  # the held-out row is not outvoted by training
        ([(1, 7, 2), (1, 9, 2), (1, 8, 0)], False, [], [0, 1, 2]),
        ([(1, 9, 0), (1, 8, 0)], True, [0], []),
        ([(1, 7, 0), (1, 7, 0), (2, 8, 0)], False, [], []),
    ],
)
def test_votes(votes: list[tuple[int, int, int]], free: bool, outvoted: list[int], tied: list[int]) -> None:
    prompt, target, split = np.array(votes).T
    found = losers(prompt.astype(np.uint64), target.astype(np.uint64), split.astype(np.int8), np.full(len(votes), free))
    assert [np.flatnonzero(mask).tolist() for mask in found] == [outvoted, tied]
