"""The token ledger: lengths as Axolotl makes them, what would be lost, and steps as Axolotl counts them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axolotl.utils.dict import DictDefault

from converters.core.errors import InputError
from converters.examples import read_rows
from recipes.runner import recipe
from recipes.runner.preflight import data, lint, prompt_parity, token_counts
from recipes.runner.preflight.token_counts import Count
from tests.recipes.conftest import WHOLE
from tests.recipes.preflight._rows import Place, row


def test_lengths_and_learnt_tokens_are_those_of_axolotls_strategy(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    loaded = recipe.load(place(mistral[0], kind=WHOLE))
    train = tmp_path / "data" / "mix" / "train.jsonl"
    said = ["Where?", "Home", "[CLASSIFY] 3 Mugs", "5 L"]
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    walk = {"id": "x", "group": "g", "task": "general", "source": "mine", "messages": turns, "meta": "{}"}
    more = walk | {"id": "y", "messages": [turn | {"weight": 0, "name": "me"} for turn in turns]}
    lines = (json.dumps(walk), json.dumps(more), row("中" * 60, "中 " * 60), row("<p> é", " \n "))
    train.write_text(train.read_text() + "\n".join(lines))
    config = lint.validated(loaded)
    tokenizer = prompt_parity.load_tokenizer(config)
    strategy = prompt_parity._strategy(tokenizer, config, config.datasets[0])
    measured = token_counts.measure([data.read(train)], tokenizer)
    for found, size, learnt in zip(read_rows(train), measured.tokens, measured.learnt, strict=True):
        told = strategy.tokenize_prompt({"messages": [{"role": t.role, "content": t.content} for t in found.messages]})
        assert len(told["input_ids"]) == size
        assert sum(label != prompt_parity.MASKED for label in told["labels"]) == learnt


@pytest.mark.parametrize("flags", [{}, {"lstrip": True}, {"rstrip": True}, {"normalized": True}, {"single_word": True}])
@pytest.mark.parametrize("others", [[], ["[/INST]x", "<s>[/INST]"], [" [/INST]"]])
@pytest.mark.parametrize("first", ["Metaspace", "ByteLevel"])
def test_a_text_is_cut_at_an_added_token_only_where_that_changes_no_length(
    flags: dict[str, bool], others: list[str], first: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    answers = ["Mug", " Mug ", "x", "xMug", "中 é", "  ", "<s>", "[/INST]", "a [/INST] b", "5 L"]
    path.write_text("".join(row(answer, question) for answer in answers for question in ("Hi", "Hi ", "<s>", "[INST]")))
    tokenizer = cutting(first, flags, others)
    measured = token_counts.measure([data.read(path)], tokenizer)
    for line, size, learnt in zip(path.read_text().splitlines(), measured.tokens, measured.learnt, strict=True):
        turns = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(turns[:-1], add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(turns, return_dict=False)
        assert (size, learnt) == (len(whole), len(whole) - len(prompt)), (turns, tokenizer.convert_ids_to_tokens(whole))


def cutting(first: str, flags: dict[str, bool], others: list[str]) -> Any:
    """Return a tokenizer of single letters and some pairs, with ``[/INST]`` at the end of a prompt."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted({*map(chr, range(32, 127)), *pre_tokenizers.ByteLevel.alphabet(), "▁", "?"})
    pairs = [("M", "u"), ("▁", "M"), ("Ġ", "M"), ("Mu", "g"), ("▁", "x")]
    vocabulary = {letter: number for number, letter in enumerate([*letters, *("".join(pair) for pair in pairs)])}
    backend = Tokenizer(models.BPE(vocabulary, pairs, unk_token="?"))
    byte_level = first == "ByteLevel"
    backend.pre_tokenizer = (
        pre_tokenizers.ByteLevel(add_prefix_space=True)
        if byte_level
        else pre_tokenizers.Metaspace(prepend_scheme="first")
    )
    backend.normalizer = (
        normalizers.Sequence([normalizers.NFC(), normalizers.Prepend("x")]) if byte_level else normalizers.NFC()
    )
    end = AddedToken("[/INST]", special=True, **{"normalized": False, **flags})
    backend.add_special_tokens(["<s>", end, *others])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    tokenizer.chat_template = (
        "<s>{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}[/INST]{% endif %}{% endfor %}"
    )
    return tokenizer


def test_rows_over_the_length_are_counted_by_task_and_refused(mistral: tuple[Path, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(f"Word {n}") for n in range(99)) + row("long", "word " * 3000), "utf-8")
    measured = token_counts.measure([data.read(path)], mistral[1])
    found = token_counts.counts(measured, 2048)
    assert found == {"general": Count(100, int(measured.tokens.sum()), int(measured.learnt.sum()), 1)}
    token_counts.refuse(found, 2048, 0.01)
    with pytest.raises(
        InputError, match=r"sequence_len 2048: 1 of 100 rows of task 'general' are longer.*--max-dropped 0\.01"
    ):
        token_counts.refuse(found, 2048, 0.009)
    with pytest.raises(InputError, match="100 of 100 rows"):
        token_counts.refuse(token_counts.counts(measured, 3), 3, 1.0)


@pytest.mark.parametrize("flash", [True, False])
@pytest.mark.parametrize("bin_size", [20, 1000])
def test_steps_are_those_that_axolotl_counts_and_the_incomplete_one_of_each_epoch(flash: bool, bin_size: int) -> None:
    from axolotl.utils.trainer import calculate_total_num_steps
    from datasets import Dataset

    lengths = np.random.default_rng(1).integers(20, 300, 3000).astype(np.int32)
    config = DictDefault(
        {
            "sequence_len": 1024,
            "micro_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "batch_size": 8,
            "num_epochs": 3.0,
        }
        | {"sample_packing": True, "sample_packing_bin_size": bin_size, "sample_packing_group_size": 100_000}
        | {"attn_supports_packing": flash, "total_num_tokens": 1, "total_supervised_tokens": 1, "dataset_num_proc": 1}
    )
    packed = token_counts.pack(lengths, config)
    rows = Dataset.from_dict({"length": lengths.tolist(), "input_ids": [[1]] * len(lengths)})
    assert packed.steps == pytest.approx(
        calculate_total_num_steps(config, rows, update=False), abs=3
    )  # another shuffle
    assert (packed.share > 0.98) == (bin_size == 1000 or not flash)
    assert packed.steps == packed.steps_per_epoch * 3


def test_without_packing_padding_is_what_is_lost() -> None:
    config = DictDefault({"sequence_len": 100, "micro_batch_size": 2, "num_epochs": 1, "pad_to_sequence_len": True})
    packed = token_counts.pack(np.array([50, 100, 30, 101], np.int32), config)
    assert packed == token_counts.Packed(share=0.6, steps_per_epoch=2, steps=2, tokens=180)


@pytest.mark.parametrize(("gpus", "accumulated", "steps"), [(1, 1, 12), (1, 3, 4), (2, 1, 6), (2, 2, 4)])
def test_the_last_step_of_an_epoch_counts_though_it_is_not_full(gpus: int, accumulated: int, steps: int) -> None:
    keys = {"sequence_len": 100, "micro_batch_size": 2, "num_epochs": 2, "gradient_accumulation_steps": accumulated}
    assert token_counts.pack(np.full(11, 50, np.int32), DictDefault(keys), gpus).steps == steps
