"""Exports: fp8 and int8 made for real on the CPU and scored beside the merged model, by the environment for exports."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256
from recipes.runner.export import formats
from recipes.runner.records import provenance
from tests.recipes.conftest import command

ready = pytest.mark.skipif(
    not (formats.ENVIRONMENT.parent / "ready").is_file(), reason="no .venv-export: make setup-export"
)


@pytest.mark.slow
@ready
def test_fp8_and_int8_are_made_and_scored_beside_the_merged_model(finished: Path, tmp_path: Path) -> None:
    for name in ("data", "runs"):
        shutil.copytree(finished / name, tmp_path / name)
    run = tmp_path / "runs" / "tiny"
    for form in ("fp8", "int8"):
        done = command(tmp_path, "ecom-train", "export", "tiny", "--format", form, "--max-new-tokens", "4")
        assert done.returncode == 0, done.stderr
        record = json.loads((run / "exports" / form / "export.json").read_text())
        settings = json.loads((run / "exports" / form / "model" / "config.json").read_text())["quantization_config"]
        group = settings["config_groups"]["group_0"]
        assert (group["weights"]["type"], group["weights"]["num_bits"]) == ({"fp8": "float", "int8": "int"}[form], 8)
        assert settings["ignore"] == ["lm_head"] and group["input_activations"]["dynamic"] is True
        assert record["merged_sha256"] == provenance.read(run)["merged_sha256"]
        assert record["sha256"] == folder_sha256(run / "exports" / form / "model")
        assert record["packages"]["llmcompressor"] == "0.14.0.1" and (record["calibration"] is None) == (form == "fp8")
    lines = json.loads((run / "exports" / "parity.json").read_text())
    assert [line["format"] for line in lines] == ["merged", "fp8", "int8"]
    assert lines[1]["bytes"] < lines[0]["bytes"] * 0.6 and all(line["tokens_per_second"] > 0 for line in lines)
    for line in lines[1:]:
        assert line["tasks"].keys() == lines[0]["tasks"].keys() >= {"answer", "attributes", "category"}
        for task, found in line["tasks"].items():
            assert found["difference"] == pytest.approx(found["value"] - lines[0]["tasks"][task]["value"])
            assert found["reason"] or found["low"] <= found["difference"] <= found["high"]
    assert (run / "exports" / "parity.md").read_text() in done.stdout
    chain = command(tmp_path, "ecom-train", "verify", "tiny")
    assert chain.returncode == 0 and "holds              export: runs/tiny/exports/int8/model" in chain.stdout
    assert "holds              parity table: runs/tiny/exports/parity.json" in chain.stdout
    assert "holds              predictions: runs/tiny/exports/merged/eval/predictions.jsonl" in chain.stdout
    weights = run / "exports" / "int8" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    broken = command(tmp_path, "ecom-train", "verify", "tiny")
    assert broken.returncode == 1 and "broken at 'export': runs/tiny/exports/int8/model" in broken.stderr


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose record says that it is merged."""
    monkeypatch.chdir(tmp_path)
    run = Path("runs/mine")
    (run / "merged").mkdir(parents=True)
    (run / "merged" / "model.safetensors").write_bytes(b"weights")
    record: dict[str, Any] = {"status": "merged", "merged_sha256": folder_sha256(run / "merged")}
    provenance.write(run, record | {"data": [{"name": "data/mix/train.jsonl"}]})
    return run


