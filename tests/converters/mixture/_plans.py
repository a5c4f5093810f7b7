"""Specifications of made-up shops, MAVE records and chats, and what a build of one writes."""

import json
import random
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from converters.cli import main
from converters.io.jsonl import sha256
from converters.schema import MANIFEST, SPLITS

FILES = (*(f"{name}.jsonl" for name in SPLITS), "rejects.jsonl", "card.html", MANIFEST)
WORDS = [f"{a}{b}" for a in ("ka", "mo", "ri", "tu", "sel", "van") for b in ("dor", "lin", "mek", "pos", "ruf", "zam")]
SIZE = 30_000  # bytes of small units, so that a few rows are enough to share
# Only the process that lists the units needs to know their size.
SHARING = f"from converters.mixture.convert import local, units; local.SMALL = units.SIZE = {SIZE}; "
COMMAND = (sys.executable, "-c", f"{SHARING}from converters.cli import main; main()", "build")


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def title(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=8))


def record(draw: random.Random, number: int) -> dict[str, Any]:
    text = title(draw)
    value = text.split()[number % 8]
    place = {"value": value, "pid": 0, "begin": text.index(value), "end": text.index(value) + len(value)}
    paragraphs = [{"text": text, "source": "title"}, {"text": title(draw), "source": "description"}]
    attributes = [{"key": "Kind", "evidences": [place] * (number % 3)}]
    return {"id": f"B9{number % 97:08d}", "category": "Home", "paragraphs": paragraphs, "attributes": attributes}


def plan(folder: Path, size: int = 300, records: bool = False, **keys: Any) -> Path:
    """Write raw files of ``size`` products in three shops and a specification with ``keys``; return the latter.

    With ``records`` there are as many of MAVE, too, which are brought together.
    """
    draw, entries = random.Random(0), []
    for number in range(3):
        rows = [
            {"id": f"B{number}{n:08d}", "title": title(draw), "category": f"Home > {WORDS[min(n % 40, 35)]}"}
            for n in range(size)
        ]
        rows[7] = {"id": "x", "title": "", "category": "Home"}
        entries.append({"source": "catalog", "paths": [lines(folder / f"shop{number}.jsonl", rows)]})
    if records:
        rows = [record(draw, n) for n in range(size)]
        entries.append({"source": "mave", "paths": [lines(folder / "mave.jsonl", rows)]})
    chats = [{"instruction": f"Write {title(draw)}.", "output": title(draw)} for _ in range(size)]
    entries.append({"source": "general", "paths": [lines(folder / "chat.jsonl", chats)]})
    path = folder / "plan.yaml"
    path.write_text(json.dumps({"sources": entries, "splits": {"validation": 0.1, "test": 0.1}} | keys), "utf-8")
    return path


def built(plan: Path, out: Path, *words: str) -> dict[str, str]:
    """Build a mixture and return the hashes of its files."""
    result = CliRunner().invoke(main, ["build", str(plan), "--out", str(out), "--rejects", *words])
    assert result.exit_code == 0, result.output
    assert not out.with_name(f".{out.name}.parts").exists()
    files = sorted(path.name for path in out.iterdir())
    assert [name for name in files if not name.startswith("mapping-")] == sorted(FILES)
    return {name: sha256(out / name) for name in files}
