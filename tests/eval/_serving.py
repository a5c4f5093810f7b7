"""Servers on loopback that answer as a test's function says, well or badly."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answered:
    """What a server sends: ``length`` is what it says that the body has, ``wait`` how long it stays silent after it."""

    body: bytes
    status: int = 200
    length: int | None = None
    wait: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


def chat(*texts: str, **keys: Any) -> Answered:
    """Return a chat completion as servers send it."""
    choices = [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} for text in texts]
    body = {"choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 2}, **keys}
    return Answered(json.dumps(body).encode())


@contextmanager
def serving(
    answer: Callable[[dict[str, Any], dict[str, str]], Answered], card: dict[str, Any] | None = None
) -> Iterator[str]:
    """Serve ``answer(body, headers)`` and give the base URL; ``card`` is what the list of models says, if there is one."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send(Answered(json.dumps({"data": [card]}).encode()) if card else Answered(b"", status=404))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send(answer(body, {name.lower(): value for name, value in self.headers.items()}))

        def send(self, found: Answered) -> None:
            self.send_response(found.status)
            length = len(found.body) if found.length is None else found.length
            for name, value in {"Content-Type": "application/json", "Content-Length": length, **found.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(found.body)
            self.wfile.flush()
            over.wait(found.wait)
            self.close_connection = True

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that went away: they are what is tested."""
            if not isinstance(sys.exc_info()[1], (ConnectionError, json.JSONDecodeError)):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
