"""How a check imports the trainer: without models, and so that everything is what it would be once somebody asks for it."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from recipes.runner.preflight.kept import shortcuts
from recipes.runner.preflight.kept.imports import LATER, NOW, compiled, sparing, unopened
from recipes.runner.preflight.kept.trainer import STRATEGIES, lightly

MINE = """
from __future__ import annotations
from heavy import Annotated, Asked, Called, Patched, needed as at_once
from heavy.part import *
if True:
    from .other_heavy import Conditional
try:
    from missing import Tried
except ImportError:
    Tried = None
from math import pi

def typed(x: Annotated) -> Annotated:
    x.y: Annotated = 3
    return x

def calls(Called_too=None):
    "Its docstring."
    return Called, [Conditional for _ in range(1)][0], pi

class Class:
    value = at_once
    def method(self):
        return lambda: Patched
"""


def functions(code: CodeType) -> Iterator[tuple[str, bytes, tuple[Any, ...], tuple[Any, ...]]]:
    """Yield name, instructions, names and constants of each function that makes no other."""
    parts = [part for part in code.co_consts if isinstance(part, CodeType)]
    if code.co_flags & 1 and not parts and not code.co_name.startswith(NOW):  # CO_OPTIMIZED
        yield code.co_qualname, code.co_code, code.co_names, code.co_consts
    for part in parts:
        yield from functions(part)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_without_imports_that_annotations_need_is_the_same_to_the_last_instruction(name: str) -> None:
    spec = find_spec(name)
    assert spec and spec.origin
    source = Path(spec.origin).read_text("utf-8")
    bare, whole = compiled(source, name, spec.parent or ""), compile(source, name, "exec")
    assert [*functions(bare)] == [*functions(whole)] and len([*functions(whole)]) > 10
    assert LATER in bare.co_names, "nothing was left out"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of a package, imported without what it does not need of ``heavy`` and ``package.other_heavy`` yet."""
    for name, source in {
        "heavy/__init__.py": "needed, Annotated, Asked, Called, Patched = range(5)",
        "heavy/part.py": "star = 6",
        "package/__init__.py": "",
        "package/other_heavy.py": "Conditional = 7",
        "package/mine.py": MINE,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with sparing({"package.mine": ("heavy", "package.other_heavy")}):
        yield import_module("package.mine")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("heavy", "package")]:
        del sys.modules[name]


def test_a_name_is_there_at_once_at_the_first_call_or_when_it_is_asked_for(mine: Any) -> None:
    assert mine.Class.value == 0 and mine.star == 6 and mine.Tried is None and mine.pi > 3
    assert {"Annotated", "Asked", "Called", "Conditional", "Patched"} == set(vars(mine)[LATER]) - set(vars(mine))
    assert "package.other_heavy" not in sys.modules
    assert mine.typed(mine.Class()).y == 3 and mine.calls.__doc__ == "Its docstring."
    assert mine.calls() == (3, 7, mine.pi) and {"Called", "Conditional"} <= set(vars(mine))
    assert mine.Asked == 2
    from package.mine import Annotated  # type: ignore[import-not-found]

    assert Annotated == 1
    with pytest.raises(AttributeError, match=r"module 'package\.mine' has no attribute 'other'"):
        mine.other  # noqa: B018


