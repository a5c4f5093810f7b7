"""The report in a real browser: what spells a script does not run, and the page draws something at desktop and phone width."""

import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")]
ATTACK = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\"> javascript:alert(1)"


def browser(folder: Path, *words: str) -> str:
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture
def page(cli: Any, scored: Any, tmp_path: Path) -> Path:
    runs = [
        scored("base", lambda i, row: ATTACK if i % 2 else "x"),
        scored("tuned", lambda i, row: row.target if i % 3 else ATTACK),
    ]
    assert cli("compare", *runs, "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out" / "compare.html"


def unguarded(page: Path) -> Path:
    """Take the page's content security policy away, which would hide a fault in the escaping."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    assert text != page.read_text()
    page.write_text(text)
    return page


def test_no_script_of_the_data_runs(page: Path, tmp_path: Path) -> None:
    dom = browser(tmp_path, "--dump-dom", "--virtual-time-budget=2000", unguarded(page).as_uri())
    assert "<title>ran</title>" not in dom and "&lt;script&gt;document.title" in dom


def test_the_check_would_notice_a_script_that_runs_and_the_policy_stops_it(page: Path, tmp_path: Path) -> None:
    page.write_text(page.read_text().replace("</body>", "<script>document.title='ran'</script></body>"))
    assert "<title>ran</title>" not in browser(tmp_path, "--dump-dom", "--virtual-time-budget=2000", page.as_uri())
    assert "<title>ran</title>" in browser(
        tmp_path, "--dump-dom", "--virtual-time-budget=2000", unguarded(page).as_uri()
    )


@pytest.mark.parametrize("width", [1200, 500])
def test_it_draws_at_desktop_and_phone_width(page: Path, tmp_path: Path, width: int) -> None:
    shot = tmp_path / "shot.png"
    browser(tmp_path, f"--screenshot={shot}", f"--window-size={width},1400", page.as_uri())
    assert len(set(pixels(shot))) > 20  # an empty page has one or two byte values


def pixels(path: Path) -> bytes:
    """Return the unpacked image data of a PNG file."""
    data, found, at = path.read_bytes(), b"", 8
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        found += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(found)
