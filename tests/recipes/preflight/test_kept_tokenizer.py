"""What a later check takes of the trainer: the tokenizer as it was kept."""

import io
import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest

from converters.schema import Row, Turn
from recipes.runner import recipe
from recipes.runner.preflight import lint, prompt_parity
from recipes.runner.preflight.kept import tokenizer as tokenizers
from tests.recipes.conftest import WHOLE
from tests.recipes.preflight._rows import Place

TEXTS = ("", " ", "Mug", "7", "5 L\n", "中 é", "<s> [/INST] </s>", "[CLASSIFY] <p>", "long " * 400)


@pytest.mark.parametrize("kind", ["chat_template", WHOLE])
def test_a_kept_tokenizer_gives_the_ids_and_labels_of_the_one_that_axolotl_loaded(
    kind: str, place: Place, mistral: tuple[Path, Any]
) -> None:
    config = lint.validated(recipe.load(place(mistral[0], kind=kind)))
    tokenizer = prompt_parity.load_tokenizer(config)
    read = tokenizers.read(tokenizers.written(config, tokenizer))
    assert read and read[0] == config
    assert read[1].backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    state = {key: value for key, value in vars(tokenizer).items() if key != "_tokenizer"}
    assert {key: value for key, value in vars(read[1]).items() if key != "_tokenizer"} == state
    assert encoded(*read) == encoded(config, tokenizer)


@pytest.mark.parametrize("kind", ["chat_template", WHOLE])
def test_no_token_depends_on_the_length_at_which_rows_are_dropped(
    kind: str, place: Place, mistral: tuple[Path, Any]
) -> None:
    path, found = place(mistral[0], kind=kind), []
    for length in (8, 256, 4096):
        config = lint.validated(recipe.load(path, [f"sequence_len={length}"]))
        found.append(encoded(config, prompt_parity.load_tokenizer(config)))
    assert found[0] == found[1] == found[2]


def encoded(config: Any, tokenizer: Any) -> list[prompt_parity.Encoded]:
    """Return rows of every text as question and as answer, as training and evaluation see them."""
    strategy = prompt_parity._strategy(tokenizer, config, config.datasets[0])
    pairs = [(question, answer) for question in TEXTS for answer in filter(str.strip, TEXTS)]
    rows = [
        Row(id="x", group="g", task="general", source="mine", messages=[Turn("user", one), Turn("assistant", other)])
        for one, other in pairs
    ]
    return [prompt_parity.encode(row, strategy, tokenizer, Path("x")) for row in rows]


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.run, (["touch", "harmed"],)


class Started:
    """A class of PyTorch's that starts a program once it is called."""

    def __reduce__(self) -> tuple[Any, ...]:
        from torch.distributed.elastic.multiprocessing.subprocess_handler import SubprocessHandler

        return SubprocessHandler, ("touch", ("harmed",), {}, None, None, 0, None)


@pytest.mark.parametrize("other", [Harm(), Path("x"), io.StringIO(), 3, (Started(), 1), (3, 4)])
def test_bytes_that_name_anything_but_tokenizers_and_settings_are_not_read(
    other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tokenizers.read(pickle.dumps(other)) is None
    assert not Path("harmed").exists()
    started = b"ctransformers.utils.hub\nos.system\n(S'touch harmed'\ntR."
    for broken in (None, b"", b"\x80\x04", b"\x80\x04\x95" + b"\xff" * 8, b"abc", b"c__main__\n", started):
        assert tokenizers.read(broken) is None
    assert not Path("harmed").exists()


def test_a_tokenizer_that_is_more_than_plain_data_is_not_kept() -> None:
    assert tokenizers.written({}, lambda: 1) == b""
