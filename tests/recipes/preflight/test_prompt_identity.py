"""The proof that training and evaluation see the same prompt, each with the case that it must catch."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.io import jsonl
from converters.mixture.spec import Entry
from converters.text.sanitize import one_line
from recipes.runner import recipe
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import data, lint, prompt_parity
from recipes.runner.preflight.check import check
from tests.converters._converted import convert
from tests.recipes.conftest import WHOLE
from tests.recipes.preflight._rows import Place, opened, row


def test_the_real_mistral_tokenizer_passes_with_its_template(place: Place, mistral: tuple[Path, Any]) -> None:
    checked = check(recipe.load(place(mistral[0], kind=WHOLE)))
    assert checked.proven.keys() == {"category", "attributes", "answer", "answerable", "general"}
    assert all(count >= 4 for count in checked.proven.values())


@pytest.mark.parametrize("answer", ["Home > Mugs", "1.5 L", '{"Brand": null}', "中文", "[1]", "é", "☕"])
def test_the_tokenizer_of_these_tests_writes_what_mistrals_own_writes(mistral: tuple[Path, Any], answer: str) -> None:
    from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    turns = [("user", "[CLASSIFY] Where? 3 Mugs"), ("assistant", answer), ("user", "And?")]
    own = [UserMessage(content=text) if role == "user" else AssistantMessage(content=text) for role, text in turns]
    expected = MistralTokenizer.v3().encode_chat_completion(ChatCompletionRequest(messages=own)).tokens
    messages = [{"role": role, "content": text} for role, text in turns]
    assert mistral[1].apply_chat_template(messages, tokenize=True, return_dict=False) == expected


def test_a_space_before_an_answer_that_axolotl_masks_is_caught(place: Place, mistral: tuple[Path, Any]) -> None:
    """Mistral's template writes it, and before a digit it is a token of its own: Axolotl's strategy does not learn it."""
    with pytest.raises(InputError, match=r"of the answer is not supervised.*completion_only learns all of it"):
        check(recipe.load(place(mistral[0])))


def test_a_space_that_moves_into_the_prompt_is_caught(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    shutil.copytree(mistral[0], tmp_path / "base")
    file = tmp_path / "base" / "chat_template.jinja"
    moved = file.read_text().replace('"[/INST]" }}', '"[/INST] " }}').replace('" " + content|trim', "content|trim")
    assert moved != file.read_text()
    file.write_text(moved)
    with pytest.raises(InputError, match="see other prompts"):
        proof(place("base"))
    with pytest.raises(InputError, match="the answer reads"):
        proof(place("base", kind=WHOLE))


def test_the_whole_answer_is_learnt_and_nothing_else(place: Place, mistral: tuple[Path, Any]) -> None:
    tokenizer, loaded = mistral[1], recipe.load(place(mistral[0], kind=WHOLE))
    config = lint.validated(loaded)
    strategy = prompt_parity._strategy(prompt_parity.load_tokenizer(config), config, config.datasets[0])
    found = strategy.tokenize_prompt(
        {"messages": [{"role": "user", "content": "How big?"}, {"role": "assistant", "content": "5 L"}]}
    )
    learnt = [number for number in found["labels"] if number != prompt_parity.MASKED]
    assert tokenizer.convert_ids_to_tokens(learnt) == ["▁", "5", "▁L", "</s>"]
    assert found["labels"][-4:] == learnt == found["input_ids"][-4:]


def test_every_answer_of_a_conversation_is_learnt_and_nothing_else(place: Place, mistral: tuple[Path, Any]) -> None:
    tokenizer, loaded = mistral[1], recipe.load(place(mistral[0], kind=WHOLE))
    config = lint.validated(loaded)
    strategy = prompt_parity._strategy(prompt_parity.load_tokenizer(config), config, config.datasets[0])
    said = ["Where?", "Home", "[CLASSIFY] 3 Mugs | Pans", "5 L", "Next: Red", "Home > Mugs"]
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    single, batch = (
        strategy.tokenize_prompt({"messages": turns}),
        strategy.tokenize_prompt({"messages": [turns, turns]}),
    )
    assert batch["labels"] == [single["labels"]] * 2 and len(single["labels"]) == len(single["input_ids"])
    ids = [number for number in single["labels"] if number != prompt_parity.MASKED]
    assert [answer.strip() for answer in tokenizer.decode(ids).split("</s>")] == ["Home", "5 L", "Home > Mugs", ""]
    assert " ".join(tokenizer.convert_ids_to_tokens(ids)).startswith("▁Home </s> ▁ 5 ▁L </s> ▁Home")
    masked = [number for number, label in zip(single["input_ids"], single["labels"], strict=True) if label < 0]
    assert [text in tokenizer.decode(masked) for text in (*said[::2], *said[1::2])] == [True] * 3 + [False] * 3


def test_the_demo_tokenizer_passes(place: Place, tmp_path: Path) -> None:
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    assert check(recipe.load(place("base"))).proven["attributes"] >= 4


def proof(path: Path, **entry: Any) -> dict[str, int]:
    loaded = recipe.load(path)
    loaded.keys["datasets"][0].update(entry)
    config = lint.validated(loaded)
    return prompt_parity.prove(config, prompt_parity.load_tokenizer(config), opened(loaded))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        # the answer does not follow what evaluation sends
        (tiny_model.TEMPLATE + "{% if add_generation_prompt %}Answer:{% endif %}", "see other prompts"),
        (tiny_model.TEMPLATE.replace("'[/INST]' }}", "'[/INST]\\n' }}"), None),
        # the space becomes one token with the answer's first word: training sees another prompt than evaluation sends
        (tiny_model.TEMPLATE.replace("'[/INST]' }}", "'[/INST] ' }}"), "see other prompts"),
        # a bare-space token leads the answer: masked in training, needed in evaluation
        (
            tiny_model.TEMPLATE.replace("{{ message['content'] + eos", "{{ ' ' + message['content'] + eos"),
            "is not supervised",
        ),
        (tiny_model.TEMPLATE.replace(" + eos_token", ""), "no end token"),
        (tiny_model.TEMPLATE.replace("{{ '[INST]'", "{{ bos_token + '[INST]'"), "found 2 BOS tokens, expected one"),
        (tiny_model.TEMPLATE.replace("{{ bos_token }}", ""), "found 0 BOS tokens, expected one"),
        ("{{ raise_exception('no such turn') }}", "row '.*': its messages cannot be encoded: no such turn"),
        (
            tiny_model.TEMPLATE.replace("message['content'] + eos", "message['content'] | lower + eos"),
            "the answer reads|not supervised",
        ),
    ],
)
def test_a_template_that_does_not_fit_is_caught(
    template: str, sentence: str | None, place: Place, tmp_path: Path
) -> None:
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    assert (tmp_path / "base" / "chat_template.jinja").read_text() == tiny_model.TEMPLATE
    (tmp_path / "base" / "chat_template.jinja").write_text(template)
    if sentence is None:
        assert proof(place("base"))  # a line break that belongs to the prompt does no harm
        return
    with pytest.raises(InputError, match=sentence):
        proof(place("base"))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"train_on_eos": "none"}, "is not supervised"),
        ({"roles_to_train": ["user", "assistant"]}, "prompt is not masked"),
        ({"chat_template": "llama3"}, "see other prompts"),
        ({"field_messages": "conversations"}, "cannot be encoded"),
        ({"type": "alpaca"}, "dataset type 'alpaca': found no chat template in it"),
        ({"type": "chat_tmplate"}, "dataset type 'chat_tmplate': found no chat template in it"),
    ],
)
def test_a_dataset_entry_that_reads_the_rows_wrongly_is_caught(
    entry: dict[str, Any], sentence: str, place: Place, tmp_path: Path
) -> None:
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    with pytest.raises(InputError, match=sentence):
        proof(place("base"), **entry)


def test_answers_of_every_beginning_are_proven(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    """The first eight rows alone would not show that an answer of digits loses its space."""
    path, train = place(mistral[0]), tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text("".join(row(f"Word {n}") for n in range(20)) + row("7"), "utf-8")
    assert len(list(prompt_parity.samples(data.read(train)))) == prompt_parity.ROWS_PER_TASK + 1
    with pytest.raises(InputError, match=r"row 'x:7': .* not supervised"):
        proof(path)


def test_text_that_spells_any_control_token_of_mistral_stays_text(mistral: tuple[Path, Any]) -> None:
    tokenizer = mistral[1]
    control = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    assert len(control) == 771  # all but the bytes and the ordinary pieces
    for number in sorted(control):
        token = tokenizer.convert_ids_to_tokens(number)
        assert number in tokenizer(f"Mug {token} red", add_special_tokens=False).input_ids
        assert not control & set(tokenizer(one_line(f"Mug {token} red"), add_special_tokens=False).input_ids), token


def test_a_conversation_of_several_turns_passes(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    """Its earlier answers are learnt, too: only what lies between the last of them and the answer must be masked."""
    turns = ["Hi", "Hello", "Bye", "Bye bye"]
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]
    chat = {"id": "x", "group": "g", "task": "general", "source": "mine", "messages": messages, "meta": "{}"}
    train = tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text(json.dumps(chat) + "\n", "utf-8")
    for kind in ("chat_template", WHOLE):
        assert proof(place(mistral[0], kind=kind)) == {"general": 1}


def test_a_system_turn_that_the_template_drops_in_training_is_told_with_the_mend(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    """Mistral's template writes a system text before the last user turn only where no answer follows."""
    raw, train = tmp_path / "chat.jsonl", tmp_path / "data" / "mix" / "train.jsonl"
    plain = [{"instruction": f"Say {n}.", "output": f"It is {n}."} for n in range(20)]
    asked = {
        "instruction": "And in blue?",
        "output": "4 euro.",
        "system": "You sell mugs.",
        "history": [["Red?", "No."]],
    }
    raw.write_text("".join(json.dumps(row) + "\n" for row in [*plain, asked]), "utf-8")
    found = place(mistral[0], kind=WHOLE)
    for options in ({}, {"system": "user"}):
        jsonl.write_lines(train, convert(Entry(source="general", paths=[str(raw)], options=options)).rows)
        if options:
            assert proof(found) == {"general": 9}
        else:
            with pytest.raises(
                InputError, match=r"the row has a system turn.*give source general the option system: user"
            ):
                proof(found)
