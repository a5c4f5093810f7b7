"""The checks before training: machine, base model and what they say, each with the case that it must catch."""

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from converters.io.jsonl import sha256
from recipes.runner import recipe
from recipes.runner.capacity import hardware
from recipes.runner.cli import main
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import base_model, data, lint, machine, report, rules
from recipes.runner.preflight.check import Checked, check, room
from recipes.runner.preflight.token_counts import Packed
from recipes.runner.training import train
from tests.recipes.conftest import WHOLE
from tests.recipes.preflight._rows import Place


def test_a_token_that_the_base_has_no_embedding_for_is_refused(place: Place, mistral: tuple[Path, Any]) -> None:
    """Axolotl enlarges the base for it, and the adapter that comes of it fits no base that the merge gate can load."""
    path = place(mistral[0], kind=WHOLE)
    with pytest.raises(
        InputError, match=r"--set: found (\d+) tokens in the tokenizer and \d+ in the base model, expected"
    ):
        check(recipe.load(path, ["special_tokens={pad_token: <pad-of-mine>}"]))


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
    from axolotl.utils.schemas.config import AxolotlConfigWCapabilities

    path = place("base", kind=WHOLE)
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    opened: Counter[str] = Counter()
    validations: list[int] = []
    counting, real = [True], AxolotlConfigWCapabilities.__init__

    def count_open(event: str, arguments: tuple[Any, ...]) -> None:  # an audit hook cannot be removed
        if counting and event == "open" and str(arguments[0]).endswith(".jsonl"):
            opened[Path(str(arguments[0])).name] += 1

    def validate(*arguments: Any, **named: Any) -> None:
        validations.append(1)
        real(*arguments, **named)

    monkeypatch.setattr(AxolotlConfigWCapabilities, "__init__", validate)
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
    assert result.exit_code == 1 and {path.name for path in tmp_path.iterdir()} <= {".cache"}
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


@pytest.mark.parametrize("keys", [{"use_trackio": True}, {"trackio_project_name": "shop"}])
def test_trackio_is_refused_where_it_does_not_know_what_the_trainer_hands_it(keys: dict[str, Any]) -> None:
    """Its source is read, for importing it takes seconds: transformers' callback calls ``init`` with a ``bucket_id``."""
    source = find_spec("trackio")
    assert source and source.origin
    (init,) = re.findall(r"^def init\((.*?)^\)", Path(source.origin).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [fault for fault in rules.faults(recipe.Recipe(Path("r.yaml"), keys, {}, {})) if "trackio" in fault]
    assert bool(found) == ("bucket_id" not in init)
    assert all("r.yaml" in fault and "make track RUN=NAME TRACKER=trackio" in fault for fault in found)
    off = {"use_trackio": False, "trackio_project_name": None}
    assert not [fault for fault in rules.faults(recipe.Recipe(Path("r.yaml"), off, {}, {})) if "trackio" in fault]


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
