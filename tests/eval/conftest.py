"""What the tests of scoring share: rows of every task, scored runs on disk, and a tiny random model."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converters.examples import example
from converters.io import jsonl
from converters.schema import (
    Answerable,
    Attributes,
    Chat,
    Choice,
    Listing,
    Message,
    Question,
    Ranking,
    Row,
    Text,
    Verdict,
)
from eval.cli import main

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the model is so small that a second thread costs more than it gives
NASTY = ("<script>alert(1)</script> mug", "保温杯 🫖", "Kettle </s> [INST] hi", '"><img src=x onerror=alert(1)>')
OPTIONS = ("Exact match", "Substitute", "A")
GAINS = ((1.0, 0.1, 0.0), (0.01, 1.0, 1.0), (0.0, 0.0, 0.1))
TREE = (("Home", "Sports"), ("Kitchen", "Garden"), ("Kettles", "Mugs"), ())
PATHS = (("Home", "Kitchen", "Kettles"), ("Home", "Kitchen", "Mugs"), ("Sports", "Tents"))


def _rows(count: int) -> list[Row]:
    rows = []
    for i in range(count):
        texts, group = (Text("Title", f"{NASTY[i % 4]} {i}"),), f"asin:{i // 2}"
        color = ((), ("Red",), ("Blue", "红"))[i % 3]
        said = (None, "Yes, for 6 hours.", "No.")[i % 3]
        rows += [
            example(Listing(str(i), group, texts, PATHS[i % 3]), "category", "demo"),
            example(Attributes(str(i), group, texts, (("Brand", ("Acme",)), ("Color", color))), "attributes", "demo"),
            example(Question(str(i), group, "Hot?", ("Keeps hot 6 hours.",), said), "answer", "demo"),
            example(
                Chat(str(i), group, (Message("user", "A colour?"), Message("assistant", "Red"))), "general", "demo"
            ),
            example(Choice(str(i), group, "Which?", texts, OPTIONS, OPTIONS[i % 3]), "choice", "demo"),
            example(Verdict(str(i), group, "Is it?", texts, i % 3 > 0), "yes_no", "demo"),
            example(Ranking(str(i), group, "mug", ("Mug", "Pan", NASTY[i % 4]), GAINS[i % 3]), "ranking", "demo"),
            example(Listing(str(i), group, texts, PATHS[i % 2], "", TREE), "category_levels", "demo"),
            example(Listing(str(i), group, texts, PATHS[i % 3]), "category_shortlist", "demo"),
            example(Answerable(str(i), group, "Hot?", ("Keeps hot 6 hours.",), i % 3 > 0), "answerable", "demo"),
        ]
    return rows


@pytest.fixture
def products() -> int:
    """How many products the rows are made of; a test file may say otherwise."""
    return 12


@pytest.fixture
def rows(products: int) -> list[Row]:
    return _rows(products)


@pytest.fixture
def cli() -> Callable[..., Result]:
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def test_file(tmp_path: Path, rows: list[Row]) -> Path:
    path = tmp_path / "test.jsonl"
    jsonl.write_lines(path, rows)
    return path


@pytest.fixture
def write_predictions(tmp_path: Path, rows: list[Row], test_file: Path) -> Callable[..., Path]:
    """Write predictions of a run; ``say`` makes each row's answer from its number and row."""

    def write(run: str, say: Callable[[int, Row], Any], **origin: Any) -> Path:
        path = tmp_path / run / "eval" / "predictions.jsonl"
        # One number is passed over for each product's ten rows: "every second" or "every fifth" is then every task's, too.
        said = (say(place + place // 10, row) for place, row in enumerate(rows))
        jsonl.write_lines(path, [{"id": row.id, "prediction": answer} for row, answer in zip(rows, said, strict=True)])
        found = {"test_sha256": jsonl.sha256(test_file), "decoding": {"max_new_tokens": 64}, **origin}
        path.with_name("predictions.json").write_text(json.dumps(found))
        return path

    return write


@pytest.fixture
def scored(cli: Any, write_predictions: Any, test_file: Path) -> Callable[..., Path]:
    """Score a run's predictions and return the run's folder."""

    def score(run: str, say: Callable[[int, Row], Any], *flags: str, **origin: Any) -> Path:
        path: Path = write_predictions(run, say, **origin)
        found = cli(
            "score", "--data", test_file, "--predictions", path, "--out", path.parent, "--resamples", 200, *flags
        )
        assert found.exit_code == 0, found.output
        return path.parent.parent

    return score


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Mistral of 2 layers with a byte-level BPE and a chat template that writes BOS."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special, alphabet = ["<s>", "</s>", "[INST]", "[/INST]"], pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["category path of this product"] * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
        "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}"
        "{% else %}{{ raise_exception('no role ' + m.role) }}{% endif %}{% endfor %}"
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = MistralConfig(vocab_size=len(fast), **sizes, num_key_value_heads=1, initializer_range=0.5, eos_token_id=1)
    folder = tmp_path_factory.mktemp("tiny") / "merged"
    MistralForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
