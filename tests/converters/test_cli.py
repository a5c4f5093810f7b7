"""The command line: one sentence, exit code 1, nothing half-written."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from converters import sources
from converters.cli import main
from converters.mixture.shards import TEMPORARY
from converters.mixture.spec import load


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def sentence(result: Result) -> str:
    assert result.exit_code == 1, result.output
    text = result.stderr.strip()
    assert text.startswith("error: ") and "Traceback" not in text
    return text.splitlines()[-1]


def test_list_shows_licence_and_files_of_every_source() -> None:
    text = run("list").output
    for name in sources.names():
        assert name in text and sources.get(name).LICENCE in text


@pytest.mark.parametrize("name", sources.names())
def test_list_explains_each_option_of_a_source_with_its_default(name: str) -> None:
    text, found = run("list", name).output, sources.options(name)
    assert text.startswith(f"{name}\n") and text.count("--option ") == len(found)
    for option in found:
        assert len(option.line) > 10 and option.line.isprintable() and f"      {option.line}\n" in text, option
        [default] = re.findall(rf"--option {option.name}=(.*)", text)
        told = yaml.safe_load(default)
        assert (tuple(told) if isinstance(told, list) else told) == option.default
        sources.check(name, {option.name: told})  # it may be given as it is shown


def test_options_are_found_and_a_wrong_source_is_a_sentence() -> None:
    assert len(sources.options("catalog")) > 20 and sum(bool(sources.options(name)) for name in sources.names()) >= 5
    assert "did you mean 'catalog'" in sentence(run("list", "catalogue"))


def test_convert_writes_rows_manifest_and_rejects(fixtures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "mave.jsonl"
    result = run("convert", "mave", fixtures / "mave.jsonl", "--out", out, "--rejects", tmp_path / "rejects.jsonl")
    assert result.exit_code == 0, result.output
    manifest = json.loads((out.parent / "mave.jsonl.manifest.json").read_text())
    assert (manifest["read"], manifest["used"], sum(manifest["rejected"].values())) == (6, 2, 4)
    assert len(manifest["inputs"][0]["sha256"]) == 64 and manifest["inputs"][0]["bytes"] > 0
    assert len(out.read_text().splitlines()) == 2
    rejects = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    (found,) = (reject for reject in rejects if reject["where"].endswith("mave.jsonl:3"))
    assert len(rejects) == 4 and found["reason"] == "no attribute whose spans hold"
    assert run("check", out).exit_code == 0


def test_rejects_are_written_where_no_row_at_all_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text('{"instruction": "Say it."}\n')
    words = ("convert", "general", tmp_path / "chat.jsonl", "--out", tmp_path / "out.jsonl")
    assert "none to use" in sentence(run(*words, "--rejects", tmp_path / "rejects.jsonl"))
    (reject,) = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert json.loads(reject)["where"].endswith("chat.jsonl:1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chat.jsonl", "rejects.jsonl"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["convert", "mvae", "x", "--out", "y"], "did you mean 'mave'"),
        (["convert", "mave", "none.jsonl", "--out", "y"], "none.jsonl: no such file"),
        (["convert", "mave", "x", "--out", "y", "--option", "a"], "expected KEY=VALUE"),
        (["convert", "mave", "x", "--out", "y", "--option", "a=1"], "no option 'a'"),
        (["convert", "mave", "x", "--otu", "y"], "No such option '--otu'"),
        (["biuld"], "No such command 'biuld'"),
        (["build", "none.yaml", "--out", "y"], "none.yaml: no such "),
        (["check", "none.jsonl"], "none.jsonl: no such file"),
        (["check", "."], "train.jsonl"),
        (["check", "x", "--sequence-len", "9"], "--sequence-len needs --tokenizer"),
    ],
)
def test_what_a_user_mistypes_is_a_sentence(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in sentence(run(*words))
    assert not list(tmp_path.iterdir())


ROW = {
    "id": "1",
    "group": "g",
    "task": "category",
    "source": "mine",
    "messages": [{"role": "user", "content": "[CLASSIFY] Mug"}, {"role": "assistant", "content": "A > B"}],
    "meta": "{}",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"task": "categry"}, "did you mean 'category'"),
        ({"messages": [{"role": "user", "content": "Mug"}, ROW["messages"][1]]}, "expected '[CLASSIFY]'"),
        ({"messages": [ROW["messages"][0], {"role": "assistant", "content": " "}]}, "empty answer"),
        ({"messages": [ROW["messages"][0], {"role": "assistant", "content": "A > > B"}]}, "cannot read"),
        ({"messages": [ROW["messages"][0]]}, "expected to end in user, assistant"),
        ({"messages": [{"role": "user", "content": "[CLASSIFY] Mug</s>"}, ROW["messages"][1]]}, "control token"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"id": 1}, "Expected `str`"),
        ({}, "every id once"),
    ],
)
def test_check_names_file_line_found_and_expected(change: dict[str, object], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | change) + "\n", "utf-8")
    result = run("check", path)
    assert result.exit_code == 1
    assert any(line.startswith(f"{path}:2: ") and expected in line for line in result.stderr.splitlines()), (
        result.stderr
    )


def test_check_finds_a_broken_line_an_empty_file_and_a_group_in_two_splits(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps(ROW) + '\n{"id": \n', "utf-8")
    (tmp_path / "validation.jsonl").write_text("", "utf-8")
    (tmp_path / "test.jsonl").write_text(json.dumps(ROW | {"id": "2"}) + "\n", "utf-8")
    text = run("check", tmp_path).stderr
    assert f"{tmp_path / 'train.jsonl'}:2: found" in text
    assert "found an empty file" in text and "every group in one split" in text and "3 findings" in text


def big(path: Path, rows: int) -> Path:
    line = json.dumps({"instruction": "Say it again.", "input": "word " * 20, "output": "word"})
    path.write_text("".join(line.replace("again", str(n)) + "\n" for n in range(rows)), "utf-8")
    return path


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    raw, out = big(tmp_path / "raw.jsonl", 2000), tmp_path / "out"
    program = [sys.executable, "-B", "-m", "converters.cli"]  # without bytecode: half of a file of it would stay
    command = [*program, "convert", "general", str(raw), "--out", str(out / "rows.jsonl")]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # noqa: E731
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"error: {out}") and "Traceback" not in done.stderr
    assert "cannot be written: " in done.stderr
    assert not list(out.iterdir())


def begun(folder: Path, pattern: str) -> None:
    """Wait for a file that a command makes when it is at work: a busy machine may take its time."""
    stop = time.monotonic() + 300
    while not list(folder.glob(pattern)):
        assert time.monotonic() < stop, f"no {pattern} in {folder}"
        time.sleep(0.02)


def test_an_interrupt_is_a_sentence_and_keeps_the_old_file(tmp_path: Path) -> None:
    import signal

    raw, out = big(tmp_path / "raw.jsonl", 300_000), tmp_path / "rows.jsonl"
    out.write_text("old")
    command = [sys.executable, "-m", "converters.cli", "convert", "general", str(raw), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        begun(tmp_path, f".rows.jsonl.parts/{TEMPORARY}*")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and "interrupted" in errors and "Traceback" not in errors
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw.jsonl", "rows.jsonl"]


def test_an_interrupt_where_a_string_is_executed_ends_with_the_code_of_any_other(tmp_path: Path) -> None:
    program = """
