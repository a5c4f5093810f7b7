"""The page in a real browser: it fits a desk and a phone, and nothing that names say runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from eval.production.confidence import measures
from eval.production.confidence.calibration import Calibration, Curve, Entry, Threshold
from eval.report import confidence_page
from eval.results.schema import Settings
from tests.eval.production.confidence._synthetic import units
from tests.eval.report.test_browser import ATTACKS, CHROMIUM, browser, dom, elements, unguarded

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")]
MEASURE = "<script>document.title = `${document.documentElement.scrollWidth} of ${innerWidth}`</script></body>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which all names, reasons and settings are attacks, some of them long."""
    found, curve, settings = units(np.random.default_rng(0), 300), Curve("platt", slope=0.7), Settings(resamples=100)
    entries = [
        Entry(
            unit=text if number else None,
            sort="value",
            of=[] if number else [*ATTACKS, *("Length_of_the_name" * 9 + str(i) for i in range(30))],
            n=300,
            groups=300,
            right=250,
            curve=curve if number % 2 else Curve("none", why=text * 3),
            threshold=Threshold(0.9, 100, 100, 0.3, 0.97, 0.95) if number % 2 else Threshold(None, why=text),
            measures=measures.measure(found, curve, settings),
            tested=measures.tested(found, 0.9, 0.95, settings) if number % 2 else None,
        )
        for number, text in enumerate(["", *ATTACKS, "Length_of_the_name" * 20])
    ]
    counts = {"rows": 300, "groups": 300, "unreadable": 3, "without_confidence": 2, "unknown": 1}
    task = ATTACKS[0]
    calibration = Calibration(
        precision=0.95,
        tasks={task: entries},
        whole={task: measures.tested(found, 0.9, 0.95, settings)},
        model={"checkpoint": ATTACKS[1], "decoding": {ATTACKS[2]: ATTACKS[3]}},
        fitted_on={"tasks": {task: counts}, "data": ATTACKS[4]},
        reported_on={"tasks": {task: counts}, "data": ATTACKS[5]},
        settings={"token_f1": 0.5, "normaliser": ATTACKS[0]},
    )
    shown = {(task, entry.unit, entry.sort): measures.drawn(found, curve, entry.threshold.at) for entry in entries}
    return confidence_page.write(tmp_path_factory.mktemp("page"), calibration, shown)


def test_no_script_of_names_runs(page: Path, tmp_path: Path) -> None:
    copy = tmp_path / page.name
    copy.write_text(page.read_text("utf-8"), "utf-8")
    found = dom(unguarded(copy))
    assert "<title>ran</title>" not in found and "&lt;script&gt;document.title" in found
    for tag, attributes in elements(found):
        assert tag not in {"img", "iframe", "link", "object", "base"}
        assert not [key for key in attributes if key.startswith("on")] and "src" not in attributes


@pytest.mark.parametrize("width", [1200, 480, 390])
def test_it_fits_a_desk_and_a_phone(page: Path, tmp_path: Path, width: int) -> None:
    copy = tmp_path / page.name
    copy.write_text(page.read_text("utf-8"), "utf-8")
    unguarded(copy).write_text(copy.read_text("utf-8").replace("</body>", MEASURE), "utf-8")
    frame = tmp_path / "frame.html"  # a window of the browser has a least width, a frame has none
    frame.write_text(
        f"<iframe style='border:0;width:{width}px;height:900px' src='{copy.name}'></iframe><script>setInterval(() => "
        "{ document.title = document.querySelector('iframe').contentDocument.title }, 100)</script>"
    )
    found = browser(
        tmp_path, "--allow-file-access-from-files", "--dump-dom", "--virtual-time-budget=3000", frame.as_uri()
    )
    scroll, inner = map(int, re.findall(r"<title>(\d+) of (\d+)</title>", found)[0])
    assert inner == width and scroll <= width
