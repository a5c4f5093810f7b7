"""The checks before training: machine, data and the prompt identity proof, each with the case that it must catch."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from converters.io import jsonl
from converters.io.jsonl import sha256
from converters.mixture.spec import Entry
from converters.text.sanitize import one_line
from recipes.runner import recipe
from recipes.runner.capacity import hardware
from recipes.runner.cli import main
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import base_model, data, lint, machine, prompt_parity, report, rules
from recipes.runner.preflight.check import Checked, check, room
from recipes.runner.preflight.token_counts import Packed
from recipes.runner.training import train
from tests.converters._converted import convert
from tests.recipes.conftest import WHOLE

Place = Callable[..., Path]


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


def test_a_token_that_the_base_has_no_embedding_for_is_refused(place: Place, mistral: tuple[Path, Any]) -> None:
    """Axolotl enlarges the base for it, and the adapter that comes of it fits no base that the merge gate can load."""
    path = place(mistral[0], kind=WHOLE)
    with pytest.raises(
        InputError, match=r"--set: found (\d+) tokens in the tokenizer and \d+ in the base model, expected"
    ):
        check(recipe.load(path, ["special_tokens={pad_token: <pad-of-mine>}"]))


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


def opened(loaded: recipe.Recipe) -> list[data.DataFile]:
    return [data.read(path) for path in data.files(loaded)]


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


def row(answer: str, question: str = "Hi") -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    found = {"id": f"x:{answer}", "group": answer, "task": "general", "source": "mine", "messages": turns, "meta": "{}"}
    return json.dumps(found) + "\n"


def test_text_that_spells_any_control_token_of_mistral_stays_text(mistral: tuple[Path, Any]) -> None:
    tokenizer = mistral[1]
    control = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    assert len(control) == 771  # all but the bytes and the ordinary pieces
    for number in sorted(control):
        token = tokenizer.convert_ids_to_tokens(number)
        assert number in tokenizer(f"Mug {token} red", add_special_tokens=False).input_ids
        assert not control & set(tokenizer(one_line(f"Mug {token} red"), add_special_tokens=False).input_ids), token


def test_an_edited_row_breaks_the_manifest(place: Place, mistral: tuple[Path, Any]) -> None:
    loaded = recipe.load(place(mistral[0]))
    assert data.manifests(opened(loaded))
    train = data.files(loaded)[0]
    rows = train.read_text().splitlines()
    train.write_text(
        "\n".join([rows[0].replace("mug", "cup").replace("Say", "Sag").replace("holds", "bolds"), *rows[1:]]) + "\n"
    )
    with pytest.raises(InputError, match=r"its bytes are not those that .*manifest\.json describes"):
        data.manifests(opened(loaded))


def test_every_file_that_its_manifest_does_not_describe_is_told(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    place(mistral[0])
    paths = [tmp_path / "data" / "mix" / f"{split}.jsonl" for split in ("train", "validation")]
    for path in paths:
        with path.open("a") as file:
            file.write(row("Late"))
    with pytest.raises(InputError) as caught:
        data.manifests(list(map(data.read, paths)))
    lines = str(caught.value).splitlines()
    for path, line in zip(paths, lines, strict=True):
        assert f"{path}: its bytes are not those that" in line


def test_missing_data_and_a_missing_manifest_are_sentences(
    place: Place, mistral: tuple[Path, Any], tmp_path: Path
) -> None:
    loaded = recipe.load(place(mistral[0]))
    manifest = tmp_path / "data" / "mix" / "manifest.json"
    manifest.rename(manifest.with_name("gone"))
    with pytest.raises(InputError, match=r"manifest\.json: no such file"):
        data.manifests(opened(loaded))
    (tmp_path / "data" / "mix" / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"mine\.yaml:\d+: no file 'data/mix/train\.jsonl'; build it with 'make data"):
        data.files(loaded)
    manifest.write_text("{")
    validation = data.read(tmp_path / "data" / "mix" / "validation.jsonl")
    with pytest.raises(InputError, match=r"manifest\.json: not JSON"):
        data.manifests([validation])
    manifest.write_text("{}")
    with pytest.raises(InputError, match=r"no entry for validation\.jsonl"):
        data.manifests([validation])


def test_a_local_base_that_is_not_there_is_a_sentence(place: Place) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml:1: no folder 'runs/demo-base/merged'; .* make it: make demo$"):
        check(recipe.load(place("runs/demo-base/merged")))


def test_the_command_that_makes_a_base_is_named_for_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fetch = ".venv/bin/ecom-train base smollm2 --out runs/smollm2-base/merged"
    assert base_model.making("runs/smollm2-base/merged") == base_model.making("./runs/smollm2-base/merged/") == fetch
    assert base_model.making("runs/smollm2-mine/merged") is base_model.making("./smollm2") is None
    (tmp_path / "runs" / "smollm2-mine").mkdir(parents=True)
    (tmp_path / "runs" / "smollm2-mine" / "run.json").write_text("{}")
    assert base_model.making("runs/smollm2-mine/merged") == "make merge-smollm2-mine", "trained, and not merged yet"


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("base", "mine.yaml:1: no folder './base'; name a checkpoint"),
        ("data/mix/train.jsonl", "no file 'data/mix/train.jsonl'; build it with"),
        ("data/mix/manifest.json", "data/mix/manifest.json: no such file"),
    ],
)
def test_what_is_missing_is_named_and_a_misspelt_key_before_it(
    lost: str, sentence: str, place: Place, tmp_path: Path
) -> None:
    path = place("./base")
    (tmp_path / "base").mkdir()
    (tmp_path / lost).rename(tmp_path / "gone")
    with pytest.raises(InputError, match=re.escape(sentence)):
        check(recipe.load(path))
    with pytest.raises(InputError, match=r"unknown key 'lora_rnak'.*\n.*found learning_rate 0, expected more than 0"):
        check(recipe.load(path, ["lora_rnak=1", "learning_rate=0"]))


def test_training_reads_its_data_once_and_validates_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the start of Axolotl, which reads them itself, in a process of its own."""
    import axolotl.utils.config

    path = place("base", kind=WHOLE)
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    opened: Counter[str] = Counter()
    validations: list[int] = []
    counting, real = [True], axolotl.utils.config.validate_config

    def count_open(event: str, arguments: tuple[Any, ...]) -> None:  # an audit hook cannot be removed
        if counting and event == "open" and str(arguments[0]).endswith(".jsonl"):
            opened[Path(str(arguments[0])).name] += 1

    def validate(*arguments: Any, **named: Any) -> Any:
        validations.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(axolotl.utils.config, "validate_config", validate)
    monkeypatch.setattr(train, "attempt", lambda *_: None)
    sys.addaudithook(count_open)
    result = CliRunner().invoke(main, ["train", str(path), "--run", "counted"])
    counting.clear()
    assert result.exit_code == 0, result.output
    assert opened == {"train.jsonl": 1, "validation.jsonl": 1, "test.jsonl": 1}
    assert len(validations) == 1
    (record,) = json.loads((tmp_path / "runs" / "counted" / "run.json").read_text())["data"]
    assert record["sha256"] == sha256(tmp_path / "data" / "mix" / "train.jsonl")


