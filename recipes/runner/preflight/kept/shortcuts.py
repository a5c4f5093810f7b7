"""What Python and transformers do slowly while the trainer is imported, done in a part of the time with the same result."""

import csv
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

READING = "transformers.utils.import_utils"


@contextmanager
def taken() -> Iterator[None]:
    """Do so meanwhile.

    PyTorch asks for the place and the module of each operator that Python defines: each time, Python would look at the files of
    all modules, also for the lines around the place, of which nobody asks.
    """
    finder: Any = _Finder()
    with ExitStack() as stack:
        sys.meta_path.insert(0, finder)
        stack.callback(sys.meta_path.remove, finder)
        for module, name, quick in (
            (inspect, "getframeinfo", _place),
            (inspect, "getmodule", _module),
            (metadata, "packages_distributions", lambda _: packages()),
        ):
            own = getattr(module, name)
            setattr(module, name, partial(quick, own))
            stack.callback(setattr, module, name, own)
        yield


def _place(own: Callable[..., Any], frame: Any, context: int = 1) -> Any:
    return own(frame, 0)


def _module(own: Callable[..., Any], of: Any, *more: Any) -> Any:
    if isinstance(of, FrameType) and not more:
        module = sys.modules.get(of.f_globals.get("__name__", ""))
        if getattr(module, "__file__", None) == of.f_code.co_filename:
            return module
    return own(of, *more)


def packages() -> dict[str, list[str]]:
    """Return the distributions of each package, of which Python would read all metadata, again for every package."""
    found = defaultdict(list)
    for distribution in metadata.distributions():
        declared = (distribution.read_text("top_level.txt") or "").split()
        if names := declared or _inferred(distribution):
            head = distribution.read_text("METADATA") or ""
            name = next((line[5:].strip() for line in head.splitlines() if line.startswith("Name:")), None)
            for package in names:
                found[package].append(name or distribution.metadata["Name"])
    return dict(found)


def _inferred(distribution: metadata.Distribution) -> set[str]:
    record = distribution.read_text("RECORD")
    paths = [row[0] for row in csv.reader(record.splitlines())] if record else map(str, distribution.files or ())
    return {path.partition("/")[0] if "/" in path else path[:-3] for path in paths if path.endswith(".py")}


class _Finder:
    """Finds the module by which transformers reads the ``__all__`` of its 3,000 files."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == READING else None
        if spec and (loader := spec.loader):
            loader.exec_module = partial(_load, loader.exec_module)  # type: ignore[method-assign]
        return spec


def _load(own: Callable[[ModuleType], None], module: ModuleType) -> None:
    own(module)
    for name, quick in {"fetch__all__": _last, "create_import_structure_from_path": _of_folder}.items():
        if slow := getattr(module, name, None):
            setattr(module, name, partial(quick, slow))


def _last(own: Callable[..., Any], content: str, *more: Any) -> Any:
    """Give the function the file from its last ``__all__`` on, of which alone it asks."""
    return own(content[content.rfind("\n__all__") + 1 :], *more)


def _of_folder(own: Callable[..., Any], path: Path | str, *more: Any) -> Any:
    """Give the function a folder for a file in it, as it does itself: it keeps what it has read for each path."""
    return own(Path(path).parent if Path(path).is_file() else Path(path), *more)
