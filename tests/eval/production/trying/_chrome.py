"""A real browser, told what to do over DevTools' pipe: messages of JSON that end in a zero byte, on descriptors 3 and 4."""

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120  # seconds


class Tab:
    """One tab of a browser."""

    def __init__(self, orders: int, events: int) -> None:
        self.orders, self.events = orders, events
        self.read, self.number, self.session = b"", 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": params}
        order |= {"sessionId": self.session} if self.session else {}
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        while (told := self._next()).get("id") != self.number:
            pass
        assert "error" not in told, told
        return dict(told["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.read:
            assert select.select([self.events], [], [], PATIENCE)[0], "the browser says nothing"
            piece = os.read(self.events, 1 << 16)
            assert piece, "the browser is gone"
            self.read += piece
        line, _, self.read = self.read.partition(b"\0")
        return dict(json.loads(line))

    def loaded(self) -> None:
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.loaded()

    def value(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def type(self, selector: str, text: str) -> None:
        self.value(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)

    def submit(self, action: str) -> None:
        self.value(f"void setTimeout(() => document.querySelector('form[action=\"{action}\"] button').click())")
        self.loaded()


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Start a browser with one tab."""
    into, out = folder / "orders", folder / "events"
    for pipe in (into, out):
        os.mkfifo(pipe)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"]
    command = ["sh", "-c", f'exec "$0" "$@" 3<"{into}" 4>"{out}"', str(CHROMIUM), *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    orders, events = os.open(into, os.O_WRONLY), os.open(out, os.O_RDONLY)
    try:
        yield Tab(orders, events)
    finally:
        process.terminate()
        process.wait()
        os.close(orders)
        os.close(events)
