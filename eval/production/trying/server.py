"""A server on loopback, on the standard library's: a thread reads each request, and one at a time is answered.

The model answers on the thread that calls :func:`serve`. Ctrl-C reaches that one, even amid an answer, and OpenMP keeps threads
for every thread that computes.
"""

import errno
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from queue import SimpleQueue
from socketserver import ThreadingTCPServer
from typing import Any, NamedTuple

from converters.core.errors import InputError
from eval.production.trying import forms, guard
from eval.production.trying.forms import Refusal
from eval.production.trying.site import Response

SILENCE = 20.0  # seconds that a client may be silent amid a request
DRAINED = 32 << 20  # bytes of a form too long that are read for the browser to see the answer
PIECE = 1 << 16
LOGGER = logging.getLogger(__name__)
BROKEN = Refusal(500, "this went wrong, and the terminal says how")

Show = Callable[[str, Refusal | None], Response]
Answer = Callable[[str, Mapping[str, str]], Response]


class Job(NamedTuple):
    """A form that waits for its answer."""

    path: str
    fields: Mapping[str, str]
    answered: "Future[Response]"


class Server(ThreadingTCPServer):
    """Listens on loopback alone; requests wait until :func:`serve` is called."""

    allow_reuse_address = True
    daemon_threads = True
    show: Show
    jobs: "SimpleQueue[Job | None]"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{guard.HOST}:{self.port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def bound(port: int) -> Server:
    """Return a server that listens on a port, 0 for a free one; one that cannot be had is an ``InputError``."""
    try:
        server = Server((guard.HOST, port), _Handler)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is in use" if taken else f"cannot be had ({error.strerror})"
        raise InputError(f"--port {port}: {why}; name another one, or 0 for any that is free") from error
    server.jobs = SimpleQueue()
    return server


def serve(server: Server, show: Show, answer: Answer) -> None:
    """Serve until Ctrl-C, or until ``None`` is among the server's jobs."""
    server.show = show
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        for job in iter(server.jobs.get, None):
            job.answered.set_result(_answered(job, show, answer))
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()


def _answered(job: Job, show: Show, answer: Answer) -> Response:
    try:
        return answer(job.path, job.fields)
    except Exception:
        LOGGER.exception("the form of %s was not answered", job.path)
        return show(job.path, BROKEN)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = SILENCE

    def do_GET(self) -> None:
        if not self._is_refused():
            self._send(self.server.show(self._path, None))

    def do_POST(self) -> None:
        if self._is_refused():
            return
        found = self._fields()
        if isinstance(found, Refusal):
            self._send(self.server.show(self._path, found))
            return
        job = Job(self._path, found, Future())
        self.server.jobs.put(job)
        self._send(job.answered.result())

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _is_refused(self) -> bool:
        """Refuse who may not ask; nothing of the run is told to them."""
        why = guard.stranger(self.command, self.headers, self.server.port)
        if why:
            self._drain()
            self._write(403, "text/plain", f"{why}\n")
        return bool(why)

    def _fields(self) -> Mapping[str, str] | Refusal:
        size, why = guard.length(self.headers)
        if why:
            self._drain()
            return Refusal(size, why)
        try:
            body = self.rfile.read(size)
            return forms.fields(body) if len(body) == size else Refusal(400, "the form ended before its length")
        except ValueError:
            return Refusal(400, f"expected at most {forms.FIELDS} fields")

    def _drain(self) -> None:
        """Read a body that is refused: a browser shows no answer that comes while it still sends."""
        left = min(guard.told_length(self.headers) or 0, DRAINED)
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            left -= len(piece)

    def _send(self, response: Response) -> None:
        self._write(
            response.status, "text/html", response.page, {"Content-Security-Policy": guard.policy(response.page)}
        )

    def _write(self, status: int, kind: str, text: str, more: Mapping[str, str] | None = None) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), **guard.HEADERS}
        for name, value in {**headers, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing of each request."""
