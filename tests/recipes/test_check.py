"""The checks before training: machine, data and the prompt identity proof, each with the case that it must catch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.errors import InputError
from converters.untrusted import one_line
from recipes.runner import data, hardware, identity, lint, recipe, tiny
from recipes.runner.check import check
from recipes.runner.cli import main

Place = Callable[..., Path]


def template() -> dict[str, Any]:
    """The Mistral recipe's own chat template."""
    keys = recipe.load(recipe.find("mistral-qlora")).keys
    return {name: keys[name] for name in ("chat_template", "chat_template_jinja")}


def test_the_real_mistral_tokenizer_passes_with_the_recipes_template(place: Place, mistral: tuple[Path, Any]) -> None:
    checked = check(recipe.load(place(mistral[0], **template())))
    assert checked.proven.keys() == {"category", "attributes", "answer", "general"}
    assert all(count >= 4 for count in checked.proven.values())


def test_the_recipes_template_writes_mistrals_prompt(mistral: tuple[Path, Any]) -> None:
    """Prompts are those of the family's own template, system turn included; only the space before an answer is gone."""
    tokenizer, ours = mistral[1], template()["chat_template_jinja"]
    chats = [
        [{"role": "user", "content": "Hi"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    ]
    for chat in chats:
        assert tokenizer.apply_chat_template(chat, chat_template=ours, tokenize=False) == tokenizer.apply_chat_template(
            chat, tokenize=False
        )


def test_mistrals_own_template_is_refused_where_an_answer_begins_with_a_digit(
    place: Place, mistral: tuple[Path, Any]
) -> None:
    with pytest.raises(InputError, match="of the answer is not supervised"):
        check(recipe.load(place(mistral[0])))


def test_the_demo_tokenizer_passes(place: Place, tmp_path: Path) -> None:
    tiny.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    assert check(recipe.load(place("base"))).proven["attributes"] >= 4


def proof(path: Path) -> dict[str, int]:
    loaded = recipe.load(path)
    return identity.prove(loaded, lint.validated(loaded), data.files(loaded))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        # the answer does not follow what evaluation sends
        (tiny.TEMPLATE + "{% if add_generation_prompt %}Answer:{% endif %}", "see other prompts"),
        # a bare-space token leads the answer: masked in training, needed in evaluation
        (tiny.TEMPLATE.replace("'[/INST]' }}", "'[/INST] ' }}"), None),
        (
            tiny.TEMPLATE.replace("{{ message['content'] + eos", "{{ ' ' + message['content'] + eos"),
            "is not supervised",
        ),
        (tiny.TEMPLATE.replace(" + eos_token", ""), "no end token"),
        (tiny.TEMPLATE.replace("{{ '[INST]'", "{{ bos_token + '[INST]'"), "BOS tokens, expected one"),
        (
            tiny.TEMPLATE.replace("message['content'] + eos", "message['content'] | lower + eos"),
            "the answer reads|not supervised",
        ),
    ],
)
def test_a_template_that_does_not_fit_is_caught(
    template: str, sentence: str | None, place: Place, tmp_path: Path
) -> None:
    tiny.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    assert (tmp_path / "base" / "chat_template.jinja").read_text() == tiny.TEMPLATE
    (tmp_path / "base" / "chat_template.jinja").write_text(template)
    if sentence is None:
        assert proof(place("base"))  # a space that belongs to the prompt does no harm
        return
    with pytest.raises(InputError, match=sentence):
        proof(place("base"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train_on_eos": "none"}, "is not supervised"),
        ({"roles_to_train": ["user", "assistant"]}, "prompt is not masked"),
    ],
)
def test_a_dataset_entry_that_learns_the_wrong_tokens_is_caught(
    changes: dict[str, Any], sentence: str, place: Place, tmp_path: Path
) -> None:
    tiny.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    path = place("base")
    loaded = recipe.load(path)
    loaded.keys["datasets"][0].update(changes)
    with pytest.raises(InputError, match=sentence):
        identity.prove(loaded, lint.validated(loaded), data.files(loaded))


def test_text_that_spells_any_control_token_of_mistral_stays_text(mistral: tuple[Path, Any]) -> None:
    tokenizer = mistral[1]
    control = set(tokenizer.all_special_ids) | {n for n, t in tokenizer.added_tokens_decoder.items() if t.special}
    assert len(control) > 700
    for number in sorted(control):
        token = tokenizer.convert_ids_to_tokens(number)
        assert number in tokenizer(f"Mug {token} red", add_special_tokens=False).input_ids
        assert not control & set(tokenizer(one_line(f"Mug {token} red"), add_special_tokens=False).input_ids), token


def test_an_edited_row_changes_the_prepared_path_and_breaks_the_manifest(
    place: Place, mistral: tuple[Path, Any]
) -> None:
    loaded = recipe.load(place(mistral[0]))
    files = data.files(loaded)
    before = data.prepared_path(files)
    assert data.manifests(files) and data.prepared_path(files) == before
    rows = files[0].read_text().splitlines()
    files[0].write_text(
        "\n".join([rows[0].replace("mug", "cup").replace("Say", "Sag").replace("holds", "bolds"), *rows[1:]]) + "\n"
    )
    assert data.prepared_path(files) != before
    with pytest.raises(InputError, match=r"found other bytes than .*manifest\.json describes"):
        data.manifests(files)


def test_missing_data_and_a_missing_manifest_are_sentences(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    loaded = recipe.load(place(mistral[0]))
    manifest = tmp_path / "data" / "mix" / "manifest.json"
    manifest.rename(manifest.with_name("gone"))
    with pytest.raises(InputError, match=r"found no manifest\.json beside it"):
        data.manifests(data.files(loaded))
    (tmp_path / "data" / "mix" / "train.jsonl").unlink()
    with pytest.raises(
        InputError, match=r"mine\.yaml:\d+: found no file 'data/mix/train\.jsonl', expected rows built by 'make data"
    ):
        data.files(loaded)
    manifest.write_text("{")
    with pytest.raises(InputError, match="found no entry for"):
        data.manifests([tmp_path / "data" / "mix" / "validation.jsonl"])


@pytest.mark.skipif(bool(hardware.gpus()), reason="this machine has a GPU")
def test_without_a_gpu_training_stops_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["train", "mistral-qlora", "--run", "x"])
    assert result.exit_code == 1 and not list(tmp_path.iterdir())
    assert len(result.stderr.splitlines()) == 1
    assert "needs an NVIDIA GPU" in result.stderr and "make demo" in result.stderr


def test_what_needs_a_gpu(tmp_path: Path) -> None:
    keys = {"bf16": False, "attn_implementation": "sdpa"}
    needs = lambda **more: hardware.gpu_needs(recipe.Recipe(tmp_path, keys | more, {}, {}))  # noqa: E731
    assert needs() == []
    assert needs(bf16="auto") and needs(tf32=True) and needs(optimizer="paged_adamw_8bit") and needs(deepspeed="x.json")
    assert needs(attn_implementation="flash_attention_2") == ["flash attention"]


def test_a_conversation_of_several_turns_passes(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    """Its earlier answers are learnt, too: only what lies between the last of them and the answer must be masked."""
    turns = ["Hi", "Hello", "Bye", "Bye bye"]
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]
    chat = {"id": "x", "group": "g", "task": "general", "source": "mine", "messages": messages, "meta": "{}"}
    path, train = place(mistral[0], **template()), tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text(json.dumps(chat) + "\n", "utf-8")
    assert proof(path)["general"] >= 1
