"""The page in a real browser: a product and a question are typed and sent, no script of theirs runs, and it fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eval.production.applying import _shop as shop
from tests.eval.production.trying._chrome import CHROMIUM, Browser, Tab, new_tab, started
from tests.eval.production.trying._open import ATTACK, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")]
TITLE = "[name='text-0']"
MARK = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture
def url(page: Page) -> str:
    return page.url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def tab(browser: Browser) -> Tab:
    return new_tab(browser)


def test_a_product_and_a_question_are_sent_and_no_script_runs(tab: Tab, url: str) -> None:
    tab.call("Page.setBypassCSP", enabled=True)  # the policy would hide a fault in the escaping
    tab.open(url)
    tab.type(TITLE, f"Acme1 mug {ATTACK}")
    tab.submit("/product")
    assert tab.value("document.querySelector('#category').textContent") in (shop.KETTLES, shop.MUGS, shop.TENTS)
    assert "confidence 0." in tab.value("document.querySelector('#result svg').getAttribute('aria-label')")
    assert tab.value("document.querySelector(\"[name='text-0']\").value") == f"Acme1 mug {ATTACK}"
    assert tab.value("document.title") == "Try shop" and not tab.value("document.querySelector('script, img') !== null")
    tab.type("[name=question]", f"Does it leak? {ATTACK}")
    tab.submit("/question")
    assert ATTACK.split(">")[0] in tab.value("document.querySelector('#result').textContent")
    assert tab.value("document.querySelectorAll('article').length") > 0
    assert tab.value("document.title") == "Try shop" and not tab.value("document.querySelector('script, img') !== null")


def test_the_policy_stops_a_script_and_lets_the_style_in(tab: Tab, url: str) -> None:
    tab.open(url)
    add = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = \"ran\"'}))"
    tab.value(add)
    assert tab.value("document.title") == "Try shop"
    assert tab.value("getComputedStyle(document.body).marginTop") == "0px"
    tab.call("Page.setBypassCSP", enabled=True)
    tab.open(url)
    tab.value(add)
    assert tab.value("document.title") == "ran", "the check would notice a script that runs"


def test_another_sites_form_is_refused(tab: Tab, url: str, tmp_path: Path) -> None:
    form = f'<form method="post" action="{url}product"><input name="text-0" value="Mug"><button>x</button></form>'
    (tmp_path / "evil.html").write_text(form)
    tab.open((tmp_path / "evil.html").as_uri())
    tab.submit(f"{url}product")
    assert tab.value("document.body.textContent").strip() == "only a form of this page itself may be sent here"


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_desk_and_a_phone_in_light_and_dark(tab: Tab, url: str, width: int, scheme: str) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.open(url)
    assert tab.value(MARK)
    tab.type(TITLE, "Acme" * 40)
    tab.submit("/product")
    assert tab.value("innerWidth") == width and tab.value(MARK)
    tab.type("[name=question]", "Does it leak?" + "X" * 80)
    tab.submit("/question")
    assert tab.value(MARK)
    page = {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 17, 22)"}[scheme]
    assert tab.value("getComputedStyle(document.body).backgroundColor") == page
