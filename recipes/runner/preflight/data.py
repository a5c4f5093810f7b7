"""The data files a recipe names: present, unchanged since their mix was built; and where Axolotl keeps what it makes of them."""

import hashlib
import io
import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from converters.core.errors import NEXT, InputError, told
from converters.io.jsonl import decoder, sha256
from converters.schema import MANIFEST, Turn
from converters.validation import check as rows
from recipes.plugins import completion_only
from recipes.runner.recipe import FOLDER, Place, Recipe, base_folder, dump, named_files, where
from recipes.runner.records import provenance

PREPARED = Path("runs/.prepared")
TOKENIZER = ("*token*", "*.model", "*.jinja", "vocab*", "merges*", "tekken.json", "config.json", "*.py")
SHOWN = 100
UNDESCRIBED = "{}: no such file; a recipe trains on a mix built by 'ecom-data build'"
# What sweeps change and no token of a row depends on: the runs of a sweep share the rows that its first one prepared.
# fmt: off
APART = (
    "learning_rate", "lora_r", "lora_alpha", "lora_dropout", "num_epochs", "weight_decay", "lr_scheduler", "warmup_ratio",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file, opened and hashed once; its lines are read from the same mapping as often as they are asked for."""

    path: Path
    sha256: str
    content: mmap.mmap | io.BytesIO

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line that is not blank, as :func:`converters.jsonl.numbered` does."""
        self.content.seek(0)
        for number, line in enumerate(iter(self.content.readline, b""), 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield number, text


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """What of a row decides its tokens."""

    task: str
    messages: list[Turn]


def exchanges(file: DataFile) -> Iterator[tuple[int, bytes, Exchange]]:
    """Yield number, bytes and exchange of each line; the rest of a row is not looked at."""
    decoded = decoder(Exchange, file.path)
    return ((number, line, decoded(line, number)) for number, line in file.lines())


def read(path: Path) -> DataFile:
    """Open and hash a data file."""
    with path.open("rb") as file:
        empty = not path.stat().st_size  # which cannot be mapped
        content = io.BytesIO() if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return DataFile(path, hashlib.sha256(b"" if isinstance(content, io.BytesIO) else content).hexdigest(), content)


def files(recipe: Recipe) -> list[Path]:
    """Return the local data files of a recipe, those of training first; a missing one is an ``InputError``."""
    for place, path in _entries(recipe):
        if not path.is_file():
            raise InputError(f"{where(recipe, place)}: {_unbuilt(path)}")
    return [path for _, path in _entries(recipe)]


def missing(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every file of rows, and every manifest beside them, that is not there."""
    manifests = set()
    for place, path in _entries(recipe):
        if not path.is_file():
            yield f"{where(recipe, place)}: {_unbuilt(path)}"
        else:
            manifests.add(path.with_name(MANIFEST))
    yield from (UNDESCRIBED.format(path) for path in sorted(manifests) if not path.is_file())
    name = recipe.keys.get("ewc_data")
    if name is not None and not Path(str(name)).is_file():
        yield f"{where(recipe, ('ewc_data',))}: no file {str(name)!r}; name a split of a mix"


def beside(recipe: Recipe) -> list[Path]:
    """Return the file that a plugin reads beside those: the rows that ``ewc_data`` holds a model to."""
    path = Path(str(recipe.keys.get("ewc_data")))
    return [] if recipe.keys.get("ewc_data") is None or path in files(recipe) else [path]


def _entries(recipe: Recipe) -> Iterator[tuple[Place, Path]]:
    for key in ("datasets", "test_datasets"):
        entries = recipe.keys.get(key)
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            yield (key, number, "path"), Path(str(entry.get("path") if isinstance(entry, dict) else None))


def _unbuilt(path: Path) -> str:
    fault, repository = f"no file {str(path)!r}; build it with 'make data MIX={path.parent.name}'", FOLDER.parent
    if Path.cwd() != repository:
        fault += f"; a path is taken from {Path.cwd()}, and the repository is {repository}"
    return fault


def manifests(opened: Sequence[DataFile]) -> dict[str, Any]:
    """Return each mix's manifest by its path, after checking that every file is the one that it describes; all faults are one."""
    paths = dict.fromkeys(file.path.with_name(MANIFEST) for file in opened)
    faults = {path: told(_manifest, path) for path in paths}
    mixes = {str(path): _manifest(path) for path in paths if not faults[path]}
    for file in opened:
        path = file.path.with_name(MANIFEST)
        if str(path) not in mixes:
            continue
        try:
            expected = mixes[str(path)]["splits"][file.path.stem]["sha256"]
        except (KeyError, TypeError):
            faults[path].append(f"{path}: no entry for {file.path.name}; build the mix with 'ecom-data build'")
            continue
        if file.sha256 != expected:
            faults[path].append(f"{file.path}: its bytes are not those that {path} describes; build the mix again")
    if any(faults.values()):
        raise InputError(NEXT.join(fault for of_mix in faults.values() for fault in of_mix))
    return mixes


def _manifest(path: Path) -> Any:
    if not path.is_file():
        raise InputError(UNDESCRIBED.format(path))
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); build the mix again") from error


def splits(opened: Sequence[DataFile]) -> list[DataFile]:
    """Return the files with the other splits of the mixes that they are from, by path."""
    by_path = {file.path: file for file in opened}
    named = {split for path in by_path for split in rows.files(path.parent)}
    by_path |= {path: read(path) for path in sorted(named - by_path.keys())}
    return [by_path[path] for path in sorted(by_path)]


def contract(opened: Sequence[DataFile]) -> bool:
    """Check every row of these files: form, contract, and no product in two of them; a fault is an ``InputError``, else true."""
    by_path = {file.path: file for file in opened}
    problems = list(islice(rows.findings(sorted(by_path), lines=lambda path: by_path[path].lines()), SHOWN + 1))
    if problems:
        others = min(len(problems) - 1, SHOWN)
        more = f" (and {'more than ' * (len(problems) > SHOWN)}{others} others)" if others else ""
        folder = Path(problems[0].where.partition(":")[0]).parent
        raise InputError(f"{problems[0]}{more}; see: ecom-data check {folder}")
    return True


def prepared_path(recipe: Recipe, hashes: Mapping[Path, str] = MappingProxyType({})) -> Path:
    """Return where Axolotl keeps the tokenised rows of this recipe, its files, its base's tokenizer and this code.

    Axolotl keys its cache on a few keys only: edited files, templates and tokenizers would go unnoticed, and another seed would
    keep the old order of rows. ``hashes`` are those of files that were read already.
    """
    base = base_folder(str(recipe.keys.get("base_model")))
    tokenizer = sorted({path for name in TOKENIZER for path in base.glob(name)}) if base else []
    files = [*named_files(recipe.keys), *tokenizer, Path(completion_only.__file__)]
    decides = {
        "keys": {key: value for key, value in recipe.keys.items() if key not in APART},
        "files": [hashes.get(path) or sha256(path) for path in files],
        "packages": provenance.packages(),
    }
    return PREPARED / hashlib.sha256(dump(decides).encode()).hexdigest()[:16]


def variables(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return where ``datasets`` caches its results: beside the rows, as its usual cache would miss an edited function."""
    return {"HF_DATASETS_CACHE": str(Path(keys["dataset_prepared_path"], ".datasets").absolute())}