from converters.core.console import Group
main = Group("main")
@main.command()
def work():
    exec("raise KeyboardInterrupt")
main(["work"])
"""
    (tmp_path / "command.py").write_text(program)
    paths = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    command = [sys.executable, "-m", "command"]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "error: interrupted" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", sorted(name for name, unit in main.commands.items() if not unit.hidden))
def test_every_command_has_a_sentence_and_an_example(command: str) -> None:
    text = run(command, "--help").output
    assert f"Example: ecom-data {command}" in text.replace("\n  ", " ")
    assert main.commands[command].help


def test_a_build_names_all_files_that_are_missing_with_their_pages(tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text('{"instruction": "Say it.", "output": "It."}\n')
    (tmp_path / "empty").mkdir()
    given = [("mave", ["no/positives.jsonl", "no/negatives.jsonl"]), ("catalog", ["shop.csv"]), ("esci", ["no/*.parquet"]),
             ("general", ["chat.jsonl"]), ("amazonqa", ["empty"]), ("catalog", ["shop.csv"])]  # fmt: skip
    tree = [{"source": source, "paths": [str(tmp_path / path) for path in paths]} for source, paths in given]
    (tmp_path / "mix.yaml").write_text(json.dumps({"sources": tree}))
    result = run("build", tmp_path / "mix.yaml", "--out", tmp_path / "mix")
    first, *lines, last = result.stderr.strip().splitlines()
    assert result.exit_code == 1 and first.startswith("error: 5 of the specification's raw files or folders")
    for line, (path, source) in zip(
        lines,
        [
            ("no/positives.jsonl", "mave"),
            ("no/negatives.jsonl", "mave"),
            ("shop.csv", "catalog"),
            ("no/*.parquet", "esci"),
            ("empty", "amazonqa"),
        ],
        strict=True,
    ):
        assert line.startswith(f"  {tmp_path / path}: ") and line.endswith(f"({source}: {sources.get(source).URL})")
    assert "delete from the specification" in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chat.jsonl", "empty", "mix.yaml"]


def test_the_big_mix_names_each_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Path(__file__).parents[2] / "recipes" / "mixes" / "ecom.yaml"
    monkeypatch.chdir(tmp_path)
    text = run("build", spec, "--out", tmp_path / "mix").stderr
    assert (
        all(path in text for entry in load(spec).sources for path in entry.paths) and text.count("\n  data/raw/") >= 7
    )


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"id,title,category\n", "found only a header, expected catalog"),
        (b"id,title,category\n\n\n", "found only a header, expected catalog"),
        (b"id,title,category\n1,,A\n", "found 1 rows and none to use, expected catalog (most common reason: no title)"),
        (
            b"id,title,category\n1,M\xfcg \xc3\xa9,A\n\xc3\xa9,,A\n2,M\xfcg,A\n",
            "reason: not UTF-8: save the file as UTF-8, or: iconv -f cp1252 -t utf-8 OLD > NEW",
        ),
    ],
)
def test_a_file_without_a_row_to_use_says_why_and_what_to_do(data: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_bytes(data)
    assert found in sentence(run("convert", "catalog", tmp_path / "shop.csv", "--out", tmp_path / "out.jsonl"))


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("feed.csv", b'<?xml version="1.0"?>\n<rss/>\n', "is no table but XML: give it the ending .xml"),
        ("shop.txt", b'[{"id": 1,\n"title": "Mug"}]\n', "is no table but JSON: give it the ending .json"),
        ("shop.csv", b"<!DOCTYPE html>\n<p>Log in</p>\n", "is no table but a web page"),
        ("shop", b"id,title\n1,Mug\n", "expected .csv, .tsv, .txt, .json, .jsonl, .xml"),
    ],
)
def test_a_file_of_another_kind_than_its_ending_says_which(name: str, data: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert found in sentence(run("convert", "catalog", tmp_path / name, "--out", tmp_path / "out.jsonl"))
    assert "no such file" in sentence(run("convert", "catalog", tmp_path / "shops", "--out", tmp_path / "out.jsonl"))


def test_no_file_that_is_read_is_written_over(tmp_path: Path) -> None:
    shop, mapping = tmp_path / "shop.csv", tmp_path / "shop.yaml"
    shop.write_text("id,title,category\n1,Mug,A > B\n")
    mapping.write_text("category: category\n")
    for given in (("--out", shop), ("--out", tmp_path / "out", "--rejects", shop), ("--out", mapping)):
        words = ("convert", "catalog", tmp_path / "." / "shop.csv", "--option", f"mapping={mapping}", *given)
        assert "is read and would be overwritten" in sentence(run(*words))
    assert "is a folder: name the file" in sentence(run("convert", "catalog", shop, "--out", tmp_path))
    assert shop.read_text().startswith("id,title") and sorted(tmp_path.iterdir()) == [shop, mapping]


def test_a_mapping_that_was_edited_in_its_place_keeps_its_comments(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,title,category\n1,Mug,A > B\n")
    words = ("convert", "catalog", tmp_path / "shop.csv", "--out", tmp_path / "out.jsonl")
    text = run(*words).output
    mapping = tmp_path / "out.jsonl.mapping.yaml"
    assert "1 row in" in text and f"edit it and add --option mapping={mapping}" in text
    mapping.write_text("# Ours.\nroot: cut\n")
    assert run(*words, "--option", f"mapping={mapping}").exit_code == 0
    assert mapping.read_text() == "# Ours.\nroot: cut\n"


def test_a_share_of_nothing_needs_no_general_file(tmp_path: Path) -> None:
    rows = [f"{number},Mug {number},A > B" for number in range(40)]
    (tmp_path / "shop.csv").write_text("\n".join(["id,title,category", *rows]))
    entries = [("catalog", "shop.csv"), ("general", "chat.json")]
    tree = {"sources": [{"source": source, "paths": [str(tmp_path / path)]} for source, path in entries]}
    (tmp_path / "mix.yaml").write_text(json.dumps(tree))
    words = ("build", tmp_path / "mix.yaml", "--out", tmp_path / "mix")
    assert "(--set general_share=0 does without general instructions)" in sentence(run(*words))
    result = run(*words, "--set", "general_share=0")
    assert result.exit_code == 0 and "general: left out: general_share is 0" in result.output
    manifest = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    assert manifest["read"] == 40 and manifest["sources"][0]["groups"]["train"] > 30


def test_rows_that_are_not_utf8_among_others_are_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_bytes(b"id,title,category\n1,M\xfcg,A\n2,Br\xc3\xbche,A\n")
    manifest, _, text = accounted(tmp_path, "catalog", tmp_path / "shop.csv")
    assert manifest["rejected"] == {"not UTF-8": 1} and "rejected 1 raw row: not UTF-8: save the file as UTF-8" in text


def accounted(folder: Path, *words: object) -> tuple[dict[str, Any], list[tuple[str, str]], str]:
    """Return a conversion's manifest, its rejects and what it prints, after the law of counts was held against them."""
    out, rejects = folder / "out.jsonl", folder / "rejects.jsonl"
    result = run("convert", *words, "--out", out, "--rejects", rejects)
    assert result.exit_code == 0, result.output
    manifest = json.loads((folder / "out.jsonl.manifest.json").read_text())
    assert manifest["read"] == manifest["used"] + sum(manifest["rejected"].values())
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    return manifest, [(one["where"].rpartition(":")[2], one["reason"]) for one in told], result.output


