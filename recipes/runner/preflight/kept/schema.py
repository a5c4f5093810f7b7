"""Axolotl's schema as data, so that a misspelt key, a wrong type and a wrong name are found without importing the trainer.

Kept are: every key of every part, the names that Axolotl takes as any text, and of each key's type what pydantic can judge
without Axolotl's own functions. Those that look at a value before its type is judged may change it: such a value passes here.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from recipes.runner.preflight.kept import keys, store
from recipes.runner.preflight.kept.trainer import import_trainer

ANY: dict[str, Any] = {"type": "any"}
# What is judged as pydantic has it; the parts are themselves schemas.
PARTS = ("schema", "items_schema", "keys_schema", "values_schema", "choices", "fields")
TYPES = (
    *("any", "none", "bool", "int", "float", "str", "literal", "dict", "list", "nullable", "default", "union"),
    *("model", "model-fields", "model-field"),
)
# Keys that Axolotl's rules write only where they are unset: a value that is given is judged as it is.
# fmt: off
FILLED = (
    "chat_template", "eval_sample_packing", "lora_dropout", "lora_embedding_kernel", "lora_mlp_kernel", "lora_o_kernel",
    "lora_qkv_kernel", "pad_to_sequence_len", "test_datasets",
)
# fmt: on
OURS = ("axolotl.", "recipes.plugins.")  # modules that a key of ours names by its packages and its code


class Schema(msgspec.Struct, frozen=True):
    """The schema with a recipe's plugins.

    ``keys`` are by part and spelling, each with the parts below it; the first part is the recipe. ``types`` are core schemas of
    pydantic by key, in Axolotl's order, ``required`` the keys without a default. ``names`` are what keys of any text may say,
    ``legacy`` the older flags with the attention that each one means, ``packing`` and ``attentions`` those for packed rows, and
    all.
    """

    keys: dict[str, dict[str, list[str]]]
    types: dict[str, Any]
    required: list[str]
    names: dict[str, list[str]]
    legacy: dict[str, str]
    packing: list[str]
    attentions: list[str]
    quantisation: list[str]  # keys of bnb_config_kwargs

    @property
    def whole(self) -> str:
        """The part that is the recipe."""
        return next(iter(self.keys))


def known(plugins: tuple[str, ...] = ()) -> Schema:
    """Return the schema with these plugins, from its file or from Axolotl, where they must be loaded already.

    One is not kept that has other plugins' keys, or whose code no key names.
    """
    return _in_process(plugins) if _nameable(plugins) and not _others(plugins) else described(plugins)


def _others(plugins: tuple[str, ...]) -> bool:
    """Tell whether an earlier recipe of this process has loaded other plugins, which Axolotl does not forget."""
    base = sys.modules.get("axolotl.integrations.base")
    return bool(plugins and base and base.PluginManager.get_instance().plugins.keys() - set(plugins))


def find(plugins: tuple[str, ...]) -> Schema | None:
    """Return the schema if it is kept; ``None`` where Axolotl would have to be asked."""
    return store.find("schema", _key(plugins), Schema) if _nameable(plugins) else None


def nameable(name: object) -> bool:
    """Tell whether a module's code is Axolotl's or ours, so that a key changes with it."""
    return str(name).startswith(OURS)


def _nameable(plugins: tuple[str, ...]) -> bool:
    return all(map(nameable, plugins))


def _key(plugins: tuple[str, ...]) -> str:
    return keys.digest("schema", sorted(plugins))


@cache
def _in_process(plugins: tuple[str, ...]) -> Schema:
    return store.kept("schema", _key(plugins), Schema, lambda: described(plugins))


def model(plugins: bool, of_machine: bool = False) -> Any:
    """Return Axolotl's own schema, with the keys of all plugins that were loaded if any are asked for.

    That of a machine has rules about its GPUs, too.
    """
    from axolotl.integrations.config import merge_input_args
    from axolotl.utils.schemas.config import AxolotlConfigWCapabilities, AxolotlInputConfig

    plain = (AxolotlConfigWCapabilities, AxolotlInputConfig)
    with_machine, own = merge_input_args() if plugins else plain
    return with_machine if of_machine else own


def described(plugins: tuple[str, ...]) -> Schema:
    """Return the schema as Axolotl has it now, with the plugins that are loaded."""
    import_trainer()
    from axolotl.utils.schemas import enums
    from transformers import BitsAndBytesConfig
    from transformers.trainer_utils import IntervalStrategy, SaveStrategy, SchedulerType
    from transformers.training_args import OptimizerNames

    own = model(bool(plugins))
    types, required = _types(own, enums.LEGACY_ATTN_FLAG_TO_IMPL)
    return Schema(
        _keys(own),
        types,
        required,
        {
            "lr_scheduler": [*(item.value for item in SchedulerType), "one_cycle", "rex"],
            "optimizer": [item.value for kind in (OptimizerNames, enums.CustomSupportedOptimizers) for item in kind],
            "save_strategy": [item.value for item in SaveStrategy],
            "eval_strategy": [item.value for item in IntervalStrategy],
        },
        dict(enums.LEGACY_ATTN_FLAG_TO_IMPL),
        sorted(enums.ATTN_IMPLS_SUPPORTING_PACKING),
        sorted(enums.CANONICAL_ATTN_IMPLS),
        list(inspect.signature(BitsAndBytesConfig).parameters),
    )


def _keys(own: Any) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    waiting = [own]
    for part in waiting:
        below = {name: list(_models(field.annotation)) for name, field in part.model_fields.items()}
        found[_name(part)] = {
            spelling: [_name(child) for child in below[name]]
            for name, field in part.model_fields.items()
            for spelling in filter(None, (name, field.alias))
        }
        waiting += [child for of in below.values() for child in of if child not in waiting]
    return found


def _name(part: Any) -> str:
    return f"{part.__module__}.{part.__qualname__}"


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the schema classes inside an annotation; none means that any keys go, as for ``optim_args``."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, list, tuple):
        for part in get_args(annotation):
            yield from _models(part)


def _types(own: Any, legacy: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what can be judged of each key's type, and the required keys: none that a rule about several keys writes before."""
    definitions, tree = {}, own.__pydantic_core_schema__
    if tree["type"] == "definitions":
        definitions = {part["ref"]: part for part in tree["definitions"]}
        tree = tree["schema"]
    while tree["type"] != "model-fields":
        tree = tree["schema"] if "schema" in tree else definitions[tree["schema_ref"]]
    before = (rule.func for rule in own.__pydantic_decorators__.model_validators.values() if rule.info.mode == "before")
    written = {key for rule in before for key in _written(rule)} | set(
        legacy
    )  # of these a rule takes out what is not true
    fields = {name: field["schema"] for name, field in tree["fields"].items() if name not in written - set(FILLED)}
    pure = {
        spelling: _pure(field, definitions)
        for name, field in fields.items()
        for spelling in filter(None, (name, own.model_fields[name].alias))
    }
    types = {spelling: type_ for spelling, type_ in pure.items() if type_ != ANY}
    return types, [name for name in fields if own.model_fields[name].is_required()]


