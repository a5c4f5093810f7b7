"""Every model family with a recipe: the prompt identity proof, text that spells control tokens, two real steps and a merge."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from converters.core.errors import InputError
from converters.schema import Row, Turn
from converters.text.sanitize import one_line
from recipes.runner import recipe
from recipes.runner.preflight import check, data, lint, machine, prompt_parity
from recipes.runner.records import provenance
from recipes.runner.training import merge, train
from tests.recipes._families import ON_CPU, RECIPES, stand_in
from tests.recipes.conftest import small_mix

FAMILIES = sorted(RECIPES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a mix where the recipes expect theirs, and a stand-in of each family under ``base``."""
    folder = tmp_path_factory.mktemp("families")
    small_mix(folder)
    (folder / "data" / "mix").rename(folder / "data" / "ecom")
    for family in FAMILIES:
        stand_in(folder / "base" / family, family)
    return folder


def loaded(family: str, *overrides: str) -> recipe.Recipe:
    """Return a family's recipe on its stand-in, with nothing else changed but for what a CPU has not."""
    given = (f"base_model=base/{family}", *ON_CPU.get(family, ()), *overrides)
    return machine.on_cpu(recipe.load(recipe.find(RECIPES[family]), given))


def proof(found: recipe.Recipe) -> dict[str, int]:
    config = lint.validated(found)
    return prompt_parity.prove(config, prompt_parity.load_tokenizer(config), list(map(data.read, data.files(found))))


