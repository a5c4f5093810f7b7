"""The judge against a real server on loopback: ``transformers serve`` with a tiny random model, whose verdicts mean nothing."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters import examples


@pytest.fixture(scope="module")
def base_url(tiny_checkpoint: Path) -> Iterator[str]:
    """The base URL of a server that a test may ask; it ends with the tests of this file."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", tiny_checkpoint, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 600  # seconds; up in 9 on two idle cores
    try:
        while not _up(port):
            assert server.poll() is None and time.monotonic() < until, "transformers serve did not come up"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as found:
            return bool(found.status == 200)
    except OSError:
        return False


@pytest.fixture
def products() -> int:
    return 3


@pytest.mark.slow
def test_a_real_servers_verdicts_that_mean_nothing_are_counted(
    cli: Any, base_url: str, tiny_checkpoint: Path, test_file: Path, write_predictions: Any
) -> None:
    said = write_predictions("run", lambda *_: "Yes. [1]")
    out = said.parent
    flags = ("--endpoint", base_url, "--model", tiny_checkpoint, "--out", out, "--concurrency", 2)
    done = cli("judge", "--data", test_file, "--predictions", said, *flags)
    assert done.exit_code == 0, done.output
    record = json.loads((out / "judgements.json").read_text())
    rows = [row for row in examples.read_rows(test_file) if row.task in ("answer", "general")]
    assert record["rows"] == record["unreadable_verdicts"] == len(rows) == 6
    assert record["prompt_tokens"] > 6 * 100 and 6 <= record["generated_tokens"] <= 6 * 64
    lines = [json.loads(line) for line in (out / "judgements.jsonl").read_text().splitlines()]
    assert lines == [{"id": row.id, "relevance": None, "grounded": None} for row in rows]
