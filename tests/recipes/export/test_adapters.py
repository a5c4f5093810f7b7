"""The command that serves several runs' adapters on one base, and what cannot be served so: one sentence each."""

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256, sha256
from recipes.runner.export import adapters
from recipes.runner.records import provenance
from tests.recipes.conftest import BIN, ROOT

Make = Callable[..., Path]
WHAT = ("base model", "chat template", "precision in training", "tokenizer")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Write a run that trained an adapter of a base as it is: the files that serving looks at, with their hashes."""
    monkeypatch.chdir(tmp_path)

    def run(
        name: str,
        base: str = "base",
        template: str = "{{ messages }}",
        length: int = 512,
        loaded: Any = None,
        **config: Any,
    ) -> Path:
        found, model = Path("runs") / name, Path(base)
        for folder in (found / "adapter", model):
            folder.mkdir(parents=True, exist_ok=True)
        (model / "config.json").write_text(json.dumps({"max_position_embeddings": 8192, "dtype": "float32"}))
        (model / "model.safetensors").write_text(f"weights of {base}")
        (model / "consolidated.safetensors").write_text("the same in Mistral's form")
        (model / "tekken.json").write_text("{}")
        (model / "chat_template.jinja").write_text("the base's own")
        (found / "adapter" / "chat_template.jinja").write_text(template)
        (found / "adapter" / "tokenizer.json").write_text("{}")
        (found / "adapter" / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"} | (loaded or {})))
        (found / "adapter" / adapters.WEIGHTS).write_text(f"weights of {name}")
        settings = {"peft_type": "LORA", "r": 8, "bias": "none", "init_lora_weights": True, "use_rslora": True}
        (found / "adapter" / adapters.CONFIG).write_text(json.dumps(settings | config))
        (found / "recipe.yaml").write_text(yaml.safe_dump({"adapter": "lora", "sequence_len": length}))
        record = {
            "status": "merged",
            "base_model": provenance.base_model(base),
            "recipe": {"resolved_sha256": sha256(found / "recipe.yaml")},
            "adapter_sha256": folder_sha256(found / "adapter"),
            "data": [{"name": "data/mix/train.jsonl"}],
        }
        provenance.write(found, record)
        return found

    return run


def command(*runs: Path) -> list[str]:
    return adapters.command(runs, "127.0.0.1", 8000, lambda _: None)


def test_the_command_names_base_adapters_and_ranks(make: Make) -> None:
    runs = make("one"), make("other", length=2048, r=16, rank_pattern={"q_proj": 20})
    words = command(*runs)
    pairs, base = dict(pairwise(words)), Path(words[2])
    assert words[:2] == ["vllm", "serve"] and base.parent == Path("runs/.bases")
    assert words[-3:] == ["--lora-modules", "one=runs/one/adapter", "other=runs/other/adapter"]
    assert pairs["--max-lora-rank"] == "32" and pairs["--max-loras"] == "2" and "--enable-lora" in words
    assert pairs["--served-model-name"] == "base" and pairs["--max-model-len"] == "4096"
    assert pairs["--dtype"] == "float32" and pairs["--chat-template"] == str(base / "chat_template.jinja")


def test_the_base_has_its_own_weights_and_the_trainings_tokenizer(make: Make) -> None:
    folder = Path(command(make("one"))[2])
    assert (folder / "model.safetensors").resolve() == Path("base/model.safetensors").resolve()
    assert (folder / "chat_template.jinja").read_text() == "{{ messages }}"
    assert Path("base/chat_template.jinja").read_text() == "the base's own"
    # vLLM would take Mistral's own form for the whole, and ignore the chat template.
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    other = make("other", loaded={"local_files_only": True})
    assert Path(command(other)[2]) == folder, "one base for both, wherever their tokenizer was loaded from"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"modules_to_save": ["embed_tokens", "lm_head"]}, r"layers trained whole \(modules_to_save: embed_tokens, lm_head\)"),
        ({"trainable_token_indices": {"embed_tokens": [3]}}, "embeddings of single tokens trained"),
        ({"use_dora": True}, r"DoRA \(use_dora: True\)"),
        ({"lora_bias": True, "bias": "all"}, r"biases trained \(lora_bias: True\); biases trained \(bias: all\)"),
        ({"init_lora_weights": "pissa"}, r"a start that changes the base \(init_lora_weights: pissa\)"),
        ({"rank_pattern": {"q_proj": 600}}, "rank 600, above 512"),
        ({"peft_type": "IA3", "r": None}, r"no LoRA \(peft_type: IA3\)"),
    ],
)  # fmt: skip
def test_an_adapter_that_vllm_cannot_serve_is_refused(make: Make, config: dict[str, Any], said: str) -> None:
    fine, bad = make("fine"), make("bad", **config)
    with pytest.raises(InputError, match=rf"^runs/bad/adapter: vLLM cannot serve it as an adapter: {said}.*RUN=bad$"):
        command(fine, bad)
    assert not Path("runs/.bases").exists()


def test_adapters_of_two_bases_are_refused(make: Make) -> None:
    runs = [make("one"), make("other", base="another"), make("third", template="{{ other }}"), make("fourth")]
    runs.append(make("fifth", loaded={"eos_token": "<end>"}))
    (runs[3] / "recipe.yaml").write_text(yaml.safe_dump({"adapter": "qlora", "sequence_len": 512}))
    record = provenance.read(runs[3]) | {"recipe": {"resolved_sha256": sha256(runs[3] / "recipe.yaml")}}
    provenance.write(runs[3], record)
    for run, what in zip(runs[1:], WHAT, strict=True):
        with pytest.raises(InputError, match=f"^{run} and runs/one are not adapters of one base: {what} '"):
            command(runs[0], run)


def test_other_runs_that_cannot_be_served_together(make: Make) -> None:
    one = make("one")
    with pytest.raises(InputError, match=r"^one: is named 2 times; name each run once$"):
        command(one, make("other"), one)
    with pytest.raises(InputError, match=r"^base: is the name of the base model, too"):
        command(one, make("base"))
    (make("whole") / "adapter" / adapters.CONFIG).unlink()
    with pytest.raises(
        InputError, match=r"^runs/whole/adapter: has no adapter_config.json; only a run that trained an"
    ):
        command(one, Path("runs/whole"))
    provenance.update(make("going"), status="started")
    with pytest.raises(InputError, match=r"^runs/going: found status 'started', expected a run whose training ended"):
        command(one, Path("runs/going"))
    (one / "adapter" / adapters.WEIGHTS).write_text("edited")
    with pytest.raises(InputError, match=r"^runs/one/adapter: has changed since runs/one was trained"):
        command(one)
    with pytest.raises(InputError, match=r"^runs/none: has no run.json"):
        command(Path("runs/none"))
    make("two")
    Path("base/model.safetensors").unlink()
    with pytest.raises(InputError, match=r"base: the base model has changed since"):
        command(Path("runs/two"))


def test_serve_prints_the_command_and_how_to_ask_each(make: Make) -> None:
    make("one"), make("other")

    def serve(*words: str) -> subprocess.CompletedProcess[str]:
        program = [str(BIN / "ecom-train"), "serve", *words]
        return subprocess.run(program, capture_output=True, text=True, check=False)

    done = serve("one", "other", "--print", "--port", "81")
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
    assert done.stdout.startswith("vllm serve runs/.bases/") and "other=runs/other/adapter" in done.stdout
    asks = [line.partition("serves: ")[2] for line in done.stderr.splitlines()]
    assert asks == [f"ecom-eval parity {name} --base-url http://127.0.0.1:81/v1" for name in ("one", "other")]
    assert "--lora-modules one=runs/one/adapter" in serve("one", "--adapters", "--print").stdout
    done = serve("one", "other", "--format", "fp8")
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("error: --format fp8: an export is of")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "RUNS=one other"), "ecom-train serve one other --adapters"),
        (("serve", "RUN=one", "FORMAT=fp8"), "ecom-train serve one --format fp8"),
        (("parity", "RUN=one", "URL=http://gpu:80/v1"), "ecom-eval parity one --base-url http://gpu:80/v1"),
    ],
)
def test_make_passes_on_what_is_to_be_served(words: tuple[str, ...], said: str) -> None:
    command = ["make", "-n", "-f", str(ROOT / "Makefile"), "PYTHON=true", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said in " ".join(done.stdout.replace("\\\n", " ").split())
