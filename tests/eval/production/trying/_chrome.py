"""A real browser, told what to do over DevTools' pipe: messages of JSON that end in a zero byte, on descriptors 3 and 4."""

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120  # seconds


@dataclass
class Browser:
    """A browser's two pipes, and the events that nobody has waited for yet."""

    orders: int
    messages: int
    read: bytes = b""
    number: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, session: str, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": params}
        os.write(self.orders, json.dumps(order | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (told := self.next()).get("id") != self.number:
            self.events.append(told)
        assert "error" not in told, told
        return dict(told["result"])

    def next(self) -> dict[str, Any]:
        while b"\0" not in self.read:
            assert select.select([self.messages], [], [], PATIENCE)[0], "the browser says nothing"
            piece = os.read(self.messages, 1 << 16)
            assert piece, "the browser is gone"
            self.read += piece
        line, _, self.read = self.read.partition(b"\0")
        return dict(json.loads(line))


@dataclass
class Tab:
    """One tab of a browser, by its session."""

    browser: Browser
    session: str

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(self.session, method, **params)

    def loaded(self) -> None:
        """Wait for a page, and forget what came before it."""
        events = self.browser.events
        while (events.pop(0) if events else self.browser.next()).get("method") != "Page.loadEventFired":
            pass

    def open(self, url: str) -> None:
        self.browser.events.clear()
        self.call("Page.navigate", url=url)
        self.loaded()

    def value(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def type(self, selector: str, text: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def submit(self, action: str) -> None:
        self.browser.events.clear()
        self.value(f"void setTimeout(() => document.querySelector('form[action=\"{action}\"] button').click())")
        self.loaded()


def new_tab(browser: Browser) -> Tab:
    target = browser.call("", "Target.createTarget", url="about:blank")["targetId"]
    tab = Tab(browser, browser.call("", "Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
    tab.call("Page.enable")
    return tab


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """Start a browser, and end it."""
    into, out = folder / "orders", folder / "messages"
    for pipe in (into, out):
        os.mkfifo(pipe)
    profile = f"--user-data-dir={folder / 'profile'}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", profile]
    command = ["sh", "-c", f'exec "$0" "$@" 3<"{into}" 4>"{out}"', str(CHROMIUM), *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pipes = [os.open(into, os.O_WRONLY), os.open(out, os.O_RDONLY)]
    try:
        yield Browser(*pipes)
    finally:
        process.terminate()
        process.wait()
        for number in pipes:
            os.close(number)