def test_what_cannot_be_exported_is_a_sentence(merged: Path) -> None:
    with pytest.raises(InputError, match="unknown format 'fp9'; did you mean 'fp8'"):
        formats.export(merged, "fp9", None, lambda _: None)
    with pytest.raises(InputError, match=r"gguf is made by llama\.cpp: name its program with --converter"):
        formats.export(merged, "gguf", None, lambda _: None)
    (merged / "merged" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(InputError, match=r"is not the checkpoint that run\.json records"):
        formats.export(merged, "fp8", None, lambda _: None)
    provenance.update(merged, status="trained")
    with pytest.raises(InputError, match=r"found status 'trained', expected a merged run: make merge-mine"):
        formats.export(merged, "fp8", None, lambda _: None)


def test_an_export_of_another_merge_is_not_taken_for_this_one(merged: Path) -> None:
    out = merged / "exports" / "fp8"
    out.mkdir(parents=True)
    (out / "export.json").write_text(json.dumps({"merged_sha256": provenance.read(merged)["merged_sha256"]}))
    assert formats.export(merged, "fp8", None, lambda _: None) == out
    (out / "export.json").write_text(json.dumps({"merged_sha256": "other"}))
    with pytest.raises(InputError, match="is the export of another merged checkpoint"):
        formats.export(merged, "fp8", None, lambda _: None)


@ready
def test_gguf_goes_through_the_converter_that_was_named(merged: Path, tmp_path: Path) -> None:
    """A program with the command line of llama.cpp's ``convert_hf_to_gguf.py`` that writes what it was asked for."""
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text(
        "import argparse, pathlib\n"
        "asked = argparse.ArgumentParser()\n"
        "asked.add_argument('model'); asked.add_argument('--outfile'); asked.add_argument('--outtype')\n"
        "args = asked.parse_args()\n"
        "pathlib.Path(args.outfile).write_text(f'{args.model} as {args.outtype}')\n"
    )
    (tmp_path / "data" / "mix").mkdir(parents=True)
    (tmp_path / "data" / "mix" / "train.jsonl").write_text("{}\n")
    with pytest.raises(
        InputError, match="unpacking gguf stopped with exit code 1"
    ):  # it is no GGUF that could be scored
        formats.export(merged, "gguf", converter, lambda _: None)
    assert (merged / "exports" / "gguf" / "model" / "mine.gguf").read_text() == "runs/mine/merged as q8_0"
    assert not formats.scorable(merged)


@ready
def test_a_gguf_file_is_unpacked_to_the_model_that_it_was_made_of(tmp_path: Path) -> None:
    """Positions are scaled in Llama 3.1, which the file's reader does not know of: evaluated would be another model."""
    words = [str(formats.ENVIRONMENT / "python"), str(Path(__file__).parents[1] / "_small_gguf.py"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["scaled"] == "llama3" and 0 < found["apart"] < 0.1, "8 bits round, and nothing else"
    assert (tmp_path / "unpacked" / "chat_template.jinja").is_file()


def test_the_table_shows_difference_and_interval() -> None:
    merged = {"metric": "weighted_f1", "value": 0.9}
    other = merged | {
        "value": 0.875,
        "difference": -0.025,
        "low": -0.05,
        "reason": "",
        "high": 0.01,
        "verdict": "not shown to differ",
    }
    line = {
        "format": "merged",
        "bytes": 14_500_000_000,
        "tokens_per_second": 51.23,
        "device": "cuda",
        "tasks": {"category": merged},
    }
    text = formats.markdown([line, line | {"format": "fp8", "bytes": 7_300_000_000, "tasks": {"category": other}}])
    assert text.splitlines()[0] == "| format | MB | tokens/s | category, weighted_f1 |"
    assert text.splitlines()[2] == "| merged | 14,500.0 | 51.2 | 0.900 |"
    assert text.splitlines()[3] == "| fp8 | 7,300.0 | 51.2 | 0.875 (-0.025; -0.050 to +0.010; not shown to differ) |"


def test_the_parity_table_says_by_what_its_verdicts_go() -> None:
    metric = {"metric": "micro_f1", "value": 0.7}
    pair = metric | {
        "difference": -0.008,
        "low": -0.019,
        "high": -0.0004,
        "reason": "",
        "verdict": "not shown to differ",
    }
    line = {"bytes": 2_000_000, "tokens_per_second": 9.0, "device": "cpu"}
    lines = [
        line | {"format": name, "tasks": {"attributes": found}} for name, found in (("merged", metric), ("fp8", pair))
    ]
    said = formats.markdown(lines)
    assert "| fp8 | 2.0 | 9.0 | 0.700 (-0.008; -0.019 to -0.000; not shown to differ) |" in said
    assert "the verdict goes by p corrected for all comparisons shown (Holm), not by the interval alone" in said