def test_a_name_that_was_set_before_its_first_use_stays(mine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.Patched = "another"
    assert mine.Class().method()() == "another"


def test_a_module_that_answers_for_missing_names_itself_is_left_as_it_is() -> None:
    code = compiled("from a import b\ndef __getattr__(name): return name", "", "", ("a",))
    assert LATER not in code.co_names


def test_a_class_stands_for_itself_until_something_is_asked_of_it() -> None:
    from transformers.models.auto import configuration_auto

    package = import_module("transformers")
    held = vars(package).pop("VoxtralConfig", None)
    with unopened("transformers", "VoxtralConfig"):
        stand_in = package.VoxtralConfig
    assert "VoxtralConfig" not in vars(package)
    own = package.VoxtralConfig
    assert stand_in is not own and stand_in.model_type == own.model_type == "voxtral" and type(stand_in()) is own
    assert configuration_auto.CONFIG_MAPPING["voxtral"] is own and held in (None, own)
    with unopened("transformers", "VoxtralConfig"):
        assert package.VoxtralConfig is own, "it was imported already"
    with unopened("transformers", "NoSuchClass"):
        assert "NoSuchClass" not in vars(package)


ALONE = """
import json, sys
from recipes.runner.preflight.kept import trainer
if sys.argv[1:] == ["lightly"]:
    trainer.import_trainer()
    trainer.import_loaders()
    trainer.import_strategies()
    assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("recipes")]
    models = {"peft", "datasets", "transformers.modeling_utils", "transformers.generation.utils"}
    models |= {"torch._dynamo", "torch.distributed.tensor", "sympy", "scipy", "torchao", "bitsandbytes"}
    assert not models & sys.modules.keys(), models & sys.modules.keys()
from axolotl.loaders.constants import MULTIMODAL_AUTO_MODEL_MAPPING
from axolotl.loaders import patch_manager, tokenizer, utils
from axolotl.utils import config
from transformers import trainer_utils
from transformers.models.auto import auto_factory
from transformers.utils import import_utils
import inspect, transformers
found = {name: f() for name, f in vars(import_utils).items() if name.startswith("is_") and name.endswith("_available")
    and not [p for p in inspect.signature(f).parameters.values() if p.default is p.empty and p.kind < 2]}
found["table"] = {key: getattr(value, "__name__", value) for key, value in MULTIMODAL_AUTO_MODEL_MAPPING.items()}
found["loads"] = MULTIMODAL_AUTO_MODEL_MAPPING["voxtral"].from_pretrained.__qualname__
found["packages"] = import_utils.PACKAGE_DISTRIBUTION_MAPPING
found["structure"] = sorted((sorted(needs), sorted((name, sorted(of)) for name, of in parts.items()))
    for needs, parts in import_utils.define_import_structure(transformers.models.__file__).items())
found["names"] = sorted(transformers.__all__)
for module in (patch_manager, tokenizer, utils, config, trainer_utils, auto_factory):
    later = getattr(module, "__later__", {})
    values = {name: repr(getattr(module, name)) for name in {*vars(module), *later} if not name.startswith("__")}
    found[module.__name__] = {name: value for name, value in values.items()
        if " at 0x" not in value and name not in ("_NONE_DEFAULT_FIELDS", "MULTIMODAL_AUTO_MODEL_MAPPING")}
assert trainer_utils.PeftModel is sys.modules["peft"].PeftModel
assert not trainer_utils._is_peft_model(3)
print(json.dumps(found, default=str))
"""


def test_the_trainer_is_the_same_after_a_check_has_imported_it_without_models() -> None:
    run = [sys.executable, "-c", ALONE]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1"}
    light, whole = (
        json.loads(
            subprocess.run([*run, *how], capture_output=True, text=True, check=True, env=settings).stdout.splitlines()[
                -1
            ]
        )
        for how in (["lightly"], [])
    )
    assert len(light) > 50 and light["loads"] and {"voxtral", "mistral3"} <= set(light["table"])
    for name in {*light, *whole}:
        assert light[name] == whole[name], name


def test_what_is_quick_gives_what_is_slow() -> None:
    assert shortcuts.packages() == metadata.packages_distributions()
    own = inspect.getmodule, inspect.getframeinfo, metadata.packages_distributions
    frame = inspect.currentframe()
    assert frame
    slow = inspect.getmodule(frame), inspect.getframeinfo(frame)
    with shortcuts.taken():
        quick = inspect.getmodule(frame), inspect.getframeinfo(frame)
    assert slow[0] is quick[0] is sys.modules[__name__]
    assert slow[1].filename == quick[1].filename and quick[1].code_context is None
    with pytest.raises(KeyError), shortcuts.taken():
        raise KeyError
    assert own == (inspect.getmodule, inspect.getframeinfo, metadata.packages_distributions)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "x = 1",
        '__all__ = ["A", "B"]',
        'x\n__all__ = ["A"]\ny\n__all__ = [\n    "B",\n    "C",\n]\nz',
        "# __all__\n",
        "\n__all__\n",
    ],
)
def test_the_last_list_of_names_in_a_file_is_read(content: str) -> None:
    from transformers.utils import import_utils

    own = getattr(import_utils.fetch__all__, "args", [import_utils.fetch__all__])[0]
    try:
        expected = own(content)
    except IndexError:
        with pytest.raises(IndexError):
            shortcuts._last(own, content)
    else:
        assert shortcuts._last(own, content) == expected


def test_a_module_that_needs_what_is_hidden_is_imported_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_chardet.py").write_text("import chardet\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "chardet"]:
        monkeypatch.delitem(sys.modules, name)
    lightly("needs_chardet")
    assert sys.modules.pop("needs_chardet").chardet.detect(b"a")["encoding"]
