"""Quantising a model with towers: all that lies outside its text part stays as it is."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import Linear
from transformers import MistralConfig, MistralForCausalLM

from eval.inference.backends.base import auto_class
from recipes.runner.export import formats
from recipes.runner.export.quantise import outside
from tests.recipes import _families, _towers
from tests.recipes.preflight._rows import row

TEXT = "model.language_model."
ready = pytest.mark.skipif(
    not (formats.ENVIRONMENT.parent / "ready").is_file(), reason="no .venv-export: make setup-export"
)


@pytest.mark.parametrize("family", _towers.KINDS)
def test_towers_and_output_layer_are_not_quantised(family: str) -> None:
    config = _towers.KINDS[family](_families.words(family))
    with torch.device("meta"):
        network = auto_class(config).from_config(config)
    linear = {name for name, part in network.named_modules() if isinstance(part, Linear)}
    found = outside(network)
    assert {*found} == {name for name in linear if not name.startswith(TEXT)}
    assert "lm_head" in found and len(found) > 4 and len(linear) > 2 * len(found)


def test_of_a_model_of_text_the_output_layer_alone_is_not_quantised() -> None:
    with torch.device("meta"):
        network = MistralForCausalLM(MistralConfig(vocab_size=100, **_families.SMALL))
    assert outside(network) == ["lm_head"]


@pytest.fixture
def quantise(tmp_path: Path) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """Quantise a stand-in in ``base`` to a format, in ``out``."""

    def quantise(family: str, form: str) -> subprocess.CompletedProcess[str]:
        base, rows = tmp_path / "base", tmp_path / "rows.jsonl"
        _families.stand_in(base, family)
        (base / "tekken.json").unlink(missing_ok=True)  # as merging leaves it
        (base / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}")
        (base / "preprocessor_config.json").write_text("{}")
        rows.write_text("".join(row(f"Home > Mugs {n}") for n in range(4)))
        words = [str(formats.ENVIRONMENT / "ecom-train"), "quantise", str(base), "--format", form, "--data", str(rows)]
        return subprocess.run([*words, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)

    return quantise


@pytest.mark.slow
@ready
@pytest.mark.parametrize(
    ("family", "form", "text", "dtype", "kind"),
    [
        ("qwen35", "fp8", TEXT, torch.float8_e4m3fn, "Qwen3_5ForConditionalGeneration"),
        # its tower has layers of the names that the smoothing goes by
        ("ministral", "int8", "language_model.model.", torch.int8, "Mistral3ForConditionalGeneration"),
    ],
)
def test_a_quantised_model_keeps_its_towers(
    family: str, form: str, text: str, dtype: torch.dtype, kind: str, quantise: Any, tmp_path: Path
) -> None:
    done = quantise(family, form)
    assert done.returncode == 0, done.stderr
    whole, small = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "out"))
    kept = {
        name for name in whole if not name.startswith((text, "mtp."))
    }  # transformers loads no multi-token prediction
    assert len(kept) > 10 and all(small[name].equal(whole[name]) for name in kept)
    assert small[f"{text}layers.0.mlp.up_proj.weight"].dtype == dtype
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [kind]
    assert (tmp_path / "out" / "preprocessor_config.json").is_file()


@pytest.mark.slow
@ready
def test_what_cannot_be_quantised_is_a_sentence(quantise: Any) -> None:
    """Half of the layers of Gemma 4's small models have no keys and values of their own."""
    done = quantise("gemma4", "int8")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(r"llm-compressor cannot make int8 of Gemma4ForConditionalGeneration: .*; try fp8", done.stderr)