@pytest.mark.parametrize("family", FAMILIES)
def test_training_and_evaluation_see_the_same_prompts(
    family: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert proof(loaded(family)).keys() == {"category", "attributes", "answer", "answerable", "general"}


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"mistral"}))
def test_a_system_turn_is_the_same_in_both(family: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a conversation, too; Mistral's template has no place for it, which the check tells."""
    monkeypatch.chdir(place)
    config = lint.validated(loaded(family))
    tokenizer = prompt_parity.load_tokenizer(config)
    strategy = prompt_parity._strategy(tokenizer, config, config.datasets[0])
    turns = [Turn("system", "You sell mugs."), *(Turn(("user", "assistant")[n % 2], f"{n} L?") for n in range(4))]
    for said in (turns[:3], turns):
        row = Row(id="x", group="g", task="general", source="mine", messages=said)
        encoded = prompt_parity.encode(row, strategy, tokenizer, Path("x"))
        assert not list(prompt_parity.faults(encoded, tokenizer))
        assert "You sell mugs." in tokenizer.decode(encoded.ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_answer_of_a_walk_is_learnt(family: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk is trained as one conversation and asked turn by turn: each turn's prompt and answer are the same in both."""
    monkeypatch.chdir(place)
    config = lint.validated(loaded(family))
    tokenizer = prompt_parity.load_tokenizer(config)
    strategy = prompt_parity._strategy(tokenizer, config, config.datasets[0])
    said = ["Where?", "Home", "And then?", "Mugs", "And then?", "3 L"]
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    whole = strategy.tokenize_prompt({"messages": turns})
    for end in (2, 4, 6):
        prompt = prompt_parity._sent(tokenizer, turns[: end - 1], True)
        assert whole["input_ids"][: len(prompt)] == prompt
        stop = whole["input_ids"].index(tokenizer.eos_token_id, len(prompt))
        assert tokenizer.decode(whole["input_ids"][len(prompt) : stop]).strip() == said[end - 1]
        assert whole["labels"][len(prompt) : stop + 1] == whole["input_ids"][len(prompt) : stop + 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_text_that_spells_a_control_token_stays_text(family: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    tokenizer = prompt_parity.load_tokenizer(lint.validated(loaded(family)))
    control = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    assert len(control) > 20
    for number in sorted(control):
        token = tokenizer.convert_ids_to_tokens(number)
        assert number in tokenizer(f"Mug {token} red", add_special_tokens=False).input_ids
        assert not control & set(tokenizer(one_line(f"Mug {token} red"), add_special_tokens=False).input_ids), token


SYSTEM, ASKED = {"role": "system", "content": "You sort products."}, {"role": "user", "content": "Where?"}
ANSWERED = {"role": "assistant", "content": "Home > Mugs"}
# The families that can think: Axolotl's copy of their own template, and what it adds for the larger models of the family alone.
THINKING = {"qwen": ("qwen3", ""), "qwen35": ("qwen3_5", ""), "gemma4": ("gemma4", "<|channel>thought\n<channel|>")}


@pytest.mark.parametrize("family", sorted(THINKING))
def test_a_model_is_asked_as_its_own_template_asks_without_thinking(
    family: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from axolotl.utils.chat_templates import get_chat_template

    monkeypatch.chdir(place)
    tokenizer = prompt_parity.load_tokenizer(lint.validated(loaded(family)))
    name, larger = THINKING[family]
    for turns, generation in (([SYSTEM, ASKED], True), ([ASKED], True), ([ASKED, ANSWERED], False)):
        own = tokenizer.apply_chat_template(
            turns,
            chat_template=get_chat_template(name),
            add_generation_prompt=generation,
            enable_thinking=False,
            tokenize=False,
        )
        ours = tokenizer.apply_chat_template(turns, add_generation_prompt=generation, tokenize=False)
        assert own == ours + larger * generation
    assert ours.endswith(f"Home > Mugs{tokenizer.eos_token}\n")


@pytest.mark.parametrize("family", sorted(THINKING))
def test_no_caller_can_turn_thinking_on(
    family: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may pass ``enable_thinking`` or not: the saved template gives the prompt that was trained, masked to its end."""
    from transformers import AutoTokenizer

    monkeypatch.chdir(place)
    config = lint.validated(loaded(family))
    tokenizer = prompt_parity.load_tokenizer(config)
    row = {"messages": [SYSTEM, ASKED, ANSWERED]}
    trained = prompt_parity._strategy(tokenizer, config, config.datasets[0]).tokenize_prompt(row)
    tokenizer.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    options = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
    for thinking in ({}, {"enable_thinking": True}, {"enable_thinking": False}):
        prompt = saved.apply_chat_template([SYSTEM, ASKED], **options, **thinking)
        assert trained["input_ids"][: len(prompt)] == prompt
        assert {*trained["labels"][: len(prompt)]} == {prompt_parity.MASKED}
        assert trained["labels"][len(prompt) :] == trained["input_ids"][len(prompt) :]
    if family != "gemma4":
        assert saved.decode(prompt).endswith("<think>\n\n</think>\n\n")


def test_all_qwen_recipes_have_the_same_template() -> None:
    names = [name for name in recipe.names() if name.startswith("qwen")]
    assert len(names) == 4 and len({recipe.load(recipe.find(name)).keys["chat_template_jinja"] for name in names}) == 1


def test_a_template_that_thinks_in_evaluation_and_not_in_training_is_caught(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qwen's own: without a word from the caller it asks for thoughts, and training wrote an empty one."""
    monkeypatch.chdir(place)
    with pytest.raises(InputError, match=r"the answer reads '</think>"):
        proof(loaded("qwen", "chat_template=tokenizer_default"))


def test_a_template_that_writes_the_date_is_caught(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    dated = loaded("llama", "chat_template=jinja", "chat_template_jinja='{{ strftime_now(\"%d %b %Y\") }}'")
    with pytest.raises(InputError, match="writes today's date into every prompt"):
        proof(dated)


def test_nothing_but_the_machine_changes_on_a_cpu() -> None:
    for name in recipe.names():
        found = recipe.load(recipe.find(name))
        other = machine.on_cpu(found)
        assert {key for key in found.keys | other.keys if found.keys.get(key) != other.keys.get(key)} <= set(
            machine.CPU
        )
        assert machine.gpu_needs(other) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_two_real_steps_and_a_merge(family: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    run = trained_and_merged(family, family)
    assert template(run / "merged") == template(run / "adapter")
    if family == "ministral":
        assert all(
            ".language_model.layers." in name for name in load_file(run / "adapter" / "adapter_model.safetensors")
        )


@pytest.mark.slow
def test_the_merge_of_other_kinds_of_lora_passes_its_gate(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both in one training: rsLoRA changes the scale of what is learnt, DoRA its magnitude."""
    monkeypatch.chdir(place)
    run = trained_and_merged("llama", "other", "peft_use_rslora=true", "peft_use_dora=true")
    config = json.loads((run / "adapter" / "adapter_config.json").read_bytes())
    assert config["use_rslora"] is True and config["use_dora"] is True


def trained_and_merged(family: str, name: str, *overrides: str) -> Path:
    """Train a family's recipe for two steps, merge, and hold the merge against its gate; return the run's folder."""
    few = ("max_steps=2", "micro_batch_size=1", "gradient_accumulation_steps=1", "warmup_ratio=null", "warmup_steps=0")
    short = ("sequence_len=256", 'save_strategy="no"', "saves_per_epoch=null", "logging_steps=1")
    own = ("dataset_num_proc=1", *overrides)  # two processes would take longer to start than to prepare the rows
    run = train.train(loaded(family, *few, *short, *own), name, check.check, sys.stdout.buffer.write)
    merge.merge(run, sys.stdout.buffer.write)
    record = provenance.read(run)
    assert record["status"] == "merged"
    # Without what restore.py puts back, merged weights agree on two tokens of three here.
    assert record["merge"]["gate"]["likeness"]["agreement"] > 0.99
    log = (run / "logs" / "train.log").read_text(errors="replace")
    assert log.count("'loss'") >= 2, log[-2000:]
    return run


def template(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder).chat_template
