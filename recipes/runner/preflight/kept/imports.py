"""Importing a module without what it names in annotations alone, and, where told, without what only its functions use.

Python imports a whole package for a name that stands behind a colon, or in the body of a function that is never called. Without
the former a module does the same, to the last instruction; the latter is imported at the first call of a function that names
it, or when somebody asks the module for it. So both are what they would be, for whatever else the process does.
"""

import __future__

import ast
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from types import CodeType, ModuleType
from typing import Any

LATER = "__later__"  # of a module: what imports each name that it has not got yet
NOW = "__now__"  # of a module: what its functions call to ask for names


@contextmanager
def sparing(modules: Mapping[str, Collection[str]]) -> Iterator[None]:
    """Let each of these modules that is imported meanwhile go without what annotations need, and import these packages later."""
    finder: Any = _Finder(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def unopened(package: str, name: str) -> Iterator[None]:
    """Let a name that a package imports when it is asked for it stand for what it is until something is asked of that."""
    module = import_module(package)
    stands = name in module.__all__ and name not in vars(module)  # it lists what it imports when it is asked
    if stands:
        setattr(module, name, _Unopened(module, name))
    try:
        yield
    finally:
        if stands and isinstance(vars(module).get(name), _Unopened):
            delattr(module, name)


class _Unopened:
    def __init__(self, module: ModuleType, name: str) -> None:
        self.__opened = partial(_open, self, module, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__opened(), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.__opened()(*args, **options)


def _open(held: _Unopened, module: ModuleType, name: str) -> Any:
    if vars(module).get(name) is held:
        delattr(module, name)
    return getattr(module, name)


class _Finder:
    def __init__(self, modules: Mapping[str, Collection[str]]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self.modules else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path, self.modules[name])
            return spec
        return None  # for Python's own finders


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, packages: Collection[str]) -> None:
        super().__init__(name, path)
        self.packages = packages

    def get_code(self, fullname: str) -> CodeType:
        package = fullname if self.is_package(fullname) else fullname.rpartition(".")[0]
        return compiled(self.get_source(fullname) or "", self.path, package, self.packages)

    def exec_module(self, module: ModuleType) -> None:
        space = vars(module)
        space |= {LATER: {}, NOW: partial(_now, space), "__getattr__": partial(_asked, space)}
        super().exec_module(module)


def _now(space: dict[str, Any], *names: str) -> None:
    for name in names:
        if name in space[LATER] and name not in space:
            space[LATER][name]()


def _asked(space: dict[str, Any], name: str) -> Any:
    _now(space, name)
    if name in space:
        return space[name]
    raise AttributeError(f"module {space['__name__']!r} has no attribute {name!r}")


def compiled(source: str, path: str, package: str = "", packages: Collection[str] = ()) -> CodeType:
    """Compile a module's source, annotations unevaluated, so that ``LATER`` gets what it imports for no use of its own.

    What its functions alone use of these ``packages`` goes there as well.

    >>> space: dict[str, Any] = {LATER: {}}
    >>> exec(compiled("from no_such import A, B\\nfrom math import pi, e\\ndef f(x: A) -> B: return pi", ""), space)
    >>> sorted(space[LATER]), sorted(name for name in space if "_" not in name)
    (['A', 'B', 'e'], ['f', 'pi'])
    """
    tree = ast.parse(source)
    if "__getattr__" not in {getattr(node, "name", "") for node in tree.body}:  # else it answers for what is not there
        used, at_once, later = _names(tree), _names(tree, of_functions=False), set[str]()
        tree.body = [*_delayed(tree.body, lambda node: at_once if _of(node, package, packages) else used, later)]
        _ask(tree, later & used)
    code: CodeType = compile(tree, path, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    return code


def _delayed(body: list[ast.stmt], needed: Callable[[ast.ImportFrom], set[str]], later: set[str]) -> Iterator[ast.stmt]:
    """Yield statements with what they import, but is not ``needed``, in functions; add its names to ``later``."""
    for node in body:
        if isinstance(node, ast.If):
            node.body, node.orelse = ([*_delayed(part, needed, later)] for part in (node.body, node.orelse))
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from _divided(node, {"*", *needed(node)}, later)
        else:
            yield node


def _divided(node: ast.ImportFrom, needed: set[str], later: set[str]) -> Iterator[ast.stmt]:
    aliases, node.names = node.names, []
    for alias in aliases:
        if (name := alias.asname or alias.name) in needed:
            node.names.append(alias)
        else:
            later.add(name)
            importing = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
            yield from ast.parse(f"def {NOW}_():\n global {name}\n {importing}\n{LATER}[{name!r}] = {NOW}_").body
    if node.names:
        yield node


def _ask(tree: ast.AST, names: set[str]) -> None:
    """Let each function begin by asking for those of the names that it uses."""
    for node in ast.walk(tree) if names else ():
        if isinstance(node, ast.FunctionDef) and (used := sorted(names & _names(*node.body))):
            at = 1 if ast.get_docstring(node, clean=False) is not None else 0
            node.body[at:at] = ast.parse(f"{NOW}(*{used})").body
    ast.fix_missing_locations(tree)


def _of(node: ast.ImportFrom, package: str, packages: Collection[str]) -> bool:
    name = resolve_name("." * node.level + (node.module or ""), package)
    return any(f"{name}.".startswith(f"{start}.") for start in packages)


def _names(*parts: ast.AST, of_functions: bool = True) -> set[str]:
    """Return the names and texts in parts of a module, but for annotations that nobody reads: those of functions and attributes.

    Without those in the bodies ``of_functions`` are the names that the module needs to be imported.
    """
    names, waiting = set[str](), [*parts]
    for node in waiting:
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
        for field, value in ast.iter_fields(node):
            unread = field in ("annotation", "returns") and not (isinstance(node, ast.AnnAssign) and node.simple)
            if not unread and (of_functions or field != "body" or not isinstance(node, ast.FunctionDef)):
                waiting += [
                    part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)
                ]
    return names
