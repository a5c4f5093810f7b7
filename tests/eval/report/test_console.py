"""The list of runs: newest first, the recipe keys that differ beside the scores, and no run that breaks it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from converters.schema import Row
from eval.report import console


def recipe(run: Path, started: str, **keys: Any) -> None:
    run.mkdir(exist_ok=True)
    (run / "run.json").write_text(json.dumps({"status": "trained", "started": started}))
    found = {"base_model": "m", "learning_rate": 2e-3, "datasets": [{"path": "a"}], "output_dir": str(run), **keys}
    (run / "recipe.yaml").write_text(json.dumps(found))  # JSON is YAML


def right(share: int) -> Any:
    return lambda i, row: row.target if i % 10 < share else "[]"


@pytest.fixture
def products() -> int:
    return 24


@pytest.fixture
def folder(scored: Any, tmp_path: Path) -> Path:
    recipe(scored("slow", right(9)), "2026-02-01T10:00:00+00:00", learning_rate=1e-4, lora_r=64)
    recipe(scored("fast", right(5)), "2026-03-01T10:00:00+00:00", lora_r=32)
    recipe(tmp_path / "unscored", "2026-01-01T10:00:00+00:00", lora_r=32)
    scored("nearest", right(3), baseline="nearest", decoding=None)
    (tmp_path / ".demo").mkdir()
    (tmp_path / "notes").mkdir()
    return tmp_path


def cells(cli: Any, folder: Path) -> tuple[list[str], list[str]]:
    found = cli("runs", folder)
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    return lines, [line.split()[0] for line in lines[1:5]]


def test_newest_first_with_the_keys_that_differ(cli: Any, folder: Path) -> None:
    lines, names = cells(cli, folder)
    assert names == ["nearest", "fast", "slow", "unscored"]
    assert lines[0].split()[-2:] == ["learning_rate", "lora_r"]
    assert "base_model" not in lines[0] and "output_dir" not in lines[0] and "datasets" not in lines[0]
    by_name = {line.split()[0]: line for line in lines[1:5]}
    assert by_name["slow"].split()[-2:] == ["0.0001", "64"] and by_name["fast"].split()[-2:] == ["0.002", "32"]
    assert "baseline: nearest" in by_name["nearest"] and "2026-02-01 10:00" in by_name["slow"]
    value = json.loads((folder / "slow" / "eval" / "scores.json").read_text())["tasks"]["category"]["metrics"][
        "weighted_f1"
    ]
    assert f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in by_name["slow"]
    assert "category weighted F1" in lines[-1]


@pytest.mark.parametrize("products", [6])
def test_a_run_on_few_products_is_listed_without_an_interval(cli: Any, folder: Path) -> None:
    lines, _ = cells(cli, folder)
    assert "[needs 10 groups, found 3]" in lines[2]


def test_scores_on_another_mix_are_a_line_of_their_own(cli: Any, folder: Path) -> None:
    shutil.copytree(folder / "slow" / "eval", folder / "slow" / "eval-shop")
    found = {words[0]: words[1:] for line in cli("runs", folder).output.splitlines() if (words := line.split())}
    assert found["slow/eval-shop"] == found["slow"] and len(found["slow"]) > 5


def test_scores_of_another_scorer_are_said_not_to_compare(cli: Any, folder: Path) -> None:
    assert "versions of the scorer" not in cli("runs", folder).output
    file = folder / "fast" / "eval" / "scores.json"
    file.write_text(
        json.dumps(scores := json.loads(file.read_text())).replace(scores["provenance"]["scorer_sha256"], "0" * 64)
    )
    assert "the runs were scored by different versions of the scorer" in cli("runs", folder).output


def test_scores_of_another_test_file_are_said_not_to_compare(cli: Any, folder: Path) -> None:
    path = folder / "fast" / "eval" / "scores.json"
    scores = json.loads(path.read_text())
    scores["provenance"]["test_sha256"] = "ab" * 32
    path.write_text(json.dumps(scores))
    lines, _ = cells(cli, folder)
    assert "test" in lines[0].split() and "abababab" in lines[2]
    assert any("only scores of the same test file can be compared" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[1]"),
        ("run.json", '{"started": 5, "status": null}'),
        ("recipe.yaml", "a: [1"),
        ("recipe.yaml", "just words"),
        ("recipe.yaml", "\x00"),
        ("eval/scores.json", "nonsense"),
        ("eval/scores.json", '{"tasks": {}, "provenance": {"predictions": 3}}'),
        (
            "eval/scores.json",
            '{"tasks": {"gone": {"n": 0, "groups": 0, "invalid": 0, "metrics": {}}}, "provenance": {}}',
        ),
    ],
)
def test_a_broken_run_is_listed_as_such(cli: Any, folder: Path, name: str, content: str) -> None:
    (folder / "slow" / name).write_text(content)
    lines, names = cells(cli, folder)
    assert set(names) == {"nearest", "fast", "slow", "unscored"}
    broken = [line for line in lines if line.startswith("slow: ")]
    assert broken == ([f"slow: {Path(name).name} cannot be read"] if content[0] not in "{" or content == "{" else [])


def test_a_folder_without_runs_is_a_sentence(cli: Any, tmp_path: Path, rows: list[Row]) -> None:
    for folder, words in ((tmp_path / "none", "no such folder"), (tmp_path, "no runs here")):
        found = cli("runs", folder)
        assert found.exit_code == 1 and words in found.output and len(found.output.splitlines()) == 1


def test_long_values_are_cut() -> None:
    one = console.Listed("a", "2026", "", {"x": "y" * 100})
    assert f"{'y' * 39}…" in console.table([one, console.Listed("b", "2025", "", {"x": ""})])


def test_a_table_is_as_pandas_would_write_it() -> None:
    rows = [
        {"run": "a", "95 % interval": "0.1, 0.2"},
        {"run": " 容量", "verdict": ""},
        {"x" * 70: "nan", "run": "y" * 120},
    ]
    assert console.text(rows) == pd.DataFrame(rows).fillna("").to_string(index=False)
