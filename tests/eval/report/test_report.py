"""Reports: self-contained, escaped, and true to the scores."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters.core.html import share
from converters.schema import Row
from eval.report import pages as pages_
from eval.report import run_page
from eval.report.pages import signed
from eval.results.schema import Both, Published, Run, Salvage, Score, ScoredRow, Scores, Slice, TaskScores


@pytest.fixture
def products() -> int:
    return 40  # of 20 groups, so that there are intervals


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
        self.chunks: list[str] = []
        self.scripts: list[str] = []
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
        if self.cdata_elem == "script":
            self.scripts.append(data)
        else:
            self.text += data
            self.chunks.append(data)

    @property
    def words(self) -> str:
        """The text with one space between any two words."""
        return " ".join(" ".join(self.chunks).split())


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
    assert not {"img", "b>base", "link", "iframe"} & set(page.tags)
    assert page.tags.count("script") == 2, "the examples, and the script that shows them"
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
    assert not [value for key, value in page.attributes if key in {"src", "xlink:href", "action", "data"}]
    assert all(value.startswith("#") for key, value in page.attributes if key == "href")
    assert not re.search(r"url\(|@import", pages[name].with_suffix(".html").read_text())
    assert page.tags.count("svg") > 20


def test_the_report_shows_the_scores(pages: dict[str, Path]) -> None:
    scores = json.loads(pages["report"].with_name("scores.json").read_text())
    page, markdown = Page(pages["report"].with_suffix(".html")), pages["report"].with_suffix(".md").read_text()
    text, words = page.text, page.words
    for task in scores["tasks"].values():
        for value in task["metrics"].values():
            drawn = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            assert drawn in " ".join(text.split())
            assert f"| {value['value']:.3f} | {value['low']:.3f} | {value['high']:.3f} |" in markdown
        assert f"{task['invalid']} {share(task['invalid'], task['n'])} of {task['n']}" in words
    assert scores["provenance"]["test_sha256"] in text
    assert scores["provenance"]["test_sha256"] in markdown


def test_the_comparison_shows_differences_and_verdicts(pages: dict[str, Path]) -> None:
    pairs = json.loads((pages["compare"].parent / "compare.json").read_text())["pairs"]
    page, markdown = Page(pages["compare"].with_suffix(".html")), pages["compare"].with_suffix(".md").read_text()
    for pair in pairs:
        assert signed(pair["difference"]) in page.text
        assert pair["verdict"] in page.text
        assert f"| {signed(pair['difference'])} | {signed(pair['low'])} |" in markdown
    assert "a<b>base" in page.text
    assert "a&lt;b&gt;base" in markdown
    assert "Got worse" in page.text


@pytest.mark.parametrize("products", [18])
def test_too_few_groups_have_no_interval_and_pages_say_why(pages: dict[str, Path]) -> None:
    for name, path in pages.items():
        page, markdown = Page(path.with_suffix(".html")), path.with_suffix(".md").read_text()
        assert "no interval: needs 10 groups, found 9" in page.words and "| needs 10 groups, found 9 | – |" in markdown
        assert [value for key, value in page.attributes if key == "aria-label" and "no interval: needs 10" in value]
        words = page.words.lower()
        assert words.count("above its floor on") == words.count("not shown above its floor on") == 1
        assert name == "report" or "no verdict on " in words


def entries(page: Page) -> list[dict[str, Any]]:
    (data,) = [text for text in page.scripts if text.startswith("[")]
    assert not set("<>&\u2028\u2029") & set(data)
    return list(json.loads(data))


def test_the_examples_are_data_that_cannot_end_their_element(pages: dict[str, Path]) -> None:
    page = Page(pages["report"].with_suffix(".html"))
    said = {entry["predicted"][0][1] for entry in entries(page)}
    assert {"<script>alert('p')</script>", "垃圾 🫖 </pre></article>", "null"} <= said
    marks = {entry["predicted"][0][2] for entry in entries(page) if entry["predicted"][0][1] == "null"}
    assert marks and all(mark.startswith("unreadable") for mark in marks)


def test_the_policy_names_the_script_of_the_page(pages: dict[str, Path]) -> None:
    for path in pages.values():
        page = Page(path.with_suffix(".html"))
        (script,) = [text for text in page.scripts if not text.startswith("[")]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        (policy,) = [value for _, value in page.attributes if value.startswith("default-src 'none'")]
        assert f"script-src 'sha256-{digest}';" in policy and "unsafe-eval" not in policy


def test_the_comparison_shows_both_answers_and_what_became_of_them(pages: dict[str, Path]) -> None:
    found = entries(Page(pages["compare"].with_suffix(".html")))
    assert {tag for entry in found for tag in entry["tags"]} == {
        "got worse",
        "got better",
        "still wrong",
        "unreadable now",
    }
    for entry in found:
        assert [who for who, _, _ in entry["predicted"]] == ["a<b>base", "tuned"]
        first, second = entry["values"][0][1]
        assert ("got worse" in entry["tags"]) == (second < first)


def scored_task(**changes: Any) -> TaskScores:
    one = Score(0.5, 0.4, 0.6, 0.3, "majority path")
    return msgspec.structs.replace(TaskScores(100, 50, 3, {"weighted_f1": one}), **changes)


def row(number: int, **changes: Any) -> ScoredRow:
    gold, said = "Home > Kitchen > Mugs", ("Home > Kitchen > Pans", "Sports > Tents", "Home", " ")[number % 4]
    found = {"valid": bool(said.strip()), "prediction": said, "gold": gold, "values": {"accuracy": 0.0}, **changes}
    return ScoredRow(
        id=str(number), group=f"g{number}", task="category", source="demo", prompt=f"Mug {number}", meta="{}", **found
    )


def written(tmp_path: Path, scores: TaskScores, rows: Iterable[ScoredRow], **provenance: Any) -> Page:
    run = Run("mine", Scores({"category": scores}, {"normaliser": "strict", **provenance}), list(rows))
    pages_.write(tmp_path, "report", run_page.of_run(run))
    return Page(tmp_path / "report.html")


def test_slices_are_called_what_they_are_and_keep_their_keys(
    cli: Any, scored: Any, test_file: Path, tmp_path: Path
) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text("".join(test_file.read_text().splitlines(keepends=True)[:40]))
    folder = scored("mine", lambda i, row: row.target if i % 2 else "", "--train", train) / "eval"
    text, page = (folder / "report.md").read_text(), (folder / "report.html").read_text()
    for label in ("length of the prompt", "training shows the answer"):
        assert f"| {label} | " in text and f">{label}</p>" in page
        assert f"slice={label.replace(' ', '%20')}%3A%20" in page and f'"{label}: ' in page, (
            "the link is an option's value"
        )
    found = json.loads((folder / "scores.json").read_text())["tasks"].values()
    assert {"length", "seen"} <= {one["kind"] for task in found for one in task.get("slices", ())}


def test_what_scores_may_hold_is_shown(tmp_path: Path) -> None:
    one = Score(0.25, 0.2, 0.3, 0.1, "x")
    scores = scored_task(
        validity=Score(0.97, 0.95, 0.99, 0.0, "empty"),
        salvage=Salvage(2, {"weighted_f1": Score(0.512, 0.5, 0.6, 0.3, "x")}),
        unavailable={"top_3_accuracy": "no candidates were given"},
        reasons={"empty <b>": 3},
        slices=[
            Slice("depth", "3 <i>", 60, 30, 1, {"weighted_f1": one}),
            Slice("depth", "2", 4, 4, 0, {}),
            Slice("source", "demo", 100, 50, 3, {"weighted_f1": one}),
        ],
    )
    text = written(tmp_path, scores, map(row, range(8))).words
    for words in (
        "Readable: 0.970 [0.950, 0.990]",
        "recovers 2 of them; with these it would score: weighted F1 0.512 [0.500, 0.600]",
        "top-3 accuracy: not available, no candidates were given.",
        "· empty <b> 3 3.0 %",
        "3 <i> 0.250 [0.200, 0.300]",
        "too few for a score 4 rows",
        "leaves at level 1 2 2.0 %",
        "leaves at level 3 2 2.0 %",
        "stopped early 2 2.0 %",
        "Mugs 2 of 2 taken for Pans (in no gold path) 2",
    ):
        assert words in text, words
    assert "demo 0.250" not in text, "a slice that is the whole"
    markdown = (tmp_path / "report.md").read_text()
    assert "| depth of the path | 2 | – | – | – | 4 | 0 |" in markdown


def test_a_published_number_stands_beside_the_same_rows_and_scorer_alone(tmp_path: Path) -> None:
    rank = {"Query_Product_Rank": Published(1000, 7, {"ndcg": Both(0.9, 0.4)})}
    page = written(tmp_path, scored_task(ecellm=rank), [row(0)])
    assert "Query_Product_Rank 1,000 rows, 7 answers dropped NDCG 0.900 0.400" in page.words
    assert "published eCeLLM-M (Mistral-7B-Instruct-v0.2): NDCG 0.876" in page.words
    other = {"Query_Product_Rank": Published(999, 7, {"ndcg": Both(0.9, 0.4)})}
    assert "published" not in written(tmp_path, scored_task(ecellm=other), [row(0)]).words.replace(
        "published script", ""
    )


def test_cost_is_shown_as_far_as_it_is_known(tmp_path: Path) -> None:
    record = {"rows": 8, "seconds": 4.0, "generated_tokens": 100, "latency_seconds": {"p50": 0.25, "p95": None}}
    text = written(tmp_path, scored_task(), map(row, range(8)), predictions=record).words
    assert (
        "seconds per 1,000 products 500.0" in text and "generated tokens/s 25" in text and "latency p50 0.250 s" in text
    )
    resumed = written(tmp_path, scored_task(), map(row, range(8)), predictions={**record, "rows_resumed": 3}).text
    assert "not known: 3 of 8 rows were answered earlier" in resumed and "tokens/s" not in resumed
    assert "No times and token counts are recorded" in written(tmp_path, scored_task(), map(row, range(8))).text


def test_a_baseline_says_that_it_is_one(tmp_path: Path) -> None:
    assert "baseline: tf-idf" in written(tmp_path, scored_task(), [row(0)], predictions={"baseline": "tf-idf"}).text


def test_the_page_is_bounded_and_says_of_how_many(tmp_path: Path) -> None:
    long = "x" * 5000
    made = (row(n, reason=f"reason {n % 7}", prediction=long) for n in range(20_000))
    page = written(tmp_path, scored_task(n=20_000), made)
    assert len(entries(page)) == 120
    assert "120 of 20,000 answers that are not fully right are embedded" in page.words
    assert (tmp_path / "report.html").stat().st_size < 600_000
    assert len({tag for entry in entries(page) for tag in entry["tags"]}) >= 7, "some of every reason"


def test_long_text_is_shortened_with_its_length() -> None:
    assert pages_.clip("x" * 1_000_000).endswith(" … (999,300 more characters)")


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
    assert pages_.floor_flag(score) == flag


def test_every_markdown_row_has_its_table_s_width(pages: dict[str, Path]) -> None:
    for path in pages.values():
        tables = re.findall(r"(?:^\|.*\n)+", path.with_suffix(".md").read_text(), re.MULTILINE)
        assert len(tables) >= 2
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
