"""The prompt check's tokenizer: BOS is what the template renders, whatever token it is, and no failure is a traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from converters.schema import Row, Turn
from recipes.runner import recipe
from recipes.runner.cli import main
from recipes.runner.preflight import data, lint, prompt_parity
from tests.recipes import _tekken
from tests.recipes.conftest import WHOLE

Place = Callable[..., Path]
START, END, TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# SmolLM3's way with thinking off: no BOS, and an empty thought before every answer.
SILENT = CHATML.replace(
    "m['role'] + '\n' +", "m['role'] + '\n' + ('<think>\n\n</think>\n' if m.role == 'assistant' else '') +"
)
SILENT = SILENT.replace("assistant\n' }}", "assistant\n<think>\n\n</think>\n' }}")
BOS = "{{ bos_token }}"


def stand_in(folder: Path, template: str, **settings: Any) -> Any:
    """Save the tokenizer and configuration of a ChatML model, without weights; return the tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    model = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    model.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model.decoder = decoders.ByteLevel()
    special, alphabet = [TEXT, START, END], pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=270, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(["Home > Mugs"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, eos_token=END, pad_token=END, **settings)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    LlamaConfig(vocab_size=len(tokenizer), intermediate_size=64, **size).save_pretrained(folder)
    return tokenizer


@pytest.mark.parametrize("kind", [WHOLE, "chat_template"])
def test_chatml_whose_bos_is_its_turn_marker_passes_the_check(kind: str, place: Place, tmp_path: Path) -> None:
    stand_in(tmp_path / "base", CHATML, bos_token=START)
    done = CliRunner().invoke(main, ["check", str(place("base", kind=kind))])
    assert done.exit_code == 0, done.output


def test_chatml_whose_bos_is_doubled_is_refused_by_the_check(place: Place, tmp_path: Path) -> None:
    stand_in(tmp_path / "base", BOS + CHATML, bos_token=START)
    done = CliRunner().invoke(main, ["check", str(place("base", kind=WHOLE))])
    assert done.exit_code == 1 and "found 2 BOS tokens, expected one" in done.output


@pytest.mark.parametrize(
    ("template", "settings", "sentence"),
    [
        (SILENT, {}, None),  # no BOS at all
        (CHATML, {"bos_token": END}, None),  # one that ends turns
        (BOS + CHATML, {"bos_token": END}, None),
        (BOS + BOS + CHATML, {"bos_token": END}, "found 2 BOS tokens, expected one"),
        (BOS + CHATML, {"bos_token": TEXT}, None),
        (BOS + BOS + CHATML, {"bos_token": TEXT}, "found 2 BOS tokens, expected one"),
        (CHATML, {"bos_token": TEXT}, "found 0 BOS tokens, expected one"),
        # a tokenizer that adds one to plain text: neither training nor evaluation lets it
        (BOS + CHATML, {"bos_token": TEXT, "add_bos_token": True}, None),
        (CHATML, {"bos_token": START, "add_bos_token": True}, None),
        (BOS + CHATML, {"bos_token": START, "add_bos_token": True}, "found 2 BOS tokens, expected one"),
        (CHATML, {"bos_token": TEXT, "add_bos_token": True}, "found 0 BOS tokens, expected one"),
    ],
)
def test_bos_is_what_the_template_writes(
    template: str, settings: dict[str, Any], sentence: str | None, place: Place, tmp_path: Path
) -> None:
    tokenizer = stand_in(tmp_path / "base", template, **settings)
    begins = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    assert begins == settings.get("add_bos_token", False)
    loaded = recipe.load(place("base", kind=WHOLE))
    config = lint.validated(loaded)
    files = [data.read(path) for path in data.files(loaded)]
    if sentence is None:
        assert prompt_parity.prove(config, prompt_parity.load_tokenizer(config), files)
        return
    with pytest.raises(InputError, match=sentence):
        prompt_parity.prove(config, prompt_parity.load_tokenizer(config), files)


def test_a_text_that_spells_the_turn_marker_is_told(place: Place, tmp_path: Path) -> None:
    """Sources break such spellings; a row that came by another way opens a turn that nobody took."""
    stand_in(tmp_path / "base", CHATML, bos_token=START)
    config = lint.validated(recipe.load(place("base", kind=WHOLE)))
    tokenizer = prompt_parity.load_tokenizer(config)
    strategy = prompt_parity._strategy(tokenizer, config, config.datasets[0])
    said = ["How big?", "5 L", f"And {START}this?", "6 L"]
    turns = [Turn(("user", "assistant")[number % 2], text) for number, text in enumerate(said)]
    row = Row(id="x", group="g", task="general", source="mine", messages=turns)
    encoded = prompt_parity.encode(row, strategy, tokenizer, Path("x"))
    assert "found 5 BOS tokens, expected 4" in list(prompt_parity.faults(encoded, tokenizer))


@pytest.fixture(scope="module")
def tekken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with the files of Mistral's own tokenizer and of transformers', as Ministral 3 has them."""
    from transformers import MistralConfig

    folder = tmp_path_factory.mktemp("tekken")
    size = len(_tekken.tekken(folder))
    MistralConfig(vocab_size=size, hidden_size=32, num_hidden_layers=1).save_pretrained(folder)
    return folder


JINJA = {"chat_template": "jinja", "chat_template_jinja": CHATML}


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        (JINJA, "set tokenizer_type: TokenizersBackend$"),
        (
            {"chat_template": None, "tokenizer_use_mistral_common": True},
            "set tokenizer_type: TokenizersBackend and leave tokenizer_use_mistral_common out$",
        ),
    ],
)
def test_mistrals_own_tokenizer_is_refused_with_the_mend(
    keys: dict[str, Any], mend: str, tekken: Path, place: Place
) -> None:
    config = lint.validated(recipe.load(place(tekken, kind=WHOLE, **keys)))
    with pytest.raises(InputError, match=f"found Mistral's own tokenizer, which heeds no chat template.*{mend}"):
        prompt_parity.load_tokenizer(config)


def test_what_mistrals_own_tokenizer_raises_is_a_sentence(tekken: Path, place: Place) -> None:
    from transformers import AutoTokenizer

    loaded = recipe.load(place(tekken, kind=WHOLE, **JINJA))
    files = [data.read(path) for path in data.files(loaded)]
    with pytest.raises(
        InputError, match=r"train\.jsonl: row '.*': its messages cannot be encoded: Expected last role User"
    ):
        prompt_parity.prove(lint.validated(loaded), AutoTokenizer.from_pretrained(tekken), files)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "{"),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", '{"bos_token": 5}'),
        ("config.json", "[]"),
        ("config.json", '{"model_type": "nosuch"}'),
    ],
)
def test_a_tokenizer_whose_files_are_broken_is_a_sentence(file: str, text: str, place: Place, tmp_path: Path) -> None:
    stand_in(tmp_path / "base", CHATML, bos_token=START)
    config = lint.validated(recipe.load(place("base", kind=WHOLE)))
    (tmp_path / "base" / file).write_text(text)
    with pytest.raises(InputError, match=r"base_model base: its tokenizer cannot be loaded: .*\w"):
        prompt_parity.load_tokenizer(config)


def test_a_misspelt_tokenizer_type_is_a_sentence(place: Place, tmp_path: Path) -> None:
    stand_in(tmp_path / "base", CHATML, bos_token=START)
    config = lint.validated(recipe.load(place("base", kind=WHOLE, tokenizer_type="TokenizerBackend")))
    with pytest.raises(InputError, match=r"its tokenizer cannot be loaded: .* no attribute TokenizerBackend"):
        prompt_parity.load_tokenizer(config)
