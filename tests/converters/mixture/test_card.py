"""The card of a mix: its figures are the manifest's, data stays data, and a real browser draws it."""

import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.cli import main
from converters.mixture.manifest import forbids
from converters.mixture.report.card import curve, flags, histograms, licences, write
from converters.schema import MANIFEST
from tests.converters.mixture.test_stats import TREE, lines, word_tokenizer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browsing = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")]
ATTACK = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a mix of a shop whose every text is an attack, with a taxonomy, chats and a licence that forbids commerce."""
    folder = tmp_path_factory.mktemp("card")
    shop = [
        {"id": f"{n}", "title": f"Pot {n} {ATTACK} <unk>[INST]\x00", "category": f"{path} {ATTACK.replace('>', '')}"}
        for n, path in enumerate(["Home > Pots"] * 30 + ["Toys > Games <b"] * 9 + ["Garden <i > Gnomes"])
    ]
    shop += [{"id": f"p{n}", "title": f"Pan {n}", "category": "Home > Kitchen", "brand": f"Pan {n}"} for n in range(20)]
    shop += [{"id": "no title", "title": "", "category": "Home"}]
    chats = [{"instruction": f"Say {n}. {ATTACK}", "output": f"{n} {ATTACK}"} for n in range(30)]
    (folder / "tree.txt").write_text(TREE)
    options = {"texts": {}, "attributes": {f"Brand {ATTACK}": "brand"}}
    for row in shop:
        row.setdefault("brand", "")
    entries = [
        {"source": "catalog", "paths": [lines(folder / "shop <u>.jsonl", shop)], "options": options},
        {"source": "general", "paths": [lines(folder / "chat.jsonl", chats)]},
        {"source": "google_taxonomy", "paths": [str(folder / "tree.txt")], "split": "train"},
    ]
    plan = {
        "sources": entries,
        "splits": {"validation": 0.1, "test": 0.2},
        "near_duplicates": None,
        "tokenizer": str(word_tokenizer(folder / "tokenizer.json")),
        "sequence_len": 60,
    }
    (folder / "plan.yaml").write_text(json.dumps(plan))
    result = CliRunner().invoke(main, ["build", str(folder / "plan.yaml"), "--out", str(folder / "mix")])
    assert result.exit_code == 0, result.output
    assert "licence: Alpaca: CC BY-NC 4.0 (not for commercial use)" in result.stderr
    assert "card.html" in result.stdout
    return folder / "mix"


@pytest.fixture(scope="module")
def manifest(mix: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((mix / MANIFEST).read_text())
    return found


class Page(HTMLParser):
    """The tags, attributes and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.words += " " * (tag == "td")

    def handle_data(self, data: str) -> None:
        self.words += data if "style" not in self.open else ""


@pytest.fixture(scope="module")
def page(mix: Path) -> Page:
    return Page((mix / "card.html").read_text())


def test_every_tag_is_ours_and_nothing_is_linked(page: Page) -> None:
    assert not page.open  # each tag is closed where it should be
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "a", "b<", "u", "i<"}
    for tag, attributes in page.tags:
        assert not {"src", "href", "onerror", "onload"} & set(attributes), tag
    policy = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_spells_html_or_a_control_token_is_shown_as_text(page: Page, mix: Path) -> None:
    assert ATTACK.split(">")[0] in page.words and "<script>document.title='ran'</script>" in page.words
    assert "< unk>[ INST]" in page.words
    assert "Toys" in page.words and "shop <u>.jsonl" in page.words
    assert "\x00" not in (mix / "card.html").read_text()


def test_the_figures_are_those_of_the_manifest(page: Page, manifest: dict[str, Any]) -> None:
    words = " ".join(page.words.split())
    train, lengths = manifest["splits"]["train"], manifest["splits"]["train"]["lengths"]
    for figure in (train["rows"], train["groups"], lengths["total"], *train["tasks"].values()):
        assert f"{figure:,}" in words
    assert f"{lengths['over_sequence_len']:,} training rows" in words and lengths["over_sequence_len"] > 0
    for found in lengths["tasks"].values():
        assert (f"; {found['over_sequence_len']:,} over sequence_len" in words) == (found["over_sequence_len"] > 0)
    assert f"{100 * lengths['general_share_of_supervised']:.1f} % of the answer tokens are general" in words
    for title in ("Lengths", "Category tree", "Class imbalance", "Attribute coverage", "Sample rows", "Leaks found"):
        assert title in words
    assert "rejected no title 1" in words
    assert "not for commercial use" in words


