"""Constrained answers and ranked candidates, generated for real by a tiny random model, which left alone says neither."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from converters import tasks
from converters.core.errors import InputError
from converters.examples import example
from converters.io import jsonl
from converters.schema import Answerable, Listing, Row, Text
from eval.answers.base import Schema, Texts
from eval.inference import prompts
from eval.inference.prompts import questions

ROOT = ("Home > Kitchen > Kettles", "Home > Kitchen > Mugs", "Home", "Sports > Tents", "Sports > Tents for two")


@pytest.fixture
def products() -> int:
    return 4


@pytest.fixture
def paths_file(tmp_path: Path) -> Path:
    path = tmp_path / "taxonomy.txt"
    path.write_text("# a taxonomy\n" + "\n".join([*ROOT, "7 - Sports>Tents"]) + "\n", "utf-8")
    return path


def run(
    cli: Any, checkpoint: Path, data: Path, out: Path, *flags: object
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found = cli(
        "predict",
        "--checkpoint",
        checkpoint,
        "--data",
        data,
        "--out",
        out,
        "--batch-size",
        5,
        "--max-new-tokens",
        60,
        *flags,
    )
    assert found.exit_code == 0, found.output
    lines = [json.loads(line) for line in (out / "predictions.jsonl").open()]
    return lines, json.loads((out / "predictions.json").read_text())


def test_every_answer_is_one_that_its_prompt_allows(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], test_file: Path, paths_file: Path, tmp_path: Path
) -> None:
    free, _ = run(cli, tiny_checkpoint, test_file, tmp_path / "free", "--max-new-tokens", 30)
    held, record = run(cli, tiny_checkpoint, test_file, tmp_path / "held", "--constrain", "--paths", paths_file)
    expected = {
        "answer": "free",
        "answerable": "texts",
        "attributes": "json_schema",
        "category": "texts",
        "category_levels": "texts",
        "category_shortlist": "texts",
        "choice": "texts",
        "general": "free",
        "ranking": "free",
        "yes_no": "texts",
    }
    assert record["decoding"]["constrain"] == {
        "tasks": expected,
        "paths_sha256": jsonl.sha256(paths_file),
        "paths": len(ROOT),
    }
    said = {
        kind: {row.id: line["prediction"] for row, line in zip(rows, lines, strict=True)}
        for kind, lines in (("free", free), ("held", held))
    }
    seen: dict[str, set[str]] = {}
    for row in rows:
        text = said["held"][row.id]
        seen.setdefault(row.task, set()).add(text)
        if row.task in ("category", "category_shortlist"):
            assert text in ROOT
        elif row.task == "choice":
            assert text in row.extra["options"]
        elif row.task in ("yes_no", "answerable"):
            assert text in ("yes", "no")
        elif row.task == "category_levels":
            (prompt,) = [part for part in questions(row).values() if text in allowed(part)][:1]
            assert text in allowed(prompt)
        elif expected[row.task] == "free":
            assert text == said["free"][row.id][: len(text)] or text.startswith(said["free"][row.id])
    assert len(seen["category"]) > 1 or len(seen["choice"]) > 1  # the model's own choice, not the first text
    # Left alone, the model says nothing that is allowed.
    assert not any(said["free"][row.id] in ROOT for row in rows)


def allowed(row: Row) -> tuple[str, ...]:
    limit = prompts.limit(row, ())
    assert isinstance(limit, Texts)
    return limit.texts


def test_json_answers_have_the_attributes_asked_for_in_their_order(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], tmp_path: Path
) -> None:
    asked = [row for row in rows if row.task == "attributes"]
    data = tmp_path / "attributes.jsonl"
    jsonl.write_lines(data, asked)
    lines, record = run(cli, tiny_checkpoint, data, tmp_path / "out", "--constrain", "--max-new-tokens", 400)
    assert record["decoding"]["constrain"]["tasks"] == {"attributes": "json_schema"}
    whole = [line["prediction"] for line in lines if line["prediction"].endswith("}")]
    assert len(whole) >= len(lines) // 2  # a random model seldom ends a text
    for text in whole:
        values = tasks.get("attributes").parse(text)
        assert values is not None and list(values) == ["Brand", "Color"]
        assert json.dumps(json.loads(text), ensure_ascii=False) == text or "\\" in text  # spaces as training had them
    assert all(line["prediction"].startswith('{"Brand": ') for line in lines)


def test_candidates_are_distinct_ranked_and_begin_with_the_prediction(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], test_file: Path, paths_file: Path, tmp_path: Path
) -> None:
    alone, _ = run(cli, tiny_checkpoint, test_file, tmp_path / "alone")
    lines, record = run(cli, tiny_checkpoint, test_file, tmp_path / "more", "--candidates", 3)
    assert [line["prediction"] for line in lines] == [line["prediction"] for line in alone]
    assert record["candidates"] == {"count": 3, "by": "beam search, by log-probability"}
    ranked = {"answerable", "category", "category_shortlist", "choice", "yes_no"}
    for row, line in zip(rows, lines, strict=True):
        assert ("candidates" in line) == (row.task in ranked), row.task
        if row.task in ranked:
            assert line["candidates"][0] == line["prediction"]
            assert len({text.strip() for text in line["candidates"]}) == len(line["candidates"]) == 3
    held, _ = run(
        cli, tiny_checkpoint, test_file, tmp_path / "held", "--candidates", 4, "--constrain", "--paths", paths_file
    )
    for row, line in zip(rows, held, strict=True):
        if row.task == "category":
            assert len(set(line["candidates"])) == 4 and set(line["candidates"]) <= set(ROOT)
        if row.task == "yes_no":
            assert sorted(line["candidates"]) == ["no", "yes"]


def test_held_candidates_are_ranked_by_their_probability(
    cli: Any, tiny_checkpoint: Path, rows: list[Row], tmp_path: Path, paths_file: Path
) -> None:
    """Score every path by the model itself, token by token: the beams' order is that order."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    row = next(row for row in rows if row.task == "category")
    jsonl.write_lines(tmp_path / "one.jsonl", [row])
    flags = ("--candidates", len(ROOT), "--constrain", "--paths", paths_file)
    (line,), _ = run(cli, tiny_checkpoint, tmp_path / "one.jsonl", tmp_path / "out", *flags)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint).eval()

    def probability(text: str) -> float:
        """Return the log-probability of a path among those allowed: at every token, what may not follow is left out."""
        ends = {path: [*tokenizer(path, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for path in ROOT}
        prompt = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, return_dict=False)
        with torch.inference_mode():
            scores = model(torch.tensor([prompt + ends[text]])).logits[0].log_softmax(-1)
        return sum(float(scores[len(prompt) - 1 + n, token]) for n, token in enumerate(ends[text]))

    by_model = sorted(ROOT, key=probability, reverse=True)
    rest = [path for path in by_model if path != line["prediction"]]
    assert line["candidates"] == [line["prediction"], *rest]


def test_limits_by_task(rows: list[Row]) -> None:
    by_task = {row.task: row for row in rows}
    assert prompts.limit(by_task["attributes"], ()) == Schema(("Brand", "Color"))
    assert prompts.limit(by_task["category"], ()) is None
    assert prompts.limit(by_task["category"], ROOT) == Texts(ROOT)
    assert prompts.limit(by_task["general"], ROOT) is None
    walk = [allowed(part) for part in questions(by_task["category_levels"]).values()]
    assert walk[0] == ("Home", "Sports")
    assert walk[1] == ("Home > Kitchen", "Home > Garden", "Home")
    assert all(part.target in allowed(part) for part in questions(by_task["category_levels"]).values())
    verdict = example(Answerable("1", "g", "Hot?", ("Yes.",), True), "answerable", "demo")
    assert prompts.limit(verdict, ()) == Texts(("yes", "no"))
    assert Schema(("Brand",)).json["required"] == ["Brand"]
    bare = structs.replace(by_task["choice"], meta="{}")
    assert prompts.limit(bare, ()) is None


def test_the_gold_is_always_allowed(rows: list[Row]) -> None:
    paths = tuple({row.target for row in rows if row.task == "category"})
    for part in (part for row in rows for part in questions(row).values()):
        limit = prompts.limit(part, paths)
        if isinstance(limit, Texts):
            assert part.target in limit.texts, part.id
        elif isinstance(limit, Schema):
            assert tuple(json.loads(part.target)) == limit.keys


def test_paths_come_from_a_list_or_a_training_split(rows: list[Row], paths_file: Path, tmp_path: Path) -> None:
    assert prompts.read_paths(paths_file) == tuple(sorted(ROOT))
    split = tmp_path / "train.jsonl"
    record = Listing("1", "g", (Text("Title", "x"),), ("Sports", "Tents"))
    jsonl.write_lines(split, [example(record, "category", "demo"), *rows])
    assert prompts.read_paths(split) == ("Home > Kitchen > Kettles", "Home > Kitchen > Mugs", "Sports > Tents")
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    with pytest.raises(InputError, match=r"found no category paths"):
        prompts.read_paths(empty)
    empty.write_text("Home > > Mugs\n")
    with pytest.raises(InputError, match=r"empty.txt:1: found 'Home > > Mugs', expected a category path"):
        prompts.read_paths(empty)