@pytest.mark.skipif(bool(hardware.gpus()), reason="this machine has a GPU")
def test_without_a_gpu_training_stops_with_a_sentence_for_all_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["train", "mistral-qlora", "--run", "x"])
    assert result.exit_code == 1 and not list(tmp_path.iterdir())
    first, *others = result.stderr.splitlines()
    assert "needs an NVIDIA GPU" in first and "make demo" in first
    assert ["no file 'data/ecom" in line for line in others] == [True, True]


def test_what_needs_a_gpu(tmp_path: Path) -> None:
    keys = {"bf16": False, "attn_implementation": "sdpa"}
    needs = lambda **more: machine.gpu_needs(recipe.Recipe(tmp_path, keys | more, {}, {}))  # noqa: E731
    assert needs() == []
    assert needs(bf16="auto") and needs(tf32=True) and needs(optimizer="paged_adamw_8bit") and needs(deepspeed="x.json")
    assert needs(attn_implementation="flash_attention_2") == ["flash attention"]


@pytest.mark.skipif(bool(find_spec("flash_attn")), reason="flash-attn is installed")
def test_attention_falls_back_where_flash_attn_is_missing() -> None:
    loaded = recipe.load(recipe.find("mistral-qlora"))
    assert machine.fitted(loaded, []) is loaded  # without a GPU it is for another machine
    other = machine.fitted(loaded, ["NVIDIA L4, 23034 MiB"])
    assert other.keys == loaded.keys | {"attn_implementation": "sdpa"} and other.overrides == {
        "attn_implementation": "sdpa"
    }
    demo = recipe.load(recipe.find("demo-qlora"))
    assert machine.fitted(demo, ["NVIDIA L4, 23034 MiB"]) is demo


