"""What a check keeps: it is found again only where nothing that decides it has changed, and broken files are made anew."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from converters.core.errors import InputError
from converters.io.jsonl import sha256
from converters.schema import MANIFEST
from recipes.plugins import ewc, run, sam
from recipes.runner import recipe
from recipes.runner.cli import main
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import check, data, lint
from recipes.runner.preflight.kept import inputs, keys, schema, store
from recipes.runner.preflight.kept.store import FOLDER, find, keep, kept
from tests.recipes.conftest import WHOLE
from tests.recipes.preflight._rows import Place, row

ALONE = """
import json, sys
from click.testing import CliRunner
from recipes.runner.cli import main
done = CliRunner().invoke(main, sys.argv[1:])
trainer = {"torch", "transformers", "axolotl", "datasets", "peft", "transformers.modeling_utils"}
print(json.dumps([done.exit_code, done.stdout, done.stderr, sorted(trainer & sys.modules.keys())]))
"""


def alone(*words: str) -> list[Any]:
    """Run a command in a process of its own; return exit code, output, errors, and what it imported of the trainer."""
    done = subprocess.run([sys.executable, "-c", ALONE, *words], capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def checked(place: Place, tmp_path: Path) -> tuple[Path, str]:
    """A recipe that was checked once, and what the check said."""
    tiny_model.build(tmp_path / "data" / "mix", tmp_path / "base", 0)
    path = place("base", kind=WHOLE)
    done = CliRunner().invoke(main, ["check", str(path)])
    assert done.exit_code == 0, done.output
    schema.known.__globals__["_in_process"].cache_clear()  # another test has it in this process, and kept it elsewhere
    lint.lint(recipe.load(path))
    return path, done.stdout


def test_what_passed_is_said_again_without_the_trainer_and_so_are_misspelt_keys_and_wrong_types(
    checked: tuple[Path, str],
) -> None:
    path, said = checked
    assert alone("check", str(path)) == [0, said, "", []]
    entry = {"path": "data/mix/train.jsonl", "type": WHOLE}
    for faults in (
        ["lora_rnak=3"],
        ["lora_r=many"],
        ["optimizer=adamw_torhc"],
        ["chat_template=mistral_v9"],
        [f"datasets={json.dumps([entry | {'feild_messages': 'messages'}])}"],
        ["bnb_config_kwargs={bnb_4bit_quant_typ: nf4}"],
        ["lora_rnak=3", "lora_alpha=[1]", "learning_rate=0", "lora_dropout=0.1", "lora_mlp_kernel=true"],
    ):
        with pytest.raises(InputError) as error:
            lint.lint(recipe.load(path, faults))
        words = [word for fault in faults for word in ("--set", fault)]
        assert alone("check", str(path), *words) == [1, "", f"error: {error.value}\n", []], faults
    kept_before = {file.name for file in FOLDER.iterdir()}
    assert kept_before
    fresh = CliRunner().invoke(main, ["check", str(path), "--set", "lora_rnak=3", "--fresh"])
    assert fresh.stderr == alone("check", str(path), "--set", "lora_rnak=3")[2]
    assert not {file.name for file in FOLDER.iterdir()} & {name for name in kept_before if name.startswith("proof")}


def test_a_change_of_a_number_that_makes_no_token_needs_no_second_proof(
    checked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = checked
    monkeypatch.setattr(check, "prove", lambda *_: pytest.fail("it was proven again"))
    monkeypatch.setattr(data, "contract", lambda *_: pytest.fail("its rows were read again"))
    words = ("learning_rate=1e-5", "max_steps=7", "sequence_len=128")
    done = CliRunner().invoke(main, ["check", str(path), *(f"--set={word}" for word in words)])
    assert done.exit_code == 0, done.output
    assert done.stdout == re.sub(r"[\d,]+ in all", "7 in all", said).replace("4,096", "2,048").replace("x 256", "x 128")


def test_other_rows_are_proven_by_the_tokenizer_that_is_kept_and_without_a_model(
    checked: tuple[Path, str], tmp_path: Path
) -> None:
    path, said = checked
    train = tmp_path / "data" / "mix" / "train.jsonl"
    train.write_text("".join(row(answer, f"Hi 中 é {answer}") for answer in ("Mug", "7", "5 L", "é")))
    manifest = train.with_name(MANIFEST)
    known = json.loads(manifest.read_bytes())
    known["splits"]["train"]["sha256"] = sha256(train)
    manifest.write_text(json.dumps(known))
    found = alone("check", str(path))
    assert found[0] == 0 and found[1] != said, found
    assert not {"datasets", "peft", "transformers.modeling_utils"} & set(found[3]), "found anew"
    assert "transformers" in found[3]
    fresh = alone("check", str(path), "--fresh")
    assert fresh[:3] == found[:3] and not {"datasets", "peft", "transformers.modeling_utils"} & set(fresh[3])
    misspelt = alone("check", str(path), "--set", "lora_target_modules=[q_proj, v_porj]")
    assert "did you mean 'v_proj'" in misspelt[2] and "transformers.modeling_utils" in misspelt[3]


def decided() -> Callable[..., tuple[str | None, str | None]]:
    """Return what gives the keys of validation and proof of the recipe in this folder."""
    settings = keys.settings()

    def of(*overrides: str, settings: Any = settings) -> tuple[str | None, str | None]:
        loaded = recipe.load(Path("mine.yaml"), overrides)
        hashes = {path: data.read(path).sha256 for path in data.files(loaded)}
        return inputs.validation(loaded, settings), inputs.proof(inputs.tokenizer(loaded, hashes, settings), hashes)

    return of


@pytest.fixture
def small(place: Place, tmp_path: Path) -> Path:
    """A folder with a recipe, a template of its own and a base that are bytes alone."""
    for name in ("base/config.json", "base/tokenizer.json", "base/model.safetensors", "base/templates/other.jinja"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "own.jinja").write_text("{{ messages }}")
    place("base", kind=WHOLE, chat_template="jinja", chat_template_jinja="own.jinja")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["own.jinja", "base/config.json", "base/tokenizer.json", "base/model.safetensors", "base/templates/other.jinja"],
)
def test_a_changed_file_changes_both_keys(name: str, small: Path) -> None:
    of = decided()
    before = of()
    assert None not in before and of() == before
    (small / name).write_bytes(b"{ }")
    assert not set(before) & set(of())


def test_rows_change_what_is_proven_and_weights_too_large_to_hash_go_by_time_and_inode(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = decided()
    before = of()
    rows = small / "data" / "mix" / "train.jsonl"
    rows.write_bytes(rows.read_bytes() + b"\n")
    assert of()[0] == before[0] and of()[1] != before[1]
    monkeypatch.setattr(keys, "HASHED", 1)
    before = of()
    (small / "base" / "model.safetensors").rename(small / "was")
    (small / "base" / "model.safetensors").write_bytes(b"{}")
    os.utime(small / "base" / "model.safetensors", ns=((small / "was").stat().st_mtime_ns,) * 2)
    assert not set(before) & set(of()), "the same size and time, another file"


def test_keys_of_the_recipe_and_the_machine_change_the_key_that_they_decide(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = decided()
    before = of()
    assert of("learning_rate=1e-5")[0] != before[0] and of("learning_rate=1e-5")[1] == before[1]
    assert of("micro_batch_size=null")[1] != before[1], "Axolotl fails on it when it loads the tokenizer"
    for change in ("max_steps=7", "sequence_len=64"):
        assert of(change)[0] != before[0] and of(change)[1] == before[1], change
    for change in ("chat_template=chatml", "special_tokens={pad_token: x}", "lora_target_modules=[q_proj]"):
        assert not set(before) & set(of(change)), change
    monkeypatch.setenv("AXOLOTL_DATASET_NUM_PROC", "3")
    assert not set(before) & set(of(settings=keys.settings()))
    for what in ("code", "packages"):
        with monkeypatch.context() as patched:
            patched.setattr(keys, what, lambda: "another")
            assert not set(before) & set(of()), what


def test_a_package_that_is_installed_again_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    found = []
    for name in ("mine-1.dist-info", "mine-2.dist-info"):
        (tmp_path / name).mkdir()
        found.append(keys.packages.__wrapped__())
    os.utime(tmp_path / "mine-1.dist-info", (1, 1))
    found.append(keys.packages.__wrapped__())
    assert len(set(found)) == 3 and keys.packages.__wrapped__() == found[-1]
    monkeypatch.syspath_prepend(str(tmp_path / "vendored"))
    (tmp_path / "vendored" / "theirs-1.dist-info").mkdir(parents=True)
    assert keys.packages.__wrapped__() == found[-1], "as setuptools adds its own packages once it is imported"


@pytest.mark.parametrize(
    "override",
    [
        "trust_remote_code=true",
        "plugins=[mine.Plugin]",
        "plugins=mine.Plugin",
        "base_model=runs/none/merged",
        "datasets=[{path: data/mix/train.jsonl, type: mine.strategy}]",
        "datasets=[3]",
        "datasets=3",
    ],
)
def test_what_other_code_decides_or_is_not_here_is_not_kept(override: str, small: Path) -> None:
    loaded = recipe.load(Path("mine.yaml"), [override])
    assert inputs.validation(loaded, ()) is inputs.tokenizer(loaded, (), ()) is inputs.proof(None, {}) is None
    assert kept("x", None, int, lambda: 1) == 1 and not FOLDER.exists()


def test_a_broken_file_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert kept("x", "k", list[int], lambda: [1, 2]) == [1, 2]
    assert kept("x", "k", list[int], lambda: pytest.fail("it is kept")) == [1, 2]
    (path,) = FOLDER.iterdir()
    whole = path.read_bytes()
    for broken in (b"", whole[:-1], whole[:-1] + b"\x09", whole + b"\0", b"\0" * 99, whole[:32]):
        path.write_bytes(broken)
        assert find("x", "k", list[int]) is None
        assert kept("x", "k", list[int], lambda: [3]) == [3] and find("x", "k", list[int]) == [3]
    assert find("x", "k", dict[str, int]) is None, "of another kind"
    assert keep("y", "k", object()) and find("y", "k", object) is None, "more than plain data"
    assert [file.name for file in FOLDER.iterdir()] == ["x-k"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".cache").write_text("a file")
    assert kept("x", "k", int, lambda: 1) == kept("x", "k", int, lambda: 1) == 1


def test_the_folder_stays_small_and_what_was_used_last_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "KEPT", 3)
    for number in range(3):
        keep("x", str(number), number)
        os.utime(FOLDER / f"x-{number}", (number + 1, number + 1))
    assert find("x", "0", int) == 0
    keep("x", "3", 3)
    assert sorted(file.name for file in FOLDER.iterdir()) == ["x-0", "x-2", "x-3"]
    monkeypatch.setattr(store, "BYTES", 50)
    keep("x", "4", "more than half of it")
    assert [file.name for file in FOLDER.iterdir()] == ["x-4"]
    store.clear()
    assert not [*FOLDER.iterdir()] and find("x", "4", str) is None


def test_checks_at_the_same_time_keep_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = (
        "from recipes.runner.preflight.kept import store; store.KEPT = 2\n"
        "for n in range(300): assert store.kept('x', str(n % 5), list[int], lambda: [n % 5] * 999) == [n % 5] * 999"
    )
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]


def test_a_type_is_refused_as_axolotl_refuses_it_and_only_then() -> None:
    found, own = schema.described(()), schema.model(False)
    refused = 0
    for key, type_ in found.types.items():
        for value in ("abc", "", 1.5, -1, [1], ["a"], {"a": 1}, [{"a": 1}], True, None):
            if error := schema.refusal(type_, copy.deepcopy(value)):
                refused += 1
                with pytest.raises((ValidationError, TypeError, AttributeError, ValueError)) as theirs:
                    own.model_validate({**lint.LEAST, key: copy.deepcopy(value)})
                if isinstance(theirs.value, ValidationError):  # else a rule looked at it before its type was judged
                    errors = theirs.value.errors()
                    first = next((item for item in errors if item["loc"][:1] == (key,)), None)
                    ruled = [item for item in errors if not item["loc"]]  # refused by a rule before
                    assert ruled or (first and first["msg"] == error[1]), (key, value, error, errors)
    assert refused > 1000 and {"base_model", "learning_rate"} <= set(found.required) <= set(lint.LEAST)
    for name in recipe.names():
        loaded = recipe.load(recipe.find(name)).keys
        assert not [key for key in found.types if key in loaded and schema.refusal(found.types[key], loaded[key])], name


PLUGINS = {key for args in (ewc.EWCArgs, run.MeterArgs, sam.SAMArgs) for key in args.model_fields}


def test_the_schema_of_plain_recipes_gives_what_axolotls_own_function_gives() -> None:
    for name in ("demo-qlora", "smollm2-qlora"):
        loaded = recipe.load(recipe.find(name))
        capabilities, environment = lint._capabilities(None, 1)
        accepted = lint._accepted(loaded, capabilities, environment)
        whole = lint._validated(loaded, capabilities, environment)
        # What plugins of an earlier test take stays in Axolotl's own function for as long as the process lives.
        assert accepted == {key: value for key, value in whole.items() if key in accepted or key not in PLUGINS}
        assert type(accepted).__name__ == "DictDefault"
    assert lint._accepted(recipe.load(recipe.find("demo-qlora"), ["lora_r=many"]), capabilities, environment) is None


def test_a_fresh_check_finds_nothing_in_a_folder_that_is_elsewhere(place: Place, tmp_path: Path) -> None:
    place("base")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    FOLDER.parent.mkdir()
    FOLDER.symlink_to(elsewhere)
    keep("value", "key", 1)
    assert find("value", "key", int) == 1
    store.clear()
    assert find("value", "key", int) is None and not list(elsewhere.iterdir())
    (FOLDER / "folder").mkdir()  # which no check has made
    with pytest.raises(OSError, match="folder"):
        store.clear()