def _written(rule: Callable[..., Any]) -> Iterator[str]:
    """Yield the keys that a rule assigns or deletes."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(rule)))):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _texts(node.slice)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) in ("pop", "setdefault", "update"):
            yield from (text for part in node.args for inner in ast.walk(part) for text in _texts(inner))


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _pure(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a core schema without functions and classes; one that cannot do without passes anything."""
    kind = node["type"]
    if kind == "function-after":  # it sees what is of the right type already
        return _pure(node["schema"], definitions)
    if kind == "definition-ref":
        ref = node["schema_ref"]  # one that is within itself passes anything there
        rest = {name: part for name, part in definitions.items() if name != ref}
        return _pure(definitions[ref], rest) if ref in definitions else ANY
    if kind == "enum" and all(type(member.value) is str for member in node["members"]):
        return {"type": "literal", "expected": [member.value for member in node["members"]]}
    if kind not in TYPES or (kind == "default" and "default" not in node):
        return ANY
    pure: dict[str, Any] = {
        key: value for key, value in node.items() if isinstance(value, str | int | float | bool) and key != "ref"
    }
    pure |= {part: _parts(node[part], definitions) for part in PARTS if part in node} | _own(node)
    return ANY if kind == "model" and pure["schema"] == ANY else pure


def _own(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a kind of core schema has beside plain values and parts."""
    own: dict[str, dict[str, Any]] = {
        "default": {"default": None},
        "literal": {"expected": list(node.get("expected", ()))},
        "model": {"cls": getattr(node.get("cls"), "__name__", "")},
        "model-field": {"validation_alias": node["validation_alias"]} if "validation_alias" in node else {},
    }
    return own.get(node["type"], {})


def _parts(part: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_pure(child[0] if isinstance(child, tuple) else child, definitions) for child in part]
    if "type" in part and isinstance(part["type"], str):
        return _pure(part, definitions)
    return {name: _pure(child, definitions) for name, child in part.items()}


def refusal(type_: Mapping[str, Any], value: Any) -> tuple[Sequence[str | int], str] | None:
    """Return the place within a value, and the sentence, of pydantic's first error; ``None`` for a value of the right type.

    An empty value may be filled in by a rule of Axolotl's, and passes.
    """
    if not value:
        return None
    from pydantic_core import SchemaValidator, ValidationError

    try:
        SchemaValidator(_restored(type_)).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        return first["loc"], first["msg"]
    return None


def _restored(type_: Any) -> Any:
    """Return a core schema with stand-ins for its classes, of which only the names are told."""
    if isinstance(type_, list):
        return [_restored(part) for part in type_]
    if not isinstance(type_, Mapping):
        return type_
    restored = {key: _restored(value) for key, value in type_.items()}
    if restored.get("type") == "model" and isinstance(restored.get("cls"), str):
        slots = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
        restored["cls"] = type(restored["cls"], (), {"__slots__": slots})
    return restored