def test_a_product_in_two_splits_is_caught(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    """The recipe names the training file alone; the other splits of its mix are looked at, too."""
    loaded = recipe.load(place(mistral[0]))
    data.contract(opened(loaded))
    train, test = (tmp_path / "data" / "mix" / f"{name}.jsonl" for name in ("train", "test"))
    leaked = json.loads(test.read_text().splitlines()[0]) | {"id": "another"}
    train.write_text(train.read_text() + json.dumps(leaked) + "\n")
    with pytest.raises(
        InputError, match=r"found a group that is in (test|train)\.jsonl, too.*see: ecom-data check data/mix"
    ):
        data.contract(opened(loaded))


def test_a_row_that_breaks_the_contract_is_caught(place: Place, mistral: tuple[Path, Any], tmp_path: Path) -> None:
    path, train = place(mistral[0]), tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text(train.read_text().replace("[CLASSIFY]", "[CLASIFY]"))
    with pytest.raises(
        InputError, match=r"train\.jsonl:\d+: found a prompt that starts '\[CLASIFY\].*others\); see: ecom-data"
    ):
        data.contract(opened(recipe.load(path)))


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub that has one open model, ``a/open``, and one gated model, ``a/gated``."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[4]
            status, code = {"open": (200, ""), "gated": (403, "GatedRepo")}.get(name, (404, "RepoNotFound"))
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_model_that_cannot_be_fetched_says_what_to_do(
    hub: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    base_model.downloadable("a/open", hub)
    base_model.downloadable(str(tmp_path), "http://127.0.0.1:9")
    with pytest.raises(
        InputError, match=r"a/gated: found a gated model .* accept its terms at .*/a/gated, .*hf auth login"
    ):
        base_model.downloadable("a/gated", hub)
    with pytest.raises(InputError, match=r"a/none: found no such model"):
        base_model.downloadable("a/none", hub)
    with pytest.raises(InputError, match=r"a/open: not in the hub's cache, and the hub .*hf download a/open"):
        base_model.downloadable("a/open", "http://127.0.0.1:9")


def test_too_little_disk_is_a_sentence(tmp_path: Path) -> None:
    room(1e6, tmp_path / "runs" / "deep")
    with pytest.raises(InputError, match=r"GB of free disk, expected 1000000 GB for checkpoints"):
        room(1e15, tmp_path / "runs")


def test_a_named_card_needs_no_gpu_and_too_small_a_one_is_refused(place: Place, mistral: tuple[Path, Any]) -> None:
    """What the recipe asks for is estimated and checked for that card, and no telemetry is sent on the way."""
    path = str(place(mistral[0], kind=WHOLE, bf16=True, tf32=True))
    os.environ.pop("AXOLOTL_DO_NOT_TRACK", None)
    result = CliRunner().invoke(main, ["check", path, "--gpu", "24gb", "--price", "2"])
    assert result.exit_code == 0, result.output
    assert os.environ["AXOLOTL_DO_NOT_TRACK"] == "1"
    assert re.search(r"memory   estimated: fits: \d\.\d of 24 GiB on rtx3090-24gb", result.stdout)
    assert "\nbatch    4,096 tokens a step: 16 x 1 x 256 on 1 GPU\n" in result.stdout
    assert re.search(r"weights 0\.0, adapter 0\.0, .* GiB", result.stdout)
    assert re.search(
        r"time     estimated: \d\.\d h at [\d,]+ tokens/s on 1 x rtx3090-24gb, \d\.\d\d at 2 an hour", result.stdout
    )
    older = CliRunner().invoke(main, ["check", path, "--gpu", "t4-16gb"])
    assert older.exit_code == 1 and "expected 8.0 or higher" in older.stderr
    big = CliRunner().invoke(main, ["check", "mistral-lora", "--gpu", "24gb"])
    assert big.exit_code == 1 and "does not fit: needs 4" in big.stderr.splitlines()[0]


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


@pytest.mark.parametrize(("warm", "told"), [(30, True), (50, True), (29, False), (None, False)])
def test_a_warm_up_as_long_as_the_training_is_told(warm: int | None, told: bool) -> None:
    passed = Checked({}, {}, {}, {}, {}, 256, packed=Packed(1.0, 10.0, 30, 900))
    found = list(report.warnings(recipe.Recipe(Path("r.yaml"), {"warmup_steps": warm}, {}, {}), passed))
    line = f"warning  warmup_steps {warm} of 30 steps: the learning rate never gets to what it is set to"
    assert found == [line] * told


@pytest.mark.parametrize(("every", "told"), [(31, True), ("1e3", True), (30, False), (0.25, False), (None, False)])
def test_checkpoints_that_come_after_the_training_are_told(every: Any, told: bool) -> None:
    passed = Checked({}, {}, {}, {}, {}, 256, packed=Packed(1.0, 10.0, 30, 900))
    found = list(report.warnings(recipe.Recipe(Path("r.yaml"), {"save_steps": every}, {}, {}), passed))
    assert len(found) == told and all("of 30 steps: an interrupted run will have no checkpoint" in one for one in found)


def test_what_leaves_the_machine_is_told() -> None:
    keys = {"use_wandb": True, "use_mlflow": False, "trust_remote_code": True}
    found = list(report.warnings(recipe.Recipe(Path("r.yaml"), keys, {}, {}), Checked({}, {}, {}, {}, {}, 256)))
    assert [line.split()[1] for line in found] == ["use_wandb:", "trust_remote_code:"]
    assert "leave this machine" in found[0] and "runs on this machine" in found[1]


def test_check_says_what_it_found(place: Place, tmp_path: Path) -> None:
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    result = CliRunner().invoke(main, ["check", str(place("base")), "--set", "warmup_steps=9000"])
    assert result.exit_code == 0, result.output
    printed = result.stdout
    assert re.search(r"recipe +mine\.yaml: \d+ keys", printed) and re.search(
        r"data +data/mix/train\.jsonl: as their", printed
    )
    assert re.search(r"rows: answer \d+, answerable \d+, attributes \d+, category \d+, general \d+", printed)
    assert re.search(r"proven on: answer \d+, answerable \d+, attributes \d+, category \d+, general \d+", printed)
    assert "needs nothing that a CPU has not" in printed
    assert "warning  warmup_steps 9000 of " in result.stderr


def test_names_of_an_earlier_release_are_checked_as_the_new_ones(place: Place, mistral: tuple[Path, Any]) -> None:
    path = place(mistral[0], kind=WHOLE)
    expected = recipe.load(path)
    path.write_text(path.read_text().replace(WHOLE, "recipes.runner.whole_answer"))
    loaded = recipe.load(path)
    assert loaded.keys == expected.keys and data.prepared_path(loaded) == data.prepared_path(expected)
    result = CliRunner().invoke(main, ["check", str(path), "--lose", "0.5", "--card", "24gb"])
    assert result.exit_code == 0, result.output
    assert "warning  --lose is now --max-dropped\n" in result.stderr and "--card is now --gpu\n" in result.stderr
    assert re.search(r"on 1 GPU\n", result.stdout) and "rtx3090-24gb" in result.stdout
    (line,) = [line for line in result.stderr.splitlines() if "whole_answer" in line]
    assert re.match(
        r"warning  mine\.yaml:\d+: recipes\.runner\.whole_answer is now recipes\.plugins\.completion_only",
        line.replace(f"{path.parent}/", ""),
    )
    with pytest.raises(InputError, match=r"train_on_eos is not allowed: type recipes\.plugins\.completion_only"):
        entry = {"path": "data/mix/train.jsonl", "type": "recipes.runner.whole_answer", "train_on_eos": "turn"}
        lint.lint(recipe.load(path, [f"datasets={json.dumps([entry])}"]))
    plugins = recipe.load(path, ["plugins=[recipes.runner.meter.Meter, recipes.runner.plugin.RunPlugin]"])
    assert plugins.keys["plugins"] == ["recipes.plugins.run.Meter", "recipes.plugins.run.RunPlugin"]
    assert len(list(report.warnings(plugins, Checked({}, {}, {}, {}, {}, 256)))) == 3


def test_a_key_that_hardly_pays_is_told_and_not_refused() -> None:
    keys = {"base_model": "x", "datasets": [], "sequence_len": 256, "lora_mlp_kernel": False, "bf16": False}
    found = recipe.Recipe(Path("r.yaml"), keys | {"peft_use_dora": True}, {}, {})
    assert not [fault for fault in rules.faults(found) if "dora" in fault]
    (said,) = report.warnings(found, Checked({}, {}, {}, {}, {}, 256))
    assert said.startswith("warning  peft_use_dora: it took 26 % more time than LoRA")
    without = recipe.Recipe(Path("r.yaml"), keys | {"peft_use_dora": False, "peft_use_rslora": True}, {}, {})
    assert not list(report.warnings(without, Checked({}, {}, {}, {}, {}, 256)))


def test_packages_are_hidden_during_one_import_alone() -> None:
    """Whatever comes later in the process finds them, an fp8 recipe's validation and 4-bit loading among it."""
    code = (
        "import sys; from recipes.runner.preflight import lint; before = list(sys.meta_path); lint.import_trainer();"
        "assert not {'bitsandbytes', 'sklearn'} & sys.modules.keys() and before == sys.meta_path;"
        "from accelerate.utils import is_fp8_available; from transformers.utils import is_bitsandbytes_available;"
        "from peft.import_utils import is_bnb_4bit_available;"
        "assert is_fp8_available() and is_bitsandbytes_available() and is_bnb_4bit_available(); import sklearn"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
