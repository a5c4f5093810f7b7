"""Adapters, the template of the run, demonstrations, sampling, and options that cannot be."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from converters.core.errors import InputError
from converters.io import jsonl
from converters.io.jsonl import folder_sha256, template_sha256
from converters.schema import Row, Turn
from eval.inference import backends, checkpoint, prompts
from recipes.runner.records import provenance


@pytest.fixture
def products() -> int:
    return 4


def run(cli: Any, model: Path, data: Path, out: Path, *flags: object) -> tuple[list[str], dict[str, Any]]:
    where = ("--checkpoint", model, "--data", data, "--out", out, "--max-new-tokens", 8)
    found = cli("predict", *where, *flags)
    assert found.exit_code == 0, found.output
    lines = [json.loads(line)["prediction"] for line in (out / "predictions.jsonl").open()]
    return lines, json.loads((out / "predictions.json").read_text())


def error(found: Any) -> str:
    (line,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and "Traceback" not in found.output
    return str(line)


@pytest.fixture
def adapter(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A run's adapter that changes the tiny model much, with the weights that merging makes of it in ``merged``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    torch.manual_seed(1)
    saved = ["lm_head"]
    tuned = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "up_proj"], modules_to_save=saved))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                weight.normal_(std=0.5)
    folder = tmp_path / "runs" / "mine" / "adapter"
    tuned.save_pretrained(folder)
    merged = folder.with_name("merged")
    tuned.merge_and_unload().save_pretrained(merged)
    for place in (folder, merged):
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(tiny_checkpoint / name, place / name)
    return folder


def test_an_adapter_answers_as_its_merged_model(
    cli: Any, tiny_checkpoint: Path, adapter: Path, test_file: Path, tmp_path: Path
) -> None:
    merged, _ = run(cli, adapter.with_name("merged"), test_file, tmp_path / "merged")
    own, record = run(cli, adapter, test_file, tmp_path / "adapter")
    base, _ = run(cli, tiny_checkpoint, test_file, tmp_path / "base")
    assert own == merged and own != base
    sha256 = folder_sha256(tiny_checkpoint)
    assert record["adapter_base"] == {"name": str(tiny_checkpoint), "sha256": sha256, "loaded": "whole"}
    assert record["checkpoint_sha256"] == folder_sha256(adapter) and "peft" in record["versions"]


def test_an_adapter_of_a_qlora_run_is_for_a_base_in_nf4(adapter: Path) -> None:
    found = checkpoint.find(str(adapter))
    assert found.base and not found.base.nf4
    (adapter.parent / "recipe.yaml").write_text("adapter: qlora\nload_in_4bit: true\n")
    found = checkpoint.find(str(adapter))
    assert found.base and found.base.nf4 and found.identity["adapter_base"]["loaded"] == "nf4"


def test_an_adapter_that_names_no_base_is_a_sentence(cli: Any, adapter: Path, test_file: Path, tmp_path: Path) -> None:
    (adapter / "adapter_config.json").write_text("{}")
    where = ("--data", test_file, "--out", tmp_path / "out")
    found = cli("predict", "--checkpoint", adapter, *where)
    assert "no base_model_name_or_path" in error(found)
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "no/such/base"}')
    assert "no/such/base: no such folder" in error(cli("predict", "--checkpoint", adapter, *where))


@pytest.mark.parametrize("name", ["adapter", "merged", "adapter/checkpoint-100"])
def test_the_template_has_to_be_the_one_of_the_training(
    cli: Any, adapter: Path, test_file: Path, tmp_path: Path, name: str
) -> None:
    place = adapter.parent / name
    if not place.exists():
        shutil.copytree(adapter, place)
    recorded = provenance.saved_template_sha256(place)
    jsonl.write_json(adapter.parent / "run.json", {"template_sha256": recorded})
    _, record = run(cli, place, test_file, tmp_path / "well")
    assert record["template_sha256"] == recorded
    with (place / "chat_template.jinja").open("a") as file:
        file.write(" ")
    found = error(cli("predict", "--checkpoint", place, "--data", test_file, "--out", tmp_path / "out"))
    assert "expected the one of the training" in found and str(recorded)[:12] in found and "run.json" in found
    assert not (tmp_path / "out").exists()
    jsonl.write_json(adapter.parent / "run.json", {"status": "trained"})  # a record from before it held the hash
    run(cli, place, test_file, tmp_path / "out")


def test_demonstrations_are_earlier_turns_and_never_of_the_own_group(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    train = tmp_path / "train.jsonl"
    jsonl.write_lines(train, rows)  # the very rows: the own group has to be passed over
    shots = prompts.draw(rows, {(row.task, row.source) for row in rows}, 1, 0)
    for row in rows:
        turns = shots.turns(row)
        told = [shot for shot in rows if shot.task == row.task and shot.group != row.group]
        assert turns in [[*shot.prompt, {"role": "assistant", "content": shot.target}] for shot in told], row.id
    zero, plain = run(cli, tiny_checkpoint, test_file, tmp_path / "zero")
    one, record = run(cli, tiny_checkpoint, test_file, tmp_path / "one", "--few-shot", 1, "--train", train)
    assert one != zero and record["prompt_tokens"] > plain["prompt_tokens"]
    told = record["decoding"]["few_shot"]
    assert told["count"] == 1 and told["train_sha256"] == jsonl.sha256(train)
    assert set(told["ids"]) == {f"{row.task}/demo" for row in rows} and told["ids"]["category/demo"]
    assert "few_shot" not in plain["decoding"]
    found = cli("predict", "--checkpoint", tiny_checkpoint, "--data", test_file, "--out", tmp_path / "many",
                "--few-shot", 2, "--train", train)  # fmt: skip
    assert "found 1 demonstrations of task 'category' in the training split, expected 2 of other groups" in error(found)


def test_demonstrations_follow_the_system_turn(rows: list[Row]) -> None:
    shots = prompts.draw(rows, {(row.task, row.source) for row in rows}, 1, 0)
    [row, *_] = rows
    asked = structs.replace(row, messages=[Turn("system", "Be brief."), *row.messages])
    assert shots.before(asked) == [{"role": "system", "content": "Be brief."}, *shots.turns(row), *row.prompt]
    assert shots.before(row) == [*shots.turns(row), *row.prompt]


def test_the_draw_depends_on_the_seed_alone() -> None:
    rows = [
        Row(id=f"{source}{n}", group=f"g{n // 2}", task="general", source=source, messages=[])
        for source in "ab"
        for n in range(40)
    ]
    needed = {("general", "a"), ("general", "new")}
    shots = prompts.draw(rows, needed, 3, 5)
    assert shots == prompts.draw(rows[::-1], needed, 3, 5)
    assert shots != prompts.draw(rows, needed, 3, 6)
    assert set(shots.pool) == {("general", "a"), ("general", "")}
    for found in shots.pool.values():
        assert len(found) == len({row.group for row in found}) == 4  # one more than needed, for a row of the same group
    assert {row.source for row in shots.pool["general", "a"]} == {"a"}


def test_sampling_is_seeded_and_recorded(cli: Any, tiny_checkpoint: Path, test_file: Path, tmp_path: Path) -> None:
    flags = ("--temperature", 1.5, "--seed", 3)
    first, record = run(cli, tiny_checkpoint, test_file, tmp_path / "a", *flags)
    again, _ = run(cli, tiny_checkpoint, test_file, tmp_path / "b", *flags)
    other, _ = run(cli, tiny_checkpoint, test_file, tmp_path / "c", "--temperature", 1.5, "--seed", 4)
    assert first == again != other
    expected = {"do_sample": True, "num_beams": 1, "max_new_tokens": 8, "temperature": 1.5, "seed": 3}
    assert record["decoding"] == expected


WRONG = [
    (("--backend", "vlm"), "unknown backend 'vlm'; did you mean 'vllm'?"),
    (("--base-url", "http://h/v1"), "--base-url is for the openai backend, found --backend transformers"),
    (("--backend", "vllm", "--batch-size", 4), "--batch-size is for the transformers backend, found --backend vllm"),
    (("--backend", "openai"), "the openai backend needs --base-url"),
    (("--few-shot", 2), "--few-shot needs --train"),
    (("--train", "x.jsonl"), "--train needs --few-shot"),
    (("--paths", "x.txt"), "--paths needs --constrain"),
    (("--constrain", "--paths", "no.txt"), "no.txt: no such file"),
    (("--few-shot", 1, "--train", "no.jsonl"), "no.jsonl: no such file"),
    (("--candidates", 1), "--candidates"),
    (("--backend", "openai", "--base-url", "http://h/v1", "--choice-as", "gramar"), "did you mean 'grammar'?"),
    (("--backend", "openai", "--base-url", "host:8000"), "expected http(s)://host[:port]/path"),
]


@pytest.mark.parametrize(("flags", "sentence"), WRONG, ids=[" ".join(map(str, flags)) for flags, _ in WRONG])
def test_options_that_cannot_be(
    cli: Any, tiny_checkpoint: Path, test_file: Path, tmp_path: Path, flags: tuple[object, ...], sentence: str
) -> None:
    where = ("--checkpoint", "m", "--data", test_file, "--out", tmp_path / "out")
    assert sentence in error(cli("predict", *where, *flags))
    assert not (tmp_path / "out" / "predictions.jsonl").exists()


def test_nothing_to_constrain_is_a_sentence(cli: Any, rows: list[Row], test_file: Path, tmp_path: Path) -> None:
    jsonl.write_lines(test_file, [row for row in rows if row.task == "category"])
    found = cli("predict", "--checkpoint", "m", "--data", test_file, "--out", tmp_path / "out", "--constrain")
    assert "nothing constrains answers of category; paths need --paths FILE" in error(found)


def test_vllm_says_what_it_lacks(cli: Any, tiny_checkpoint: Path, test_file: Path, tmp_path: Path) -> None:
    import importlib.util

    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed here")
    where = ("--checkpoint", tiny_checkpoint, "--data", test_file, "--out", tmp_path / "out")
    assert "vLLM is not installed here: 'make setup-vllm'" in error(cli("predict", *where, "--backend", "vllm"))


@pytest.mark.parametrize("name", backends.names())
def test_every_backend_has_what_a_backend_has(name: str) -> None:
    module = backends.get(name)
    functions = ("load", "describe", "ranked_by", "confidence_by", "batches", "answers")
    assert all(callable(getattr(module, function)) for function in functions)
    assert len(backends.names()) >= 3


def test_a_template_with_names_counts_by_its_default() -> None:
    assert template_sha256({"default": "x", "tool_use": "y"}) == template_sha256("x")


def test_a_demonstration_needs_rows(rows: list[Row]) -> None:
    shots = prompts.draw([], {("category", "demo")}, 1, 0)
    with pytest.raises(InputError, match="found 0 demonstrations of task 'category'"):
        shots.turns(structs.replace(rows[0], group="other"))
