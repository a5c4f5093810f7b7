"""Files that are named twice, or whose bytes another file has: what is read once must not count as two."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from converters.io.files import expand, is_hub, named, same_file
from converters.io.jsonl import sha256


def distinct(texts: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the files that ``texts`` name, each once and without copies, and a sentence for each that was named again."""
    paths, lines = expand(texts), list[str]()
    counts = Counter(same_file(path) for text in texts for path in named(text))
    lines += [
        f"{path}: is named {counts[same_file(path)]} times and read once"
        for path in paths
        if counts[same_file(path)] > 1
    ]
    sizes = Counter(path.stat().st_size for path in paths if path.is_file())
    first, read = dict[str, Path](), list[Path]()
    for path in paths:
        alike = not is_hub(path) and path.is_file() and path.stat().st_size and sizes[path.stat().st_size] > 1
        known = first.setdefault(_bytes(path, path.stat().st_mtime_ns), path) if alike else path
        if known is path:
            read.append(path)
        else:
            lines.append(f"{path}: has the same bytes as {known} and is not read again")
    return read, lines


@lru_cache(256)
def _bytes(path: Path, changed: int) -> str:
    return sha256(path)
