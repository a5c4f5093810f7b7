"""Generating with a tiny random model: right tokens, right order, and the same bytes after a stop."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from converters.core.errors import InputError
from converters.examples import example
from converters.io import jsonl
from converters.schema import Listing, Row, Text, Turn

MAX = 12


@pytest.fixture
def products() -> int:
    return 5


def predict(checkpoint: Path, rows: list[Row], out: Path, progress: Any = lambda *_: None, **plan: Any) -> bytes:
    from eval.inference.backends.base import Plan
    from eval.inference.predict import predict as run

    clock = iter(float(second) for second in range(10**6)).__next__
    made = Plan("0" * 64, **{"batch_size": 4, "max_new_tokens": MAX, **plan})
    run("transformers", str(checkpoint), rows, made, out, progress, clock)
    return (out / "predictions.jsonl").read_bytes()


def prompts(rows: list[Row]) -> int:
    return sum(len(row.messages) // 2 if row.task == "category_levels" else 1 for row in rows)


def stop_after(batches: int) -> Any:
    first: list[int] = []

    def progress(done: int, total: int) -> None:
        first.append(done)
        if done - first[0] >= 4 * batches:
            raise KeyboardInterrupt

    return progress


def test_answers_are_the_models_own_greedy_ones(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = [json.loads(line) for line in predict(tiny_checkpoint, rows, tmp_path).splitlines()]
    assert [line["id"] for line in found] == [row.id for row in rows]
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint).eval()
    for row, line in list(zip(rows, found, strict=True))[:6]:
        ids = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, return_dict=False)
        assert ids.count(tokenizer.bos_token_id) == 1
        for _ in range(MAX):
            with torch.inference_mode():
                following = int(model(torch.tensor([ids])).logits[0, -1].argmax())
            ids = [*ids, following]
            if following == tokenizer.eos_token_id:
                break
        made = ids[len(ids) - MAX :] if ids[-1] != tokenizer.eos_token_id else ids
        assert tokenizer.decode(made, skip_special_tokens=True).endswith(line["prediction"])
        assert line["prediction"]


def test_a_walk_is_asked_turn_by_turn_and_ends_at_its_first_wrong_answer() -> None:
    from eval.inference.backends.base import Answer
    from eval.inference.prompts import prediction, questions

    below = (("Home", "Car"), ("Mugs", "Pans"), ("Red mugs",))
    row = example(Listing("1", "g", (Text("Title", "Mug"),), ("Home", "Mugs"), "", below), "category_levels", "demo")
    turns = questions(row)
    assert [[turn.role for turn in part.messages] for part in turns.values()] == [
        ["user", "assistant"] * number for number in (1, 2, 3)
    ]
    assert [part.target for part in turns.values()] == ["Home", "Home > Mugs", "Home > Mugs"]

    def walked(*answers: str) -> str:
        return prediction(turns, {key: Answer(key, text, 1, True) for key, text in zip(turns, answers, strict=True)})

    assert walked("Home", " Home>Mugs", "Home > Mugs") == row.target
    assert walked("Home", "Home > Mugs", "Home > Mugs > Red mugs") == "Home > Mugs > Red mugs"
    assert walked("Home", "Home", "Home > Mugs") == "Home"
    assert walked("Car", "Home > Mugs", "Home > Mugs") == "Car"
    assert walked("", "Home > Mugs", "Home > Mugs") == ""
    other = example(Listing("1", "g", (Text("Title", "Mug"),), ("Home", "Mugs")), "category", "demo")
    assert questions(other) == {other.id: other}


def test_a_walk_through_a_model_sends_each_turn(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    levels = [row for row in rows if row.task == "category_levels"]
    first = [structs.replace(row, task="category", messages=row.messages[:2]) for row in levels]
    predict(tiny_checkpoint, levels, tmp_path / "walk", batch_size=1)
    predict(tiny_checkpoint, first, tmp_path / "first", batch_size=1)
    walk, opening = ((tmp_path / name / "predictions.jsonl").read_text() for name in ("walk", "first"))
    assert walk == opening  # a random model is wrong at once
    found = [json.loads((tmp_path / name / "predictions.json").read_text()) for name in ("walk", "first")]
    assert found[0]["prompt_tokens"] > 3 * found[1]["prompt_tokens"] and found[0]["rows"] == found[1]["rows"] == 5


def test_a_stopped_run_goes_on_to_the_same_bytes(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    whole = predict(tiny_checkpoint, rows, tmp_path / "whole")
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        predict(tiny_checkpoint, rows, out, stop_after(2))
    (partial,) = out.iterdir()
    assert partial.name.endswith(".partial")
    with partial.open("ab") as file:
        file.write(b'{"id":"demo:category:0","predic')  # killed in the middle of a line
    seen: list[tuple[int, int]] = []
    assert predict(tiny_checkpoint, rows, out, lambda *step: seen.append(step)) == whole
    total = prompts(rows)
    assert seen[0] == (8, total)
    assert seen[-1] == (total, total)
    assert sorted(path.name for path in out.iterdir()) == ["predictions.json", "predictions.jsonl"]
    record = json.loads((out / "predictions.json").read_text())
    assert record["rows_resumed"] <= 8
    # Both sittings count: a second a batch, the two of the first one included.
    assert record["seconds"] == 2 + len(seen) - 1
    assert (
        record["generated_tokens"]
        == json.loads((tmp_path / "whole" / "predictions.json").read_text())["generated_tokens"]
    )


def test_a_partial_file_of_other_settings_is_not_used(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(tiny_checkpoint, rows, tmp_path, stop_after(2))
    seen: list[int] = []
    predict(tiny_checkpoint, rows, tmp_path, lambda done, *_: seen.append(done), max_new_tokens=3)
    assert seen[0] == 0
    assert json.loads((tmp_path / "predictions.json").read_text())["generated_tokens"] <= 3 * prompts(rows)


def test_settings_saved_with_the_checkpoint_do_not_make_it_sample(
    tiny_checkpoint: Path, rows: list[Row], tmp_path: Path
) -> None:
    other = tmp_path / "sampling"
    shutil.copytree(tiny_checkpoint, other)
    settings = json.loads((other / "generation_config.json").read_text())
    sampling = {"do_sample": True, "temperature": 5.0, "repetition_penalty": 9.0, "num_beams": 3}
    (other / "generation_config.json").write_text(json.dumps(settings | sampling))
    assert predict(other, rows[:4], tmp_path / "b") == predict(tiny_checkpoint, rows[:4], tmp_path / "a")
    first, second = (json.loads((tmp_path / name / "predictions.json").read_text()) for name in "ab")
    assert first["checkpoint_sha256"] != second["checkpoint_sha256"]
    assert first["template_sha256"] == second["template_sha256"]


def test_the_record_names_what_the_answers_come_from(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    predict(tiny_checkpoint, rows[:4], tmp_path)
    found = json.loads((tmp_path / "predictions.json").read_text())
    assert found["checkpoint"] == str(tiny_checkpoint)
    assert found["decoding"] == {"do_sample": False, "num_beams": 1, "max_new_tokens": MAX}
    assert found["predictions_sha256"] == jsonl.sha256(tmp_path / "predictions.jsonl")
    assert found["test_sha256"] == "0" * 64
    assert {"template_sha256", "versions", "backend", "load_seconds"} <= set(found)
    assert found["candidates"] is None and "latency_seconds" not in found  # of a batch it would mean nothing
    batches, tokens = 1, found["generated_tokens"]  # of four tasks with a prompt each
    assert found["seconds"] == batches and found["rows_per_second"] == 4 / batches  # the clock ticks once a look
    assert found["generated_tokens_per_second"] == round(tokens / batches, 1) and found["prompts"] == found["rows"] == 4
    assert 0 < found["longest_prompt"] <= found["prompt_tokens"] <= 4 * found["longest_prompt"]


def test_what_cannot_be_used_is_a_sentence(tiny_checkpoint: Path, rows: list[Row], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_checkpoint, bare)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="has no chat template"):
        predict(bare, rows, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be loaded"):
        predict(tmp_path / "empty", rows, tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        predict(tmp_path / "a" / "b" / "c", rows, tmp_path / "out")
    system = Row(
        **{
            **{f: getattr(rows[0], f) for f in rows[0].__struct_fields__},
            "messages": [Turn("system", "x"), *rows[0].messages],
        }
    )
    with pytest.raises(InputError, match=r"demo:category:0.*chat template refuses.*no role system"):
        predict(tiny_checkpoint, [system], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predict_then_score_from_the_command_line(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run" / "eval"
    flags = (
        "--checkpoint",
        tiny_checkpoint,
        "--data",
        test_file,
        "--out",
        out,
        "--max-new-tokens",
        4,
        "--batch-size",
        7,
    )
    found = cli("predict", *flags)
    assert found.exit_code == 0, found.output
    assert f"{prompts(rows)}/{prompts(rows)} " in found.output
    scored = cli(
        "score", "--data", test_file, "--predictions", out / "predictions.jsonl", "--out", out, "--resamples", 100
    )
    assert scored.exit_code == 0, scored.output
    provenance = json.loads((out / "scores.json").read_text())["provenance"]
    assert provenance["predictions"]["decoding"]["max_new_tokens"] == 4
