"""The templates that the recipes for Ministral 3 and SmolLM3 bring: the same prompt in training, evaluation and serving."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from converters.schema import Row, Turn
from recipes.runner import recipe
from recipes.runner.preflight import lint, machine, prompt_parity
from tests.recipes import _tekken
from tests.recipes._families import RECIPES, SMALL, words

FAMILIES = ("ministral", "smollm3")
ASK: dict[str, Any] = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
SAID = ["You sort products.", "Where does 'Norvik mug 12 red' go?", "Home > Mugs", "1.5 L, 🫖 ü\n\n Größe?"]
TURNS = [
    {"role": role, "content": text} for role, text in zip(("system", "user", "assistant", "user"), SAID, strict=True)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with configuration and tokenizer of both, as they are before training; no weights."""
    from transformers import Ministral3Config, Mistral3Config, PixtralVisionConfig, SmolLM3Config

    folder = tmp_path_factory.mktemp("templates")
    _tekken.tekken(folder / "ministral")
    wrapped = Mistral3Config(
        text_config=Ministral3Config(**SMALL), vision_config=PixtralVisionConfig(num_hidden_layers=1)
    )
    wrapped.save_pretrained(folder / "ministral")
    words("smollm3").save_pretrained(folder / "smollm3")
    SmolLM3Config(**SMALL).save_pretrained(folder / "smollm3")
    return folder


def settled(family: str, place: Path) -> tuple[Any, Any]:
    """Return a recipe's validated configuration, and its tokenizer as Axolotl loads it."""
    found = recipe.load(recipe.find(RECIPES[family]), [f"base_model={place / family}"])
    config = lint.validated(machine.on_cpu(found))
    return config, prompt_parity.load_tokenizer(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_saved_template_gives_the_trained_prompt_whatever_a_server_says_of_thinking(
    family: str, place: Path, tmp_path: Path
) -> None:
    config, tokenizer = settled(family, place)
    row = {"messages": TURNS[:3]}
    trained = prompt_parity._strategy(tokenizer, config, config.datasets[0]).tokenize_prompt(row)
    tokenizer.save_pretrained(tmp_path)
    assert not (tmp_path / "tekken.json").exists()
    saved = AutoTokenizer.from_pretrained(tmp_path)
    for said in ({}, {"enable_thinking": True}, {"enable_thinking": False}, {"reasoning_effort": "high"}):
        prompt = saved.apply_chat_template(TURNS[:2], **ASK, **said)
        assert trained["input_ids"][: len(prompt)] == prompt
        assert {*trained["labels"][: len(prompt)]} == {prompt_parity.MASKED}
        assert trained["labels"][len(prompt) :] == trained["input_ids"][len(prompt) :]


def test_ministral_is_asked_as_mistrals_own_tokenizer_asks(place: Path) -> None:
    """Transformers would take that one, which reads tekken.json beside the tokenizer; it writes what its makers decided."""
    _, tokenizer = settled("ministral", place)
    own = AutoTokenizer.from_pretrained(place / "ministral")
    assert type(own).__name__ == "MistralCommonBackend"
    for turns in (TURNS, TURNS[1:], TURNS[:2], TURNS[1:2]):
        sent = tokenizer.apply_chat_template(turns, **ASK)
        assert sent == own.apply_chat_template(turns, tokenize=True, return_dict=False)


def test_smollm3_is_asked_without_its_header(place: Path) -> None:
    """As by its own template when a system turn says /system_override and /no_think: one line break after the thoughts."""
    _, tokenizer = settled("smollm3", place)
    assert tokenizer.apply_chat_template(TURNS[:2], add_generation_prompt=True, tokenize=False) == (
        f"<|im_start|>system\n{SAID[0]}<|im_end|>\n<|im_start|>user\n{SAID[1]}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n"
    )
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|finetune_right_pad_id|>")


@pytest.mark.parametrize("bos", [None, "<|im_start|>", "<|begin_of_text|>"])
def test_smollm3_passes_whatever_its_tokenizer_calls_bos(bos: str | None, place: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(place / "smollm3")
    tokenizer.bos_token = bos
    tokenizer.save_pretrained(tmp_path / "smollm3")
    shutil.copy(place / "smollm3" / "config.json", tmp_path / "smollm3")
    config, loaded = settled("smollm3", tmp_path)
    strategy = prompt_parity._strategy(loaded, config, config.datasets[0])
    said = [Turn(turn["role"], turn["content"]) for turn in TURNS[:3]]
    row = Row(id="x", group="g", task="general", source="mine", messages=said)
    assert not list(prompt_parity.faults(prompt_parity.encode(row, strategy, loaded, Path("x")), loaded))


def test_both_ministral_recipes_have_the_same_template() -> None:
    one, other = (recipe.load(recipe.find(name)).keys for name in ("ministral-qlora", "ministral-small-qlora"))
    assert one["chat_template_jinja"] == other["chat_template_jinja"]