def test_a_row_whose_examples_are_all_dropped_is_not_used_and_stands_among_the_rejects(tmp_path: Path) -> None:
    rows = [f"S{n},Mug {n} red,Mugs,red" for n in range(200)]
    rows[50], rows[120] = "S50,,Mugs,red", "S7,Other red mug,Cups,red"
    (tmp_path / "shop.csv").write_text("\n".join(["id,title,category,colour", *rows]))
    words = ("catalog", tmp_path / "shop.csv", "--option", "attributes={Colour: colour}")
    manifest, rejects, text = accounted(tmp_path, *words)
    assert (manifest["read"], manifest["used"]) == (200, 198)
    assert manifest["rejected"] == {"no title": 1, "all its examples dropped: same id again": 1}
    assert manifest["dropped"] == {"same id again": 2} and manifest["rows"] == 396
    assert rejects == [("52", "no title"), ("122", "all its examples dropped: same id again")]
    assert "catalog: read 200 raw rows, used 198, rejected 2\n" in text
    assert "rejected 1 raw row: no title" in text and "dropped 2 examples: same id again" in text
    assert "rejected 1 raw row: all its examples dropped: same id again" in text
    assert "2 raw rows that were not used are in" in text


def test_a_row_that_keeps_one_of_its_examples_is_used(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,title,category,colour\nA,Red mug,,red\nA,Red mug,Mugs,red\n")
    words = ("catalog", tmp_path / "shop.csv", "--option", "attributes={Colour: colour}")
    manifest, rejects, text = accounted(tmp_path, *words)
    assert (manifest["used"], manifest["rejected"], manifest["dropped"], rejects) == (2, {}, {"same id again": 1}, [])
    assert "rejected 0\n" in text and "0 raw rows that were not used are in" in text


def test_a_row_without_anything_for_the_task_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,title,category,colour\nA,Red mug,,red\nB,Red pot,Pots,red\n")
    words = ("catalog", tmp_path / "shop.csv", "--option", "attributes={Colour: colour}", "--task", "category")
    manifest, rejects, _ = accounted(tmp_path, *words)
    assert (manifest["used"], rejects) == (1, [("2", "nothing for task category")])


def test_a_row_whose_only_example_cannot_be_rendered_is_rejected_for_that(tmp_path: Path) -> None:
    turns = [{"instruction": "Say it.", "output": "Yes."}, {"instruction": "Say no.", "output": "\x00"}]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    manifest, rejects, text = accounted(tmp_path, "general", tmp_path / "chat.jsonl")
    assert manifest["used"] == 1 and manifest["rejected"] == manifest["dropped"] and len(rejects) == 1, manifest
    assert "1 raw row that was not used is in" in text


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("--help", {"msgspec", "numpy", "regex", "yaml"}),
        ("list mix", {"filelock", "importlib.metadata", "jinja2", "numpy.ma", "regex"}),
        (
            "join-mave --labels labels.jsonl --metadata meta.jsonl --out joined.jsonl",
            {"regex", "yaml"},
        ),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_need(tmp_path: Path, command: str, unneeded: set[str]) -> None:
    (tmp_path / "labels.jsonl").write_text('{"id": "B000000001", "category": "Mugs", "attributes": []}\n')
    (tmp_path / "meta.jsonl").write_text(
        '{"asin": "B000000001", "title": "Mug", "feature": ["<b>red</b> &amp; big"]}\n'
    )
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); from converters.cli import main; main()"
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-c", told, *command.split()]
    done = subprocess.run(words, env=os.environ | paths, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not unneeded & set(done.stdout.splitlines()[-1].split())
    assert "converters.cli" in done.stdout.splitlines()[-1].split()