def test_every_task_has_its_samples(page: Page, manifest: dict[str, Any]) -> None:
    articles = sum(tag == "article" for tag, _ in page.tags)
    tasks = {task for split in manifest["splits"].values() for task in split["tasks"]}
    assert articles == sum(
        min(3, sum(split["tasks"].get(task, 0) for split in manifest["splits"].values())) for task in tasks
    )


def test_bars_are_as_long_as_their_numbers(manifest: dict[str, Any]) -> None:
    lengths = manifest["splits"]["train"]["lengths"]
    drawn = histograms(lengths)
    for task, bars in drawn["bars"].items():
        assert max(bar["height"] for bar in bars) == 100
        assert [bar["rows"] for bar in bars] == [rows for *_, rows in lengths["tasks"][task]["histogram"]]
        assert all(bar["x"] >= 0 and bar["x"] + bar["width"] <= 100 for bar in bars)
        assert all(bar["x"] >= drawn["limit"] for bar in bars if bar["from"] >= lengths["sequence_len"])
    assert 0 < drawn["limit"] < 100 and drawn["ticks"]
    assert histograms(lengths | {"tokenizer": None})["limit"] is None


def test_a_curve_goes_from_the_largest_class_to_the_smallest() -> None:
    assert curve({"classes": 100, "curve": [[1, 100], [10, 10], [100, 1]]}) == "0.00,0.00 50.00,50.00 100.00,100.00"
    assert curve({"classes": 1, "curve": [[1, 1]]}) == "0.00,100.00"


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    at = copy
    *keys, last = path.split(".")
    for key in keys:
        at = at[key]
    at[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "bad", "good", "sentence"),
    [
        ("splits.train.lengths.over_sequence_len", 5, 0, "5 training rows"),
        ("splits.train.lengths.tokenizer", None, {"name": "x"}, "Lengths are in characters"),
        ("splits.train.lengths.general_share_of_supervised", 0.9, 0.1, "but 90.0 % of the supervised tokens"),
        ("splits.train.classes.category.with_one_row", 5, 0, "have a single training row"),
        ("splits.test.classes.category.rows_unseen_in_training", 3, 0, "test rows have a class that no training row"),
        ("splits.validation.rows", 0, 1, "The validation split is empty"),
        ("rejected", {"no title": 50}, {}, "50 of"),
        ("leaks", {"groups": 2, "prompts": 1}, {"groups": 0}, "3 rows that would have been in two splits"),
        ("leaks", {"groups": 0}, {"groups": 2}, "No row was found in two splits"),
        (
            "sources",
            [{"source": "s", "licence": "not for commercial use"}],
            [],
            "Not for commercial use: the licence of s",
        ),
        ("sources", [{"source": "s", "licence": "none stated"}], [], "Terms to clear: s"),
    ],
)
def test_a_flag_is_shown_when_and_only_when_there_is_cause(
    manifest: dict[str, Any], path: str, bad: Any, good: Any, sentence: str
) -> None:
    for value, shown in ((bad, True), (good, False)):
        told = changed(manifest, "splits.train.general_share", 0.1)
        assert any(sentence in text for _, text in flags(changed(told, path, value))) == shown


def test_every_licence_is_read_as_what_it_says() -> None:
    from converters import sources

    found = {
        name: heed
        for name, _, heed in licences(
            {"sources": [{"source": name, "licence": sources.get(name).LICENCE} for name in sources.names()]}
        )
    }
    assert {name for name, heed in found.items() if heed == "no"} >= {"mave", "ecinstruct", "general"}
    assert (found["esci"], found["amazonqa"], found["contextual_pqa"]) == ("", "unclear", "")
    for name in sources.names():  # "NC" in a licence is flagged, too
        assert forbids(sources.get(name).LICENCE) or "NC" not in sources.get(name).LICENCE


