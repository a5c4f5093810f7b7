"""The pages in a real browser: what spells a script does not run, filters filter, and they fit a desk, a phone and paper."""

import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eval.report import pages, run_page
from eval.results.schema import Run, Score, ScoredRow, Scores, Slice, TaskScores

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")]
ATTACK = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\"> javascript:alert(1)"
ATTACKS = (
    ATTACK,
    f"</script>{ATTACK}",
    f"<!--<script>{ATTACK}",
    "\u2028document.title='ran';\u2029//",
    "'\"></option></select><svg onload=document.title='ran'>",
    "]]>{{ 7 * 7 }}${document.title='ran'}\\u003cscript>",
)


def browser(folder: Path, *words: str) -> str:
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def dom(page: Path, state: str = "") -> str:
    return browser(page.parent, "--dump-dom", "--virtual-time-budget=2000", page.as_uri() + state)


@pytest.fixture
def page(cli: Any, scored: Any, tmp_path: Path) -> Path:
    runs = [
        scored("base", lambda i, row: ATTACKS[i % 6] if i % 2 else "x"),
        scored("tuned", lambda i, row: row.target if i % 3 else ATTACKS[i % 6]),
    ]
    assert cli("compare", *runs, "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out" / "compare.html"


def hostile(number: int) -> ScoredRow:
    text = ATTACKS[number % 6]
    return ScoredRow(
        id=f"{number}{text}",
        group=text,
        task="category",
        source=text,
        valid=number % 2 == 0,
        prompt=f"[CLASSIFY] {text}",
        gold=f"Home > {' '.join(text.replace('>', '').split())}",
        prediction=f"Home > {number}{text.replace('>', '')}",
        meta="{}",
        values={"accuracy": 0.0},
        reason="" if number % 2 == 0 else text,
        slices={text: [text]},
    )


@pytest.fixture
def hostile_report(tmp_path: Path) -> Path:
    """The report of a run in which all that data, a model or a name can say is an attack."""
    score = Score(0.5, 0.4, 0.6, 0.3, ATTACK)
    scores = TaskScores(
        60,
        60,
        30,
        {"weighted_f1": score},
        unavailable={"macro_f1": ATTACK},
        reasons=dict.fromkeys(ATTACKS, 5),
        attributes={text: {"right": 3, "wrong": 1} for text in ATTACKS},
        slices=[Slice(text, text, 10, 10, 5, {"weighted_f1": score}) for text in ATTACKS],
    )
    counts = ("both_none", "hallucinated", "missed", "unreadable")
    for found in scores.attributes.values():
        found.update(dict.fromkeys(counts, 0))
    about = {"normaliser": ATTACK, ATTACK: ATTACK, "predictions": {"baseline": ATTACK, "backend": {ATTACK: ATTACK}}}
    run = Run(ATTACK, Scores({"category": scores}, about), [hostile(number) for number in range(60)])
    pages.write(tmp_path, "report", run_page.of_run(run))
    return tmp_path / "report.html"


def unguarded(page: Path) -> Path:
    """Take the page's content security policy away, which would hide a fault in the escaping."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    assert text != page.read_text()
    page.write_text(text)
    return page


def listed(found: str) -> list[str]:
    """Return the examples that the page's script shows."""
    part = found[found.index('<div id="list">') : found.index('id="more"')]
    return re.findall(r"<article>.*?</article>", part, re.DOTALL)


class Elements(HTMLParser):
    """Collect the elements of a page, each with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made.append((tag, {key: value or "" for key, value in attrs}))


def elements(found: str) -> list[tuple[str, dict[str, str]]]:
    parser = Elements()
    parser.feed(found)
    assert len(parser.made) > 100
    return parser.made


def test_no_script_of_the_data_runs(page: Path) -> None:
    found = dom(unguarded(page))
    assert "<title>ran</title>" not in found and "&lt;script&gt;document.title" in found
    assert len(listed(found)) == 20, "our own script does run"


def test_no_script_of_names_reasons_slices_and_settings_runs(hostile_report: Path) -> None:
    for number in range(len(ATTACKS)):
        found = dom(unguarded(hostile_report) if not number else hostile_report, f"#slice={number}&q=%3Cscript")
        assert "<title>ran</title>" not in found
    found = dom(hostile_report, "#q=html-is-not-here")
    assert listed(found) == [] and "0 of 60 embedded examples fit" in found
    assert len(listed(dom(hostile_report))) == 20
    for tag, attributes in elements(dom(hostile_report)):
        assert tag not in {"img", "iframe", "link", "object", "base"}
        assert not [key for key in attributes if key.startswith("on")]
        assert attributes.get("href", "#").startswith("#") and "src" not in attributes


def test_the_check_would_notice_a_script_that_runs_and_the_policy_stops_it(page: Path) -> None:
    page.write_text(page.read_text().replace("</body>", "<script>document.title='ran'</script></body>"))
    guarded = dom(page)
    assert "<title>ran</title>" not in guarded and len(listed(guarded)) == 20, "ours runs, no other"
    assert "<title>ran</title>" in dom(unguarded(page))


@pytest.fixture
def report_page(scored: Any) -> Path:
    run: Path = scored("tuned", lambda i, row: row.target if i % 3 else "" if i % 2 else "Home > Kitchen")
    return run / "eval" / "report.html"


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("#task=category", lambda text: ":category:" in text),
        ("#task=category&show=unreadable", lambda text: ":category:" in text and ">unreadable" in text),
        ("#q=kettle", lambda text: "kettle" in text.lower()),
        ("#task=attributes&slice=attribute%3A+Color&q=%E4%BF%9D", lambda text: ":attributes:" in text and "保" in text),
    ],
)
def test_filters_show_what_fits_and_nothing_else(report_page: Path, state: str, wanted: Callable[[str], bool]) -> None:
    every, found = listed(dom(report_page)), dom(report_page, state)
    assert listed(found) and all(wanted(article) for article in listed(found))
    assert len(listed(found)) < len(every) or not all(wanted(article) for article in every)
    fitting, embedded = re.findall(r"(\d+) of (\d+) embedded examples fit", found)[0]
    assert len(listed(found)) == min(20, int(fitting)) and int(fitting) < int(embedded)


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("name", ["report", "compare"])
def test_it_fits_a_desk_and_a_phone(page: Path, tmp_path: Path, name: str, width: int) -> None:
    path = page if name == "compare" else tmp_path / "tuned" / "eval" / "report.html"
    measure = "<script>document.title = `${document.documentElement.scrollWidth} of ${innerWidth}`</script></body>"
    unguarded(path).write_text(path.read_text().replace("</body>", measure))
    # A window of the browser has a least width, a frame has none.
    frame = path.with_name("frame.html")
    frame.write_text(
        f"<iframe style='border:0;width:{width}px;height:900px' src='{path.name}'></iframe><script>setInterval(() => "
        "{ document.title = document.querySelector('iframe').contentDocument.title }, 100)</script>"
    )
    found = browser(
        tmp_path, "--allow-file-access-from-files", "--dump-dom", "--virtual-time-budget=3000", frame.as_uri()
    )
    scroll, inner = map(int, re.findall(r"<title>(\d+) of (\d+)</title>", found)[0])
    assert inner == width and scroll <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws_in_light_and_dark(page: Path, tmp_path: Path, scheme: str) -> None:
    shot = tmp_path / "shot.png"
    flag = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    browser(tmp_path, f"--screenshot={shot}", "--window-size=1200,1400", flag, page.as_uri())
    found = pixels(shot)
    assert len(set(found)) > 20  # an empty page has one or two byte values
    # The first byte names the line's filter, and before the first pixel there is nothing to filter by: the page's colour.
    assert found[1:4].hex() == {"light": "f6f7f9", "dark": "0e1116"}[scheme]


def test_it_prints_with_its_examples(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    browser(tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF") and paper.stat().st_size > 50_000


def pixels(path: Path) -> bytes:
    """Return the unpacked image data of a PNG file."""
    data, found, at = path.read_bytes(), b"", 8
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        found += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(found)
