"""Comparisons: what they say, and what they refuse."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest, ttest_1samp

from converters import tasks
from converters.io import jsonl
from converters.schema import Row
from eval.comparison import pairing
from eval.results import runs
from eval.scoring.stats import holm

ROOT = Path(__file__).parents[3]


@pytest.fixture
def products() -> int:
    return 60


def mostly(share: int, salt: int = 0) -> Any:
    return lambda i, row: row.target if (i * 7919 + salt) % 10 < share else "[]"


def compare(cli: Any, out: Path, *folders: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = cli("compare", *folders, "--out", out, "--resamples", 400)
    assert found.exit_code == 0, found.output
    assert str(out / "compare.html") in found.output
    pairs = json.loads((out / "compare.json").read_text())["pairs"]
    return {(pair["b"], pair["task"], pair["metric"]): pair for pair in pairs}


def test_difference_is_later_minus_first(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(2)), scored("tuned", mostly(9))
    found = compare(cli, tmp_path / "out", base, tuned)
    for pair in found.values():
        assert (pair["a"], pair["b"]) == ("base", "tuned")
        assert pair["difference"] == pytest.approx(pair["value_b"] - pair["value_a"])
        if pair["reason"]:  # the base answers too few products for an interval of its precision
            assert pair["low"] is pair["high"] is pair["p"] is None and pair["metric"].endswith("precision")
            continue
        assert pair["low"] <= pair["difference"] <= pair["high"]
        assert 0 < pair["p"] <= pair["p_holm"] <= 1
    best = found["tuned", "category", "weighted_f1"]
    assert best["headline"] and best["low"] > 0 and best["verdict"] == "better"
    back = compare(cli, tmp_path / "back", tuned, base)["base", "category", "weighted_f1"]
    assert back["verdict"] == "worse"
    assert (back["low"], back["high"]) == pytest.approx((-best["high"], -best["low"]))


def test_values_are_those_of_the_scores(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(2)), scored("tuned", mostly(9))
    scores = json.loads((tuned / "eval" / "scores.json").read_text())["tasks"]
    for (_, task, metric), pair in compare(cli, tmp_path / "out", base, tuned).items():
        assert pair["value_b"] == scores[task]["metrics"][metric]["value"]


def test_p_goes_with_the_interval_for_every_metric(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(4)), scored("tuned", mostly(8))
    found = compare(cli, tmp_path / "out", base, tuned)
    assert {pair["p"] < 0.05 for pair in found.values()} == {True, False}
    for pair in found.values():
        assert (pair["p"] < 0.05) is not (pair["low"] <= 0 <= pair["high"]), pair["metric"]


def test_rows_of_one_product_are_not_so_many_witnesses(cli: Any, scored: Any, tmp_path: Path) -> None:
    """30 products of two rows each, of which the second answers as the first does."""
    base, tuned = scored("base", lambda i, row: twin(row, 5)), scored("tuned", lambda i, row: twin(row, 7))
    pair = compare(cli, tmp_path / "out", base, tuned)["tuned", "category", "accuracy"]
    rows = {
        row["id"]: row["values"]["accuracy"]
        for row in map(json.loads, (base / "eval" / "rows.jsonl").open())
        if row["task"] == "category"
    }
    others = {
        row["id"]: row["values"]["accuracy"]
        for row in map(json.loads, (tuned / "eval" / "rows.jsonl").open())
        if row["task"] == "category"
    }
    gains = [others[f"demo:category:{i}"] - rows[f"demo:category:{i}"] for i in range(0, 60, 2)]
    assert pair["difference"] == pytest.approx(sum(gains) / 30) and pair["wins"] == 2 * sum(gain > 0 for gain in gains)
    assert pair["p"] == pytest.approx(ttest_1samp(gains, 0).pvalue, rel=0.4)
    assert pair["p"] > 2 * binomtest(pair["wins"], pair["wins"] + pair["losses"]).pvalue, "the rows' exact test"


def twin(row: Row, share: int) -> str:
    number = int(row.group.split(":")[1])
    return row.target if (number * 7919) % 10 < share else "[]"


@pytest.mark.parametrize("products", [18])
def test_too_few_groups_have_no_verdict_and_the_reason(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(9)), scored("tuned", mostly(0))
    found = cli("compare", base, tuned, "--out", tmp_path / "out", "--gate")
    assert found.exit_code == 0, "no verdict is no failure, and says so"
    for pair in json.loads((tmp_path / "out" / "compare.json").read_text())["pairs"]:
        assert pair["low"] is pair["high"] is pair["p"] is pair["p_holm"] is pair["smallest"] is None
        assert re.fullmatch(r"needs 10 groups, found \d", pair["reason"]) and pair["verdict"] == "no verdict"
    said = [line for line in found.output.splitlines() if line.startswith("none: ")]
    assert len(said) == len(tasks.names())
    assert "none: tuned has no verdict against base on category: weighted F1" in found.output
    assert all("[none: needs 10 groups, found " in line for line in said)


def test_equal_runs_are_not_shown_to_differ(cli: Any, scored: Any, tmp_path: Path) -> None:
    for pair in compare(cli, tmp_path / "out", scored("base", mostly(5)), scored("same", mostly(5))).values():
        assert (pair["difference"], pair["low"], pair["high"], pair["p"]) == (0, 0, 0, 1)
        assert pair["verdict"] == "not shown to differ"


def test_three_runs_are_each_paired_with_the_first(cli: Any, scored: Any, tmp_path: Path) -> None:
    folders = [scored(name, mostly(share)) for name, share in (("base", 2), ("one", 5), ("two", 9))]
    found = compare(cli, tmp_path / "out", *folders)
    assert {name for name, _, _ in found} == {"one", "two"}
    heads = sorted((pair["p"], pair["p_holm"]) for pair in found.values() if pair["headline"])
    assert len(heads) == 2 * len(tasks.names())
    assert heads[0][1] == pytest.approx(min(1, len(heads) * heads[0][0]))


def refusal(cli: Any, out: Path, *folders: Path) -> str:
    found = cli("compare", *folders, "--out", out)
    assert found.exit_code == 1
    assert not out.exists()
    (line,) = found.output.splitlines()
    return str(line)


def test_it_refuses_other_settings_and_says_which(cli: Any, scored: Any, tmp_path: Path) -> None:
    base = scored("base", mostly(5))
    mave = scored("mave", mostly(5), "--normaliser", "mave")
    longer = scored("longer", mostly(5), decoding={"max_new_tokens": 99})
    unknown = scored("unknown", mostly(5), decoding=None)
    out = tmp_path / "out"
    assert "they differ in the normaliser: base has strict and mave has mave" in refusal(cli, out, base, mave)
    assert 'decoding settings: base has {"max_new_tokens":64} and longer has' in refusal(cli, out, base, longer)
    assert "unknown has none recorded" in refusal(cli, out, base, unknown)
    assert "found 1 run, expected two or more" in refusal(cli, out, base)
    assert "expected every run once" in refusal(cli, out, base, base)
    assert "run ecom-eval score first" in refusal(cli, out, base, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "word"), [("test_sha256", "test file"), ("prompt_sha256", "prompts"), ("scorer_sha256", "scorer")]
)
def test_it_refuses_another_origin(cli: Any, scored: Any, tmp_path: Path, key: str, word: str) -> None:
    base, other = scored("base", mostly(5)), scored("other", mostly(5))
    path = other / "eval" / "scores.json"
    scores = json.loads(path.read_text())
    scores["provenance"][key] = "0" * 64
    path.write_text(json.dumps(scores))
    assert f"they differ in the {word}:" in refusal(cli, tmp_path / "out", base, other)


def test_a_misspelt_run_gets_the_nearest_one(cli: Any, scored: Any, tmp_path: Path) -> None:
    base = scored("base", mostly(5))
    said = refusal(cli, tmp_path / "out", base, base.with_name("bsae"))
    assert said.endswith(f"run ecom-eval score first; did you mean '{base}'?")


def test_scores_on_another_mix_are_told_apart_from_the_runs_own(cli: Any, scored: Any, tmp_path: Path) -> None:
    run = scored("mine", mostly(9))
    (run / "eval").rename(run / "eval-shop")
    assert refusal(cli, tmp_path / "out", run, run).endswith(f"did you mean '{run / 'eval-shop'}'?")
    own = scored("mine", mostly(2))
    found = compare(cli, tmp_path / "out", own, run / "eval-shop")
    assert {(pair["a"], pair["b"]) for pair in found.values()} == {("mine", "mine/eval-shop")}


def test_it_refuses_scores_of_an_older_scorer_and_edited_rows(cli: Any, scored: Any, tmp_path: Path) -> None:
    runs = [scored(name, mostly(5)) for name in ("base", "other")]
    path = runs[1] / "eval" / "rows.jsonl"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"Acme", b"Umbra"))
    assert "are not the rows that scores.json was made from" in refusal(cli, tmp_path / "out", *runs)
    path.write_bytes(kept)
    for run in runs:
        scores = json.loads((run / "eval" / "scores.json").read_text())
        scores["provenance"]["scorer_sha256"] = "0" * 64
        jsonl.write_json(run / "eval" / "scores.json", scores)
    assert "run ecom-eval score again" in refusal(cli, tmp_path / "out", *runs)


@pytest.mark.parametrize("key", ["encoder", "bert_score", "judge"])
def test_it_refuses_other_tools_of_the_scorer(cli: Any, scored: Any, tmp_path: Path, key: str) -> None:
    base, other = scored("base", mostly(5)), scored("other", mostly(5))
    path = other / "eval" / "scores.json"
    scores = json.loads(path.read_text())
    scores["provenance"][key] = {"name": "another"}
    path.write_text(json.dumps(scores))
    assert f"they differ in the {pairing.SAME[key]}: base has none recorded" in refusal(
        cli, tmp_path / "out", base, other
    )


def test_a_baseline_has_no_decoding_to_differ_in(cli: Any, scored: Any, tmp_path: Path) -> None:
    runs = [scored("nearest", mostly(3), baseline="nearest", decoding=None), scored("tuned", mostly(9))]
    compare(cli, tmp_path / "out", *runs)
    assert "nearest is the baseline nearest: no model" in (tmp_path / "out" / "compare.html").read_text()
    runs.append(scored("longer", mostly(9), decoding={"max_new_tokens": 99}))
    assert "tuned and longer cannot be compared, for they differ in the decoding" in refusal(
        cli, tmp_path / "no", *runs
    )


def test_wins_losses_ties_and_the_smallest_difference(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(3)), scored("tuned", mostly(5, 8))
    found = compare(cli, tmp_path / "out", base, tuned)
    lines = [[json.loads(line) for line in (run / "eval" / "rows.jsonl").open()] for run in (base, tuned)]
    for (_, task, metric), pair in found.items():
        values = [[row["values"].get(metric) for row in run if row["task"] == task] for run in lines]
        both = [(a, b) for a, b in zip(*values, strict=True) if a is not None]
        expected = (sum(b > a for a, b in both), sum(b < a for a, b in both), sum(b == a for a, b in both))
        assert (pair["wins"], pair["losses"], pair["ties"]) == (expected if both else (None, None, None))
        # A normal interval is 3.92 standard errors wide, the smallest difference 2.8 of them.
        normal = pytest.approx((pair["high"] - pair["low"]) * 2.8 / 3.92, rel=0.35)
        assert (pair["smallest"] or 0) == normal
    page = (tmp_path / "out" / "compare.html").read_text()
    shown = found["tuned", "category", "weighted_f1"]["smallest"]
    assert f"this test set can show: {shown:.3f} (2.8 standard errors" in page


def test_equal_runs_show_no_smallest_difference(cli: Any, scored: Any, tmp_path: Path) -> None:
    for pair in compare(cli, tmp_path / "out", scored("base", mostly(5)), scored("same", mostly(5))).values():
        assert pair["smallest"] is None and pair["wins"] in (0, None)


def test_the_gate_fails_on_worse_alone(cli: Any, scored: Any, tmp_path: Path) -> None:
    good, bad = scored("good", mostly(9)), scored("bad", mostly(2))
    failed = cli("compare", good, bad, "--out", tmp_path / "a", "--resamples", 400, "--gate")
    passed = cli("compare", bad, good, "--out", tmp_path / "b", "--resamples", 400, "--gate")
    equal = cli("compare", bad, scored("same", mostly(2)), "--out", tmp_path / "c", "--resamples", 400, "--gate")
    assert (failed.exit_code, passed.exit_code, equal.exit_code) == (1, 0, 0)
    assert "fail: bad is worse than good on category: weighted F1 " in failed.output
    assert "pass: good is better than bad on category: weighted F1 " in passed.output
    assert "pass: same is not shown to differ from bad on category: " in equal.output
    for found in (failed, passed, equal):
        said = [line for line in found.output.splitlines() if line.startswith(("pass: ", "fail: "))]
        assert len(said) == len(tasks.names()) and "Traceback" not in found.output
    assert (tmp_path / "a" / "compare.html").is_file(), "the report is there to look at"


def fewer(cli: Any, scored: Any, test_file: Path, name: str, keep: int) -> Path:
    """Return a run that was scored on the first rows of the test file alone."""
    run = scored(name, mostly(9))
    short = test_file.with_name(f"{name}.jsonl")
    short.write_bytes(b"".join(test_file.read_bytes().splitlines(keepends=True)[:keep]))
    folder = run / "eval"
    (folder / "predictions.json").unlink()
    lines = (folder / "predictions.jsonl").read_bytes().splitlines(keepends=True)[:keep]
    (folder / "predictions.jsonl").write_bytes(b"".join(lines))
    found = cli(
        "score", "--data", short, "--predictions", folder / "predictions.jsonl", "--out", folder, "--resamples", 200
    )
    assert found.exit_code == 0, found.output
    return Path(run)


def test_common_ids_alone_can_be_compared(cli: Any, scored: Any, test_file: Path, tmp_path: Path) -> None:
    base = scored("base", mostly(2), decoding=None)
    short = fewer(cli, scored, test_file, "short", 300)
    assert "they differ in the test file" in refusal(cli, tmp_path / "no", base, short)
    found = cli("compare", base, short, "--out", tmp_path / "out", "--intersect", "--resamples", 400)
    assert found.exit_code == 0, found.output
    comparison = json.loads((tmp_path / "out" / "compare.json").read_text())
    count = len(test_file.read_bytes().splitlines())
    assert comparison["left_out"] == {"base": count - 300, "short": 0}
    whole = json.loads((short / "eval" / "scores.json").read_text())["tasks"]["category"]["metrics"]["weighted_f1"]
    (head,) = [p for p in comparison["pairs"] if p["task"] == "category" and p["headline"]]
    assert head["value_b"] == whole["value"] and head["score_b"]["low"] == whole["low"]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert f"left out: {count - 300:,} of base, 0 of short" in page


def on_other_rows(cli: Any, scored: Any, test_file: Path, name: str, change: Any) -> Path:
    """Return a run that was scored on the lines of the test file as ``change`` leaves them."""
    run = scored(name, mostly(7), decoding=None)
    folder, data = run / "eval", test_file.with_name(f"{name}.jsonl")
    rows = change([json.loads(line) for line in test_file.open()])
    jsonl.write_lines(data, rows)
    (folder / "predictions.json").unlink()
    ids = {row["id"] for row in rows}
    said = [one for one in map(json.loads, (folder / "predictions.jsonl").open()) if one["id"] in ids]
    jsonl.write_lines(folder / "predictions.jsonl", said)
    done = cli("score", "--data", data, "--predictions", folder / "predictions.jsonl", "--out", folder)
    assert done.exit_code == 0, done.output
    return Path(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[::-1], "both have the same {all} rows, in another order; --intersect pairs them by id"),
        (
            lambda rows: [dict(reversed(row.items())) for row in rows],
            "both have the same {all} rows, written in another way; --intersect pairs them by id",
        ),
        (
            lambda rows: rows[5:],
            "other lacks 5 of base's {all} rows; --intersect compares the {five} rows that both have",
        ),
    ],
    ids=["reordered", "rewritten", "fewer"],
)
def test_rows_of_another_file_are_told_with_the_way_to_pair_them(
    cli: Any, scored: Any, test_file: Path, tmp_path: Path, change: Any, said: str
) -> None:
    base = scored("base", mostly(2), decoding=None)
    other = on_other_rows(cli, scored, test_file, "other", change)
    count = len(test_file.read_bytes().splitlines())
    expected = said.format(all=f"{count:,}", five=f"{count - 5:,}")
    assert refusal(cli, tmp_path / "no", base, other).endswith(f"they differ in the test file: {expected}")
    found = cli("compare", base, other, "--out", tmp_path / "out", "--intersect", "--resamples", 400)
    assert found.exit_code == 0, found.output
    values = json.loads((other / "eval" / "scores.json").read_text())["tasks"]["category"]["metrics"]
    pairs = json.loads((tmp_path / "out" / "compare.json").read_text())["pairs"]
    (head,) = [pair for pair in pairs if pair["task"] == "category" and pair["headline"]]
    assert head["value_b"] == pytest.approx(values["weighted_f1"]["value"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda row: {**row, "id": f"other:{row['id']}"},
            "they have no id in common; score both on the same test file",
        ),
        (lambda row: {**row, "group": "one"}, "has a different group in each: "),
    ],
    ids=["other ids", "other groups"],
)
def test_rows_that_no_option_can_pair_are_told(
    cli: Any, scored: Any, test_file: Path, tmp_path: Path, change: Any, said: str
) -> None:
    base, other = (scored(name, mostly(2), decoding=None) for name in ("base", "other"))
    folder = other / "eval"
    jsonl.write_lines(folder / "rows.jsonl", [change(json.loads(line)) for line in (folder / "rows.jsonl").open()])
    scores = json.loads((folder / "scores.json").read_text())
    scores["provenance"] |= {"test_sha256": "0" * 64, "rows_sha256": jsonl.sha256(folder / "rows.jsonl")}
    jsonl.write_json(folder / "scores.json", scores)
    found = refusal(cli, tmp_path / "no", base, other)
    assert said in found and "--intersect" not in found


def test_another_metric_weakens_no_headline_and_no_other_task(cli: Any, scored: Any, tmp_path: Path) -> None:
    found = compare(cli, tmp_path / "out", scored("base", mostly(4)), scored("tuned", mostly(5, 3)))
    headlines = [pair for pair in found.values() if pair["headline"]]
    assert len(headlines) == len(tasks.names())
    families = [
        headlines,
        *([p for p in found.values() if p["task"] == task and not p["headline"]] for task in tasks.names()),
    ]
    assert any(pair["p"] < 1 for pair in headlines)
    for family in families:
        assert [pair["p_holm"] for pair in family] == holm([pair["p"] for pair in family])


def test_common_ids_with_other_prompts_are_refused(cli: Any, scored: Any, test_file: Path, tmp_path: Path) -> None:
    base, short = scored("base", mostly(2), decoding=None), fewer(cli, scored, test_file, "short", 300)
    path = short / "eval" / "rows.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Category path of this product:", b"Path:", 1))
    scores = json.loads((short / "eval" / "scores.json").read_text())
    scores["provenance"]["rows_sha256"] = jsonl.sha256(path)
    jsonl.write_json(short / "eval" / "scores.json", scores)
    found = cli("compare", base, short, "--out", tmp_path / "out", "--intersect")
    assert found.exit_code == 1 and "has a different prompt in each" in found.output
    assert len(found.output.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_several_runs_stand_in_one_table(cli: Any, scored: Any, tmp_path: Path) -> None:
    folders = [scored(name, mostly(share)) for name, share in (("base", 5), ("worse", 1), ("better", 9))]
    assert cli("compare", *folders, "--out", tmp_path / "out", "--resamples", 4000).exit_code == 0
    page = (tmp_path / "out" / "compare.html").read_text()
    head = page[page.index("Which run is better than base?") : page.index("Is worse better than base?")]
    assert head.count("▼ worse") and head.count("▲ better") and head.count("<tr>") == len(tasks.names()) + 1


def test_other_training_splits_leave_out_only_the_slices_that_they_make(
    cli: Any, scored: Any, test_file: Path, tmp_path: Path
) -> None:
    lines, splits = test_file.read_text().splitlines(keepends=True), []
    for name, count in (("one", 200), ("two", 400)):
        splits.append(tmp_path / f"{name}.jsonl")
        splits[-1].write_text("".join(lines[:count]))
    base, same = (scored(name, mostly(share), "--train", splits[0]) for name, share in (("base", 3), ("same", 8)))
    other, none = scored("other", mostly(8), "--train", splits[1]), scored("none", mostly(8))
    said = (
        "Left out, since the runs' training splits differ: the slices “how frequent” and “training shows the answer”."
    )
    for run, apart in ((same, False), (other, True), (none, True)):
        found = cli("compare", base, run, "--out", tmp_path / "out", "--resamples", 400)
        assert found.exit_code == 0, found.output
        comparison = json.loads((tmp_path / "out" / "compare.json").read_text())
        assert comparison["slices_left_out"] == (["frequency", "seen"] if apart else [])
        kinds = {
            one["kind"]
            for run in comparison["runs"]
            for task in run["tasks"].values()
            for one in task.get("slices", ())
        }
        assert {"length", "attribute"} <= kinds and ({"frequency", "seen"} <= kinds) is not apart
        page, text = ((tmp_path / "out" / f"compare.{kind}").read_text() for kind in ("html", "md"))
        for where in (found.output, text, html.unescape(page)):
            assert (said in where) is apart
        assert ("training shows the answer: " in page) is not apart and "length of the prompt: up to" in page


def test_common_rows_of_runs_with_other_training_splits_can_be_compared(
    cli: Any, scored: Any, test_file: Path, tmp_path: Path
) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text("".join(test_file.read_text().splitlines(keepends=True)[:200]))
    base = scored("base", mostly(2), "--train", train, decoding=None)
    short = fewer(cli, scored, test_file, "short", 300)
    found = cli("compare", base, short, "--out", tmp_path / "out", "--intersect", "--resamples", 400)
    assert found.exit_code == 0, found.output
    comparison = json.loads((tmp_path / "out" / "compare.json").read_text())
    kinds = {
        one["kind"] for run in comparison["runs"] for task in run["tasks"].values() for one in task.get("slices", ())
    }
    assert "length" in kinds and "seen" not in kinds and comparison["slices_left_out"] == []
    assert "on the rows that all runs have, without training splits" in (tmp_path / "out" / "compare.html").read_text()


def test_by_what_a_verdict_goes_stands_beside_it(cli: Any, scored: Any, tmp_path: Path) -> None:
    found = cli("compare", scored("base", mostly(2)), scored("tuned", mostly(9)), "--out", tmp_path / "out")
    page, text = ((tmp_path / "out" / f"compare.{kind}").read_text() for kind in ("html", "md"))
    for where in (found.output, page, text):
        assert "The verdict goes by p corrected for all comparisons shown (Holm)" in where


def test_an_edit_of_any_file_that_decides_a_score_is_another_scorer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all((ROOT / room / "__init__.py").is_file() for room in runs.SCORER)
    for package in ("converters", "eval"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    before, edited = runs.scorer_sha256.__wrapped__(), 0
    assert before == runs.scorer_sha256()
    for path in sorted(path for package in ("converters", "eval") for path in (tmp_path / package).rglob("*.*")):
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        decides = path.suffix == ".py" and path.parent.relative_to(tmp_path).as_posix() in runs.SCORER
        assert (runs.scorer_sha256.__wrapped__() != before) is decides, path
        path.write_bytes(text)
        edited += decides
    assert edited > 30