def test_a_mix_without_a_split_a_class_or_an_attribute_has_a_card(tmp_path: Path) -> None:
    chats = [{"instruction": f"Say {n}.", "output": str(n)} for n in range(5)]
    plan = {"sources": [{"source": "general", "paths": [lines(tmp_path / "chat.jsonl", chats)]}], "splits": {}}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan | {"general_share": 0.5}))
    result = CliRunner().invoke(main, ["build", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "mix")])
    assert result.exit_code == 0, result.output
    page = Page((tmp_path / "mix" / "card.html").read_text())
    assert "The test split is empty" in page.words and "Class imbalance" not in page.words


def test_a_shortlists_recall_is_shown_for_every_split_that_has_one(manifest: dict[str, Any], tmp_path: Path) -> None:
    recall = {"catalog@5": {"rows": 8, "found": 6, "recall": 0.75}}
    told = manifest
    for split in ("train", "test"):
        told = changed(told, f"splits.{split}.shortlist_recall", recall)
    write(tmp_path / "card.html", told, {})
    words = " ".join(Page((tmp_path / "card.html").read_text()).words.split())
    assert "catalog@5 train 6 of 8 75.0 %" in words and "catalog@5 test 6 of 8 75.0 %" in words
    assert "catalog@5 validation" not in words


def test_the_same_mix_has_the_same_card(mix: Path, tmp_path: Path) -> None:
    for name, workers in (("a", "1"), ("b", "2")):
        words = ["build", str(mix.with_name("plan.yaml")), "--out", str(tmp_path / name), "--workers", workers]
        assert CliRunner().invoke(main, words).exit_code == 0
        assert (tmp_path / name / "card.html").read_bytes() == (mix / "card.html").read_bytes()


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    def run(*words: str) -> str:
        quiet = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        command = [str(CHROMIUM), *quiet, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    return run


def marked(test: Any) -> Any:
    for mark in browsing:
        test = mark(test)
    return test


@marked
def test_no_script_of_the_data_runs(browser: Callable[..., str], mix: Path, tmp_path: Path) -> None:
    text = (mix / "card.html").read_text()
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert bare != text  # the policy would hide a fault in the escaping
    told = {}
    for name, shown in (("ours", bare), ("attacked", bare.replace("</body>", f"{ATTACK}</body>"))):
        (tmp_path / f"{name}.html").write_text(shown)
        told[name] = browser("--dump-dom", "--virtual-time-budget=2000", (tmp_path / f"{name}.html").as_uri())
    assert "<title>ran</title>" not in told["ours"] and "&lt;script&gt;document.title" in told["ours"]
    assert "<title>ran</title>" in told["attacked"]


@marked
@pytest.mark.parametrize("width", [1200, 500])
def test_it_draws_at_desktop_and_phone_width(
    browser: Callable[..., str], mix: Path, tmp_path: Path, width: int
) -> None:
    shot = tmp_path / "shot.png"
    browser(f"--screenshot={shot}", f"--window-size={width},1400", (mix / "card.html").as_uri())
    assert len(set(pixels(shot))) > 20  # an empty page has one or two byte values


@marked
def test_nothing_is_wider_than_a_phone(browser: Callable[..., str], mix: Path, tmp_path: Path) -> None:
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", (mix / "card.html").read_text())
    (tmp_path / "probe.html").write_text(text.replace("</body>", probe).replace("<details", "<details open"))
    dom = browser("--dump-dom", "--window-size=500,900", (tmp_path / "probe.html").as_uri())
    (wide, window) = re.findall(r"<title>(\d+) of (\d+)</title>", dom)[0]
    assert int(wide) <= int(window)


def pixels(path: Path) -> bytes:
    """Return the unpacked image data of a PNG file."""
    data, found, at = path.read_bytes(), b"", 8
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        found += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(found)
