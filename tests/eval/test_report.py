"""Reports: self-contained, escaped, and true to the scores."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from converters.examples import Row
from eval import report
from eval.score import Score

ATTACKS = (
    "<script>alert('p')</script>",
    "x\x00y <img src=x onerror=alert(1)>",
    "\u202eabc",
    "垃圾 🫖 </pre></article>",
    None,
)


class Page(HTMLParser):
    """Collect tags, attributes and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.depth = 0
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.depth += tag == "article"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "article"

    def handle_data(self, data: str) -> None:
        self.text += data


def attack(i: int, row: Row) -> Any:
    return ATTACKS[i % 5] if i % 2 else row.target


@pytest.fixture
def pages(cli: Any, scored: Any, tmp_path: Path) -> dict[str, Path]:
    runs = [scored("a<b>base", lambda i, row: row.target if i % 3 else "[]"), scored("tuned", attack)]
    assert cli("compare", *runs, "--out", tmp_path / "out").exit_code == 0
    return {"report": runs[1] / "eval" / "report", "compare": tmp_path / "out" / "compare"}


@pytest.mark.parametrize("name", ["report", "compare"])
def test_what_spells_html_stays_text(pages: dict[str, Path], name: str) -> None:
    page = Page(pages[name].with_suffix(".html"))
    assert not {"script", "img", "b>base", "link", "iframe"} & set(page.tags)
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert page.depth == 0, "an article was closed by somebody's text"
    assert "<script>alert('p')</script>" in page.text
    assert "<script>alert(1)</script> mug" in page.text
    assert "x␀y <img src=x onerror=alert(1)>" in page.text
    assert "🫖" in page.text
    assert "\x00" not in page.text


@pytest.mark.parametrize("name", ["report", "compare"])
def test_nothing_is_loaded_from_anywhere(pages: dict[str, Path], name: str) -> None:
    page = Page(pages[name].with_suffix(".html"))
    assert not [value for key, value in page.attributes if key in {"src", "href", "xlink:href", "action", "data"}]
    assert not re.search(r"url\(|@import", pages[name].with_suffix(".html").read_text())
    assert page.tags.count("svg") > 20


def test_the_report_shows_the_scores(pages: dict[str, Path]) -> None:
    scores = json.loads(pages["report"].with_name("scores.json").read_text())
    text, markdown = Page(pages["report"].with_suffix(".html")).text, pages["report"].with_suffix(".md").read_text()
    for task in scores["tasks"].values():
        for value in task["metrics"].values():
            shown = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            assert shown in " ".join(text.split())
            assert f"| {value['value']:.3f} | {value['low']:.3f} | {value['high']:.3f} |" in markdown
        assert f"{task['invalid']} of {task['n']}" in text
    assert scores["provenance"]["test_sha256"] in text
    assert scores["provenance"]["test_sha256"] in markdown


def test_the_comparison_shows_differences_and_verdicts(pages: dict[str, Path]) -> None:
    pairs = json.loads((pages["compare"].parent / "compare.json").read_text())["pairs"]
    page, markdown = Page(pages["compare"].with_suffix(".html")), pages["compare"].with_suffix(".md").read_text()
    for pair in pairs:
        assert report.signed(pair["difference"]) in page.text
        assert pair["verdict"] in page.text
        assert f"| {report.signed(pair['difference'])} | {report.signed(pair['low'])} |" in markdown
    assert "a<b>base" in page.text
    assert "a&lt;b&gt;base" in markdown
    assert "Got worse" in page.text


def test_long_text_is_shortened_with_its_length() -> None:
    assert report.clip("x" * 1_000_000).endswith(" … (999,300 more characters)")


@pytest.mark.parametrize(
    ("score", "flag"),
    [
        (Score(0.1, 0.0, 0.2, 0.3, "x"), "below its floor"),
        (Score(0.35, 0.2, 0.5, 0.3, "x"), "not shown above its floor"),
        (Score(0.9, 0.8, 1.0, 0.3, "x"), ""),
        (Score(0.3, None, None, 0.3, "x"), "not shown above its floor"),
    ],
)
def test_floor_flags(score: Score, flag: str) -> None:
    assert report.floor_flag(score) == flag


def test_every_markdown_row_has_its_table_s_width(pages: dict[str, Path]) -> None:
    for path in pages.values():
        tables = re.findall(r"(?:^\|.*\n)+", path.with_suffix(".md").read_text(), re.MULTILINE)
        assert len(tables) >= 2
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
