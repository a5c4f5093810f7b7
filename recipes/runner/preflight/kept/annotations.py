"""Importing a module without what only its annotations name.

Python imports a whole package for a name that stands behind a colon. Such an import does nothing but make the name known, so the
module without it does the same, to the last instruction; of the trainer's prompt strategies those imports are nine tenths.
"""

import __future__

import ast
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any


@contextmanager
def unannotated(*modules: str) -> Iterator[None]:
    """Let each of these modules that is imported meanwhile go without the imports that only its annotations need."""
    finder: Any = _Finder(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self.modules else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
            return spec
        return None  # for Python's own finders


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return compiled(self.get_source(fullname) or "", self.path)


def compiled(source: str, path: str) -> CodeType:
    """Compile a module's source, annotations unevaluated, without imports of nothing but names that those of functions need.

    >>> space: dict[str, Any] = {}
    >>> exec(compiled("from no_such import A, B\\nfrom math import pi, e\\ndef f(x: A) -> B: return pi", ""), space)
    >>> sorted(name for name in space if "_" not in name)
    ['e', 'f', 'pi']
    """
    tree, bare = ast.parse(source), _Bare().visit(ast.parse(source))
    named = {node.id for node in ast.walk(bare) if isinstance(node, ast.Name)}
    named |= {node.value for node in ast.walk(bare) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    tree.body = [node for node in tree.body if not _unneeded(node, named)]
    code: CodeType = compile(tree, path, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    return code


def _unneeded(node: ast.stmt, named: set[str]) -> bool:
    names = {alias.asname or alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else {"*"}
    return not names & {"*", "annotations", *named}


class _Bare(ast.NodeTransformer):
    """Takes the annotations off that Python does not keep where others would read them: those of functions and attributes."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        if not node.simple:
            node.annotation = ast.Constant(None)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node
