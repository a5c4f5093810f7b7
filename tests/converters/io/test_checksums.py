"""The list of hashes beside a report: any ``sha256sum`` checks it."""

import hashlib
from pathlib import Path

from converters.io import jsonl


def test_a_line_names_a_file_from_where_the_list_lies(tmp_path: Path) -> None:
    for name in ("reports/a/page.html", "runs/x/eval/scores.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    files = [tmp_path / "runs/x/eval/scores.json", tmp_path / "reports/a/page.html"]
    jsonl.write_checksums(tmp_path / "reports/a/page.sha256", files)
    first, second = (tmp_path / "reports/a/page.sha256").read_text().splitlines()
    assert first == f"{hashlib.sha256(b'runs/x/eval/scores.json').hexdigest()}  ../../runs/x/eval/scores.json"
    assert second.endswith("  page.html")
